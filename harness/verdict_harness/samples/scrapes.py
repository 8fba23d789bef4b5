"""When one target was scraped, and what its scrapes prove.

Prometheus stamps everything that one scrape brought with one time, and its ``up`` too. So a series
that has no sample at a time at which ``up`` was 1 was not among what the target exposed, whereas of
a time at which ``up`` was 0, or is missing, nothing is known.
"""

from __future__ import annotations

import bisect
import itertools
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ..figures import clock
from .answers import Track
from .window import Window

INTERVAL = 5.0  # seconds between two scrapes where too few were made to tell
_LATE = 1.5  # intervals after which a scrape that did not come was missed
_SAME_START = 2.0  # seconds: some compute the start of a process anew for each scrape


class Scrape(NamedTuple):
    """One attempt to scrape a target.

    Attributes:
        time: unix seconds of its samples.
        ok: whether it succeeded.
    """

    time: float
    ok: bool


@dataclass(frozen=True)
class Scrapes:
    """All scrapes of one target over some stretch of time.

    Attributes:
        target: its name, for the reader.
        attempts: in order of time; those that Prometheus itself missed are not among them.
        restarts: unix seconds of the first scrape of each process after the first.
        proven: whether ``up`` is known: without it an absent series proves nothing.
    """

    target: str
    attempts: tuple[Scrape, ...]
    restarts: tuple[float, ...] = ()
    proven: bool = True
    _times: tuple[float, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_times", tuple(attempt.time for attempt in self.attempts))

    @property
    def interval(self) -> float:
        """Seconds from one scrape to the next."""
        steps = [b - a for a, b in itertools.pairwise(self._times)]
        return statistics.median(steps) if steps else INTERVAL

    @property
    def last(self) -> float:
        """Unix seconds of the last attempt; minus infinity if there was none."""
        return self._times[-1] if self._times else float("-inf")

    def edge(self, moment: float) -> Scrape:
        """Return the first scrape at or after ``moment``; one that failed, then, if none came in time."""
        at = bisect.bisect_left(self._times, moment)
        if at < len(self._times) and self._times[at] - moment <= _LATE * self.interval:
            return self.attempts[at]
        return Scrape(moment, ok=False)

    def edges(self, window: Window) -> tuple[Scrape, Scrape]:
        """Return the scrapes that bound ``window``: nothing from before its start counts, its end does."""
        return self.edge(window.start), self.edge(window.end)

    def within(self, first: float, last: float) -> tuple[Scrape, ...]:
        """Return the attempts from ``first`` to ``last``, both among them."""
        return self.attempts[bisect.bisect_left(self._times, first) : bisect.bisect_right(self._times, last)]

    def restarted(self, after: float, until: float) -> float | None:
        """Return when another process was first seen, after ``after`` and no later than ``until``."""
        return next((time for time in self.restarts if after < time <= until), None)

    def failures(self, first: float, last: float) -> str:
        """Say how many scrapes failed or never came; empty if none."""
        attempts = self.within(first, last)
        failed = [attempt.time for attempt in attempts if not attempt.ok]
        found = []
        if failed:
            found.append(f"{len(failed)} of {len(attempts)} scrapes of {self.target} failed")
        times = [first, *(attempt.time for attempt in attempts), last]
        found += [
            f"no scrape of {self.target} between {clock(a)} and {clock(b)}"
            for a, b in itertools.pairwise(times)
            if b - a > _LATE * self.interval
        ]
        return ", ".join(found)


def name_of(labels: Mapping[str, str]) -> str:
    """Name a target by the labels of anything that was scraped from it.

    >>> name_of({"job": "me-shard-a", "instance": "127.0.0.1:9091", "shard": "a"})
    'me-shard-a at 127.0.0.1:9091'
    """
    return (
        " at ".join(filter(None, (labels.get("job", ""), labels.get("instance", "")))) or "an unnamed target"
    )


def scrapes(target: str, up: Track | None, started: Track | None, seen: Sequence[Track]) -> Scrapes:
    """Return the scrapes of one target.

    Args:
        target: its name.
        up: its ``up``; without it, only that there are samples proves a scrape.
        started: its ``process_start_time_seconds``, if it has that.
        seen: series that were scraped from it.
    """
    restarts = []
    for a, b in itertools.pairwise(started.points if started else ()):
        if abs(b.value - a.value) > _SAME_START:
            restarts.append(b.time)
    if up is not None:
        attempts = tuple(Scrape(point.time, point.value == 1) for point in up.points)
        return Scrapes(target, attempts, tuple(restarts))
    times = sorted({point.time for track in seen for point in track.points})
    return Scrapes(target, tuple(Scrape(time, ok=True) for time in times), tuple(restarts), proven=False)
