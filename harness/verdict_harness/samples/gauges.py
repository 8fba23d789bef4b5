"""What a gauge stood at in a window: its samples, and the most of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from ..figures import clock
from .answers import Track, not_numbers
from .estimate import Estimate
from .growths import missing
from .sample import Empty, Failed, NotANumber, NoValue, Partial, Point, Series
from .scrapes import Scrapes
from .window import Window

_JITTER = 0.2  # of an interval: scrapes are not made to the millisecond
_HOLE = 2.5  # intervals without a sample, which leave open what was in between


def peak(  # noqa: PLR0913 - what of, and what it can see
    query: str, tracks: Sequence[Track], scrapes: Scrapes, window: Window, *, remembers: float, signed: bool
) -> Estimate | NoValue:
    """Return the most that gauges of one target stood at in a window.

    Args:
        query: what it is called.
        tracks: the gauges.
        scrapes: of their target.
        window: when.
        remembers: seconds for which the gauge itself keeps its maximum. Samples that still remember what
            was before the window are left out; a lost scrape costs nothing that a later one remembers.
        signed: whether it may be below zero at all.
    """
    begin, end = (edge.time for edge in scrapes.edges(window))
    first = begin + remembers - (_JITTER * scrapes.interval if remembers else 0)
    points = []
    for track in tracks:
        if trouble := _trouble(query, track, signed=signed):
            return trouble
        points += [point for point in track.points if first <= point.time <= end]
    if not points:
        return Empty(query, f"no sample from {clock(first)} to {clock(end)}")
    most = max(point.value for point in points)
    times = sorted({point.time for point in points})
    seen = Estimate(query, most, most, most, len(times), end, (), round(end - begin, 3), "scrapes")
    reach = max(remembers + _JITTER * scrapes.interval, _HOLE * scrapes.interval)
    holes = [
        f"no sample between {clock(a)} and {clock(b)}"
        for a, b in itertools.pairwise([max(begin, first - scrapes.interval), *times, end])
        if b - a > reach
    ]
    if holes:
        told = "; ".join(filter(None, (scrapes.failures(begin, end), *holes)))
        return missing(seen, told, f"scrapes of {scrapes.target}", most, math.inf)
    return seen


def course(query: str, track: Track, scrapes: Scrapes, window: Window) -> Series | NoValue:
    """Return all samples of one gauge from the first scrape of a window to its last."""
    begin, end = (edge.time for edge in scrapes.edges(window))
    if trouble := _trouble(query, track, signed=True):
        return trouble
    points = tuple(point for point in track.points if begin <= point.time <= end)
    if not points:
        return Empty(query, f"no sample from {clock(begin)} to {clock(end)}")
    times = [begin, *(point.time for point in points), end]
    if any(b - a > _HOLE * scrapes.interval for a, b in itertools.pairwise(times)):
        why = scrapes.failures(begin, end) or "there are holes between its samples"
        return Partial(query, why, len(points))
    return Series(query, points)


def _trouble(query: str, track: Track, *, signed: bool) -> NoValue | None:
    if bad := not_numbers(track.points, f"of {len(track.points)} raw samples"):
        return NotANumber(query, f"{track}: {bad}")
    below: list[Point] = [] if signed else [point for point in track.points if point.value < 0]
    if below:
        return Failed(
            query, f"{track}: {below[0].value:g} at {clock(below[0].time)}, where nothing is negative"
        )
    return None
