"""What a counter stood at, and how far it grew: exactly, or between which bounds.

Absent is not zero, with one exception that the scrapes themselves prove: client libraries make a
labelled counter with its first event, so one that is missing from a scrape which succeeded, of a process
that has not restarted since, stood at 0 there. What rests on a scrape that failed is bounded by the
scrapes around it, since a counter only grows.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from ..figures import clock
from .answers import Track, not_numbers, resets
from .sample import Failed, NotANumber, NoValue, Partial, Stale
from .scrapes import Scrape, Scrapes


class Bound(NamedTuple):
    """A count that lies between two others, both possible.

    >>> Bound(2, 3) + Bound(1, 1), (Bound(2, 3) + Bound(1, 1)).exact
    (Bound(lo=3, hi=4), False)
    """

    lo: float
    hi: float

    @property
    def exact(self) -> bool:
        """Whether it is known."""
        return self.lo == self.hi

    def __add__(self, other: object) -> Bound:
        if not isinstance(other, Bound):
            return NotImplemented
        return Bound(self.lo + other.lo, self.hi + other.hi)

    @classmethod
    def total(cls, parts: Iterable[Bound]) -> Self:
        """Return the sum."""
        parts = tuple(parts)
        return cls(math.fsum(part.lo for part in parts), math.fsum(part.hi for part in parts))


@dataclass(frozen=True)
class Counter:
    """One series that only grows, with the scrapes it came from.

    Attributes:
        track: what came.
        scrapes: of its target.
    """

    track: Track
    scrapes: Scrapes
    _times: tuple[float, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_times", tuple(point.time for point in self.track.points))

    def trouble(self, begin: Scrape, end: Scrape) -> NoValue | None:
        """Return why its growth from ``begin`` to ``end`` is no number at all; ``None`` if it is one."""
        name, points = str(self.track), self.track.points
        if bad := not_numbers(points, f"of {len(points)} raw samples"):
            return NotANumber(name, bad)
        for point in points:
            if point.value < 0:
                return Failed(
                    name, f"{point.value:g} at {clock(point.time)}, where a count is never negative"
                )
        if found := resets([point for point in points if begin.time <= point.time <= end.time]):
            return Partial(name, "; ".join(found))
        if (restart := self.scrapes.restarted(begin.time, end.time)) is not None:
            return Partial(
                name,
                f"its process was started anew before {clock(restart)}: what it had counted since is lost",
            )
        if (gone := self._gone(begin.time, end.time)) is not None:
            return Stale(name, f"it went away: a scrape at {clock(gone)} succeeded and did not bring it")
        return None

    def at(self, scrape: Scrape) -> Bound:
        """Return what it stood at when ``scrape`` was made."""
        if (known := self._known(scrape)) is not None:
            return Bound(known, known)
        before, after = 0.0, math.inf
        attempts = self.scrapes.attempts
        at = bisect.bisect_left(attempts, scrape)
        for one in reversed(attempts[:at]):
            if one.time < scrape.time and (known := self._known(one)) is not None:
                before = known
                break
        for one in attempts[at:]:
            if one.time > scrape.time and (known := self._known(one)) is not None:
                after = known
                break
        return Bound(before, after)

    def growth(self, begin: Scrape, end: Scrape) -> Bound:
        """Return by how much it grew; only where :meth:`trouble` finds none."""
        first, last = self.at(begin), self.at(end)
        return Bound(max(0.0, last.lo - first.hi), max(0.0, last.hi - first.lo))

    def _known(self, scrape: Scrape) -> float | None:
        at = bisect.bisect_left(self._times, scrape.time)
        if at < len(self._times) and self._times[at] == scrape.time:
            return self.track.points[at].value
        unborn = at == 0 and scrape.ok and self.scrapes.proven
        if unborn and self.scrapes.restarted(scrape.time, self._times[0]) is None:
            return 0.0
        return None

    def _gone(self, begin: float, end: float) -> float | None:
        there = set(self._times)
        return next(
            (
                attempt.time
                for attempt in self.scrapes.within(max(begin, self._times[0]), end)
                if attempt.ok and self.scrapes.proven and attempt.time not in there
            ),
            None,
        )
