"""Requirements: which criteria each one has, and how much of it a run judged.

A requirement is met if all of its criteria are, so somebody has to say which those are: a run of
one criterion that PASSes has not judged a requirement of forty.  A project says it in one file::

    ["ASR 1"]
    criteria = ["A1.warm-up", "A2.match-p99"]

that pytest's setting ``verdict_requirements`` names.  Where there is none, a requirement has the
criteria that were collected, chosen to be run or not.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

from ..errors import UsageError
from .verdict import Verdict

#: Requirement to the ids of its criteria.
Table: TypeAlias = Mapping[str, Sequence[str]]
#: A requirement and the id of a criterion that claims to be one of its.
Claim: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Requirement:
    """A requirement as one run judged it.

    Attributes:
        name: such as ``"ASR 1"``.
        found: the worst verdict of its criteria that were judged.
        judged: how many of its criteria were.
        missing: ids of those that were not.
    """

    name: str
    found: Verdict
    judged: int
    missing: tuple[str, ...] = ()

    @property
    def of(self) -> int:
        """How many criteria it has."""
        return self.judged + len(self.missing)

    @property
    def verdict(self) -> Verdict:
        """Its verdict; at best INCONCLUSIVE if it was not judged whole.

        >>> Requirement("ASR 1", Verdict.PASS, 3, ("A2.errors",)).verdict
        <Verdict.INCONCLUSIVE: 2>
        """
        return max(self.found, Verdict.INCONCLUSIVE) if self.missing else self.found

    def __str__(self) -> str:
        if not self.missing:
            return f"{self.name}: {self.found}"
        failed = f", {self.found}" if self.found is Verdict.FAIL else ""
        return f"{self.name}: not judged whole, {self.judged} of {self.of}{failed}"

    def to_json(self) -> dict[str, Any]:
        """Return it as ``verdict.json`` holds it."""
        return {
            **asdict(self),
            "found": str(self.found),
            "verdict": str(self.verdict),
            "of": self.of,
            "text": str(self),
        }


def read(path: Path) -> dict[str, tuple[str, ...]]:
    """Return the table that a TOML file holds.

    Raises:
        UsageError: if it holds none.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        table = {name: tuple(entry["criteria"]) for name, entry in found.items()}
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise _unusable(path, f"{type(error).__name__}: {error}") from error
    for name, ids in table.items():
        if not ids or {type(one) for one in ids} != {str} or len(set(ids)) < len(ids):
            raise _unusable(path, f"{name}: {list(ids)}")
    return table


def gaps(table: Table, collected: Iterable[Claim], selected: Iterable[Claim]) -> list[str]:
    """Say where tests and table disagree, one sentence each, as far as what was selected is concerned.

    A criterion that nobody selected is no gap: the requirement is not judged whole then, and says so. One
    that no test judges is, where all tests of its requirement were selected: it was deleted, or misspelt.

    Args:
        table: the criteria of each requirement.
        collected: requirement and id of each criterion that there is, selected or not.
        selected: those that are run.
    """
    collected, selected = set(collected), set(selected)
    found = [
        f"{id_} is said to be of {name}, and the table of requirements does not list it there"
        for name, id_ in sorted(selected)
        if name and id_ not in table.get(name, ())
    ]
    for name in sorted({name for name, _ in selected} & table.keys()):
        there = {id_ for claimed, id_ in collected if claimed == name}
        if {(name, id_) for id_ in there} <= selected:
            found += [f"{name} lists {id_}, and no test judges it" for id_ in table[name] if id_ not in there]
    return found


def _unusable(path: Path, found: str) -> UsageError:
    return UsageError(
        "the table of requirements can't be used",
        expected='a table for each requirement, such as ["ASR 1"], with criteria = [ids, each once]',
        found=found,
        where=str(path),
    )
