"""What a test of a criterion judges with, and what keeps a finding honest.

The pytest fixture ``judge`` hands out a :class:`Judge`; nothing here knows pytest.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from .expect import Expectation, together
from .finding import Finding
from .sample import Sample
from .verdict import Verdict


class Carrier(Protocol):
    """Something that a judgement rests on, such as a load: it knows why it can't carry a verdict."""

    @property
    def trouble(self) -> Sequence[str]:
        """Every reason why nothing may be concluded from it; empty if there is none."""


@dataclasses.dataclass(frozen=True, slots=True)
class Exhibit:
    """A sample as it was judged, kept so that the report can draw it.

    Attributes:
        label: which of several samples; empty if there was one.
        sample: what was judged.
        expectation: what it was judged by.
        loads: what it rests on.
    """

    label: str
    sample: Sample
    expectation: Expectation
    loads: tuple[Carrier, ...]


class Judge:
    """Collects the findings of one criterion.

    Calling it never raises for a limit that was missed: a test may judge several
    samples, and the worst finding speaks for the criterion when the test ends.
    """

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.exhibits: list[Exhibit] = []

    def __call__(
        self,
        sample: Sample | Mapping[str, Sample],
        expectation: Expectation,
        *,
        load: Carrier | Iterable[Carrier] = (),
    ) -> Finding:
        """Judge ``sample`` by ``expectation``, and record and return what is found.

        Args:
            sample: a sample, or several by name that each have to meet the expectation.
            expectation: the limit.
            load: the load or loads that the sample rests on. If one is in trouble the finding is
                INCONCLUSIVE with its reasons, whatever the number; the number is kept for the reader.
        """
        loads = tuple(load) if isinstance(load, Iterable) else (load,)
        if isinstance(sample, Mapping):
            found = together(expectation, sample)
            self.exhibits += [Exhibit(name, each, expectation, loads) for name, each in sample.items()]
        else:
            found = expectation.judge(sample)
            self.exhibits.append(Exhibit("", sample, expectation, loads))
        trouble = [reason for each in loads for reason in each.trouble]
        return self.record(_demoted(found, "; ".join(trouble)) if trouble else found)

    def record(self, finding: Finding) -> Finding:
        """Record a finding that was made elsewhere; return it as recorded.

        A PASS or CONDITIONAL without a finite number, or resting on no sample, is recorded as
        INCONCLUSIVE: whatever made it, nothing passes on nothing.
        """
        finding = _honest(finding)
        self.findings.append(finding)
        return finding

    def inconclusive(self, reason: str) -> Finding:
        """Record that the evidence can't carry a verdict, and why."""
        return self.record(without_value(Verdict.INCONCLUSIVE, reason))

    def demote(self, reason: str) -> None:
        """Make the worst finding so far INCONCLUSIVE for ``reason``, its number kept; a FAIL stays one."""
        if not self.findings:
            self.inconclusive(reason)
            return
        worst = max(self.findings, key=lambda finding: finding.verdict)
        self.record(_demoted(worst, reason))


def without_value(verdict: Verdict, reason: str) -> Finding:
    """Return a finding that rests on no number.

    >>> without_value(Verdict.INCONCLUSIVE, "not measured").value is None
    True
    """
    return Finding(verdict, value=None, unit="", limit="", query="", samples=0, reason=reason)


def _demoted(finding: Finding, reason: str) -> Finding:
    verdict = Verdict.INCONCLUSIVE
    return dataclasses.replace(finding, verdict=verdict, reason=f"{reason} (otherwise: {finding.reason})")


def _honest(finding: Finding) -> Finding:
    if finding.verdict not in {Verdict.PASS, Verdict.CONDITIONAL}:
        return finding
    if finding.value is None:
        return _demoted(finding, f"{finding.verdict} was claimed without a value")
    if not math.isfinite(finding.value):
        return _demoted(finding, f"{finding.verdict} was claimed for {finding.value}, which is not a number")
    if finding.samples < 1:
        return _demoted(finding, f"{finding.verdict} was claimed on no samples")
    return finding
