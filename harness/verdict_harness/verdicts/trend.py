"""An expectation of how a series goes on: whether it grows."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import UsageError
from ..samples import NoValue, Point, Quantity, Sample, Value, percent
from .expectation import below, finding, nothing, positive
from .finding import Finding
from .verdict import Verdict

_QUARTERS = 4


@dataclass(frozen=True, slots=True)
class NotGrowing:
    """A series, of memory say, does not grow all through its window.

    The first quarter counts as warm-up and is left out.  Of each of the other
    three (Q2, Q3, Q4) the median is taken, so that single spikes don't matter,
    and the lowest point, which garbage that is yet to be collected does not lift.
    With the limit at 2 % of the median of Q2:

    ====================================================  ============
    Q4 is at most 2 % above Q2                            PASS
    … more, but Q4 is at most 1 % above Q3                PASS: it rose and settled (a plateau)
    … more, and Q3 is at most 1 % above Q2                INCONCLUSIVE: a step or the start of growth
    … more, both rose, the second less than half as much  INCONCLUSIVE: it may be settling
    … more, both rose, but the lowest points did not      INCONCLUSIVE: too restless to tell
    … more, both rose and so did the lowest points        FAIL
    ====================================================  ============

    So what grows by less than 2 % in half a window is not found; the reason of
    a PASS says how much that is a minute.

    Attributes:
        at_most: growth from Q2 to Q4 that is none, relative to Q2.
        fewest: points below which nothing is concluded.

    >>> print(NotGrowing())
    no growth > 2 %
    """

    at_most: Quantity = 2 * percent
    fewest: int = 12

    def __post_init__(self) -> None:
        positive("NotGrowing", self.at_most)
        (1 * percent).same_dimension(self.at_most)
        if self.fewest < 2 * _QUARTERS or self.at_most.base <= 0:
            raise UsageError(
                "NotGrowing takes a limit above zero and at least two points a quarter",
                found=f"{self.at_most}, {self.fewest} points",
            )

    def __str__(self) -> str:
        return f"no growth > {self.at_most}"

    def badness(self, value: float) -> float:
        """See :meth:`Expectation.badness`."""
        return value

    def judge(self, sample: Sample) -> Finding:
        """Look for a trend; the finding's value is the growth from Q2 to Q4 in percent."""
        if isinstance(sample, NoValue):
            return nothing(self, sample, percent.symbol)
        if isinstance(sample, Value) or sample.samples < self.fewest:
            reason = f"{sample.samples} points show no trend; {self.fewest} are needed"
            return finding(self, sample, Verdict.INCONCLUSIVE, None, percent.symbol, reason)
        _, *quarters = _split(sample.points)
        q2, q3, q4 = (statistics.median(quarter) for quarter in quarters)
        if q2 <= 0:
            reason = f"a level of {q2:.4g} has no growth in percent"
            return finding(self, sample, Verdict.INCONCLUSIVE, None, percent.symbol, reason)
        minutes = (sample.points[-1].time - sample.points[0].time) / 2 / 60
        verdict, why = self._shape(q2, q3, q4, [min(quarter) for quarter in quarters])
        growth = percent.of(q4 / q2 - 1)
        reason = f"{growth:+.3g} % from the second to the last quarter of the window: {why}"
        if verdict is Verdict.PASS:
            reason += f"; less than {percent.of(self.at_most.base) / minutes:.2g} % a minute would not show"
        return finding(self, sample, verdict, growth, percent.symbol, reason)

    def _shape(self, q2: float, q3: float, q4: float, lows: Sequence[float]) -> tuple[Verdict, str]:
        half = q2 * self.at_most.base / 2
        early, late = q3 - q2, q4 - q3
        if not below(q2 * (1 + self.at_most.base), q4):
            return Verdict.PASS, "no growth"
        if late <= half:
            return Verdict.PASS, "it rose and has settled"
        if early <= half:
            return Verdict.INCONCLUSIVE, "it rose in the last quarter alone, a step or the start of growth"
        if late < early / 2:
            return (
                Verdict.INCONCLUSIVE,
                "it rose ever more slowly and may be settling; a longer load would tell",
            )
        if not lows[0] < lows[1] < lows[2]:
            return Verdict.INCONCLUSIVE, "it rose, but its lowest points did not; too restless to tell"
        return Verdict.FAIL, "it rose from quarter to quarter, lowest points too"


def _split(points: Sequence[Point]) -> list[list[float]]:
    """Return the values of each quarter of the points; what does not divide goes to the first."""
    size = len(points) // _QUARTERS
    first = len(points) - (_QUARTERS - 1) * size
    bounds = [0, *(first + size * index for index in range(_QUARTERS))]
    return [[point.value for point in points[begin:end]] for begin, end in itertools.pairwise(bounds)]
