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
from typing import NamedTuple

from ..samples import Window

TREND = ("min", "avg", "med", "p(90)", "p(95)", "p(99)", "p(99.9)", "max")

_DURATION, _FAILED, _REQUESTS = "http_req_duration", "http_req_failed", "http_reqs"
_ITERATIONS, _DROPPED = "iterations", "dropped_iterations"
_WANTED = (_DURATION, _FAILED, _REQUESTS, _ITERATIONS, _DROPPED)
_OUTSIDE = ("::setup", "::teardown")
_MICROSECONDS = 1e6
_CLIENT_ERROR = 400


class Request(NamedTuple):
    """One request of the load.

    Attributes:
        ended: unix seconds of its end, to the millisecond as windows have it.
        duration: ms, from sending to the last byte of the answer; 0 if it never reached the server.
        status: HTTP status, 0 if it was not answered.
        id: what the script set as the metadata ``id`` of the request; empty if nothing.
    """

    ended: float
    duration: float
    status: int
    id: str = ""

    @property
    def begun(self) -> float:
        """Unix seconds of its beginning."""
        return self.ended - self.duration / 1000

    @property
    def succeeded(self) -> bool:
        """Whether it was answered with a status below 400."""
        return 0 < self.status < _CLIENT_ERROR


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
        damage: why the file can't be trusted to be whole; empty if it can.
    """

    requests: list[Request] = field(default_factory=list)
    failures: list[tuple[float, float]] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    all_requests: int = 0
    names: Counter[str] = field(default_factory=Counter)
    iterations: int = 0
    dropped: int = 0
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


def read(path: Path, tags: Mapping[str, str]) -> Raw:
    """Read what k6 wrote with ``--out csv``, times in microseconds; never raise for what the file holds.

    Args:
        path: the file, compressed by gzip.
        tags: a request belongs to the load if it carries all of these.
    """
    raw = Raw()
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            _read(file, tags, raw)
    except FileNotFoundError:
        raw.damage = f"k6 left no raw samples ({path.name})"
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raw.damage = f"the raw samples ({path.name}) break off in the middle"
    except (OSError, UnicodeDecodeError, ValueError, KeyError, IndexError) as error:
        raw.damage = f"the raw samples ({path.name}) can't be read: {type(error).__name__}: {error}"
    return raw


def _read(lines: Iterator[str], tags: Mapping[str, str], raw: Raw) -> None:
    header = next(csv.reader([next(lines, "")]), [])
    columns = _Columns(header, tags)
    # most rows are of metrics that nobody asks for here: not worth a parser
    for row in csv.reader(line for line in lines if line.startswith(_WANTED)):
        if len(row) != len(header):
            raise ValueError(f"a row of {len(row)} fields under a header of {len(header)}")
        kind, number = row[columns.metric], float(row[columns.value])
        if kind == _ITERATIONS:
            raw.iterations += round(number)
        elif kind == _DROPPED:
            raw.dropped += round(number)
        elif kind == _REQUESTS:
            raw.all_requests += round(number)
        elif kind in (_DURATION, _FAILED) and row[columns.group] not in _OUTSIDE:
            _read_request(row, columns, raw)


def _read_request(row: Sequence[str], columns: _Columns, raw: Raw) -> None:
    number, ended = float(row[columns.value]), round(int(row[columns.at]) / _MICROSECONDS, 3)
    if row[columns.metric] == _FAILED:
        if columns.match(row):
            raw.failures.append((ended, number))
        return
    raw.names[row[columns.name]] += 1
    if columns.match(row):
        raw.requests.append(Request(ended, number, int(row[columns.status] or 0), columns.id(row)))
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
        self._extra, self._metadata = index["extra_tags"], index["metadata"]
        self._known = [(index[tag], wanted) for tag, wanted in tags.items() if tag in index]
        self._others = {f"{tag}={wanted}" for tag, wanted in tags.items() if tag not in index}

    def id(self, row: Sequence[str]) -> str:
        for item in row[self._metadata].split("&"):
            if item.startswith("id="):
                return item[3:]
        return ""

    def match(self, row: Sequence[str]) -> bool:
        if any(row[position] != wanted for position, wanted in self._known):
            return False
        return not self._others or self._others <= set(row[self._extra].split("&"))


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
