"""Read the file of raw samples that k6 leaves.

Such a file has some 25 rows for each order, of which most are of metrics that nobody asks for here.  So a row
is taken apart no further than needed: what is in its middle is the same in thousands of others, and looked at
once.  Only where a field is in quotes does a parser have to find its end.
"""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from .raw import Drop, Iteration, Key, Raw, Request

_FIRST, _LAST = ("metric_name", "timestamp", "metric_value"), ("metadata",)  # columns
_AROUND = len(_FIRST) + len(_LAST)
_BETWEEN = ("group", "name", "status", "error", "error_code", "expected_response", "scenario", "extra_tags")
_OUTSIDE = ("::setup", "::teardown")
_EXPECTED = {"true": True, "false": False}
_MICROSECONDS = 1e6
_MILLISECONDS = 1e3
_CHUNK = 1 << 20  # bytes
_LONGEST = 1 << 24  # bytes
_MIDDLES = 1024  # of rows, that are remembered
_KEPT = 2  # files: of a load all is asked before the next but one, and of a large one this is 200 MB

_Middle: TypeAlias = "str | tuple[str, ...]"  # before and after it was parsed


def read(path: Path, tags: Mapping[str, str], *, testid: str = "", accepted: str = "") -> Raw:
    """Read what k6 wrote with ``--out csv``, times in microseconds; never raise for what the file holds.

    What is returned is the same object where the file has not changed since, and so for reading only.

    Args:
        path: the file, compressed by gzip.
        tags: a request belongs to the load if it carries all of these.
        testid: the tag that every row must carry; empty if any will do.
        accepted: the metric by which the script says that an order was accepted; empty if it says nothing.
    """
    try:
        state = path.stat()
    except OSError:
        return _read(path, tags, testid, accepted)
    version = (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns)
    return _read_once(path.absolute(), version, tuple(sorted(tags.items())), testid, accepted)


@lru_cache(_KEPT)
def _read_once(
    path: Path,
    version: tuple[int, ...],  # noqa: ARG001 - tells one content of the file from another
    tags: tuple[tuple[str, str], ...],
    testid: str,
    accepted: str,
) -> Raw:
    return _read(path, dict(tags), testid, accepted)


def _read(path: Path, tags: Mapping[str, str], testid: str, accepted: str) -> Raw:
    raw = Raw(word=accepted)
    try:
        with gzip.open(path, "rb") as file:
            _Reader(raw, tags, testid).read(_blocks(file))
    except FileNotFoundError:
        raw.damage = f"k6 left no raw samples ({path.name})"
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raw.damage = f"the raw samples ({path.name}) break off in the middle"
    except (OSError, UnicodeDecodeError, ValueError, KeyError, IndexError, csv.Error) as error:
        raw.damage = f"the raw samples ({path.name}) can't be read: {type(error).__name__}: {error}"
    return raw


def _blocks(file: gzip.GzipFile) -> Iterator[str]:
    """Yield whole rows, many at a time; before a break, as many as there are."""
    rest = b""
    while chunk := file.read1(_CHUNK):
        rest += chunk
        whole = rest.rfind(b"\n") + 1
        if whole and rest.count(b'"', 0, whole) % 2 == 0:  # else the last line ends within quotes
            yield rest[:whole].decode()
            rest = rest[whole:]
        elif len(rest) > _LONGEST:
            raise ValueError(f"a row that does not end within {_LONGEST:,} bytes")
    yield rest.decode()


