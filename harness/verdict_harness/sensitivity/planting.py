"""Plant a defect in a copy of a project: source that stands for other source, variables, wrappers."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from ..errors import HarnessError, UsageError
from ..programs import asks_version, provide
from .defect import Defect, Patch, Variable, Wrapper
from .tree import Tree

_WRAPPER = """\
import os, sys
REAL = {real!r}
if sys.argv[1:] == {version!r}:
    os.execv(REAL, [REAL, *sys.argv[1:]])
"""


def plant(defect: Defect, tree: Tree) -> dict[str, str]:
    """Plant ``defect`` and return the environment variables that go with it.

    Raises:
        UsageError: an anchor is not there exactly once, a path leads out of the copy, or what is planted
            is no Python.
        ProgramError: a program that is to be wrapped can't be had.
    """
    variables: dict[str, str] = {}
    for one in defect.plants:
        if isinstance(one, Patch):
            _patch(defect.name, one, tree.root)
        elif isinstance(one, Variable):
            variables[one.name] = one.value
        else:
            variables[one.variable] = str(_wrap(defect.name, one, tree))
    return variables


def trouble(defect: Defect, root: Path) -> str:
    """Say why ``defect`` can't be planted in the project at ``root``; the empty text if it can.

    Nothing is written. What is planted later is not looked at: it may be in what the run leaves behind.
    """
    files: dict[str, str] = {}
    for one in defect.plants:
        if isinstance(one, Patch) and not defect.later:
            try:
                path = _inside(defect.name, one, root)
                files[one.path] = _patched(defect.name, one, files.get(one.path) or _read(path))
            except HarnessError as error:
                return str(error)
    return ""


def _patch(name: str, patch: Patch, root: Path) -> None:
    path = _inside(name, patch, root)
    path.write_bytes(_patched(name, patch, _read(path)).encode())


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except OSError:
        return ""  # an anchor is not found in it, which says which file and what to do


def _patched(name: str, patch: Patch, text: str) -> str:
    found = text.count(patch.anchor) if patch.anchor else 0
    if found != 1:
        raise UsageError(
            f"{name} can't be planted: the code has moved",
            expected=f"exactly once:\n{patch.anchor}",
            found=f"{found} times" if text else "no such file, or an empty one",
            where=patch.path,
            todo="look at what became of that code, and give the defect an anchor that is there once",
        )
    planted = text.replace(patch.anchor, patch.text)
    if patch.path.endswith(".py"):
        _compiles(name, planted, patch.path)
    return planted


def _compiles(name: str, source: str, where: str) -> None:
    try:
        compile(source, where, "exec")
    except (SyntaxError, ValueError) as error:
        raise UsageError(
            f"{name} can't be planted: what is planted is no Python",
            expected="source that compiles: what can't start is no defect that a gate could notice",
            found=str(error),
            where=where,
            todo="mend what is planted",
        ) from error


def _inside(name: str, patch: Patch, root: Path) -> Path:
    path = (root / patch.path).resolve()
    if not path.is_relative_to(root.resolve()):
        raise UsageError(
            f"{name} can't be planted: its path leads out of the project",
            expected="a path below the project's root",
            found=patch.path,
            where=str(root),
            todo="name a file of the project",
        )
    return path


def _wrap(name: str, wrapper: Wrapper, tree: Tree) -> Path:
    """Write what runs in the place of a program; return its path.

    A shell starts it, since the path of an interpreter after ``#!`` may be neither long nor have blanks.
    """
    if not (version := asks_version(wrapper.program)):
        raise UsageError(
            f"{name} can't be planted: {wrapper.program} can't be wrapped",
            expected="a program that says its version",
            found="a directory of jars",
            todo="wrap java, which runs them",
        )
    head = _WRAPPER.format(real=str(provide(wrapper.program).path), version=list(version))
    source = head + wrapper.script
    _compiles(name, source, f"the wrapper of {wrapper.program}")
    folder = tree.root.parent / "wrappers"
    folder.mkdir(exist_ok=True)
    script, starter = folder / f"{wrapper.program}.py", folder / wrapper.program
    script.write_text(source, encoding="utf-8")
    words = shlex.join([str(tree.python), str(script)])
    starter.write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
    starter.chmod(0o755)
    return starter


def gone(defects: Sequence[Defect], root: Path) -> dict[str, str]:
    """Return why defects can't be planted in the project at ``root``, by their names."""
    return {defect.name: why for defect in defects if (why := trouble(defect, root))}
