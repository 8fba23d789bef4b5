"""A copy of a project, and a Python that imports the copy's modules and not the project's."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

#: What is left out where no git says which files are the project's.
_NOT_OURS = frozenset({".git", ".nox", ".venv", "venv", "runs", "__pycache__", ".mypy_cache", ".ruff_cache"})
_HOME = ".planted"  # of the copy's Python, in the copy
#: Nothing in these changes what a run does.
_WORDS = ("docs/", "tests/", "README", "CHANGELOG", ".github/", ".ci/")


def files(root: Path) -> list[str]:
    """Return the project's files by their paths from ``root``: what git lists, but for what it ignores."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard", "-z"],  # noqa: S607 - whichever git the user has
            cwd=root,
            capture_output=True,
            check=True,
        ).stdout.decode()
    except (OSError, subprocess.CalledProcessError):
        return sorted(_walked(root))
    return sorted(name for name in listed.split("\0") if name and (root / name).is_file())


def _walked(root: Path) -> Iterator[str]:
    for place, directories, names in os.walk(root):
        directories[:] = [one for one in directories if one not in _NOT_OURS]
        for name in names:
            yield (Path(place) / name).relative_to(root).as_posix()


def digest(root: Path) -> str:
    """Return a digest of all files that what a run does may depend on."""
    whole = hashlib.sha256()
    for name in files(root):
        if not name.startswith(_WORDS):
            whole.update(f"{name}\0".encode() + hashlib.sha256((root / name).read_bytes()).digest())
    return whole.hexdigest()


class Copy(NamedTuple):
    """A copy of a project.

    Attributes:
        root: its directory.
        python: imports the copy's modules.
    """

    root: Path
    python: Path


def copy(root: Path, into: Path) -> Copy:
    """Copy the project into the directory ``into``, which is made."""
    for name in files(root):
        target = into / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, target)
    return Copy(into, _python(root, into))


def _python(root: Path, into: Path) -> Path:
    """Make a Python for the copy: with all that the running one has, but the copy's modules before it.

    What a run starts gets an environment without ``PYTHONPATH``, so this has to be the interpreter's own.
    """
    home = into / _HOME
    venv.EnvBuilder(with_pip=False, symlinks=True).create(home)
    here = f"python{sys.version_info.major}.{sys.version_info.minor}"
    (packages,) = (home / "lib" / here).glob("site-packages")
    theirs = next(Path(entry) for entry in sys.path if Path(entry).name == "site-packages")
    lines = [str(into / place) for place in below(root, sys.path)]
    lines.append(f"import site; site.addsitedir({str(theirs)!r})")
    (packages / "planted.pth").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return home / "bin" / "python"


def below(root: Path, entries: Sequence[str]) -> list[str]:
    """Return those of ``sys.path``'s entries that are the project's, by their paths from its root.

    >>> below(Path("/p"), ["/p", "/p/src", "/usr/lib/python3", "/p/.nox/env/lib/python3/site-packages"])
    ['.', 'src']
    """
    own = [Path(entry) for entry in entries if entry]
    found = [entry.relative_to(root) for entry in own if entry.is_relative_to(root)]
    return [
        place.as_posix()
        for place in dict.fromkeys(found)
        if not {*place.parts} & {"site-packages", *_NOT_OURS}
    ]
