"""How fast counters grew, alone or for each of another: as surely as their own restlessness allows."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from . import chance
from .counters import Counter
from .estimate import Estimate, Windows
from .growths import growth
from .quantiles import parts
from .sample import NotANumber, NoValue, Partial
from .window import Window

MOST = 40  # parts


def rate(  # noqa: PLR0913 - what of, when, and how sure
    query: str,
    counters: Sequence[Counter],
    window: Window,
    per: float,
    counted: str,
    *,
    level: float = chance.SURE,
) -> Estimate | NoValue:
    """Return how much ``counters`` grew in ``per`` seconds.

    Args:
        query: what it is called.
        counters: what grew.
        window: when.
        per: seconds.
        counted: what they count, in the plural.
        level: how sure each bound is to be.
    """
    return _rate(query, counters, _scraped(counters, window), per, counted, level)


def _rate(  # noqa: PLR0913, PLR0917 - see rate
    query: str, counters: Sequence[Counter], window: Window, per: float, counted: str, level: float
) -> Estimate | NoValue:
    grown = growth(query, counters, window)
    if isinstance(grown, NoValue):
        return grown
    if grown.pace is None:
        return Partial(query, "there are no two scrapes in the window")
    n = int(grown.shown)
    if n < 1:  # that nothing came is seen in every second
        n, counted = max(1, int(grown.seconds)), "seconds"
    lo, hi = grown.pace
    value = per * ((lo + hi) / 2 if math.isfinite(hi) else lo)
    at = _moments(counters, window)
    pairs = [
        (b - a, after - before)
        for (a, before), (b, after) in itertools.pairwise(zip(_course(counters, at), at, strict=True))
    ]
    aside = _aside(pairs, level) * per
    estimate = Estimate(query, value, value, value, n, grown.end, (), grown.seconds, counted).widened(
        "chance", f"{100 * level:.4g} % of {n} {counted}", lo=max(0.0, value - aside), hi=value + aside
    )
    return grown.doubted(estimate, max(0.0, per * lo - aside), per * hi + aside)


def windows(  # noqa: PLR0913 - what of, when, and how long the parts are
    query: str, counters: Sequence[Counter], window: Window, per: float, counted: str, *, every: float
) -> Windows | NoValue:
    """Return :func:`rate` of a window and of its consecutive parts, each at least ``every`` seconds long.

    There are no more than :data:`MOST` parts: all have to hold at once, and so few scrapes show each how
    restless it is that of half an hour in half minutes a sound one is open in one run of four.
    """
    window = _scraped(counters, window)
    whole = _rate(query, counters, window, per, counted, chance.SURE)
    if isinstance(whole, NoValue):
        return whole
    pieces = parts(window, max(every, window.seconds / MOST))
    level = chance.family(len(pieces))
    found = []
    for piece in pieces:
        part = _rate(query, counters, piece, per, counted, level)
        if isinstance(part, NoValue):
            return part
        found.append(part)
    return Windows(query, whole, tuple(found))


def ratio(
    query: str, above: Sequence[Counter], below: Sequence[Counter], window: Window, counted: str
) -> Estimate | NoValue:
    """Return how much ``above`` grew for each growth by one of ``below``."""
    one, other = growth(query, above, window), growth(query, below, window)
    if isinstance(one, NoValue):
        return one
    if isinstance(other, NoValue):
        return other
    if other.shown < 1:
        return NotANumber(query, f"what it is divided by did not grow: of no {counted} nothing can be said")
    value, n = one.shown / other.shown, int(other.shown)
    at = _moments(below, window)
    courses = (_course(above, at), _course(below, at))
    pairs = [
        (b_one - a_one, b_other - a_other)
        for (a_one, a_other), (b_one, b_other) in itertools.pairwise(zip(*courses, strict=True))
    ]
    aside = _aside(pairs, chance.SURE)
    estimate = Estimate(query, value, value, value, n, other.end, (), other.seconds, counted).widened(
        "chance", f"95 % of {n} {counted}", lo=max(0.0, value - aside), hi=value + aside
    )
    lo = max(0.0, one.bound.lo / other.bound.hi - aside)
    hi = one.bound.hi / other.bound.lo + aside if other.bound.lo else math.inf
    return other.doubted(one.doubted(estimate, lo, hi), lo, hi)


def _aside(pairs: Sequence[tuple[float, float]], level: float) -> float:
    """Return how far to each side chance may have moved the ratio of two sums."""
    sure = chance.ratio(pairs, level)
    return (sure.hi - sure.lo) / 2


def _scraped(counters: Sequence[Counter], window: Window) -> Window:
    """Return the part of a window that ends with its last scrape, failed or not.

    A total ends with the scrape after its window, since nothing may be missing. A rate must not: the seconds
    between a load's end and that scrape, in which nothing came, are none of the load's. Where scrapes are
    lacking the window stays as it is, and the doubt with it.
    """
    seen = [one.time for one in counters[0].scrapes.within(window.start, window.end)]
    apart = max((b - a for a, b in itertools.pairwise(seen)), default=0.0)
    return Window(window.start, seen[-1]) if apart and window.end - seen[-1] <= apart else window


def _moments(counters: Sequence[Counter], window: Window) -> list[float]:
    """Return when the target of the first counter was scraped in the window."""
    scrapes = counters[0].scrapes
    begin, end = scrapes.edges(window)
    return [one.time for one in scrapes.within(begin.time, end.time) if one.ok]


def _course(counters: Sequence[Counter], moments: Sequence[float]) -> list[float]:
    """Return what counters stood at together, on straight lines between their own scrapes."""
    return [math.fsum(_about(counter, moment) for counter in counters) for moment in moments]


def _about(counter: Counter, moment: float) -> float:
    points = counter.track.points
    if moment < points[0].time:
        return 0.0 if counter.scrapes.proven else points[0].value
    for before, after in itertools.pairwise(points):
        if before.time <= moment < after.time:
            share = (moment - before.time) / (after.time - before.time)
            return before.value + share * (after.value - before.value)
    return points[-1].value
