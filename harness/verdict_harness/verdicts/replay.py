"""A stored run judged again: is the verdict still the same?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

from ..errors import EvidenceError, UsageError
from ..record import Run, Watched
from ..systems import Capability
from .rollup import Criterion

NONE = "none"


@dataclass(frozen=True, slots=True)
class Difference:
    """A criterion whose verdict or value is not what was recorded.

    Attributes:
        id: the criterion.
        recorded: the verdict of the run, or ``"none"`` if none was recorded.
        found: the verdict now.
        reason: why it is what it is now.
    """

    id: str
    recorded: str
    found: str
    reason: str

    def __str__(self) -> str:
        return f"{self.id}: recorded {self.recorded}, now {self.found}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """The recorded verdict beside the one found now.

    Attributes:
        recorded: the verdict of the run, or ``"none"`` if none was recorded.
        found: the verdict now.
        judged: how many criteria were judged again.
        of: how many the run has.
        differences: criteria that differ.
    """

    recorded: str
    found: str
    judged: int
    of: int
    differences: tuple[Difference, ...]

    @property
    def same(self) -> bool:
        """Whether no criterion that was judged again differs, nor the whole if all of them were."""
        return not self.differences and (self.judged < self.of or self.recorded == self.found)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {**asdict(self), "same": self.same}

    def __str__(self) -> str:
        part = "" if self.judged == self.of else f" ({self.judged} of {self.of} criteria)"
        if self.same:
            return f"the same verdict as recorded{part}"
        return f"NOT as recorded{part}: the run was {self.recorded} and is {self.found} now; these differ:"


def open_run(places: Sequence[Path], asked: Mapping[str, str | None]) -> Run:
    """Open a stored run.

    Args:
        places: where it may be; the first one that exists counts.
        asked: what was asked for of its backend and profile, which can't be had again differently.

    Raises:
        UsageError: if something else was asked for than the run has.
        EvidenceError: if it is no run, did not reach its end, or is damaged.
    """
    run = Run(Watched.replay(next((place for place in places if place.exists()), places[0])))
    for option, word in asked.items():
        if word not in {None, getattr(run, option)}:
            raise UsageError(
                f"--{option} can't be changed when a run is judged again",
                expected=getattr(run, option),
                found=str(word),
                where=str(run.directory),
                todo=f"leave --{option} out",
            )
    return run


def compare(recorded: Mapping[str, Any], found: Mapping[str, Any]) -> Comparison:
    """Compare two documents of the form of ``verdict.json``.

    Args:
        recorded: that of the run; empty if there is none.
        found: that of the replay, perhaps of some of the criteria only.
    """
    before = _by_id(recorded)
    differences = []
    for name, now in _by_id(found).items():
        then = before.get(name, {})
        if (then.get("verdict"), then.get("value")) != (now["verdict"], now["value"]):
            reason = now["reason"]
            if then.get("verdict") == now["verdict"]:
                reason = f"the value was {then.get('value')} and is {now['value']}"
            differences.append(Difference(name, then.get("verdict", NONE), now["verdict"], reason))
    judged = len(_by_id(found))
    return Comparison(
        recorded=str(recorded.get("verdict", NONE)),
        found=str(found["verdict"]),
        judged=judged,
        of=max(len(before), judged),
        differences=tuple(differences),
    )


def _by_id(document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {str(entry["id"]): entry for entry in document.get("criteria", ())}


def criteria(description: Mapping[str, Any]) -> Sequence[Criterion]:
    """Return the criteria that a run's description lists."""
    return [Criterion.from_json(entry) for entry in description.get("criteria", ())]


def files(description: Mapping[str, Any], root: Path) -> list[str]:
    """Return the files of the tests that judged a run, under ``root`` or where the run had them.

    Args:
        description: the run's.
        root: the folder to look in first.

    Raises:
        UsageError: if none is there any more; what else lies around is not searched for criteria.
    """
    names = sorted({criterion.test.partition("::")[0] for criterion in criteria(description)})
    roots = [root, Path(str(description.get("root", root)))]
    found = [next((base / name for base in roots if (base / name).exists()), None) for name in names]
    paths = [str(path) for path in found if path is not None]
    if not paths:
        raise UsageError(
            "the tests that judged this run are not here",
            expected=", ".join(names) or "criteria in the run's description",
            where=" or ".join(map(str, dict.fromkeys(roots))),
            todo="say where they are: pytest --judge RUN <their folder>",
        )
    return paths


class Stored:
    """Stands for the backend when a stored run is judged again: it can do everything and does nothing."""

    capabilities = frozenset(Capability)

    def __init__(self, run: Run) -> None:
        self.name = run.backend
        self._where = str(run.directory)

    def deploy(self, *_: object, **__: object) -> NoReturn:
        """Refuse.

        Raises:
            EvidenceError: always.
        """
        raise EvidenceError(
            "nothing is deployed when a stored run is judged again",
            expected="an answer recorded by the run",
            found="a question that needs the system",
            where=self._where,
            todo="ask through run.evidence.fact, so that the answer is recorded; then run again",
        )
