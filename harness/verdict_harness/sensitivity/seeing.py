"""What came of a run in which a defect was planted, and whether the gate noticed."""

from __future__ import annotations

import enum
import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..processes import Completed, tail
from ..report import junit
from ..verdicts import UNKNOWN, Verdict
from .defect import RUN, Defect

_NOTICED = {str(Verdict.FAIL), str(Verdict.INCONCLUSIVE)}
#: Statuses with which a session of criteria ends in order; with any other it did not come about.
_IN_ORDER = {0, 1, UNKNOWN}
_USAGE = 4  # pytest's status for a run that can't even be opened


class Outcome(enum.StrEnum):
    """What is known of a defect.

    ``BROKEN`` is neither of the others: the run did not come about, or a bystander turned, and so nothing
    is known of who would notice.
    """

    CAUGHT = "caught"
    MISSED = "missed"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Ended:
    """A session that is over, and what it left.

    Attributes:
        status: pytest's exit status.
        text: what it said, its last lines.
        seconds: how long it took.
        document: what it concluded; empty if nothing.
        loaded: whether a load was begun.
        times: seconds until each criterion was judged, by id.
    """

    status: int
    text: str
    seconds: float
    document: Mapping[str, Any] = field(default_factory=dict)
    loaded: bool = False
    times: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, done: Completed, folder: Path, name: str) -> Ended:
        """Read what a session left in the ``folder`` of its run, where its document has that ``name``."""
        loads = folder / "loads"
        return cls(
            status=done.status,
            text=tail(f"{done.stdout}\n{done.stderr}", 5),
            seconds=done.seconds,
            document=_document(folder / name),
            loaded=loads.is_dir() and any(loads.iterdir()),
            times=_times(folder / "junit.xml"),
        )

    @property
    def verdicts(self) -> dict[str, str]:
        """The verdict of each criterion, by id."""
        return {str(one["id"]): str(one["verdict"]) for one in self.document.get("criteria", ())}

    @property
    def unsound(self) -> str:
        """Why it is no run from which anything could be told; empty if it is one."""
        if self.status not in _IN_ORDER:
            return f"the session ended with status {self.status}: {self.text}"
        if not self.document:
            return f"the session left no verdict: {self.text}"
        # what breaks before there is a load leaves everything INCONCLUSIVE, and nobody has noticed anything
        if not self.loaded and {*self.verdicts.values()} <= {str(Verdict.INCONCLUSIVE)}:
            why = [str(one.get("reason", "")) for one in self.document.get("criteria", ())]
            return f"nothing was run: {next(iter(why), 'there was no criterion')}"
        return ""

    @property
    def whole(self) -> Verdict:
        """What is said of the run beside its criteria: INCONCLUSIVE if it was not judged whole."""
        partly = any(one.get("missing") for one in self.document.get("requirements", ()))
        bad = partly or self.document.get("troubles") or self.document.get("failures")
        return Verdict.INCONCLUSIVE if bad else Verdict.PASS


