"""Expectations whose limit was itself measured, and may therefore be no number either."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import UsageError
from ..samples import NoValue, Quantity, Sample, Series, Value, percent
from .expectation import below, finding, nothing, positive
from .finding import Finding
from .verdict import Verdict

_TIMES = "x"


@dataclass(frozen=True, slots=True)
class Change:
    """A value is not much more, or less, than one measured before.

    Both are single numbers, such as the p99 of everything in a window: a
    series' worst point grows with its length, and its median hides a spike, so
    neither says what changed.

    Attributes:
        before: the value to compare with.
        at_most: change upwards that is tolerated, itself included.
        at_least: change downwards that is tolerated (negative, itself included); ``None`` for any.
        below: a limit that the value has to stay under besides, whatever it was before.
        resolution: how finely both were measured, such as the width of the histogram's bucket that
            they lie in. A change that is not clear of its limit by that much is INCONCLUSIVE.
        otherwise: the verdict where the change is too much; breaching ``below`` is always a FAIL.

    >>> from verdict_harness.samples import ms
    >>> change = Change(Value("p99", 0.010, at=0.0), at_most=10 * percent, below=200 * ms)
    >>> print(change, change.judge(Value("p99", 0.0105, at=60.0)).reason, sep=": ")
    <= +10 % and < 200 ms: +5 %, from 10 ms to 10.5 ms
    """

    before: Sample
    at_most: Quantity = 10 * percent
    at_least: Quantity | None = None
    below: Quantity | None = None
    resolution: Quantity | None = None
    otherwise: Verdict = Verdict.FAIL

    def __post_init__(self) -> None:
        positive("Change", self.at_most, self.below, self.resolution)
        (1 * percent).same_dimension(self.at_most)
        if self.at_least is not None and not -1 <= (1 * percent).same_dimension(self.at_least).base <= 0:
            raise UsageError(
                "at_least is a change downwards", expected="-100 % to 0 %", found=str(self.at_least)
            )
        if self.below is not None and self.resolution is not None:
            self.below.same_dimension(self.resolution)

    def __str__(self) -> str:
        text = f"<= +{self.at_most}"
        if self.at_least is not None:
            text += f" and >= {self.at_least}"
        return text + (f" and < {self.below}" if self.below is not None else "")

    def badness(self, value: float) -> float:
        """See :meth:`Expectation.badness`."""
        return value if self.at_least is None else abs(value)

    def judge(self, sample: Sample) -> Finding:
        """Compare ``sample``, measured during or after, with what was measured before."""
        if isinstance(sample, NoValue):
            return nothing(self, sample, percent.symbol)
        if isinstance(sample, Series) or isinstance(self.before, Series):
            reason = (
                "a series was given where one number is compared with one; ask for it over the whole window"
            )
            return finding(self, sample, Verdict.INCONCLUSIVE, None, percent.symbol, reason)
        breach = ""
        if self.below is not None and not below(sample.value, self.below.base):
            breach = f"{self._show(sample.value)} is not below {self.below}"
        if isinstance(self.before, NoValue) or self.before.value <= 0:
            if breach:
                return finding(self, sample, Verdict.FAIL, None, percent.symbol, breach)
            if isinstance(self.before, NoValue):
                return nothing(self, self.before, percent.symbol, "before: ")
            reason = f"before: {self._show(self.before.value)}, of which no change can be told"
            return finding(self, sample, Verdict.INCONCLUSIVE, None, percent.symbol, reason)
        change = sample.value / self.before.value - 1
        told = (
            f"{percent.of(change):+.3g} %, from {self._show(self.before.value)} to {self._show(sample.value)}"
        )
        verdict, reason = self._compare(self.before.value, sample.value)
        if breach:
            verdict, reason = Verdict.FAIL, f"; {breach}"
        fewest = min(self.before.samples, sample.samples)
        return finding(
            self, sample, verdict, percent.of(change), percent.symbol, told + reason, samples=fewest
        )

    def _compare(self, before: float, after: float) -> tuple[Verdict, str]:
        """Judge the change alone: too much, within, or too near to its limit to be told."""
        upper = before * (1 + self.at_most.base)
        over = [after - upper if below(upper, after) else min(after - upper, 0.0)]
        if self.at_least is not None:
            lower = before * (1 + self.at_least.base)
            over.append(lower - after if below(after, lower) else min(lower - after, 0.0))
        beyond = max(over)  # how far outside; negative: how far inside
        if self.resolution is not None and below(abs(beyond), self.resolution.base):
            return (
                Verdict.INCONCLUSIVE,
                f"; too near to the limit to tell at a resolution of {self.resolution}",
            )
        return (self.otherwise, "") if beyond > 0 else (Verdict.PASS, "")

    def _show(self, value: float) -> str:
        known = self.below or self.resolution
        return str(Quantity(value, known.unit)) if known is not None else f"{value:.4g}"


@dataclass(frozen=True, slots=True)
class Scaling:
    """What N parts do together is near N times what one does alone.

    It says something of the system only where both figures are the most that it
    sustains; at a fixed offered rate it says something of the load.

    Attributes:
        single: what one part does.
        parts: N, how many parts there are.
        efficiency: how near: 0.9 of N times, or more.

    >>> print(Scaling(Value("q", 1000.0, at=0.0), 3))
    >= 2.7 x that of one
    """

    single: Sample
    parts: int
    efficiency: float = 0.9

    def __post_init__(self) -> None:
        if self.parts < 1 or not 0 < self.efficiency <= 1:
            raise UsageError(
                "Scaling takes parts from one on and an efficiency up to 1",
                found=f"{self.parts}, {self.efficiency}",
            )

    def __str__(self) -> str:
        return f">= {self.parts * self.efficiency:.4g} {_TIMES} that of one"

    def badness(self, value: float) -> float:
        """See :meth:`Expectation.badness`."""
        return -value

    def judge(self, sample: Sample) -> Finding:
        """Compare what all parts do together with what one does."""
        for one, which in ((sample, ""), (self.single, "one part: ")):
            if isinstance(one, NoValue):
                return nothing(self, one, _TIMES, which)
        if not isinstance(sample, Value) or not isinstance(self.single, Value):
            reason = "a series was given where one number is compared with one"
            return finding(self, sample, Verdict.INCONCLUSIVE, None, _TIMES, reason)
        if self.single.value <= 0:
            reason = f"one part: {self.single.value:.4g}, of which nothing is a multiple"
            return finding(self, sample, Verdict.INCONCLUSIVE, None, _TIMES, reason)
        times = sample.value / self.single.value
        verdict = Verdict.FAIL if below(times, self.parts * self.efficiency) else Verdict.PASS
        reason = f"{sample.value:.4g} is {times:.3g} times the {self.single.value:.4g} of one"
        fewest = min(self.single.samples, sample.samples)
        return finding(self, sample, verdict, times, _TIMES, reason, samples=fewest)
