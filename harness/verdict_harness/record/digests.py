"""Digests: what a file or a tree of source was, in one line."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path


def of_file(path: Path) -> str:
    """Return the sha256 of a file's content, in hexadecimal; raise :class:`OSError` if it can't be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def of_files(paths: Iterable[Path], root: Path) -> dict[str, str]:
    """Return the digests of files that can be read, by their path below ``root``, or whole if not below."""
    found = {}
    for path in sorted(set(paths)):
        name = path.relative_to(root) if path.is_relative_to(root) else path
        try:
            found[name.as_posix()] = of_file(path)
        except OSError:
            continue
    return found


def of_package(directory: Path) -> str:
    """Return one digest of all source of an installed package: its names and contents, caches left out."""
    tree = hashlib.sha256()
    for path in sorted(directory.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            tree.update(f"{path.relative_to(directory).as_posix()} {of_file(path)}\n".encode())
    return tree.hexdigest()
