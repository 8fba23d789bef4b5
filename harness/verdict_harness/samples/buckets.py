"""A histogram between two scrapes: how many observations were surely at most each edge, and how many maybe.

Nothing is interpolated to be judged: that a quantile is at most an edge, or above it, follows from counts.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from .counters import Bound, Counter
from .sample import Failed, NoValue, Partial
from .scrapes import Scrape

_RAGGED = 0.001  # share by which buckets may be out of step, where observing and exposing overlap
_RAGGED_COUNT = 3


@dataclass(frozen=True, slots=True)
class Census:
    """Observations of some stretch of time, counted up to each edge.

    Attributes:
        edges: upper edges of the buckets, ascending; the last is infinity.
        sure: how many observations were surely made and at most each edge.
        maybe: how many more may have been made, and were at most each edge if they were; infinite where
            nothing bounds them.
        unseen: observations that were due and never made: each may be anything.
    """

    edges: tuple[float, ...]
    sure: tuple[float, ...]
    maybe: tuple[float, ...]
    unseen: float = 0.0

    @property
    def n(self) -> float:
        """How many observations there surely were."""
        return self.sure[-1]

    @property
    def exact(self) -> bool:
        """Whether every count is known."""
        return not any(self.maybe)

    def __add__(self, other: Census) -> Census:
        return Census(
            self.edges,
            tuple(a + b for a, b in zip(self.sure, other.sure, strict=True)),
            tuple(a + b for a, b in zip(self.maybe, other.maybe, strict=True)),
            self.unseen + other.unseen,
        )

    def least(self) -> Iterable[tuple[float, float, float]]:
        """Yield for each edge the fewest that can be at most it: the edge, how many, of how many.

        Of the observations that may have been made, those above the edge were, and no others.
        """
        for edge, sure, maybe in zip(self.edges, self.sure, self.maybe, strict=True):
            above = self.maybe[-1] - maybe if math.isfinite(self.maybe[-1]) else math.inf
            yield edge, sure, self.sure[-1] + above + self.unseen

    def most(self) -> Iterable[tuple[float, float, float]]:
        """Yield for each edge the most that can be at most it; see :meth:`least`."""
        for edge, sure, maybe in zip(self.edges, self.sure, self.maybe, strict=True):
            yield edge, sure + maybe + self.unseen, self.sure[-1] + maybe + self.unseen

    def likely(self) -> Census:
        """Return the census of all that may have been made, taken as made where their number is known."""
        if not math.isfinite(self.maybe[-1]):
            return Census(self.edges, self.sure, (0.0,) * len(self.edges))
        return Census(
            self.edges,
            tuple(a + b for a, b in zip(self.sure, self.maybe, strict=True)),
            (0.0,) * len(self.edges),
        )

    def bracket(
        self, surely_at_most: Callable[[float, float], bool], surely_above: Callable[[float, float], bool]
    ) -> Bound:
        """Return the edges between which a quantile lies.

        Args:
            surely_at_most: whether so many of so many at most an edge prove that the quantile is.
            surely_above: whether so many of so many at most an edge prove that it is above.
        """
        hi = next((edge for edge, k, n in self.least() if n < math.inf and surely_at_most(k, n)), math.inf)
        los = itertools.takewhile(lambda one: one[2] < math.inf and surely_above(one[1], one[2]), self.most())
        lo = max((edge for edge, _, _ in los), default=0.0)
        return Bound(lo, max(lo, hi))

    def interpolated(self, p: float) -> float | None:
        """Return the quantile as if each bucket were evenly filled: to be shown, never judged."""
        rank, below, start = p * self.n, 0.0, 0.0
        for edge, count in zip(self.edges, self.sure, strict=True):
            if count >= rank and count > below:
                if math.isinf(edge):
                    return None
                return start + (edge - start) * (rank - below) / (count - below)
            below, start = count, edge
        return None


@dataclass(frozen=True, slots=True)
class Histogram:
    """One histogram of one target: a counter for each edge.

    Attributes:
        counters: edge to the count of what was at most it, ascending.
    """

    counters: Mapping[float, Counter]

    def trouble(self, begin: Scrape, end: Scrape) -> NoValue | None:
        """Return why it has no counts from ``begin`` to ``end``; ``None`` if it has."""
        name = str(next(iter(self.counters.values())).track)
        if math.inf not in self.counters:
            return Partial(name, 'there is no bucket le="+Inf", so how much was observed is not known')
        for edge, counter in self.counters.items():
            if found := counter.trouble(begin, end):
                return found
            if edge < 0 and counter.at(end).hi > 0:
                return Failed(name, f"there are observations below 0, at most {edge:g}")
        births = {counter.track.points[0].time for counter in self.counters.values()}
        if len(births) > 1:
            return Partial(name, "its buckets did not come together: some are missing where others are")
        crossed = _crossed([counter.growth(begin, end).lo for counter in self.counters.values()])
        return Failed(name, crossed) if crossed else None

    def census(self, begin: Scrape, end: Scrape) -> Census:
        """Return what it counted; only where :meth:`trouble` finds none."""
        grown = [counter.growth(begin, end) for counter in self.counters.values()]
        sure = tuple(itertools.accumulate((bound.lo for bound in grown), max))
        maybe = tuple(itertools.accumulate((bound.hi - bound.lo for bound in grown), max))
        return Census(tuple(self.counters), sure, maybe)


def _crossed(counts: Sequence[float]) -> str:
    """Say where more is at most a lower edge than at most a higher one, beyond what a race explains."""
    worst = max((a - b for a, b in itertools.pairwise(counts)), default=0.0)
    if worst > max(_RAGGED_COUNT, _RAGGED * counts[-1]):
        return f"its buckets contradict each other: one has {worst:g} more than a wider one"
    return ""


def edge_of(text: str | None) -> float | None:
    """Return the edge that a label ``le`` says; ``None`` if it says none.

    >>> edge_of("0.005"), edge_of("+Inf"), edge_of("five"), edge_of("NaN"), edge_of("-1")
    (0.005, inf, None, None, -1.0)
    """
    try:
        edge = float(text or "")
    except ValueError:
        return None
    return None if math.isnan(edge) else edge
