"""Expectations with a limit that is known beforehand."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import UsageError
from ..samples import NoValue, Point, Quantity, Sample, Series, Value, clock
from .expectation import below, finding, nothing, positive, same, subject, worst
from .finding import Finding
from .verdict import Verdict

_CLOCK = 0.0005  # seconds: times are kept to the millisecond


@dataclass(frozen=True, slots=True)
class Below:
    """A value, or the highest point of a series, is under a limit: strictly.

    Attributes:
        limit: FAIL at or above it.
        conditional: CONDITIONAL from here up to the limit; ``None`` if all below the limit is a PASS.

    >>> from verdict_harness.samples import ms
    >>> print(Below(200 * ms))
    < 200 ms
    """

    limit: Quantity
    conditional: Quantity | None = None

    def __post_init__(self) -> None:
        positive("Below", self.limit, self.conditional)
        if (
            self.conditional is not None
            and self.limit.same_dimension(self.conditional).base > self.limit.base
        ):
            raise UsageError(
                "Below has its budget above its limit", found=f"{self.conditional} > {self.limit}"
            )

    def __str__(self) -> str:
        return f"< {self.limit}"

    def badness(self, value: float) -> float:
        """See :meth:`Expectation.badness`."""
        return value

    def judge(self, sample: Sample) -> Finding:
        """Compare the highest point with the limit."""
        unit = self.limit.unit
        if isinstance(sample, NoValue):
            return nothing(self, sample, unit.symbol)
        point = worst(sample, self.badness)
        what = subject(sample, point, str(Quantity(point.value, unit)), "highest")
        if not below(point.value, self.limit.base):
            verdict, reason = Verdict.FAIL, f"{what} is not below {self.limit}"
        elif self.conditional is not None and not below(point.value, self.conditional.base):
            verdict = Verdict.CONDITIONAL
            reason = f"{what} is below {self.limit}, but not below {self.conditional}"
        else:
            verdict, reason = Verdict.PASS, f"{what} is below {self.conditional or self.limit}"
        return finding(self, sample, verdict, unit.of(point.value), unit.symbol, reason)


@dataclass(frozen=True, slots=True)
class AtLeast:
    """A value, or the lowest point of a series, reaches a limit.

    With ``hold`` a series has to stay at the limit for so long without a break,
    and must nowhere be below it for longer than ``tolerate``.  The finding's
    value is then the *sustained* level, the highest that was held for ``hold``,
    or, where a dip was too long, the bottom of that dip.

    A stretch lasts from its first to its last point; a dip until the next point
    that is not in it.  Both count against the system: what was between two
    points is not known.

    Attributes:
        limit: FAIL below it.
        conditional: CONDITIONAL from the limit up to here; ``None`` if reaching the limit is a PASS.
        hold: seconds; a series shorter than that can't show it and is INCONCLUSIVE.
        tolerate: seconds for which a dip may last; only with ``hold``.

    >>> from verdict_harness.samples import per_minute
    >>> print(AtLeast(4750 * per_minute, hold=240, tolerate=30))
    >= 4750 /min for 240 s, and not less for > 30 s
    """

    limit: Quantity
    conditional: Quantity | None = None
    hold: float | None = None
    tolerate: float = 0.0

    def __post_init__(self) -> None:
        positive("AtLeast", self.limit, self.conditional)
        if (
            self.conditional is not None
            and self.limit.same_dimension(self.conditional).base < self.limit.base
        ):
            raise UsageError(
                "AtLeast has its budget below its limit", found=f"{self.conditional} < {self.limit}"
            )
        if self.hold is None and self.tolerate:
            raise UsageError(
                "AtLeast tolerates dips only if it asks for a hold",
                found=f"tolerate={self.tolerate:g} without hold",
                todo="say for how long it has to be held: otherwise short dips could be all there is",
            )
        if (self.hold is not None and not self.hold > 0) or not self.tolerate >= 0:
            raise UsageError(
                "AtLeast takes durations that are not negative", found=f"{self.hold}, {self.tolerate}"
            )

    def __str__(self) -> str:
        if self.hold is None:
            return f">= {self.limit}"
        return f">= {self.limit} for {self.hold:g} s, and not less for > {self.tolerate:g} s"

    def badness(self, value: float) -> float:
        """See :meth:`Expectation.badness`."""
        return -value

    def judge(self, sample: Sample) -> Finding:
        """Compare the lowest point, or the sustained level, with the limit."""
        unit = self.limit.unit
        if isinstance(sample, NoValue):
            return nothing(self, sample, unit.symbol)
        if self.hold is not None:
            return self._held(sample, self.hold)
        point = worst(sample, self.badness)
        what = subject(sample, point, str(Quantity(point.value, unit)), "lowest")
        verdict, reason = self._compare(point.value, what)
        return finding(self, sample, verdict, unit.of(point.value), unit.symbol, reason)

    def _compare(self, value: float, what: str) -> tuple[Verdict, str]:
        if below(value, self.limit.base):
            return Verdict.FAIL, f"{what} is less than {self.limit}"
        if self.conditional is not None and below(value, self.conditional.base):
            return Verdict.CONDITIONAL, f"{what} reaches {self.limit}, but not {self.conditional}"
        return Verdict.PASS, f"{what} reaches {self.conditional or self.limit}"

    def _held(self, sample: Value | Series, hold: float) -> Finding:
        unit = self.limit.unit
        if isinstance(sample, Value):
            reason = f"one number can't show what was held for {hold:g} s; a series is needed"
            return finding(self, sample, Verdict.INCONCLUSIVE, unit.of(sample.value), unit.symbol, reason)
        low = worst(sample, self.badness)
        lowest = f"; lowest {Quantity(low.value, unit)} at {clock(low.time)}"
        seconds, bottom = self._longest_dip(sample.points)
        if seconds > self.tolerate + _CLOCK and bottom is not None:
            reason = (
                f"less than {self.limit} for {seconds:.4g} s around {clock(bottom.time)}, "
                f"down to {Quantity(bottom.value, unit)}"
            )
            return finding(self, sample, Verdict.FAIL, unit.of(bottom.value), unit.symbol, reason)
        level = _sustained(sample.points, hold)
        if level is None:
            span = sample.points[-1].time - sample.points[0].time
            reason = f"{span:.4g} s of samples can't show what was held for {hold:g} s{lowest}"
            return finding(self, sample, Verdict.INCONCLUSIVE, unit.of(low.value), unit.symbol, reason)
        verdict, reason = self._compare(level, f"{Quantity(level, unit)}, held for {hold:g} s,")
        return finding(self, sample, verdict, unit.of(level), unit.symbol, reason + lowest)

    def _longest_dip(self, points: Sequence[Point]) -> tuple[float, Point | None]:
        """Return the length of the longest stretch below the limit, and its lowest point."""
        length, bottom = 0.0, None
        step = points[-1].time - points[-2].time if len(points) > 1 else 0.0
        ends = [point.time for point in points[1:]] + [points[-1].time + step]
        stretches = itertools.groupby(
            zip(points, ends, strict=True), lambda pair: below(pair[0].value, self.limit.base)
        )
        for is_dip, pairs in stretches:
            dip = list(pairs)
            if is_dip and dip[-1][1] - dip[0][0].time > length:
                length = dip[-1][1] - dip[0][0].time
                bottom = min((point for point, _ in dip), key=lambda point: point.value)
        return length, bottom


def _sustained(points: Sequence[Point], hold: float) -> float | None:
    """Return the highest level that all points of some ``hold`` seconds reach; quadratic in points."""
    levels = []
    for first, begin in enumerate(points):
        lowest = begin.value
        for point in points[first:]:
            lowest = min(lowest, point.value)
            if point.time - begin.time >= hold - _CLOCK:
                levels.append(lowest)
                break
    return max(levels, default=None)


@dataclass(frozen=True, slots=True)
class Within:
    """A value, or the point of a series farthest off, is as far from a centre as tolerated, or nearer.

    Attributes:
        centre: what it should be.
        tolerance: in the same dimension as the centre; zero for exactly the centre.
        otherwise: the verdict beyond that.

    >>> from verdict_harness.samples import percent
    >>> print(Within(80 * percent, 2 * percent))
    80 % ± 2 %
    """

    centre: Quantity
    tolerance: Quantity
    otherwise: Verdict = Verdict.FAIL

    def __post_init__(self) -> None:
        positive("Within", self.centre, self.tolerance)
        self.centre.same_dimension(self.tolerance)

    def __str__(self) -> str:
        return f"{self.centre} ± {self.tolerance}" if self.tolerance.base else f"= {self.centre}"

    def badness(self, value: float) -> float:
        """See :meth:`Expectation.badness`."""
        return abs(value * self.centre.unit.scale - self.centre.base)

    def judge(self, sample: Sample) -> Finding:
        """Compare the point that is farthest off with the centre."""
        unit = self.centre.unit
        if isinstance(sample, NoValue):
            return nothing(self, sample, unit.symbol)
        point = worst(sample, lambda value: abs(value - self.centre.base))
        what = subject(sample, point, str(Quantity(point.value, unit)), "farthest off")
        off = abs(point.value - self.centre.base)
        near = (
            off <= self.tolerance.base
            or same(off, self.tolerance.base)
            or same(point.value, self.centre.base)
        )
        verdict = Verdict.PASS if near else self.otherwise
        reason = f"{what} is {Quantity(off, unit)} off {self.centre}; {self.tolerance} is tolerated"
        return finding(self, sample, verdict, unit.of(point.value), unit.symbol, reason)


@dataclass(frozen=True, slots=True)
class Budget:
    """A value, or the highest point of a series, is within so many times a budget.

    Attributes:
        budget: what was planned for.
        pass_factor: PASS up to so many budgets, that many included.
        conditional_factor: CONDITIONAL up to so many, that many included; FAIL above.

    >>> from verdict_harness.samples import ms
    >>> print(Budget(5 * ms))
    <= 2 x 5 ms
    """

    budget: Quantity
    pass_factor: float = 2
    conditional_factor: float = 3

    def __post_init__(self) -> None:
        positive("Budget", self.budget)
        if not 0 < self.pass_factor <= self.conditional_factor:
            raise UsageError(
                "Budget has its factors the wrong way round",
                found=f"{self.pass_factor}, {self.conditional_factor}",
            )

    def __str__(self) -> str:
        return f"<= {self.pass_factor:g} x {self.budget}"

    def badness(self, value: float) -> float:
        """See :meth:`Expectation.badness`."""
        return value

    def judge(self, sample: Sample) -> Finding:
        """Compare the highest point with the budget."""
        unit = self.budget.unit
        if isinstance(sample, NoValue):
            return nothing(self, sample, unit.symbol)
        point = worst(sample, self.badness)
        what = subject(sample, point, str(Quantity(point.value, unit)), "highest")
        if below(self.budget.base * self.conditional_factor, point.value):
            verdict = Verdict.FAIL
        elif below(self.budget.base * self.pass_factor, point.value):
            verdict = Verdict.CONDITIONAL
        else:
            verdict = Verdict.PASS
        times = f"{point.value / self.budget.base:.3g} times" if self.budget.base else "more than"
        reason = f"{what} is {times} the budget of {self.budget}"
        return finding(self, sample, verdict, unit.of(point.value), unit.symbol, reason)
