"""Which version a program is: ask it, read the answer, compare."""

from __future__ import annotations

import functools
import os
import re
from typing import TYPE_CHECKING

from ..errors import CommandError, ProgramError
from ..processes import run

if TYPE_CHECKING:
    from pathlib import Path

    from .model import Spec

_PROBE_TIMEOUT = 60.0  # a cold disk and two busy cores; a healthy program answers in well under a second


def number(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version, to be compared.

    >>> number("1.26.8") < number("1.27rc1"), number("17.0.15+6") >= number("17")
    (True, True)
    """
    match = re.match(r"v?(\d+(?:\.\d+)*)", version)
    if match is None:
        raise ValueError(f"no version: {version!r}")
    return tuple(int(part) for part in match[1].split("."))


def accepted(spec: Spec, version: str) -> bool:
    """Whether ``version`` may be used.

    Java called itself 1.8 before it called itself 9; both are older than 17.
    """
    return number(spec.minimum) <= number(version) and (
        not spec.below or number(version) < number(spec.below)
    )


def version_at(spec: Spec, path: Path) -> str:
    """Return the version of the program at ``path``, as it says itself.

    Raises:
        ProgramError: it is not there, can't be run, or says nothing that looks like a version.
    """
    if not spec.probe:
        return _jars_version(spec, path)
    if not (path.is_file() and os.access(path, os.X_OK)):
        raise ProgramError(
            f"{spec.name} can't be run",
            expected="an executable file",
            found=_kind(path),
            where=str(path),
        )
    stat = path.stat()
    said = _said(path, spec.probe, stat.st_mtime_ns, stat.st_size)
    match = re.search(spec.pattern, said, re.MULTILINE)
    if match is None:
        raise ProgramError(
            f"{spec.name} does not say which version it is",
            expected=f"an answer like {spec.pattern!r}",
            found="\n".join(said.strip().splitlines()[:3]) or "nothing",
            where=f"{path} {' '.join(spec.probe)}",
        )
    return match[1]


@functools.lru_cache(maxsize=64)
def _said(path: Path, words: tuple[str, ...], _changed: int, _size: int) -> str:
    """Run the probe, once for each state of the file."""
    try:
        completed = run([path, *words], timeout=_PROBE_TIMEOUT, check=False)
    except CommandError as error:
        raise ProgramError(
            f"{path.name} can't be run", expected=error.expected, found=error.found, where=str(path)
        ) from error
    return f"{completed.stdout}\n{completed.stderr}"  # Java answers on standard error


def _jars_version(spec: Spec, path: Path) -> str:
    names = sorted(file.name for file in path.glob("*.jar")) if path.is_dir() else []
    for name in names:
        match = re.match(spec.pattern, name)
        if match:
            return match[1]
    raise ProgramError(
        f"{spec.name} is not there",
        expected=f"a directory with a jar like {spec.pattern!r}",
        found=f"{len(names)} jars, none of that name" if path.is_dir() else _kind(path),
        where=str(path),
    )


def _kind(path: Path) -> str:
    if path.is_dir():
        return "a directory"
    if path.is_file():
        return "a file that is not executable"
    return "nothing"
