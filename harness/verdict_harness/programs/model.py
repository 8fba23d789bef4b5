"""The nouns of provisioning: a program, how it is recognised, and the recipe that makes it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .task import Task

PINS = Path(__file__).parent / "pins"


@dataclass(frozen=True, slots=True)
class Program:
    """An external program that is here and can be used.

    Attributes:
        name: as asked for.
        path: its executable; of ``kafka`` the directory of jars, so that ``<path>/*`` is the class path.
        version: as the program itself says.
        source: where it came from: an environment variable, PATH or our cache.
    """

    name: str
    path: Path
    version: str
    source: str


@dataclass(frozen=True, slots=True)
class Making:
    """What a recipe gets to work with.

    Attributes:
        directory: to be filled; it is moved into place once the recipe has returned.
        temporary: for files of the moment; removed whatever happens.
        work: where downloads and compiler caches stay until a recipe succeeds, so that the next try resumes.
        task: tells the user, and ends what is no longer wanted.
        provide: provides another program, such as the compiler.
    """

    directory: Path
    temporary: Path
    work: Path
    task: Task
    provide: Callable[[str], Program]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one cache entry is made; an entry may hold several programs.

    Attributes:
        name: of the entry and of its lock.
        version: pinned; part of the entry's key.
        origin: what it is made from, for the user.
        make: fills ``Making.directory``.
        pins: files under ``pins/`` whose content is part of the key.
        shape: whatever else changes the result, such as compiler flags; part of the key too.
        seconds: how long it takes cold, measured on two cores.
        disk: bytes that it needs at its peak, measured.
        portable: whether the entry serves every platform.
    """

    name: str
    version: str
    origin: str
    make: Callable[[Making], None]
    pins: tuple[str, ...]
    seconds: float
    disk: int
    shape: str = ""
    portable: bool = False


@dataclass(frozen=True, slots=True)
class Spec:
    """How one program is recognised, wherever it comes from.

    Attributes:
        name: as users of :func:`verdict_harness.programs.provide` call it.
        variable: the environment variable that overrides everything else.
        minimum: least version that is accepted from the user's machine.
        recipe: what makes it if it is nowhere.
        inside: its path inside the recipe's entry.
        probe: words that make it say its version; none for a directory of jars.
        pattern: finds the version in what it says, or in the name of a jar.
        below: first version that is not accepted; empty if none is known not to do.
    """

    name: str
    variable: str
    minimum: str
    recipe: Recipe
    inside: str
    pattern: str
    probe: tuple[str, ...] = ()
    below: str = ""

    @property
    def range(self) -> str:
        """The accepted versions in words."""
        return f"{self.minimum} or later" + (f", and before {self.below}" if self.below else "")
