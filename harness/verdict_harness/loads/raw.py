"""k6's raw samples: one row for each measurement it took, and figures that are exact because of it."""

from __future__ import annotations

import csv
import gzip
import math
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ..samples import Window

TREND = ("min", "avg", "med", "p(90)", "p(95)", "p(99)", "p(99.9)", "max")

_DURATION, _BLOCKED, _FAILED, _REQUESTS = "http_req_duration", "http_req_blocked", "http_req_failed", "http_reqs"
_ITERATIONS, _ITERATION, _DROPPED = "iterations", "iteration_duration", "dropped_iterations"
_WANTED = (_DURATION, _BLOCKED, _FAILED, _REQUESTS, _ITERATIONS, _ITERATION, _DROPPED)
_OUTSIDE = ("::setup", "::teardown")
_MICROSECONDS = 1e6
_MILLISECONDS = 1e3
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


def read(path: Path, tags: Mapping[str, str], *, testid: str = "", accepted: str = "") -> Raw:
    """Read what k6 wrote with ``--out csv``, times in microseconds; never raise for what the file holds.

    Args:
        path: the file, compressed by gzip.
        tags: a request belongs to the load if it carries all of these.
        testid: the tag that every row must carry; empty if any will do.
        accepted: the metric by which the script says that an order was accepted; empty if it says nothing.
    """
    raw = Raw(word=accepted)
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            _Reader(raw, tags, testid).read(file)
    except FileNotFoundError:
        raw.damage = f"k6 left no raw samples ({path.name})"
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raw.damage = f"the raw samples ({path.name}) break off in the middle"
    except (OSError, UnicodeDecodeError, ValueError, KeyError, IndexError) as error:
        raw.damage = f"the raw samples ({path.name}) can't be read: {type(error).__name__}: {error}"
    return raw


class _Reader:
    """Sorts the rows of a file into a :class:`Raw`."""

    def __init__(self, raw: Raw, tags: Mapping[str, str], testid: str) -> None:
        self._raw = raw
        self._tags = tags
        self._testid = f"testid={testid}" if testid else ""
        self._last: list[Any] | None = None  # the request that the next rows may be of
        self._of_load: list[list[Any]] = []

    def read(self, lines: Iterator[str]) -> None:
        header = next(csv.reader([next(lines, "")]), [])
        self._columns = columns = _Columns(header, self._tags)
        wanted = (*_WANTED, f"{self._raw.word},") if self._raw.word else _WANTED
        try:
            # most rows are of metrics that nobody asks for here: not worth a parser
            for row in csv.reader(line for line in lines if line.startswith(wanted)):
                if len(row) != len(header):
                    raise ValueError(f"a row of {len(row)} fields under a header of {len(header)}")
                if self._testid and self._testid not in columns.extra(row):
                    self._raw.foreign += 1
                self._take(row, row[columns.metric], float(row[columns.value]))
        finally:
            self._raw.requests = [Request(*fields) for fields in self._of_load]

    def _take(self, row: Sequence[str], kind: str, number: float) -> None:
        raw, columns = self._raw, self._columns
        at = int(row[columns.at]) / _MICROSECONDS
        outside = row[columns.group] in _OUTSIDE
        if kind == _DURATION:
            raw.tally.add(number)
            self._last = None
            if not outside:
                self._request(row, at, number)
        elif kind == _BLOCKED:
            if not outside and self._last is not None:
                self._last[4] = number
                raw.spans[-1] = (at - (self._last[1] + number) / _MILLISECONDS, at)
        elif kind == _FAILED:
            if not outside and columns.match(row):
                raw.failures.append((round(at, 3), number))
        elif kind == _REQUESTS:
            raw.all_requests += round(number)
        elif kind == _ITERATIONS:
            raw.iterations += round(number)
        elif kind == _DROPPED:
            raw.dropped += round(number)
            raw.drops += [Drop(at, row[columns.scenario])] * round(number)
        elif kind == _ITERATION:
            key, said = columns.key(row)
            self._note(key, said)
            raw.done.append(Iteration(at - number / _MILLISECONDS, at, key, raw.numbers.get(key)))
        elif number:
            raw.accepted.add(columns.key(row)[0])

    def _note(self, key: Key, said: Mapping[str, str]) -> None:
        if said.get("n", "").isdigit():
            self._raw.numbers[key] = int(said["n"])

    def _request(self, row: Sequence[str], at: float, number: float) -> None:
        raw, columns = self._raw, self._columns
        key, said = columns.key(row)
        fields = [round(at, 3), number, int(row[columns.status] or 0), said.get("id", ""), 0.0, key, at]
        fields.append({"true": True, "false": False}.get(row[columns.expected]))
        self._last = fields
        raw.spans.append((at - number / _MILLISECONDS, at))
        raw.names[row[columns.name]] += 1
        if columns.match(row):
            self._of_load.append(fields)
            self._note(key, said)
            if start := said.get("start"):
                raw.start = float(start) / _MILLISECONDS
            if error := row[columns.error] or row[columns.error_code]:
                raw.errors[error] += 1


class _Columns:
    """Where what is in a row, and which rows carry the tags that were asked for."""

    def __init__(self, header: Sequence[str], tags: Mapping[str, str]) -> None:
        index = {name: position for position, name in enumerate(header)}
        self.metric, self.at, self.value = (
            index[name] for name in ("metric_name", "timestamp", "metric_value")
        )
        self.group, self.name, self.status = (index[name] for name in ("group", "name", "status"))
        self.error, self.error_code = index["error"], index["error_code"]
        self.scenario, self.expected = index["scenario"], index["expected_response"]
        self._extra, self._metadata = index["extra_tags"], index["metadata"]
        self._known = [(index[tag], wanted) for tag, wanted in tags.items() if tag in index]
        self._others = {f"{tag}={wanted}" for tag, wanted in tags.items() if tag not in index}

    def extra(self, row: Sequence[str]) -> list[str]:
        return row[self._extra].split("&")

    def key(self, row: Sequence[str]) -> tuple[Key, dict[str, str]]:
        """Return the iteration of a row, and all that is said in its metadata."""
        said = dict(item.split("=", 1) for item in row[self._metadata].split("&") if "=" in item)
        return Key(row[self.scenario], said.get("vu", ""), said.get("iter", "")), said

    def match(self, row: Sequence[str]) -> bool:
        if any(row[position] != wanted for position, wanted in self._known):
            return False
        return not self._others or self._others <= set(self.extra(row))


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
