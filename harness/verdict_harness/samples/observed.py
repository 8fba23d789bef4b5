"""Estimates of what was observed: quantiles, shares, ratios and rates, each with its doubts.

The doubts come in one order: how finely it was measured, then chance, then
what is missing, every reason under its own name.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self, TypeVar

from . import chance
from .doubts import Doubt, Kind
from .estimate import Estimate, Windows
from .sample import Empty, NotANumber, NoValue, Partial
from .units import Quantity, Unit, ms

_Part = TypeVar("_Part")


@dataclass(frozen=True, slots=True)
class Asked:
    """What an estimate is about.

    Attributes:
        query: the question.
        at: unix seconds: the end of the time that it is about.
        seconds: how long that time is; ``None`` if it is no matter of time.
        counted: what was observed, in the plural.
        unit: to name edges of buckets in.
        level: of each bound; see :func:`~verdict_harness.samples.chance.family` for several at once.
    """

    query: str
    at: float
    seconds: float | None = None
    counted: str = "observations"
    unit: Unit = ms
    level: float = chance.SURE


class Span(NamedTuple):
    """Observations that are known to lie between two values, both included.

    Attributes:
        lo: what each is at least.
        hi: what each is at most; may be infinite.
        number: how many there are.
    """

    lo: float
    hi: float
    number: int = 1

    @property
    def shown(self) -> float:
        """The value that stands for each where a single one is shown: the worst that is finite."""
        return self.hi if math.isfinite(self.hi) else self.lo


@dataclass(frozen=True, slots=True)
class Unknown:
    """Observations of which only bounds are known, all for the same reason.

    Attributes:
        text: the reason, such as ``"12 orders were never answered"``.
        spans: their bounds; of a share, 0 to 1 where it is not known whether they are hits.
        kind: of doubt.
        instrument: whose trouble it is; empty if it is the system's.
        cure: what would remove it; empty if the text says enough.
    """

    text: str
    spans: tuple[Span, ...]
    kind: Kind = "missing"
    instrument: str = ""
    cure: str = ""

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(span.number for span in self.spans)

    @classmethod
    def times(  # noqa: PLR0913 - a doubt has that many parts
        cls,
        count: int,
        text: str,
        *,
        lo: float = 0.0,
        hi: float = math.inf,
        kind: Kind = "missing",
        instrument: str = "",
        cure: str = "",
    ) -> Self:
        """Return ``count`` observations that share their bounds."""
        return cls(text, (Span(lo, hi, count),) if count else (), kind, instrument, cure)


def quantile(
    asked: Asked, p: float, values: Iterable[float], unknown: Sequence[Unknown] = ()
) -> Estimate | Empty:
    """Return the ``p``-quantile of observations of which most are known exactly.

    Args:
        asked: what it is about.
        p: 0.99 for a p99.
        values: those that are known.
        unknown: those of which only bounds are known: counted at ``lo`` for the lower end of the interval
            and at ``hi`` for the upper one.

    >>> answered = [0.001] * 5000
    >>> hang = Unknown.times(100, "100 orders were never answered", lo=5.0)
    >>> quantile(Asked("p99", at=0.0), 0.99, answered, [hang]).interval
    (5.0, inf)
    """
    # in order already, so that putting each bound of them in order costs little
    known = [Span(value, value) for value in sorted(values)]
    return _quantile(asked, p, known, unknown, bucketed=False)


def bucket_quantile(
    asked: Asked, p: float, buckets: Sequence[tuple[float, float]], unknown: Sequence[Unknown] = ()
) -> Estimate | NoValue:
    """Return the ``p``-quantile of a histogram: known no finer than its buckets.

    Args:
        asked: what it is about.
        p: 0.99 for a p99.
        buckets: the upper edge of each, the last one infinite, and how many observations were at or below it.
        unknown: observations besides those in the buckets.

    >>> p99 = bucket_quantile(Asked("p99", at=0.0), 0.99, [(0.02, 500), (0.05, 5100), (math.inf, 5100)])
    >>> round(p99.value, 4), p99.interval, p99.doubts[0].text
    (0.0497, (0.02, 0.05), 'no bucket has an edge between 20 ms and 50 ms')
    """
    edges = [edge for edge, _ in buckets]
    counts = [round(count) for _, count in buckets]
    if not buckets or edges[-1] != math.inf:
        return Partial(asked.query, "the histogram has no bucket up to infinity")
    if edges != sorted(set(edges)) or counts != sorted(counts) or counts[0] < 0:
        return Partial(asked.query, f"the buckets do not hold one another: {', '.join(map(str, counts))}")
    bounds = itertools.pairwise([min(0.0, edges[0]), *edges])
    sizes = itertools.pairwise([0, *counts])
    spans = [Span(lo, hi, b - a) for (lo, hi), (a, b) in zip(bounds, sizes, strict=True) if b > a]
    return _quantile(asked, p, spans, unknown, bucketed=True)


def share(asked: Asked, hits: int, of: int, unknown: Sequence[Unknown] = ()) -> Estimate | Empty:
    """Return the likelihood of something that ``hits`` in ``of`` independent observations were.

    Args:
        asked: what it is about.
        hits: how many surely were.
        of: how many there are of which it is known.
        unknown: those of which it is not; whatever their bounds, none of them for the lower end of the
            interval, and all of them for the upper one.

    >>> failed = share(Asked("failed", at=0.0), 5, 5000, [Unknown.times(20, "20 orders were dropped")])
    >>> failed.value, [round(end, 4) for end in failed.interval]
    (0.001, [0.0004, 0.0069])
    """
    n = of + sum(group.count for group in unknown)
    if n < 1:
        return Empty(asked.query, f"no {asked.counted}")
    estimate = _start(asked, hits / of if of else None, n)
    if of:
        bounds = chance.share(hits, of, asked.level)
        estimate = _by_chance(estimate, asked, bounds, f"{hits} of {of} {asked.counted}")
    worst = 0
    for group in unknown:
        worst += group.count
        lo = chance.share(hits, of + worst, asked.level).lo
        hi = chance.share(hits + worst, of + worst, asked.level).hi
        estimate = _by_missing(estimate, group, lo, hi)
    return estimate


def ratio_of(
    asked: Asked, pairs: Sequence[tuple[float, float]], *, n: int, deviation: float | None = None
) -> Estimate | NoValue:
    """Return how much of one thing there is for each of another, such as matches per order.

    Args:
        asked: what it is about.
        pairs: both amounts in consecutive stretches of time, such as between scrapes; a single one will do
            where ``deviation`` is known.
        n: the observations under it.
        deviation: how far the first amount strays for one of the second, if the load has it so; else the
            stretches tell.

    >>> matches = ratio_of(Asked("matches per order", at=0.0), [(547, 510)], n=510, deviation=1.196)
    >>> [round(end, 3) for end in matches.interval]
    [0.985, 1.16]
    """
    of = math.fsum(b for _, b in pairs)
    if n < 1 or not pairs:
        return Empty(asked.query, f"no {asked.counted}")
    if of <= 0:
        return NotANumber(asked.query, "what it is to be divided by did not grow")
    value = math.fsum(a for a, _ in pairs) / of
    if deviation is None:
        bounds, how = chance.ratio(pairs, asked.level), f"how restless {len(pairs)} stretches were"
    else:
        bounds, how = chance.mean(value, deviation, round(of), asked.level), f"{n} {asked.counted}"
    return _by_chance(_start(asked, value, n), asked, bounds, how)


def rate(
    asked: Asked, stretches: Sequence[tuple[float, float]], *, n: int, per: float = 1.0
) -> Estimate | NoValue:
    """Return how often something happened, such as matches a minute.

    Args:
        asked: what it is about.
        stretches: how often it happened in consecutive stretches of time, and how many seconds each was.
        n: the observations under it, such as the orders offered: that of 5,100 orders none matched, is known.
        per: seconds in the unit of time.

    >>> rate(Asked("matches", at=0.0), [(85, 5), (88, 5), (82, 5), (85, 5)], n=340, per=60).value
    1020.0
    """
    return ratio_of(asked, [(count, seconds / per) for count, seconds in stretches], n=n)


def windows(
    whole: Estimate | NoValue, parts: Sequence[_Part], ask: Callable[[_Part, float], Estimate | NoValue]
) -> Windows | NoValue:
    """Return the whole with its parts, these at the level of the family.

    Args:
        whole: of all of it.
        parts: in order of time.
        ask: makes the estimate of a part at a level; a part that has no value is left out.
    """
    if isinstance(whole, NoValue):
        return whole
    level = chance.family(len(parts))
    asked = (ask(part, level) for part in parts)
    return Windows(whole.query, whole, tuple(part for part in asked if isinstance(part, Estimate)))


class _Ordered:
    """Values in order of size, each as often as it is there."""

    def __init__(self, pairs: Iterable[tuple[float, int]]) -> None:
        self._pairs = sorted(pairs)
        self._places = list(itertools.accumulate(count for _, count in self._pairs))

    def __getitem__(self, rank: int) -> float:
        return self._pairs[bisect_left(self._places, rank)][0]


def _quantile(
    asked: Asked, p: float, seen: Sequence[Span], unknown: Sequence[Unknown], *, bucketed: bool
) -> Estimate | Empty:
    n = sum(span.number for span in seen) + sum(group.count for group in unknown)
    if n < 1:
        return Empty(asked.query, f"no {asked.counted}")
    middle = max(1, math.ceil(round(p * n, 6)))
    places = chance.ranks(n, p, asked.level)

    def between(lo: int, hi: int | None, groups: int) -> chance.Interval:
        """Return the values at two ranks, the first groups at their bounds, others as shown."""
        bounded = [*seen, *(span for group in unknown[:groups] for span in group.spans)]
        shown = [(span.shown, span.number) for group in unknown[groups:] for span in group.spans]
        lows = _Ordered([*((span.lo, span.number) for span in bounded), *shown])
        highs = _Ordered([*((span.hi, span.number) for span in bounded), *shown])
        return chance.Interval(lows[lo] if lo else -math.inf, highs[hi] if hi else math.inf)

    first = between(middle, middle, 0)
    if bucketed:
        shown = [span for group in unknown for span in group.spans]
        estimate = _in_bucket(asked, first, _interpolated(seen, shown, p * n, first), n)
    else:
        estimate = _start(asked, first.lo, n)
    words, fewest = f"p{100 * p:g} of {n} {asked.counted}", chance.least(p, asked.level)
    if n < fewest:
        words = f"a {words} is not bounded from above, {fewest} would be needed"
    estimate = _by_chance(estimate, asked, between(*places, 0), words, least=fewest)
    for number, group in enumerate(unknown, start=1):
        estimate = _by_missing(estimate, group, *between(*places, number))
    return estimate


def _start(asked: Asked, value: float | None, n: int) -> Estimate:
    """Return a number as if it were known exactly; where there is none, a share of which nothing is known."""
    lo, hi = (0.0, 1.0) if value is None else (value, value)
    return Estimate(asked.query, value, lo, hi, n, asked.at, (), asked.seconds, asked.counted)


def _in_bucket(asked: Asked, edges: chance.Interval, value: float | None, n: int) -> Estimate:
    lo, hi = (str(Quantity(edge, asked.unit)) for edge in edges)
    beyond = f"no bucket has an edge beyond {lo}" if math.isinf(edges.hi) else ""
    text = beyond or f"no bucket has an edge between {lo} and {hi}"
    doubts = (Doubt("resolution", text, *edges),) if edges.lo < edges.hi else ()
    return Estimate(
        asked.query, value, *edges, n, asked.at, doubts, asked.seconds, asked.counted, continuous=True
    )


def _interpolated(
    seen: Sequence[Span], shown: Sequence[Span], place: float, edges: chance.Interval
) -> float | None:
    """Return where in its bucket a quantile lies if all in there lies evenly; ``None`` beyond the last."""
    if math.isinf(edges.hi):
        return None
    under = sum(span.number for span in seen if span.hi <= edges.lo)
    under += sum(span.number for span in shown if span.shown <= edges.lo)
    inside = sum(span.number for span in seen if (span.lo, span.hi) == edges)
    part = (place - under) / inside if inside else 1.0
    return edges.lo + (edges.hi - edges.lo) * min(1.0, max(0.0, part))


def _by_chance(
    estimate: Estimate, asked: Asked, bounds: chance.Interval, rests_on: str, *, least: int = 0
) -> Estimate:
    if bounds.lo >= estimate.lo and bounds.hi <= estimate.hi:
        return estimate
    text = f"chance, at {100 * asked.level:.4g} %: {rests_on}"
    return estimate.widened("chance", text, lo=bounds.lo, hi=bounds.hi, least=least)


def _by_missing(estimate: Estimate, group: Unknown, lo: float, hi: float) -> Estimate:
    if not group.spans:
        return estimate
    return estimate.widened(
        group.kind, group.text, lo=lo, hi=hi, instrument=group.instrument, cure=group.cure
    )