class _Reader:
    """Sorts the rows of a file into a :class:`Raw`."""

    def __init__(self, raw: Raw, tags: Mapping[str, str], testid: str) -> None:
        self._raw = raw
        self._tags = tags
        self._testid = testid
        self._took = 0.0  # ms, the last request
        self._request: list[Any] = []  # that one, if it is of the load: the next rows may be of it, too
        self._keys: dict[tuple[str, str, str], Key] = {}
        self._takers: dict[str, Callable[[_Shared, str, float, float], None]] = {
            **({raw.word: self._accepted} if raw.word else {}),
            "http_req_duration": self._duration,
            "http_req_blocked": self._blocked,
            "http_req_failed": self._failed,
            "http_reqs": self._requests,
            "iterations": self._iterations,
            "iteration_duration": self._iteration,
            "dropped_iterations": self._dropped,
        }

    def read(self, blocks: Iterator[str]) -> None:
        first, _, rest = next(blocks, "").partition("\n")
        header = next(csv.reader([first]), [])
        shared = lru_cache(_MIDDLES)(_Columns(header, self._tags, self._testid).shared)
        takers = self._takers
        try:
            for block in itertools.chain([rest], blocks):
                for metric, at, value, middle, metadata in _rows(block, takers, len(header)):
                    if take := takers.get(metric):
                        of = shared(middle)
                        self._raw.foreign += not of.own
                        take(of, f"&{metadata}&", int(at) / _MICROSECONDS, float(value))
        finally:
            self._end()

    def _duration(self, of: _Shared, metadata: str, at: float, number: float) -> None:
        raw = self._raw
        raw.tally.add(number)
        if of.outside:
            return
        self._end()
        self._took = number
        raw.spans.append((at - number / _MILLISECONDS, at))
        raw.names[of.name] += 1
        if of.chosen:
            key = self._key(of, metadata)
            id_ = _said(metadata, "&id=")
            self._request = [round(at, 3), number, int(of.status or 0), id_, 0.0, key, at, of.expected]
            self._note(key, metadata)
            if start := _said(metadata, "&start="):
                raw.start = float(start) / _MILLISECONDS
            if of.error:
                raw.errors[of.error] += 1

    def _end(self) -> None:
        """Keep the last request of the load: nothing more is said of it."""
        if self._request:
            self._raw.requests.append(Request(*self._request))
        self._request = []

    def _blocked(self, of: _Shared, _metadata: str, at: float, number: float) -> None:
        if of.outside or not self._raw.spans:
            return
        self._raw.spans[-1] = (at - (self._took + number) / _MILLISECONDS, at)
        if self._request:
            self._request[4] = number

    def _failed(self, of: _Shared, _metadata: str, at: float, number: float) -> None:
        if of.chosen and not of.outside:
            self._raw.failures.append((round(at, 3), number))

    def _requests(self, _of: _Shared, _metadata: str, _at: float, number: float) -> None:
        self._raw.all_requests += round(number)

    def _iterations(self, _of: _Shared, _metadata: str, _at: float, number: float) -> None:
        self._raw.iterations += round(number)

    def _dropped(self, of: _Shared, _metadata: str, at: float, number: float) -> None:
        self._raw.dropped += round(number)
        self._raw.drops += [Drop(at, of.scenario)] * round(number)

    def _iteration(self, of: _Shared, metadata: str, at: float, number: float) -> None:
        key = self._key(of, metadata)
        self._note(key, metadata)
        begun = at - number / _MILLISECONDS
        self._raw.done.append(Iteration(begun, at, key, self._raw.numbers.get(key)))

    def _accepted(self, of: _Shared, metadata: str, _at: float, number: float) -> None:
        if number:
            self._raw.accepted.add(self._key(of, metadata))

    def _key(self, of: _Shared, metadata: str) -> Key:
        """Return which iteration a row is of: one object for all its rows."""
        key = of.scenario, _said(metadata, "&vu="), _said(metadata, "&iter=")
        return self._keys.get(key) or self._keys.setdefault(key, Key(*key))

    def _note(self, key: Key, metadata: str) -> None:
        if (number := _said(metadata, "&n=")).isdigit():
            self._raw.numbers[key] = int(number)


def _said(metadata: str, name: str) -> str:
    """Return what metadata say under a name, which is given with what is around it; empty if nothing.

    >>> _said("&vu=7&n=12&", "&n="), _said("&vu=7&", "&n=")
    ('12', '')
    """
    at = metadata.find(name) + len(name)
    return metadata[at : metadata.index("&", at)] if at >= len(name) else ""


def _rows(block: str, wanted: Collection[str], width: int) -> Iterator[tuple[str, str, str, _Middle, str]]:
    """Yield metric, time, value, middle and metadata of every row that is wanted, and of few others."""
    if '"' in block or "\r" in block:
        for row in csv.reader(io.StringIO(block, newline="")):
            if row and row[0] in wanted:
                if len(row) != width:
                    raise _misfit(len(row), width)
                yield row[0], row[1], row[2], tuple(row[3:-1]), row[-1]
        return
    size = min(map(len, wanted)) + 1
    heads = {f"{metric},"[:size] for metric in wanted}
    for line in block.split("\n"):
        if line[:size] in heads:
            try:
                metric, at, value, rest = line.split(",", len(_FIRST))
            except ValueError:
                raise _misfit(line.count(",") + 1, width) from None
            middle, _, metadata = rest.rpartition(",")
            yield metric, at, value, middle, metadata


def _misfit(fields: int, width: int) -> ValueError:
    return ValueError(f"a row of {fields} fields under a header of {width}")


class _Shared(NamedTuple):
    """What is in the middle of a row."""

    own: bool  # it carries the testid that was asked for
    chosen: bool  # it carries the tags that were asked for
    outside: bool  # it is of set-up or tear-down
    name: str
    status: str
    error: str
    expected: bool | None
    scenario: str


class _Columns:
    """Where what is in a row, and which rows carry the tags that were asked for."""

    def __init__(self, header: Sequence[str], tags: Mapping[str, str], testid: str) -> None:
        index = {name: position for position, name in enumerate(header)}
        begin, end = len(_FIRST), len(header) - len(_LAST)
        if [index[name] for name in (*_FIRST, *_LAST)] != [*range(begin), *range(end, len(header))]:
            raise ValueError(f"columns in another order: {', '.join(header)}")
        middle = {name: position for position, name in enumerate(header[begin:end])}
        self._at = {name: middle[name] for name in _BETWEEN}
        self._width = len(header)
        self._testid = {f"testid={testid}"} if testid else set()
        self._known = {middle[tag]: wanted for tag, wanted in tags.items() if tag in middle}
        self._others = {f"{tag}={wanted}" for tag, wanted in tags.items() if tag not in middle}

    def shared(self, middle: _Middle) -> _Shared:
        row = middle.split(",") if isinstance(middle, str) else middle
        if len(row) + _AROUND != self._width:
            raise _misfit(len(row) + _AROUND, self._width)
        at = self._at
        extra = set(row[at["extra_tags"]].split("&"))
        return _Shared(
            own=self._testid <= extra,
            chosen=self._others <= extra
            and all(row[position] == tag for position, tag in self._known.items()),
            outside=row[at["group"]] in _OUTSIDE,
            name=row[at["name"]],
            status=row[at["status"]],
            error=row[at["error"]] or row[at["error_code"]],
            expected=_EXPECTED.get(row[at["expected_response"]]),
            scenario=row[at["scenario"]],
        )
