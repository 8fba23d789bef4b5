"""Read the file of raw samples that k6 leaves."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .raw import Drop, Iteration, Key, Raw, Request

_DURATION, _BLOCKED, _FAILED, _REQUESTS = (
    "http_req_duration",
    "http_req_blocked",
    "http_req_failed",
    "http_reqs",
)
_ITERATIONS, _ITERATION, _DROPPED = "iterations", "iteration_duration", "dropped_iterations"
_WANTED = (_DURATION, _BLOCKED, _FAILED, _REQUESTS, _ITERATIONS, _ITERATION, _DROPPED)
_OF_REQUESTS = (_DURATION, _BLOCKED, _FAILED)
_OUTSIDE = ("::setup", "::teardown")
_MICROSECONDS = 1e6
_MILLISECONDS = 1e3


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
                if self._testid and self._testid not in columns.tags(row):
                    self._raw.foreign += 1
                self._take(row, row[columns.metric], float(row[columns.value]))
        finally:
            self._raw.requests = [Request(*fields) for fields in self._of_load]

    def _take(self, row: Sequence[str], kind: str, number: float) -> None:
        at = int(row[self._columns.at]) / _MICROSECONDS
        if kind in _OF_REQUESTS:
            if kind == _DURATION:
                self._raw.tally.add(number)
            if row[self._columns.group] not in _OUTSIDE:
                self._of_request(row, kind, at, number)
        else:
            self._of_iteration(row, kind, at, number)

    def _of_request(self, row: Sequence[str], kind: str, at: float, number: float) -> None:
        if kind == _DURATION:
            self._request(row, at, number)
        elif kind == _BLOCKED and self._last is not None:
            self._last[4] = number
            self._raw.spans[-1] = (at - (self._last[1] + number) / _MILLISECONDS, at)
        elif kind == _FAILED and self._columns.match(row):
            self._raw.failures.append((round(at, 3), number))

    def _of_iteration(self, row: Sequence[str], kind: str, at: float, number: float) -> None:
        raw, columns = self._raw, self._columns
        if kind == _REQUESTS:
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

    def tags(self, row: Sequence[str]) -> list[str]:
        return row[self._extra].split("&")

    def key(self, row: Sequence[str]) -> tuple[Key, dict[str, str]]:
        """Return the iteration of a row, and all that is said in its metadata."""
        said = dict(item.split("=", 1) for item in row[self._metadata].split("&") if "=" in item)
        return Key(row[self.scenario], said.get("vu", ""), said.get("iter", "")), said

    def match(self, row: Sequence[str]) -> bool:
        if any(row[position] != wanted for position, wanted in self._known):
            return False
        return not self._others or self._others <= set(self.tags(row))
