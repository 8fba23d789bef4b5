"""From criteria to the verdict of an experiment, of a requirement (an ASR) and of the run: worst wins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from .finding import Finding
from .verdict import Verdict, worst


@dataclass(frozen=True, slots=True)
class Criterion:
    """One question that a run answers, as its marker states it.

    Attributes:
        id: unique in a run, such as ``"A2.match-p99"``.
        experiment: the experiment that answers it, such as ``"A2"``.
        asr: the requirement it belongs to, such as ``"ASR 1"``; empty if to none.
        fail_counts_as: what a FAIL of this criterion counts as in every roll-up. FAIL, but for
            criteria that can't sink their requirement alone (a missed budget): CONDITIONAL there.
        sentence: the criterion in its own words.
        test: id of the test that judges it.
    """

    id: str
    experiment: str
    asr: str = ""
    fail_counts_as: Verdict = Verdict.FAIL
    sentence: str = ""
    test: str = ""

    @classmethod
    def marked(
        cls,
        id: str,  # noqa: A002 - the name that people write in the marker
        experiment: str,
        asr: str = "",
        fail_counts_as: str | Verdict = Verdict.FAIL,
    ) -> Criterion:
        """Make a criterion of the arguments of its marker.

        Raises:
            TypeError: if they are not what they should be.
        """
        if not (id and experiment and {type(id), type(experiment), type(asr)} == {str}):
            raise TypeError("id, experiment and asr must be text, the first two not empty")
        counts = {str(verdict): verdict for verdict in Verdict if verdict is not Verdict.PASS}
        if str(fail_counts_as) not in counts:
            raise TypeError(f"fail_counts_as must be one of {', '.join(counts)}, not {fail_counts_as}")
        return cls(id, experiment, asr, counts[str(fail_counts_as)])

    @classmethod
    def from_json(cls, entry: Mapping[str, str]) -> Criterion:
        """Make a criterion of what :meth:`to_json` returned."""
        return cls(**{**entry, "fail_counts_as": Verdict[entry["fail_counts_as"]]})  # type: ignore[arg-type]

    def to_json(self) -> dict[str, str]:
        """Return it as the run's description holds it."""
        return {**asdict(self), "fail_counts_as": str(self.fail_counts_as)}


@dataclass(frozen=True, slots=True)
class Judged:
    """A criterion with what was found.

    Attributes:
        criterion: what was asked.
        findings: everything that was found, in the order of judging; never empty.
        evidence: where the evidence lies, relative to the run's folder.
    """

    criterion: Criterion
    findings: tuple[Finding, ...]
    evidence: tuple[str, ...] = ()

    @property
    def finding(self) -> Finding:
        """The worst finding, the first of several: it speaks for the criterion."""
        return max(self.findings, key=lambda finding: finding.verdict)

    @property
    def verdict(self) -> Verdict:
        """The verdict of the criterion itself: a FAIL is a FAIL here, whatever it counts as."""
        return self.finding.verdict

    @property
    def counts_as(self) -> Verdict:
        """What this verdict counts as in the roll-ups."""
        if self.verdict is Verdict.FAIL:
            return self.criterion.fail_counts_as
        return self.verdict


@dataclass(frozen=True, slots=True)
class Whole:
    """Verdicts of the parts of a run and of the run.

    Attributes:
        asrs: requirement to verdict, sorted by name; criteria of no requirement appear in none.
        experiments: experiment to verdict, sorted by name.
        run: the verdict of the run.
    """

    asrs: dict[str, Verdict]
    experiments: dict[str, Verdict]
    run: Verdict


def roll_up(judged: Sequence[Judged], troubles: Sequence[str] = ()) -> Whole:
    """Roll criteria up; worst wins, and nothing at all is INCONCLUSIVE.

    Args:
        judged: every criterion of the run, judged or not (one that was not is INCONCLUSIVE).
        troubles: what else went wrong in the session, such as ordinary tests that failed. The run
            can't be better than INCONCLUSIVE then: something that should hold did not.
    """
    run = worst(one.counts_as for one in judged)
    return Whole(
        asrs=_by(judged, {one.criterion.asr for one in judged} - {""}, asr=True),
        experiments=_by(judged, {one.criterion.experiment for one in judged}, asr=False),
        run=worst([run, Verdict.INCONCLUSIVE]) if troubles else run,
    )


def _by(judged: Iterable[Judged], names: Iterable[str], *, asr: bool) -> dict[str, Verdict]:
    judged = list(judged)
    return {
        name: worst(
            one.counts_as
            for one in judged
            if name == (one.criterion.asr if asr else one.criterion.experiment)
        )
        for name in sorted(names)
    }


def exit_status(judged: Iterable[Judged], failures: Sequence[str] = (), troubles: Sequence[str] = ()) -> int:
    """Return the exit status that the verdicts ask for.

    Args:
        judged: every criterion of the run, each by its own verdict.
        failures: ordinary tests of the session that failed.
        troubles: what else keeps the run from being conclusive.

    Returns:
        1 if any criterion FAILed or there are ``failures``, else 10 if any is INCONCLUSIVE or there
        are ``troubles``, else 0.
    """
    overall = worst(one.verdict for one in judged)
    if failures or overall is Verdict.FAIL:
        return 1
    return 10 if troubles or overall is Verdict.INCONCLUSIVE else 0
