"""The one rule by which intervals become verdicts.

An expectation cuts the line of all numbers into zones, each with a verdict.
The zones that an interval touches say what may be concluded:

===================================  ==============================================
one verdict in all of them           that verdict
PASS and CONDITIONAL                 CONDITIONAL: it keeps its limit, perhaps not its budget
anything else                        INCONCLUSIVE: the interval straddles
===================================  ==============================================
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from ..samples import Doubt, Estimate, Quantity, Unit
from .verdict import Verdict

_SAME = 1e-9  # relative; see the room's docstring
_FAR = 100  # times as many observations as there were: more than a load could have
_DIGITS = 2  # of a number that is about right at best


class Cut(NamedTuple):
    """Where one zone ends and the next begins.

    Attributes:
        at: in base units.
        below: whether the number itself belongs to the zone below it, as of ``<=``.
    """

    at: float
    below: bool


@dataclass(frozen=True, slots=True)
class Zones:
    """A partition of the line.

    Attributes:
        cuts: from low to high.
        verdicts: of the zones, one more than cuts.
        unit: that the cuts are shown in.
    """

    cuts: tuple[Cut, ...]
    verdicts: tuple[Verdict, ...]
    unit: Unit

    def touched(self, lo: float, hi: float, *, continuous: bool = False) -> frozenset[Verdict]:
        """Return the verdicts of all zones that an interval touches.

        Args:
            lo: its lower end.
            hi: its upper end.
            continuous: whether the ends themselves do not count; of a single number, it does.
        """
        first, last = self._span(lo, hi, continuous=continuous)
        return frozenset(self.verdicts[first : last + 1])

    def judge(self, estimate: Estimate) -> frozenset[Verdict]:
        """Return the verdicts that an estimate leaves possible."""
        return self.touched(estimate.lo, estimate.hi, continuous=estimate.continuous)

    def open_by(self, estimate: Estimate) -> Doubt | None:
        """Return the first doubt with which the verdict is open."""
        return next(
            (
                doubt
                for doubt in estimate.doubts
                if not decided(self.touched(doubt.lo, doubt.hi, continuous=estimate.continuous))
            ),
            None,
        )

    def left_open_by(self, estimate: Estimate, first: Doubt) -> tuple[Doubt, ...]:
        """Return the later doubts with which the verdict would be open although ``first`` were removed.

        Whoever removes the first is not to run into the next.  Where the first bounds nothing, it can't be
        told what each later one adds, and all count.
        """
        at = estimate.doubts.index(first)
        lo, hi = _ends_before(estimate, at)
        found = []
        for before, doubt in itertools.pairwise(estimate.doubts[at:]):
            alone = (lo - _step(doubt.lo, before.lo), hi + _step(before.hi, doubt.hi))
            if not decided(self.touched(*alone, continuous=estimate.continuous)):
                found.append(doubt)
        return tuple(found)

    def decided_by(self, estimate: Estimate, doubt: Doubt) -> str:
        """Return what would decide between the verdicts that ``doubt`` leaves open."""
        at = self._between(estimate, doubt)
        if doubt.cure:
            return doubt.cure
        if doubt.kind == "chance":
            return _more(estimate, doubt, at)
        if doubt.kind == "resolution":
            return f"a bucket edge at {Quantity(at, self.unit)}"
        return "evidence without that gap"

    def _span(self, lo: float, hi: float, *, continuous: bool) -> tuple[int, int]:
        inside = continuous and lo < hi and not same(lo, hi)
        first = sum(above(lo, cut) or (inside and same(lo, cut.at)) for cut in self.cuts)
        last = sum(above(hi, cut) and not (inside and same(hi, cut.at)) for cut in self.cuts)
        return first, max(first, last)

    def _between(self, estimate: Estimate, doubt: Doubt) -> float:
        """Return the limit that is in question: of several, the one nearest to the value."""
        first, last = self._span(doubt.lo, doubt.hi, continuous=estimate.continuous)
        crossed = range(first, last)
        # from PASS to CONDITIONAL nothing is in question as long as the rest of it is not
        hard = [i for i in crossed if max(self.verdicts[i : i + 2]) > Verdict.CONDITIONAL] or list(crossed)
        value = estimate.lo if estimate.value is None else estimate.value
        return min((self.cuts[i].at for i in hard), key=lambda at: abs(at - value))


def conclude(possible: Collection[Verdict]) -> Verdict:
    """Return the one verdict that follows of all that are possible.

    >>> P, C, I, F = Verdict
    >>> [str(conclude(each)) for each in ({P}, {P, C}, {P, F}, {C, F}, {F})]
    ['PASS', 'CONDITIONAL', 'INCONCLUSIVE', 'INCONCLUSIVE', 'FAIL']
    """
    return max(possible) if decided(possible) else Verdict.INCONCLUSIVE


def decided(possible: Collection[Verdict]) -> bool:
    """Whether one verdict follows of all that are possible."""
    return len(possible) == 1 or max(possible) is Verdict.CONDITIONAL


def same(a: float, b: float) -> bool:
    """Whether two numbers are equal but for rounding.

    >>> same(0.05e-3 * 3, 0.15e-3), same(0.2, 0.2000001)
    (True, False)
    """
    return math.isclose(a, b, rel_tol=_SAME)


def above(value: float, cut: Cut) -> bool:
    """Whether ``value`` belongs to what is above a cut."""
    return not cut.below if same(value, cut.at) else value > cut.at


def _ends_before(estimate: Estimate, at: int) -> tuple[float, float]:
    if at:
        return estimate.doubts[at - 1].lo, estimate.doubts[at - 1].hi
    value = estimate.value
    first = estimate.doubts[0]
    return (first.lo, first.hi) if value is None else (value, value)


def _step(a: float, b: float) -> float:
    """Return by how much one end moved from one doubt to the next; infinite where both are."""
    return math.inf if math.isinf(a) and math.isinf(b) else b - a


def _more(estimate: Estimate, doubt: Doubt, at: float) -> str:
    """Say how many more observations would do: an interval shrinks with the root of their number."""
    n, value = estimate.n, estimate.value
    if n < doubt.least:
        return _told(doubt.least - n, estimate)
    if value is None or same(value, at):
        return f"more {estimate.counted}"
    width = doubt.hi - value if value < at else value - doubt.lo
    needed = n * (width / (at - value)) ** 2
    if not needed < n * _FAR:
        return f"far more {estimate.counted} than that load has, so near to the limit,"
    more = max(1, math.ceil(needed) - n)
    return "about " + _told(round(more, min(0, _DIGITS - len(str(more)))), estimate)


def _told(more: int, estimate: Estimate) -> str:
    text = f"{more} more {estimate.counted}"
    if estimate.seconds:
        text += f", {max(1, round(more * estimate.seconds / estimate.n))} s at this rate,"
    return text
