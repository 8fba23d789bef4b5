"""An expectation whose limit was itself measured, and may therefore be no number either."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from ..errors import UsageError
from ..samples import Estimate, NoValue, Quantity, Sample, Series, Unit, Windows, percent
from .expectation import judge, nothing, positive, shown, unfit
from .finding import Finding
from .limits import Below
from .quotient import quotient
from .verdict import Verdict
from .zones import Cut, Zones

_PLAIN = Unit("", 1.0, "")
_ONE_EACH = "a series was given where one number is compared with one; ask for it over the whole window"


@dataclass(frozen=True, slots=True)
class Change:
    """A number is not much more, or less, than one measured before.

    The change has an interval made of both numbers' own; see :func:`~.quotient.quotient`.  Of windows, the
    wholes are compared: the worst of several grows with their number, so it says nothing of what changed.

    Attributes:
        before: the number to compare with.
        at_most: change upwards that is tolerated, itself included.
        at_least: change downwards that is tolerated (negative, itself included); ``None`` for any.
        below: a limit that the number has to stay under besides, whatever it was before.
        otherwise: the verdict where the change is too much; breaching ``below`` is always a FAIL.

    >>> from verdict_harness.samples import exact, ms
    >>> change = Change(exact("p99", 0.010, at=0.0, n=5100), at_most=10 * percent, below=200 * ms)
    >>> print(change, change.judge(exact("p99", 0.0105, at=60.0, n=5100)).reason, sep=": ")
    <= +10 % and < 200 ms: +5 %, from 10 ms to 10.5 ms
    """

    before: Sample
    at_most: Quantity = 10 * percent
    at_least: Quantity | None = None
    below: Quantity | None = None
    otherwise: Verdict = Verdict.FAIL

    def __post_init__(self) -> None:
        positive("Change", self.at_most, self.below)
        (1 * percent).same_dimension(self.at_most)
        if self.at_least is not None and not -1 <= (1 * percent).same_dimension(self.at_least).base <= 0:
            raise UsageError(
                "at_least is a change downwards", expected="-100 % to 0 %", found=str(self.at_least)
            )

    def __str__(self) -> str:
        text = f"<= +{self.at_most}"
        if self.at_least is not None:
            text += f" and >= {self.at_least}"
        return text + (f" and < {self.below}" if self.below is not None else "")

    @property
    def zones(self) -> Zones:
        """See :class:`~.expectation.Zoned`."""
        most = Cut(self.at_most.base, below=True)
        if self.at_least is None:
            return Zones((most,), (Verdict.PASS, self.otherwise), percent)
        least = Cut(self.at_least.base, below=False)
        return Zones((least, most), (self.otherwise, Verdict.PASS, self.otherwise), percent)

    def told(self, verdict: Verdict, value: float | None, *, sure: bool) -> str:  # noqa: ARG002
        """See :class:`~.expectation.Zoned`."""
        return ""

    def badness(self, value: float) -> float:
        """See :meth:`Expectation.badness`."""
        return value if self.at_least is None else abs(value)

    def judge(self, sample: Sample) -> Finding:
        """Compare ``sample``, measured during or after, with what was measured before."""
        if isinstance(sample, NoValue):
            return nothing(self, sample, percent.symbol)
        if isinstance(sample, Series) or isinstance(self.before, Series):
            return unfit(self, sample, percent.symbol, _ONE_EACH)
        limit = None if self.below is None else Below(self.below).judge(sample)
        after = sample.whole if isinstance(sample, Windows) else sample
        before = self.before.whole if isinstance(self.before, Windows) else self.before
        change = self._compare(before, after)
        if limit is None or limit.verdict < max(change.verdict, Verdict.INCONCLUSIVE):
            return change
        if change.interval is None:
            return dataclasses.replace(limit, limit=str(self))
        if change.verdict is limit.verdict:
            return dataclasses.replace(change, reason=f"{change.reason}; {limit.reason}")
        return dataclasses.replace(
            change,
            verdict=limit.verdict,
            reason=f"{change.reason.partition(': whether')[0]}; {limit.reason}",
            doubt=limit.doubt,
            besides=limit.besides,
            decides=limit.decides,
        )

    def _compare(self, before: Estimate | NoValue, after: Estimate) -> Finding:
        """Judge the change alone."""
        if isinstance(before, NoValue):
            return nothing(self, before, percent.symbol, "before: ")
        if before.value is not None and before.value <= 0:
            reason = f"before: {self._show(before)}, of which no change can be told"
            return unfit(self, after, percent.symbol, reason)
        finding = judge(self, quotient(before, after, less=1.0))
        told = f"{self._told(finding)}, from {self._show(before)} to {self._show(after)}"
        if finding.verdict is Verdict.INCONCLUSIVE and finding.doubt is not None:
            told += f": whether that is {self} can't be told"
        return dataclasses.replace(finding, reason=told)

    @staticmethod
    def _told(finding: Finding) -> str:
        assert finding.interval is not None  # noqa: S101 - for the type checker; it was judged
        lo, hi = finding.interval
        known = (
            "" if lo == hi else f"{lo:+.3g} % to {hi:+.3g} %" if math.isfinite(hi) else f"{lo:+.3g} % or more"
        )
        if finding.value is None:
            return known
        return f"{finding.value:+.3g} %" + (f" ({known})" if known else "")

    def _show(self, estimate: Estimate) -> str:
        return shown(estimate, self.below.unit if self.below is not None else _PLAIN)
