"""k6's raw samples: one row for each measurement it took, and figures that are exact because of it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ..samples import Window

TREND = ("min", "avg", "med", "p(90)", "p(95)", "p(99)", "p(99.9)", "max")

_CLIENT_ERROR = 400


class Key(NamedTuple):
    """What tells an iteration from every other: k6's own count, which no script can mistake.

    Attributes:
        scenario: its scenario.
        vu: the virtual user that made it.
        iteration: which of that virtual user's.
    """

    scenario: str
    vu: str
    iteration: str


class Request(NamedTuple):
    """One request of the load.

    Attributes:
        ended: unix seconds of its end, to the millisecond as windows have it.
        duration: ms, from sending to the last byte of the answer; 0 if it never reached the server.
        status: HTTP status, 0 if it was not answered.
        id: what the script set as the metadata ``id`` of the request; empty if nothing.
        blocked: ms before sending: for a connection, with name look-up, connecting and TLS, which k6 counts
            into this and into figures of their own, too.
        key: of the iteration that made it.
        exact: unix seconds of its end, to the microsecond.
        expected: whether the script expected such an answer; ``None`` if it does not say.
    """

    ended: float
    duration: float
    status: int
    id: str = ""
    blocked: float = 0.0
    key: Key | None = None
    exact: float = 0.0
    expected: bool | None = None

    @property
    def begun(self) -> float:
        """Unix seconds when it was sent."""
        return self.ended - self.duration / 1000

    @property
    def asked(self) -> float:
        """Unix seconds when the script asked for it: before a connection was there."""
        return (self.exact or self.ended) - (self.duration + self.blocked) / 1000

    @property
    def succeeded(self) -> bool:
        """Whether it was answered with a status below 400."""
        return 0 < self.status < _CLIENT_ERROR


class Iteration(NamedTuple):
    """One iteration that was completed.

    Attributes:
        begun: unix seconds.
        ended: unix seconds.
        key: which it is.
        number: which of the scenario's, from 0, if the script said so as the metadata ``n``.
    """

    begun: float
    ended: float
    key: Key
    number: int | None = None


class Drop(NamedTuple):
    """One iteration that k6 dropped.

    Attributes:
        at: unix seconds.
        scenario: whose.
    """

    at: float
    scenario: str


@dataclass
class Tally:
    """What the durations of all requests come to; k6's own summary says the same of the same requests."""

    count: int = 0
    total: float = 0.0
    least: float = math.inf
    most: float = 0.0

    def add(self, duration: float) -> None:
        """Count one more."""
        self.count += 1
        self.total += duration
        self.least, self.most = min(self.least, duration), max(self.most, duration)


@dataclass
class Raw:
    """What a file of raw samples holds.

    Attributes:
        requests: the load's own, in the file's order.
        failures: when each of them ended, and whether it failed in the script's terms (1) or not (0).
        errors: the load's requests by k6's word for what went wrong.
        all_requests: every request, set-up and other names included.
        names: how often each value of the tag ``name`` was seen outside of set-up.
        iterations: completed.
        dropped: never begun.
        done: every completed iteration, in the file's order.
        numbers: which of its scenario's an iteration is, as the script said by the metadata ``n``.
        drops: every dropped one.
        word: the metric by which the script says that an order was accepted; empty if it says nothing.
        accepted: iterations in which it said so.
        spans: when each request outside of set-up was asked for and when it ended, of whatever name.
        start: unix seconds when the scenario began, as the script said by the metadata ``start``, cut off to
            the millisecond; 0 if it said nothing.
        tally: of all requests, set-up included.
        foreign: rows without the tag ``testid`` that was asked for: they are of another load.
        damage: why the file can't be trusted to be whole; empty if it can.
    """

    requests: list[Request] = field(default_factory=list)
    failures: list[tuple[float, float]] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    all_requests: int = 0
    names: Counter[str] = field(default_factory=Counter)
    iterations: int = 0
    dropped: int = 0
    done: list[Iteration] = field(default_factory=list)
    numbers: dict[Key, int] = field(default_factory=dict)
    drops: list[Drop] = field(default_factory=list)
    word: str = ""
    accepted: set[Key] = field(default_factory=set)
    spans: list[tuple[float, float]] = field(default_factory=list)
    start: float = 0.0
    tally: Tally = field(default_factory=Tally)
    foreign: int = 0
    damage: str = ""

    @property
    def span(self) -> tuple[float, float] | None:
        """From the beginning of the first request to the end of the last, in unix seconds."""
        if not self.requests:
            return None
        return (
            min(request.begun for request in self.requests),
            max(request.ended for request in self.requests),
        )

    def within(self, window: Window) -> list[Request]:
        """Return the requests that ended in ``window``."""
        return [request for request in self.requests if window.start <= request.ended <= window.end]

    def by_second(self, *, succeeded: bool = False) -> tuple[int, ...]:
        """Return how many requests began in each second since the first began.

        Args:
            succeeded: count only those that succeeded in the end.
        """
        if not self.requests:
            return ()
        first = min(request.begun for request in self.requests)
        counts = Counter(int(one.begun - first) for one in self.requests if one.succeeded or not succeeded)
        return tuple(counts[second] for second in range(max(counts, default=-1) + 1))

    @property
    def ids(self) -> tuple[int, int]:
        """How many requests carry an id, and how many of these one that an earlier request carried."""
        ids = [request.id for request in self.requests if request.id]
        return len(ids), len(ids) - len(set(ids))

    def failed(self, window: Window) -> float:
        """Return the share of requests in ``window`` that failed; NaN if there were none.

        As the script's ``expected_response`` has it; of a script that switched
        that off, whatever was not answered with a status below 400.
        """
        marks = [mark for at, mark in self.failures if window.start <= at <= window.end]
        if not self.failures:
            marks = [float(not one.succeeded) for one in self.within(window)]
        return sum(marks) / len(marks) if marks else math.nan


def figures(durations: Sequence[float]) -> dict[str, float]:
    """Return k6's figures of a trend, exactly and in the unit given; nothing of nothing.

    >>> figures([1.0, 2.0, 3.0, 4.0])["med"], figures([1.0, 2.0])["p(99)"], figures([])
    (2.5, 1.99, {})
    """
    if not durations:
        return {}
    ordered = sorted(durations)
    plain = {"min": ordered[0], "avg": math.fsum(ordered) / len(ordered), "max": ordered[-1]}
    return {name: plain[name] if name in plain else percentile(ordered, _rank(name)) for name in TREND}


def percentile(ordered: Sequence[float], rank: float) -> float:
    """Return the percentile of numbers in order, between two neighbours if need be, as k6 computes it.

    Args:
        ordered: at least one number, ascending.
        rank: from 0 to 100.

    >>> percentile([10.0, 20.0, 30.0], 75)
    25.0
    """
    position = (len(ordered) - 1) * rank / 100
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def _rank(name: str) -> float:
    return 50.0 if name == "med" else float(name[2:-1])
