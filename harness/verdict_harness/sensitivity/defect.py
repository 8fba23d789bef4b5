"""A planted defect: what is broken and how, what is run then, and which criteria have to notice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

#: The run as a whole, among what has to turn: it is not judged whole, or differs when it is judged again.
RUN = "run"


@dataclass(frozen=True, slots=True)
class Patch:
    """Source that stands for other source.

    Attributes:
        path: of the file, from the project's root.
        anchor: what is there; exactly once, or the defect is refused: the code has moved.
        text: what is to be there instead.
    """

    path: str
    anchor: str
    text: str


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable of the session that judges.

    Attributes:
        name: of the variable.
        value: what it is set to.
    """

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Wrapper:
    """A program that is run in the place of another, such as one that starts it and then stops it for 8 s.

    Attributes:
        program: the name of the one it stands for, such as ``"k6"``.
        variable: by which that one is named to the harness, such as ``"K6"``.
        script: Python source; ``REAL`` in it is the path of the program proper, ``sys.argv[1:]`` its words.
    """

    program: str
    variable: str
    script: str


Plant: TypeAlias = Patch | Variable | Wrapper


@dataclass(frozen=True, slots=True)
class Defect:
    """A defect that a gate has to notice.

    Attributes:
        name: in lower case, with hyphens; unique.
        kind: what it is of, such as ``"engine"``.
        story: what is wrong, in one sentence, as a user would tell it.
        plants: what is planted.
        select: which criteria are run: what follows ``-m``.
        words: further words for pytest.
        later: planted only once the run is over, which is then judged again: what people do afterwards.
        fails: criteria that have to FAIL.
        turns: criteria, or :data:`RUN`, that have to be FAIL or INCONCLUSIVE.
        holds: criteria that must not turn: they are about something else.
    """

    name: str
    kind: str
    story: str
    plants: Sequence[Plant]
    select: str
    fails: Sequence[str] = ()
    turns: Sequence[str] = ()
    holds: Sequence[str] = ()
    words: Sequence[str] = ()
    later: bool = False

    def __post_init__(self) -> None:
        if not (self.fails or self.turns):
            raise ValueError(f"nobody has to notice {self.name}")
        if {*self.fails, *self.turns} & {*self.holds}:
            raise ValueError(f"{self.name} has to turn what it must not turn")
