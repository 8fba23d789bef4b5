"""What chance leaves open: bounds that hold in 19 of 20 cases, each on its side.

Pure arithmetic, of the standard library alone.  Every bound is one-sided at a
*level*: 0.95 unless several are asked at once, which then share the risk
(:func:`family`).
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

SURE = 0.95
BATCHES = 20  # at most: fewer and longer ones keep more of what follows from one another in one batch
_ENOUGH = 1e-12  # of a probability


class Interval(NamedTuple):
    """Two bounds, each at its level; an end that nothing bounds is infinite."""

    lo: float
    hi: float


class Ranks(NamedTuple):
    """Places in order of size, counted from 1, between which a quantile lies.

    Attributes:
        lo: the lower one; 0 if nothing bounds it from below.
        hi: the upper one; ``None`` if nothing bounds it from above.
    """

    lo: int
    hi: int | None


def family(members: int, level: float = SURE) -> float:
    """Return the level for each of several bounds that are all to hold at ``level`` (Bonferroni).

    >>> round(family(10), 4)
    0.995
    """
    return 1 - (1 - level) / max(1, members)


def binomial(k: int, n: int, p: float) -> float:
    """Return the probability of at most ``k`` successes in ``n`` tries of likelihood ``p``.

    >>> round(binomial(1, 3, 0.5), 3)
    0.5
    """
    if k < 0 or k >= n or p in {0.0, 1.0}:
        return float(k >= n or (k >= 0 and p == 0.0))
    if k > n * p:
        return 1 - binomial(n - k - 1, n, 1 - p)
    term = math.exp(
        math.lgamma(n + 1)
        - math.lgamma(k + 1)
        - math.lgamma(n - k + 1)
        + k * math.log(p)
        + (n - k) * math.log1p(-p)
    )
    total = 0.0
    while term > total * _ENOUGH and k >= 0:  # downwards, each term smaller than the one before
        total += term
        term *= k * (1 - p) / ((n - k + 1) * p)
        k -= 1
    return total


@lru_cache(maxsize=4096)
def ranks(n: int, p: float, level: float = SURE) -> Ranks:
    """Return the places of ``n`` independent observations in order between which the ``p``-quantile lies.

    It holds whatever their distribution: how many of them are below the quantile is binomial.

    >>> ranks(298, 0.99), ranks(299, 0.99), ranks(5100, 0.99)
    (Ranks(lo=292, hi=None), Ranks(lo=293, hi=299), Ranks(lo=5037, hi=5061))
    """
    hi = _first(lambda k: binomial(k, n, p) >= level, n)  # at most hi - 1 are below
    lo = _first(lambda k: binomial(k, n, p) > 1 - level, n)  # at least lo are below
    return Ranks(lo, hi + 1 if hi < n else None)


def least(p: float, level: float = SURE) -> int:
    """Return the observations below which nothing bounds the ``p``-quantile from above.

    The largest of all, ``p`` of 1, no number of them bounds: 0.

    >>> least(0.99), least(0.5), least(1.0)
    (299, 5, 0)
    """
    if p == 1:
        return 0
    return math.ceil(math.log1p(-level) / math.log(p) - _ENOUGH)


def share(hits: int, of: int, level: float = SURE) -> Interval:
    """Return bounds of a likelihood that ``hits`` of ``of`` independent tries met (Clopper-Pearson).

    >>> [round(end, 5) for end in share(0, 299)], [round(end, 3) for end in share(5, 10)]
    ([0.0, 0.00997], [0.222, 0.778])
    """
    lo = 0.0 if hits == 0 else _cross(lambda p: 1 - binomial(hits - 1, of, p) - (1 - level))
    hi = 1.0 if hits == of else _cross(lambda p: (1 - level) - binomial(hits, of, p))
    return Interval(lo, hi)


def ratio(pairs: Sequence[tuple[float, float]], level: float = SURE) -> Interval:
    """Return bounds of how much of one thing there is for each of another, such as matches per order.

    Args:
        pairs: both amounts in consecutive stretches of time. Neighbours are put together until there are
            few enough for what follows from one another to be mostly within one (batch means), and how
            restless these are tells how sure their mean is.
        level: of each bound.

    >>> [round(end, 2) for end in ratio([(9, 10), (11, 10), (10, 10), (12, 10), (8, 10)])]
    [0.85, 1.15]
    """
    batches = [(sum(a for a, _ in group), sum(b for _, b in group)) for group in _batches(pairs)]
    whole = sum(b for _, b in batches)
    count = len(batches)
    if count < 2 or whole <= 0:  # noqa: PLR2004 - one batch shows no spread
        return Interval(-math.inf, math.inf)
    mean = sum(a for a, _ in batches) / whole
    squares = math.fsum((a - mean * b) ** 2 for a, b in batches)
    aside = student(count - 1, level) * math.sqrt(squares * count / (count - 1)) / whole
    return Interval(mean - aside, mean + aside)


def mean(value: float, deviation: float, n: int, level: float = SURE) -> Interval:
    """Return bounds of a mean of ``n`` observations, each of a known deviation.

    >>> [round(end, 3) for end in mean(1.073, 1.196, 510)]
    [0.986, 1.16]
    """
    aside = statistics.NormalDist().inv_cdf(level) * deviation / math.sqrt(n)
    return Interval(value - aside, value + aside)


class Line(NamedTuple):
    """How steep a straight line through points is, per second, and bounds of that."""

    slope: float
    lo: float
    hi: float


def slope(points: Sequence[tuple[float, float]], batches: int = 8, level: float = SURE) -> Line | None:
    """Return how steeply points rise, or ``None`` where there are too few of them to say (Theil and Sen).

    Between every two of the medians of a few batches there is a slope; the middle one is the answer, and how
    many of them chance may have turned round (Kendall) bounds it. So neither a spike nor what follows from
    one another, such as garbage that waits for its collection, makes it look surer than it is.

    >>> slope([(t, 3 + 2 * t) for t in range(80)])
    Line(slope=2.0, lo=2.0, hi=2.0)
    """
    groups = _batches(points, batches)
    times = [statistics.fmean(time for time, _ in group) for group in groups]
    levels = [statistics.median(height for _, height in group) for group in groups]
    marks = list(zip(times, levels, strict=True))
    slopes = sorted((d - b) / (c - a) for (a, b), (c, d) in itertools.combinations(marks, 2))
    turned = _turned(len(groups), level)
    if turned is None:
        return None
    return Line(statistics.median(slopes), slopes[turned], slopes[-1 - turned])


@lru_cache(maxsize=64)
def _turned(n: int, level: float) -> int | None:
    """Return how many of the slopes between ``n`` points may lie beyond a bound; ``None``: too few points."""
    ways = [1]  # of so many points to have 0, 1, 2, … pairs the wrong way round
    for size in range(2, n + 1):
        ways = [sum(ways[max(0, k - size + 1) : k + 1]) for k in range(len(ways) + size - 1)]
    likely = itertools.accumulate(way / math.factorial(n) for way in ways)
    return (
        sum(each <= 1 - level for each in likely) - 1
        if n > 1 and 1 / math.factorial(n) <= 1 - level
        else None
    )


@lru_cache(maxsize=256)
def student(freedom: int, level: float = SURE) -> float:
    """Return the ``level``-quantile of Student's distribution, for levels above a half.

    >>> round(student(1), 3), round(student(19), 3), round(student(10, 0.995), 3)
    (6.314, 1.729, 3.169)
    """
    angle = _cross(lambda share: _student(share * math.pi / 2, freedom) - (2 * level - 1))
    return math.sqrt(freedom) * math.tan(angle * math.pi / 2)


def _student(angle: float, freedom: int) -> float:
    """Return the probability of being within ``sqrt(freedom) * tan(angle)``: a finite series."""
    cosine, sine = math.cos(angle), math.sin(angle)
    term = total = cosine if freedom % 2 else 1.0
    for step in range(2 + freedom % 2, freedom - 1, 2):
        term *= cosine * cosine * (step - 1) / step
        total += term
    if freedom % 2 == 0:
        return sine * total
    return 2 / math.pi * (angle + (sine * total if freedom > 1 else 0.0))


def _batches(
    items: Sequence[tuple[float, float]], most: int = BATCHES
) -> list[Sequence[tuple[float, float]]]:
    """Cut items into at most so many consecutive groups of nearly the same size."""
    count = min(most, len(items))
    cuts = [round(index * len(items) / count) for index in range(count + 1)] if count else []
    return [items[begin:end] for begin, end in itertools.pairwise(cuts)]


def _first(holds: Callable[[int], bool], end: int) -> int:
    """Return the first number for which it holds, as it does for all after it; ``end`` if none."""
    lo, hi = 0, end
    while lo < hi:
        middle = (lo + hi) // 2
        lo, hi = (lo, middle) if holds(middle) else (middle + 1, hi)
    return lo


def _cross(rising: Callable[[float], float]) -> float:
    """Return where between 0 and 1 something that rises is zero."""
    lo, hi = 0.0, 1.0
    while hi - lo > _ENOUGH * max(lo, _ENOUGH):
        middle = (lo + hi) / 2
        if middle in {lo, hi}:
            break
        lo, hi = (lo, middle) if rising(middle) > 0 else (middle, hi)
    return (lo + hi) / 2
