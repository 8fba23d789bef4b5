"""A quantile of a histogram over a window and its parts: between which edges it lies, and why no closer."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from . import chance
from .buckets import Census, Histogram
from .counters import Bound
from .doubts import Doubt
from .estimate import Estimate, Windows
from .growths import blame, missing
from .sample import Empty, NoValue, Partial
from .scrapes import Scrapes
from .window import Window

_MILLI = 1000


@dataclass(frozen=True)
class Counted:
    """What histograms counted together in a window.

    Attributes:
        census: their observations.
        begin: unix seconds of the scrape of the first target that they begin with.
        end: and of the one that they end with.
        doubt: which scrapes failed, where that leaves counts open.
        instrument: whose those scrapes are.
    """

    census: Census
    begin: float
    end: float
    doubt: str = ""
    instrument: str = ""


def counted(query: str, histograms: Sequence[Histogram], window: Window) -> Counted | NoValue:
    """Return what ``histograms`` counted together in a window, each between scrapes of its own target."""
    total: Census | None = None
    begins, ends = [], []
    doubted: dict[str, Scrapes] = {}
    for histogram in histograms:
        scrapes = next(iter(histogram.counters.values())).scrapes
        begin, end = scrapes.edges(window)
        if trouble := histogram.trouble(begin, end):
            return type(trouble)(query, f"{trouble.query}: {trouble.reason}")
        census = histogram.census(begin, end)
        total = census if total is None else total + census
        begins.append(begin.time)
        ends.append(end.time)
        if not census.exact:
            doubted[scrapes.target] = scrapes
    if total is None:
        return Empty(query, "no such series")
    doubt, instrument = blame(doubted.values(), min(begins), max(ends))
    return Counted(total, begins[0], ends[0], doubt, instrument)


def quantile(  # noqa: PLR0913 - what of, how sure, and what it is called
    query: str,
    p: float,
    found: Counted,
    *,
    level: float = chance.SURE,
    lacking: float = 0.0,
    counted: str = "observations",
) -> Estimate | NoValue:
    """Return a quantile of what was counted.

    Args:
        query: what it is called.
        p: which quantile, such as 0.99.
        found: the counts.
        level: how sure each bound is to be.
        lacking: how many more there should have been, and were not observed at all: at their best as
            fast as any, at their worst infinitely slow.
        counted: what was observed, in the plural.
    """
    census = found.census.likely()
    if census.n < 1:
        if found.doubt:
            return Partial(query, f"no {counted} are known of: {found.doubt}")
        return Empty(query, f"there were no {counted}")
    n = int(census.n)
    resolution = census.bracket(lambda k, n: k >= p * n, lambda k, n: k < p * n)
    between = _between(resolution, query)
    estimate = Estimate(
        query,
        census.interpolated(p),
        *resolution,
        n,
        found.end,
        (Doubt("resolution", between, *resolution),),
        round(found.end - found.begin, 3),
        counted,
        continuous=True,
    )
    sure = _bracket(census, p, level)
    least = chance.least(p, level)
    estimate = estimate.widened(
        "chance", f"{100 * level:.4g} % of {n} {counted}", lo=sure.lo, hi=sure.hi, least=least
    )
    if found.doubt:
        open_ = _bracket(found.census, p, level)
        estimate = missing(estimate, found.doubt, found.instrument, open_.lo, open_.hi)
    if lacking >= 1:
        open_ = _bracket(replace(found.census, unseen=lacking), p, level)
        text = f"{lacking:.0f} {counted} are missing from {query}"
        estimate = estimate.widened(
            "missing", text, lo=open_.lo, hi=open_.hi, cure=f"every one of the {counted} observed"
        )
    return estimate


def windows(  # noqa: PLR0913 - what of, how sure, and what it is called
    query: str, p: float, histograms: Sequence[Histogram], window: Window, *, every: float, counted_: str
) -> Windows | NoValue:
    """Return a quantile of a window and of its consecutive parts, each at least ``every`` seconds long."""
    whole = counted(query, histograms, window)
    if isinstance(whole, NoValue):
        return whole
    estimate = quantile(query, p, whole, counted=counted_)
    if isinstance(estimate, NoValue):
        return estimate
    pieces = parts(window, every)
    level = chance.family(len(pieces))
    found = []
    for piece in pieces:
        part = counted(query, histograms, piece)
        if isinstance(part, NoValue):
            return part
        of_part = quantile(query, p, part, level=level, counted=counted_)
        if isinstance(of_part, Estimate):
            found.append(of_part)
    return Windows(query, estimate, tuple(found))


def parts(window: Window, every: float) -> list[Window]:
    """Return consecutive parts of a window, of the same length, none shorter than ``every`` seconds.

    >>> [str(part) for part in parts(Window(0, 100), 30)]
    ['00:00:00Z to 00:00:33Z', '00:00:33Z to 00:01:06Z', '00:01:06Z to 00:01:40Z']
    """
    count = max(1, int(window.seconds // every))
    cuts = [window.start + window.seconds * index / count for index in range(count)] + [window.end]
    return [Window(begin, end) for begin, end in itertools.pairwise(cuts)]


def _bracket(census: Census, p: float, level: float) -> Bound:
    def surely_at_most(k: float, n: float) -> bool:
        hi = chance.ranks(math.ceil(n), p, level).hi
        return hi is not None and math.floor(k) >= hi

    def surely_above(k: float, n: float) -> bool:
        return math.ceil(k) < chance.ranks(math.floor(n), p, level).lo

    return census.bracket(surely_at_most, surely_above)


def _between(resolution: Bound, query: str) -> str:
    lo, hi = (_shown(edge, query) for edge in resolution)
    if math.isinf(resolution.hi):
        return f"no bucket ends above {lo}"
    return f"no bucket has an edge between {lo} and {hi}"


def _shown(edge: float, query: str) -> str:
    return f"{edge * _MILLI:g} ms" if "_seconds" in query else f"{edge:g}"
