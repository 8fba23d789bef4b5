"""One uncertain number divided by another."""

from __future__ import annotations

import dataclasses
import math

from ..samples import Doubt, Estimate
from .zones import same


@dataclasses.dataclass(frozen=True, slots=True)
class _Aside:
    """How far one end of an interval is from the value, in logarithms: by chance, and by all else."""

    chance: float = 0.0
    rest: float = 0.0

    def further(self, kind: str, by: float) -> _Aside:
        chance = kind == "chance"
        return _Aside(self.chance + (by if chance else 0.0), self.rest + (0.0 if chance else by))


def quotient(divisor: Estimate, dividend: Estimate, less: float = 0.0) -> Estimate:
    """Return how many times ``divisor`` goes into ``dividend``, less a number: 1 makes a change of it.

    What is unknown for another reason than chance may be at its worst in both, so it adds up.  Chance that
    moved two independent numbers seldom moved both to their bounds: its distances (in logarithms) are added
    as the sides of a right angle, which keeps the level of a single bound.

    >>> from ..samples import exact
    >>> before = exact("p99", 0.010, at=0.0, n=510).widened("chance", "", lo=0.009, hi=0.011)
    >>> after = exact("p99", 0.012, at=9.0, n=510).widened("chance", "", lo=0.011, hi=0.013)
    >>> [round(end, 3) for end in quotient(before, after, less=1.0).interval]
    [0.055, 0.37]
    """
    steps = [(i, 0) for i in range(len(divisor.doubts) + 1)]
    steps += [(len(divisor.doubts), j) for j in range(1, len(dividend.doubts) + 1)]
    ends = [_ends(divisor, i, dividend, j) for i, j in steps]
    named = [*((doubt, "before: ") for doubt in divisor.doubts), *((doubt, "") for doubt in dividend.doubts)]
    doubts = tuple(
        dataclasses.replace(doubt, text=which + doubt.text, lo=_less(lo, less), hi=_less(hi, less))
        for (doubt, which), (lo, hi) in zip(named, ends[1:], strict=True)
    )
    value = None
    if divisor.value and dividend.value is not None:
        value = _less(dividend.value / divisor.value, less)
    fewer = min(divisor, dividend, key=lambda estimate: estimate.n)
    lo, hi = ends[-1]
    return Estimate(
        dividend.query,
        value,
        _less(lo, less),
        _less(hi, less),
        fewer.n,
        dividend.at,
        doubts,
        fewer.seconds,
        dividend.counted,
        continuous=divisor.continuous or dividend.continuous,
    )


def _ends(divisor: Estimate, i: int, dividend: Estimate, j: int) -> tuple[float, float]:
    """Return the bounds of the quotient as the first doubts of each leave them."""
    below, above = _asides(divisor, i), _asides(dividend, j)
    if below is None or above is None:
        (a, b), (c, d) = _known(divisor, i), _known(dividend, j)
        return (max(c, 0.0) / b if b > 0 else 0.0), (d / a if a > 0 else math.inf)
    assert divisor.value is not None  # noqa: S101 - for the type checker: they have sides
    assert dividend.value is not None  # noqa: S101
    middle = math.log(dividend.value) - math.log(divisor.value)
    down = above[0].rest + below[1].rest + math.hypot(above[0].chance, below[1].chance)
    up = above[1].rest + below[0].rest + math.hypot(above[1].chance, below[0].chance)
    return _exp(middle - down), _exp(middle + up)


def _asides(estimate: Estimate, doubts: int) -> tuple[_Aside, _Aside] | None:
    """Return how far both ends are from the value; ``None`` where it has no logarithm."""
    value = estimate.value
    if value is None or value <= 0:
        return None
    down, up = _Aside(), _Aside()
    lo = hi = value
    if not estimate.doubts:
        return _Aside(0.0, _log(value, estimate.lo)), _Aside(0.0, _log(estimate.hi, value))
    for doubt in estimate.doubts[:doubts]:
        down, up = down.further(doubt.kind, _log(lo, doubt.lo)), up.further(doubt.kind, _log(doubt.hi, hi))
        lo, hi = min(lo, doubt.lo), max(hi, doubt.hi)
    return down, up


def _known(estimate: Estimate, doubts: int) -> tuple[float, float]:
    if doubts:
        return estimate.doubts[doubts - 1].lo, estimate.doubts[doubts - 1].hi
    if estimate.value is not None:
        return estimate.value, estimate.value
    first: Doubt | Estimate = estimate.doubts[0] if estimate.doubts else estimate
    return first.lo, first.hi


def _log(more: float, less: float) -> float:
    """Return how much more, as a logarithm that is never negative."""
    if more <= less:
        return 0.0
    return math.inf if less <= 0 or math.isinf(more) else math.log(more / less)


def _less(number: float, less: float) -> float:
    """Subtract; of two that are equal but for rounding, nothing is left."""
    return 0.0 if same(number, less) else number - less


def _exp(logarithm: float) -> float:
    return math.inf if logarithm > 700 else math.exp(logarithm)  # noqa: PLR2004 - the largest float is e^709
