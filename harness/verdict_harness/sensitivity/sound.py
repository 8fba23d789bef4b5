"""Runs of the system with nothing planted: how often a gate raises a false alarm."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import CommandError
from ..figures import duration
from ..processes import progress
from ..samples import likelihood
from ..verdicts import Verdict
from .defect import Defect
from .records import Records
from .run import Project, sound

_FAIL, _OPEN = str(Verdict.FAIL), str(Verdict.INCONCLUSIVE)


@dataclass(frozen=True, slots=True)
class Alarms:
    """What came of runs of the sound system.

    Attributes:
        runs: how many there were.
        false: how many of them had a criterion that FAILed.
        undecided: how many had one that was INCONCLUSIVE, and none that FAILed.
        failed: how often each criterion FAILed, of those that did.
        unknown: how often each was INCONCLUSIVE, of those that were.
    """

    runs: int
    false: int
    undecided: int
    failed: Mapping[str, int]
    unknown: Mapping[str, int]

    def __str__(self) -> str:
        if not self.runs:
            return "the sound system was not run"
        lo, hi = likelihood(self.false, self.runs)
        return (
            f"a false alarm in {self.false} of {self.runs} runs of the sound system, "
            f"so in {lo:.1%} to {hi:.1%} of such runs; {self.undecided} undecided"
        )


def alarms(runs: Sequence[Mapping[str, str]]) -> Alarms:
    """Count what criteria said in ``runs``, each the verdict of each criterion.

    >>> print(alarms([{"A": "PASS"}] * 19 + [{"A": "FAIL"}]))
    a false alarm in 1 of 20 runs of the sound system, so in 0.3% to 21.6% of such runs; 0 undecided
    """
    failed = Counter(name for one in runs for name, verdict in one.items() if verdict == _FAIL)
    unknown = Counter(name for one in runs for name, verdict in one.items() if verdict == _OPEN)
    false = sum(_FAIL in one.values() for one in runs)
    undecided = sum(_OPEN in one.values() and _FAIL not in one.values() for one in runs)
    return Alarms(len(runs), false, undecided, failed, unknown)


def selected(defects: Sequence[Defect]) -> str:
    """Return what selects all criteria that any of ``defects`` is tried on.

    >>> selected([Defect("d", "k", "s", (), select=one, fails=["x"]) for one in ("a1 or a2", "a1", "b1")])
    'a1 or a2 or b1'
    """
    words = [word.strip() for defect in defects for word in defect.select.split(" or ")]
    return "" if "" in words else " or ".join(dict.fromkeys(words))


def run_sound(select: str, times: int, project: Project, records: Records) -> int:
    """Run what ``select`` selects until there are that many runs; return how many did not come about.

    Raises:
        KeyboardInterrupt: it was interrupted; what ran has ended by then.
        EvidenceError: what was seen can't be kept.
    """
    bad = 0
    for number in range(len(records.sound().get(select, ())) + 1, times + 1):
        progress.say(f"the sound system, run {number} of {times}")
        try:
            ended = sound(select, project, evidence=records.evidence(f"sound-{number}"))
        except CommandError as error:
            bad += 1
            progress.say(f"broken  {error}")
            continue
        if ended.unsound:
            bad += 1
            progress.say(f"broken  {ended.unsound}")
            continue
        records.keep_sound(select, ended)
        said = [f"{name} is {it}" for name, it in ended.verdicts.items() if it in {_FAIL, _OPEN}]
        progress.say(f"sound   {', '.join(said) or 'all criteria are met'}, {duration(ended.seconds)}")
    return bad
