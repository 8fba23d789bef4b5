"""How far counters grew in a window: all that was counted between the scrapes at its edges, and no more."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .counters import Bound, Counter
from .estimate import Estimate
from .sample import Empty, NoValue
from .scrapes import Scrapes
from .window import Window


@dataclass(frozen=True)
class Growth:
    """By how much counters grew together.

    Attributes:
        query: what was asked.
        bound: the growth.
        begin: unix seconds of the scrape of the first target that it begins with.
        end: and of the one that it ends with.
        doubt: which scrapes failed, where that leaves the growth open; empty if it is exact.
        instrument: whose those scrapes are.
        pace: growth a second, each counter's by the seconds between its own scrapes: targets are scraped at
            moments of their own, up to an interval apart; ``None`` if one has no two scrapes.
    """

    query: str
    bound: Bound
    begin: float
    end: float
    doubt: str = ""
    instrument: str = ""
    pace: Bound | None = None

    @property
    def seconds(self) -> float:
        """How long it took."""
        return round(self.end - self.begin, 3)

    @property
    def shown(self) -> float:
        """The growth, or what is taken for it where it is not known: to be shown, never judged."""
        return sum(self.bound) / 2 if math.isfinite(self.bound.hi) else self.bound.lo

    def estimate(self, n: float, counted: str) -> Estimate | Empty:
        """Return the growth as a number that rests on ``n`` observations."""
        if n < 1:
            return Empty(self.query, f"it rests on no {counted}")
        known = Estimate(
            self.query, self.shown, self.shown, self.shown, int(n), self.end, (), self.seconds, counted
        )
        return self.doubted(known, self.bound.lo, self.bound.hi)

    def doubted(self, estimate: Estimate, lo: float, hi: float) -> Estimate:
        """Return an estimate that rests on this, widened to what the failed scrapes leave open."""
        return missing(estimate, self.doubt, self.instrument, lo, hi) if self.doubt else estimate


def growth(query: str, counters: Sequence[Counter], window: Window) -> Growth | NoValue:
    """Return by how much ``counters`` grew together in a window, each between scrapes of its own target.

    Returns:
        The growth; or the kind of :class:`NoValue` that the first without one is.
    """
    bounds, begins, ends, paces = [], [], [], []
    doubted: dict[str, Scrapes] = {}
    for counter in counters:
        begin, end = counter.scrapes.edges(window)
        if trouble := counter.trouble(begin, end):
            return type(trouble)(query, f"{trouble.query}: {trouble.reason}")
        bound = counter.growth(begin, end)
        bounds.append(bound)
        begins.append(begin.time)
        ends.append(end.time)
        if (seconds := end.time - begin.time) > 0:
            paces.append(Bound(bound.lo / seconds, bound.hi / seconds))
        if not bound.exact:
            doubted[counter.scrapes.target] = counter.scrapes
    doubt, instrument = blame(doubted.values(), min(begins), max(ends))
    pace = Bound.total(paces) if len(paces) == len(bounds) else None
    return Growth(query, Bound.total(bounds), begins[0], ends[0], doubt, instrument, pace)


def blame(scrapes: Iterable[Scrapes], begin: float, end: float) -> tuple[str, str]:
    """Say which scrapes left something open: what the reader is told, and whose they are."""
    open_ = list(scrapes)
    told = [
        each.failures(begin, end) or f"no scrape of {each.target} proves what was there" for each in open_
    ]
    names = ", ".join(each.target for each in open_)
    return "; ".join(told), f"scrapes of {names}" if names else ""


def missing(estimate: Estimate, doubt: str, instrument: str, lo: float, hi: float) -> Estimate:
    """Return an estimate widened by what scrapes that failed leave open."""
    names = instrument.removeprefix("scrapes of ")
    return estimate.widened(
        "missing", doubt, lo=lo, hi=hi, instrument=instrument, cure=f"no failed scrape of {names}"
    )