def _document(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _times(path: Path) -> dict[str, float]:
    """Return seconds until each criterion was judged: JUnit XML has tests in the order in which they ran.

    Each has the load that it was the first to need.
    """
    try:
        cases = list(ET.parse(path).getroot().iter("testcase"))  # noqa: S314 - the session wrote it
    except (OSError, ET.ParseError):
        return {}
    total = 0.0
    found: dict[str, float] = {}
    for case in cases:
        total += float(case.get("time", 0))
        for one in case.iterfind(f"properties/property[@name='{junit.KEY}']"):
            found.setdefault(str(one.get("value")), total)
    return found


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of a defect.

    Attributes:
        outcome: of it.
        why: of one that was not caught: what did not turn, or what went wrong.
        noticed: seconds of the run until the first criterion that had to turn was judged; ``None`` if it
            was not caught.
        took: seconds in all.
        verdicts: of the criteria that were judged, and of :data:`RUN` where that has to turn.
    """

    outcome: Outcome
    why: str = ""
    noticed: float | None = None
    took: float = 0.0
    verdicts: Mapping[str, str] = field(default_factory=dict)


def broken(why: str, took: float = 0.0, verdicts: Mapping[str, str] | None = None) -> Seen:
    """Return what is seen of a defect whose run did not come about."""
    return Seen(Outcome.BROKEN, why, None, took, verdicts or {})


def told(defect: Defect, ended: Ended) -> Seen:
    """Say what a run with ``defect`` in it tells of it."""
    if ended.unsound:
        return broken(ended.unsound, ended.seconds, ended.verdicts)
    return _compared(defect, ended, {**ended.verdicts, RUN: str(ended.whole)})


def told_later(defect: Defect, first: Ended, again: Ended) -> Seen:
    """Say what judging a sound run again tells of a defect that was planted in between.

    Args:
        defect: the defect.
        first: the run, with nothing planted.
        again: the same run, judged again.
    """
    took = first.seconds + again.seconds
    if first.unsound:
        return broken(first.unsound, took, first.verdicts)
    early = [name for name in _expected(defect) if first.verdicts.get(name) in _NOTICED]
    if early:
        return broken(f"it turned before anything was planted: {', '.join(early)}", took, first.verdicts)
    if again.status == _USAGE and not again.document and _of_the_run(defect):
        return _compared(defect, again, {**first.verdicts, RUN: str(Verdict.INCONCLUSIVE)}, first.seconds)
    if again.status not in _IN_ORDER or not again.document:
        return broken(f"it could not be judged again (status {again.status}): {again.text}", took)
    comparison = again.document.get("comparison", {})
    # not by the status: a run that was INCONCLUSIVE is so when it is judged again, and is the same
    whole = Verdict.PASS if comparison.get("same") is True else Verdict.INCONCLUSIVE
    differing = {
        str(one["id"]): str(one["found"]) for one in comparison.get("differences", ()) if one.get("id")
    }
    verdicts = {**first.verdicts, **again.verdicts, **differing, RUN: str(whole)}
    return _compared(defect, again, verdicts, first.seconds)


def _of_the_run(defect: Defect) -> bool:
    """Whether it is the run's own folder in which something is planted, so that a refusal is of that."""
    return all(getattr(one, "path", "").startswith("runs/") for one in defect.plants)


def _expected(defect: Defect) -> list[str]:
    return [*defect.fails, *defect.turns]


def _compared(defect: Defect, ended: Ended, verdicts: Mapping[str, str], before: float = 0.0) -> Seen:
    """Hold what was seen to what was expected.

    A criterion that had to turn and did not is worse than a bystander that did; what was not judged at all
    tells nothing.
    """
    took = before + ended.seconds
    kept = {name: verdict for name, verdict in verdicts.items() if name != RUN or RUN in _expected(defect)}
    unjudged = [name for name in (*_expected(defect), *defect.holds) if name not in verdicts]
    if unjudged:
        return broken(f"not judged in this run: {', '.join(unjudged)}", took, kept)
    if missed := [*_unturned(defect, verdicts)]:
        return Seen(Outcome.MISSED, "; ".join(missed), None, took, kept)
    turned = [f"{name} is {verdicts[name]}" for name in defect.holds if verdicts[name] in _NOTICED]
    if turned:
        return broken(f"a bystander turned: {', '.join(turned)}", took, kept)
    times = [ended.times[name] for name in _expected(defect) if name in ended.times and not defect.later]
    return Seen(Outcome.CAUGHT, "", min(times, default=ended.seconds), took, kept)


def _unturned(defect: Defect, verdicts: Mapping[str, str]) -> Iterator[str]:
    for name in defect.fails:
        if verdicts[name] != str(Verdict.FAIL):
            yield f"{name} is {verdicts[name]}, and has to FAIL"
    for name in defect.turns:
        if verdicts[name] not in _NOTICED:
            yield f"{name} is {verdicts[name]}, and has to turn"
