"""Where a program is: what the user named, then PATH, then our cache. Makes nothing and writes nothing."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ProgramError
from . import store
from .model import Program
from .versions import accepted, version_at

if TYPE_CHECKING:
    from .model import Spec


@dataclass(frozen=True, slots=True)
class Found:
    """The outcome of a search.

    Attributes:
        program: what was found; ``None`` if it has to be made.
        passed_over: what was met on the way and why it was not taken, one sentence each.
    """

    program: Program | None
    passed_over: tuple[str, ...] = ()


def find(spec: Spec) -> Found:
    """Look for a program.

    Raises:
        ProgramError: the user named one by the environment variable, and it can't be used.
    """
    given = os.environ.get(spec.variable)
    if given:
        return Found(_named(spec, Path(given).expanduser().absolute()))
    on_path, passed_over = _on_path(spec)
    if on_path:
        return Found(on_path)
    return Found(in_cache(spec), passed_over)


def _named(spec: Spec, path: Path) -> Program:
    """The program that the user named: it is used or it is an error, never quietly replaced."""
    todo = f"set {spec.variable} to one that can be used, or unset it to have one provided"
    try:
        version = version_at(spec, path)
    except ProgramError as error:
        raise ProgramError(
            f"{spec.variable} does not name a {spec.name} that can be used",
            expected=error.expected,
            found=error.found,
            where=error.where,
            todo=todo,
        ) from error
    if not accepted(spec, version):
        raise ProgramError(
            f"{spec.variable} names a {spec.name} of a version that is not accepted",
            expected=spec.range,
            found=version,
            where=str(path),
            todo=todo,
        )
    return Program(spec.name, path, version, f"variable {spec.variable}")


def _on_path(spec: Spec) -> tuple[Program | None, tuple[str, ...]]:
    candidate = shutil.which(spec.name) if spec.probe else None
    if candidate is None:
        return None, ()
    path = Path(candidate).absolute()
    try:
        version = version_at(spec, path)
    except ProgramError as error:
        return None, (f"{path} is passed over: {error.what} ({error.found.splitlines()[0]})",)
    if not accepted(spec, version):
        return None, (f"{path} is passed over: it is {version}, and {spec.range} is needed",)
    return Program(spec.name, path, version, "PATH"), ()


def in_cache(spec: Spec) -> Program | None:
    """Return the program from our cache, if it is there and whole."""
    try:
        place = store.entry(spec.recipe)
    except ProgramError:
        return None  # nothing can be made for this platform; whoever has to make it will say so
    versions = store.versions_in(place)
    path = place / spec.inside
    if versions is None or not path.exists():
        return None
    return Program(spec.name, path, versions[spec.name], f"cache ({spec.recipe.origin})")
