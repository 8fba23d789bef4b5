"""Expectations with a limit that is known beforehand."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import UsageError
from ..samples import Quantity, Sample
from .expectation import judge, positive
from .finding import Finding
from .held import Hold
from .verdict import Verdict
from .zones import Cut, Zones


@dataclass(frozen=True, slots=True)
class Below:
    """A number is under a limit: strictly.

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

    @property
    def zones(self) -> Zones:
        """See :class:`~.expectation.Zoned`."""
        limit = Cut(self.limit.base, below=False)
        if self.conditional is None:
            return Zones((limit,), (Verdict.PASS, Verdict.FAIL), self.limit.unit)
        budget = Cut(self.conditional.base, below=False)
        return Zones((budget, limit), (Verdict.PASS, Verdict.CONDITIONAL, Verdict.FAIL), self.limit.unit)

    def told(self, verdict: Verdict, value: float | None, *, sure: bool) -> str:  # noqa: ARG002
        """See :class:`~.expectation.Zoned`."""
        if verdict is Verdict.FAIL:
            return f"is not below {self.limit}"
        if verdict is Verdict.CONDITIONAL:
            return f"is below {self.limit}, but not {'' if sure else 'surely '}below {self.conditional}"
        return f"is below {self.conditional or self.limit}"

    def badness(self, value: float) -> float:
        """See :meth:`Expectation.badness`."""
        return value

    def judge(self, sample: Sample) -> Finding:
        """Compare the sample with the limit."""
        return judge(self, sample)


@dataclass(frozen=True, slots=True)
class AtLeast:
    """A number reaches a limit.

    With ``hold`` it has to stay there for so long without a break, and must nowhere be below it for longer
    than ``tolerate``; that takes windows of it, or a series: see :class:`~.held.Hold`.

    Attributes:
        limit: FAIL below it.
        conditional: CONDITIONAL from the limit up to here; ``None`` if reaching the limit is a PASS.
        hold: seconds; what is shorter than that can't show it and is INCONCLUSIVE.
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

    @property
    def zones(self) -> Zones:
        """See :class:`~.expectation.Zoned`."""
        limit = Cut(self.limit.base, below=False)
        if self.conditional is None:
            return Zones((limit,), (Verdict.FAIL, Verdict.PASS), self.limit.unit)
        budget = Cut(self.conditional.base, below=False)
        return Zones((limit, budget), (Verdict.FAIL, Verdict.CONDITIONAL, Verdict.PASS), self.limit.unit)

    def told(self, verdict: Verdict, value: float | None, *, sure: bool) -> str:  # noqa: ARG002
        """See :class:`~.expectation.Zoned`."""
        if verdict is Verdict.FAIL:
            return f"is less than {self.limit}"
        if verdict is Verdict.CONDITIONAL:
            return f"reaches {self.limit}, but not {'' if sure else 'surely '}{self.conditional}"
        return f"reaches {self.conditional or self.limit}"

    def badness(self, value: float) -> float:
        """See :meth:`Expectation.badness`."""
        return -value

    def judge(self, sample: Sample) -> Finding:
        """Compare the sample, or the level that was held, with the limit."""
        return (
            judge(self, sample) if self.hold is None else Hold(self, self.hold, self.tolerate).judge(sample)
        )


@dataclass(frozen=True, slots=True)
class Within:
    """A number is as far from a centre as tolerated, or nearer.

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

    @property
    def zones(self) -> Zones:
        """See :class:`~.expectation.Zoned`."""
        centre, aside = self.centre.base, self.tolerance.base
        cuts = Cut(centre - aside, below=False), Cut(centre + aside, below=True)
        return Zones(cuts, (self.otherwise, Verdict.PASS, self.otherwise), self.centre.unit)

    def told(self, verdict: Verdict, value: float | None, *, sure: bool) -> str:  # noqa: ARG002
        """See :class:`~.expectation.Zoned`."""
        off = "" if value is None else f"{Quantity(abs(value - self.centre.base), self.centre.unit)} "
        return f"is {off}off {self.centre}; {self.tolerance} is tolerated"

    def badness(self, value: float) -> float:
        """See :meth:`Expectation.badness`."""
        return abs(value * self.centre.unit.scale - self.centre.base)

    def judge(self, sample: Sample) -> Finding:
        """Compare the sample with the centre."""
        return judge(self, sample)


@dataclass(frozen=True, slots=True)
class Budget:
    """A number is within so many times a budget.

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

    @property
    def zones(self) -> Zones:
        """See :class:`~.expectation.Zoned`."""
        factors = self.pass_factor, self.conditional_factor
        cuts = tuple(Cut(self.budget.base * factor, below=True) for factor in factors)
        return Zones(cuts, (Verdict.PASS, Verdict.CONDITIONAL, Verdict.FAIL), self.budget.unit)

    def told(self, verdict: Verdict, value: float | None, *, sure: bool) -> str:  # noqa: ARG002
        """See :class:`~.expectation.Zoned`."""
        if value is not None and self.budget.base:
            return f"is {value / self.budget.base:.3g} times the budget of {self.budget}"
        factor = self.conditional_factor if verdict is Verdict.FAIL else self.pass_factor
        side = "within" if verdict is Verdict.PASS else "beyond"
        return f"is {side} {factor:g} times the budget of {self.budget}"

    def badness(self, value: float) -> float:
        """See :meth:`Expectation.badness`."""
        return value

    def judge(self, sample: Sample) -> Finding:
        """Compare the sample with the budget."""
        return judge(self, sample)
