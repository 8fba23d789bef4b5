"""A copy of a project in which something may be broken, and a Python that imports from that copy."""

from __future__ import annotations

import os
import shutil
import site
import sys
import tempfile
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import CommandError
from ..processes import run
from ..record import of_files

#: What git need not be asked about: the history, environments, and what runs leave behind.
_LEFT = {".git", ".nox", ".venv", "__pycache__", "runs"}
#: What marks a directory that is made again when it is missing: a cache, or an environment.
_MARKS = ("CACHEDIR.TAG", "pyvenv.cfg")


@dataclass(frozen=True, slots=True)
class Tree:
    """A copy of a project in a scratch directory.

    Attributes:
        root: of the copy.
        original: of the project that it was copied from.
        python: an interpreter that imports from the copy whatever ours imports from the original, and
            everything else from where ours does. It says so to those that it starts, too.
    """

    root: Path
    original: Path
    python: Path

    def environment(self) -> dict[str, str]:
        """Return the variables that are other than ours, so that a session of pytest is the copy's own.

        What ours was told is not for those in the copy, and a path that leads to the original would go
        before everything that the copy's Python knows.
        """
        told = [name for name in os.environ if name.startswith(("PYTEST_", "HARNESS_"))]
        ways = [way for way in os.environ.get("PYTHONPATH", "").split(os.pathsep) if way]
        kept = [way for way in ways if not Path(way).resolve().is_relative_to(self.original)]
        return {
            **dict.fromkeys(told, ""),
            "PYTHONPATH": os.pathsep.join(kept),
            "PATH": os.pathsep.join([str(self.python.parent), os.environ.get("PATH", os.defpath)]),
        }


@contextmanager
def copied(original: Path) -> Iterator[Tree]:
    """Copy the project at ``original``; the copy is gone when the context ends.

    Raises:
        OSError: if it can't be copied.
    """
    original = original.resolve()
    with tempfile.TemporaryDirectory(prefix="verdict-sensitivity-", ignore_cleanup_errors=True) as scratch:
        root = Path(scratch).resolve() / original.name
        for name in listed(original):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(original / name, root / name, follow_symlinks=False)
        yield Tree(root, original, _python(Path(scratch).resolve() / "python", original, root))


def listed(root: Path) -> list[Path]:
    """Return the files of a project, relative to its ``root``, in order.

    They are those that git has or would take; without git, all but environments, caches and runs.
    """
    try:
        git = run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=root)
    except CommandError:  # no git, or no repository
        return sorted(path.relative_to(root) for path in _walked(root))
    names = sorted({Path(name) for name in git.stdout.split("\0") if name})
    # what was deleted and not yet committed is listed, and a repository within this one is one name
    return [one for name in names for one in _expanded(root, name)]


def _expanded(root: Path, name: Path) -> list[Path]:
    path = root / name
    if path.is_dir() and not path.is_symlink():
        return sorted(one.relative_to(root) for one in _walked(path))
    return [name] if path.is_symlink() or path.exists() else []


def _walked(directory: Path) -> Iterator[Path]:
    for path in directory.iterdir():
        if path.name in _LEFT:
            continue
        if path.is_symlink() or path.is_file():
            yield path
        elif path.is_dir() and not any((path / mark).exists() for mark in _MARKS):
            yield from _walked(path)


def digest(root: Path, apart: Sequence[Path] = ()) -> dict[str, str]:
    """Return the digest of each file that a run may depend on, by its path below ``root``.

    Args:
        root: of the project.
        apart: directories that are left out, such as that of the defects: each has a digest of its own.
            What only people read (Markdown) is left out, too.
    """
    paths = [root / name for name in listed(root) if name.suffix != ".md"]
    return of_files([path for path in paths if not any(path.is_relative_to(one) for one in apart)], root)


def _python(place: Path, original: Path, root: Path) -> Path:
    """Make the copy's Python: an environment with nothing in it but the ways to what we import from."""
    venv.EnvBuilder(with_pip=False, symlinks=True).create(place)
    (packages,) = place.glob("lib/python*/site-packages")
    ways = {way: Path(way).resolve() for way in sys.path}
    below = {way: path for way, path in ways.items() if path.is_relative_to(original)}
    copies = {way: root / path.relative_to(original) for way, path in below.items()}
    moved = {way: str(copy) for way, copy in copies.items() if copy.is_dir()}
    installed = [*site.getsitepackages(), *([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])]
    lines = [
        *dict.fromkeys(moved.values()),
        *(f"import site; site.addsitedir({directory!r})" for directory in installed),
        # what is installed for editing leads to the original, and a namespace package would be of both
        f"import sys; sys.path[:] = [way for way in sys.path if way not in {list(moved)!r}]",
    ]
    (packages / "sensitivity.pth").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return place / "bin" / "python"
