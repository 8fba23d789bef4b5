"""An expectation of how a series goes on: whether it grows."""

from __future__ import annotations

import dataclasses
import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import UsageError
from ..samples import Estimate, NoValue, Point, Quantity, Sample, Series, exact, percent, slope
from .expectation import found, nothing, opened, positive, shown, unfit
from .finding import Finding
from .verdict import Verdict
from .zones import Cut, Zones, conclude

_QUARTERS = 4


@dataclass(frozen=True, slots=True)
class NotGrowing:
    """A series, of memory say, does not grow all through its window, nor much in all.

    Two things are judged.  The *trend*: a straight line through the last three quarters (the first counts as
    warm-up), with an interval; its growth over that time is the finding's value.  And the growth *in all*:
    from the lowest level of the first quarter to the median of the last, however it came about: what trebles
    and then rests is no pass.

    ===============================================================  ============
    the trend surely is at most ``at_most``, the whole ``in_all``    PASS
    … but the whole is more                                          INCONCLUSIVE: it rose, then rested
    the trend surely is more, and it rose from quarter to quarter    FAIL
    … but it did not rise in one of them, or rose ever less          INCONCLUSIVE: it may be settling
    the trend may be more or not                                     INCONCLUSIVE
    ===============================================================  ============

    Attributes:
        at_most: growth along the trend that is none, relative to the median of the second quarter.
        in_all: growth in all that is none, relative to the lowest level of the first quarter.
        fewest: points below which nothing is concluded.

    >>> print(NotGrowing())
    no growth > 2 %, nor > 10 % in all
    """

    at_most: Quantity = 2 * percent
    in_all: Quantity = 10 * percent
    fewest: int = 12

    def __post_init__(self) -> None:
        positive("NotGrowing", self.at_most, self.in_all)
        for limit in (self.at_most, self.in_all):
            (1 * percent).same_dimension(limit)
        if self.fewest < 2 * _QUARTERS or not 0 < self.at_most.base <= self.in_all.base:
            raise UsageError(
                "NotGrowing takes limits above zero, the one in all the larger, and two points a quarter",
                found=f"{self.at_most}, {self.in_all}, {self.fewest} points",
            )

    def __str__(self) -> str:
        return f"no growth > {self.at_most}, nor > {self.in_all} in all"

    @property
    def zones(self) -> Zones:
        """The partition of the growth along the trend."""
        return Zones((Cut(self.at_most.base, below=True),), (Verdict.PASS, Verdict.FAIL), percent)

    def badness(self, value: float) -> float:
        """See :meth:`Expectation.badness`."""
        return value

    def judge(self, sample: Sample) -> Finding:
        """Look for a trend; the finding's value is the growth along it in percent."""
        if isinstance(sample, NoValue):
            return nothing(self, sample, percent.symbol)
        if not isinstance(sample, Series) or sample.samples < self.fewest:
            reason = f"{sample.samples} points show no trend; {self.fewest} are needed"
            return unfit(self, sample, percent.symbol, reason)
        first, *quarters = _split(sample.points)
        level = statistics.median(quarters[0])
        trend = _trend(sample, len(first), level)
        if trend is None:
            return unfit(self, sample, percent.symbol, f"a level of {level:.4g} has no growth in percent")
        growth = f"{shown(trend, percent)} along the trend of the last three quarters"
        whole = statistics.median(quarters[-1]) / min(first) - 1 if min(first) > 0 else float("inf")
        verdict = conclude(self.zones.judge(trend))
        if verdict is Verdict.INCONCLUSIVE:
            finding = found(self, trend, verdict, f"{growth}: whether it grows can't be told", percent)
            return opened(finding, self.zones, trend, "a longer load")
        if verdict is Verdict.FAIL:
            verdict, why = _shape(quarters)
        elif whole > self.in_all.base:
            verdict, why = (
                Verdict.INCONCLUSIVE,
                f"but {percent.of(whole):+.3g} % in all: it rose and then rested",
            )
        else:
            why = f"and {percent.of(whole):+.3g} % in all"
        finding = found(self, trend, verdict, f"{growth}, {why}", percent)
        return dataclasses.replace(
            finding, decides="a longer load" if verdict is Verdict.INCONCLUSIVE else ""
        )


def _trend(series: Series, skip: int, level: float) -> Estimate | None:
    """Return the growth along the trend, relative to ``level``; ``None`` where that is none."""
    points = series.points[skip:]
    line = slope(points)
    if line is None or level <= 0:
        return None
    seconds = points[-1].time - points[0].time
    growth = exact(
        series.query,
        line.slope * seconds / level,
        points[-1].time,
        n=series.samples,
        seconds=seconds,
        counted="points",
    )
    lo, hi = (end * seconds / level for end in (line.lo, line.hi))
    return growth.widened(
        "chance", f"how restless {len(points)} points were about a straight line", lo=lo, hi=hi
    )


def _shape(quarters: Sequence[Sequence[float]]) -> tuple[Verdict, str]:
    """Tell growth from a step, from what settles, and from what can't be told from either."""
    q2, q3, q4 = (statistics.median(quarter) for quarter in quarters)
    early, late = q3 - q2, q4 - q3
    lows = [min(quarter) for quarter in quarters]
    if late <= 0 or early <= 0:
        return Verdict.INCONCLUSIVE, "but not from quarter to quarter: a step, or the start of growth"
    if late < early / 2:
        return Verdict.INCONCLUSIVE, "but ever more slowly: it may be settling"
    if early < late / _QUARTERS:
        return (
            Verdict.INCONCLUSIVE,
            "but nearly all of it in the last quarter: a step, or the start of growth",
        )
    if not lows[0] < lows[1] < lows[2]:
        return Verdict.INCONCLUSIVE, "but its lowest points did not rise: too restless to tell"
    return Verdict.FAIL, "from quarter to quarter, lowest points too"


def _split(points: Sequence[Point]) -> list[list[float]]:
    """Return the values of each quarter of the points; what does not divide goes to the first."""
    size = len(points) // _QUARTERS
    first = len(points) - (_QUARTERS - 1) * size
    bounds = [0, *(first + size * index for index in range(_QUARTERS))]
    return [[point.value for point in points[begin:end]] for begin, end in itertools.pairwise(bounds)]
