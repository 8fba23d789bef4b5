"""A stored run judged again: is the verdict still the same?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

from ..errors import EvidenceError, UsageError
from ..record import Run, Watched, strict
from ..systems import Capability
from .rollup import Criterion

NONE = "none"
#: Fields of a criterion that follow from the others, or say the same in other words.
_TOLD = {"reason", "criterion", "test", "evidence", "findings", "id"}


@dataclass(frozen=True, slots=True)
class Difference:
    """A criterion that is not judged as it was recorded.

    Attributes:
        id: the criterion; empty if the run as a whole differs.
        recorded: the verdict of the run, or ``"none"`` if none was recorded.
        found: the verdict now.
        reason: what differs, or why the verdict is what it is now.
    """

    id: str
    recorded: str
    found: str
    reason: str

    def __str__(self) -> str:
        if not self.id:
            return self.reason
        return f"{self.id}: recorded {self.recorded}, now {self.found}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """The recorded verdict beside the one found now.

    Attributes:
        recorded: the verdict of the run, or ``"none"`` if none was recorded.
        found: the verdict now.
        judged: how many criteria were judged again.
        of: how many the run has.
        differences: criteria that differ, and what else does.
        damage: files that are not what they were at the end of the run, and figures that are not what
            their raw samples give.
        notes: what is not the same and changes no verdict by itself, such as the tests.
    """

    recorded: str
    found: str
    judged: int
    of: int
    differences: tuple[Difference, ...]
    damage: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether all that was judged again is as recorded, and all evidence is what it was."""
        return not self.damage and not self.differences

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


def compare(
    recorded: Mapping[str, Any],
    found: Mapping[str, Any],
    damage: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> Comparison:
    """Compare two documents of the form of ``verdict.json``, field by field of each criterion.

    Args:
        recorded: that of the run; empty if there is none.
        found: that of the replay, perhaps of some of the criteria only.
        damage: files that are not what they were, and figures that are not what raw files give.
        notes: what else the reader has to know.
    """
    before, now = _by_id(strict(recorded)), _by_id(strict(found))
    differences = [
        Difference(name, str(before.get(name, {}).get("verdict", NONE)), str(entry["verdict"]), reason)
        for name, entry in now.items()
        if (reason := _unlike(before.get(name, {}), entry))
    ]
    differences += _figures(recorded, found)
    whole = len(now) >= len(before)
    if whole and not differences and recorded.get("verdict") != found["verdict"]:
        said = f"the run was recorded as {recorded.get('verdict', NONE)} and is {found['verdict']} now"
        differences.append(Difference("", str(recorded.get("verdict", NONE)), str(found["verdict"]), said))
    if (then := recorded.get("manifest")) != found.get("manifest"):
        named = f"sha256 {then}" if then else "none"
        damage = (*damage, f"the manifest is not that of the run, whose verdict names {named}")
    return Comparison(
        recorded=str(recorded.get("verdict", NONE)),
        found=str(found["verdict"]),
        judged=len(now),
        of=max(len(before), len(now)),
        differences=tuple(differences),
        damage=tuple(damage),
        notes=tuple(notes),
    )


def _unlike(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Say what of a criterion differs; the empty text if nothing does."""
    if not then:
        return "the run has no verdict of it"
    if then.get("verdict") != now["verdict"]:
        return str(now["reason"])
    pairs = [(then, now), *zip(then.get("findings", ()), now.get("findings", ()), strict=False)]
    for one, other in pairs:
        for name in {**other, **one}:
            if name not in _TOLD and one.get(name) != other.get(name):
                return f"its {name} was {one.get(name)} and is {other.get(name)}"
    if len(then.get("findings", ())) != len(now.get("findings", ())):
        return f"it had {len(then.get('findings', ()))} findings and has {len(now.get('findings', ()))}"
    return ""


def _figures(recorded: Mapping[str, Any], found: Mapping[str, Any]) -> list[Difference]:
    """Return the figures that are other numbers than were recorded; an older run has none on record."""
    then, now = (
        {
            (load["load"], one["name"], one["of"]): one
            for load in strict(document).get("figures", ())
            for one in load["figures"]
        }
        for document in (recorded, found)
    )
    differences = []
    for key in then.keys() & now.keys():
        for name in ("value", "unit", "interval", "samples", "query"):
            was, is_ = then[key].get(name), now[key][name]
            if was != is_:
                what = " of ".join(filter(None, (key[1], key[2], key[0])))
                said = f"the {name} of the figure {what} was {was} and is {is_}"
                differences.append(Difference("", str(was), str(is_), said))
                break
    return sorted(differences, key=str)


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
