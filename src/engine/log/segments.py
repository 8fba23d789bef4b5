"""The log's bytes: segment files, their header, and the records in them.

A log is a directory of segments, ``segment-00000001.wal`` and so on, each
allocated whole before it is used::

    segment:  header (128 bytes) | record | record | … | zeros to the end
    record:   length u32 | crc32 u32 | type u8 | payload      (little-endian)

``length`` counts type and payload; the checksum covers the same bytes.  A
length of 0 is the end of what was written: a record is never empty, so a
record whose checksum happens to be 0 is still a record.

Each header says which version of the records follows it.  ``docs/wal.md`` has
all of it byte by byte, and what becomes of a log of another version.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from ..errors import WalError
from ..orders import Order

FORMAT = 1
"""Version of the records that are written; :data:`FORMATS` has those that can be read."""

ORDER = 1
"""Type of a record: an order that is matched."""

SEED = 2
"""Type of a record: an order that rests without being matched."""

HEADER_SIZE = 128
MAX_RECORD = 4096  # far above the longest order: ids and symbols are bounded
_MAGIC = b"MEWL"
_HEADER = struct.Struct("<4sH2x16sIQ64s")
_FRAME = struct.Struct("<II")
_ORDER = struct.Struct(
    "<BQQqqqBB"
)  # type, sequence, accepted, price, quantity, timestamp, flags, symbol length
_BUY, _MARKET, _STAMPED = 1, 2, 4
_NAME = re.compile(r"segment-(\d{8})\.wal")
# What could be the start of a record: a length below 64 KiB, any checksum, a known type.
_CANDIDATE = re.compile(rb"(?=..\x00\x00.{4}[\x01\x02])", re.DOTALL)
_CHUNK = 1 << 18


def encode(kind: int, order: Order) -> bytes:
    """Return ``order`` as a whole record.

    >>> order = Order("1", "X", True, False, 150, 2, sequence=7, accepted=1)
    >>> decode(encode(SEED, order), 0)[:2]
    (2, <Order 7 '1' BUY 2/2 X @ 150>)
    """
    symbol = order.symbol.encode()
    timestamp = order.timestamp
    flags = (_BUY if order.is_buy else 0) | (_MARKET if order.is_market else 0)
    if timestamp is None:
        timestamp = 0
    else:
        flags |= _STAMPED
    body = (
        _ORDER.pack(
            kind,
            order.sequence,
            order.accepted,
            order.price,
            order.quantity,
            timestamp,
            flags,
            len(symbol),
        )
        + symbol
        + order.order_id.encode()
    )
    return _FRAME.pack(len(body), crc32(body)) + body


def decode(data: bytes, at: int) -> tuple[int, Order, int] | None:
    """Return (type, order, offset behind it) of the record at ``at``; None if there is no valid one."""
    start = at + _FRAME.size
    if start > len(data):
        return None
    length, checksum = _FRAME.unpack_from(data, at)
    end = start + length
    if not _ORDER.size < length <= MAX_RECORD or end > len(data) or crc32(data[start:end]) != checksum:
        return None
    kind, sequence, accepted, price, quantity, timestamp, flags, width = _ORDER.unpack_from(data, start)
    if kind not in (ORDER, SEED):
        return None
    names = start + _ORDER.size
    order = Order(
        data[names + width : end].decode(),
        data[names : names + width].decode(),
        bool(flags & _BUY),
        bool(flags & _MARKET),
        price,
        quantity,
        timestamp if flags & _STAMPED else None,
        sequence,
        accepted,
    )
    return kind, order, end


class Format(NamedTuple):
    """How the records of one version are read.

    Attributes:
        decode: as :func:`decode` does it.
        candidate: matches, without taking any bytes, wherever a record could begin.
    """

    decode: Callable[[bytes, int], tuple[int, Order, int] | None]
    candidate: re.Pattern[bytes]


FORMATS = {1: Format(decode, _CANDIDATE)}
"""Every version that this engine reads.  It adds to a log of an older one in a segment of its own."""


@dataclass(frozen=True, slots=True)
class Header:
    """The head of a segment, which is the same in every version.

    Attributes:
        log_id: identity of the log, random, the same in all of its segments.
        index: the segment's number, from 1.
        first: sequence of the first record that it will hold.
        shard: who wrote it.
        version: of the segment's records.
    """

    log_id: bytes
    index: int
    first: int
    shard: str
    version: int = FORMAT

    def pack(self) -> bytes:
        """Return the header's 128 bytes."""
        head = _HEADER.pack(_MAGIC, self.version, self.log_id, self.index, self.first, self.shard.encode())
        return head.ljust(HEADER_SIZE - 4, b"\0") + struct.pack("<I", crc32(head))

    @classmethod
    def read(cls, path: Path) -> Header | None:
        """Read a segment's header; None if it was never written (all zeros).

        Raises:
            WalError: if it is damaged, or its records are of a version that can't be read.
        """
        with path.open("rb") as file:
            data = file.read(HEADER_SIZE)
        if not data.strip(b"\0"):
            return None
        if len(data) < HEADER_SIZE or data[:4] != _MAGIC:
            raise WalError(f"{path} is no segment of a log: expected {_MAGIC!r}, found {data[:4]!r}")
        _magic, version, log_id, index, first, shard = _HEADER.unpack_from(data)
        if struct.pack("<I", crc32(data[: _HEADER.size])) != data[-4:]:
            raise WalError(f"{path} is damaged: its header's checksum is wrong; restore it from a copy")
        if version not in FORMATS:
            writer = "a newer" if version > FORMAT else "an older"
            known = ", ".join(map(str, sorted(FORMATS)))
            raise WalError(
                f"{path} has log format {version}, of {writer} engine, and this one reads {known}: "
                "nothing was changed; use an engine that reads it, or give this one another WAL_PATH"
            )
        return cls(log_id, index, first, shard.rstrip(b"\0").decode(), version)


def paths(directory: Path) -> list[Path]:
    """Every segment file of a log, in order."""
    return sorted(path for path in directory.iterdir() if _NAME.fullmatch(path.name))


def path_of(directory: Path, index: int) -> Path:
    """Where segment ``index`` is."""
    return directory / f"segment-{index:08}.wal"


class Reader:
    """Reads a log in order, from its first record to the last whole one.

    It may follow a log that is being written: :meth:`records` ends where the
    log ends now, and called again goes on from there.

    Attributes:
        index: the segment that was read last; 0 before the first.
        offset: where in it the next record is expected.
        sequence: of the last record that was read.
        version: of the records in the segment that was read last.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._fd = -1
        self.version = FORMAT
        self.index = 0
        self.offset = HEADER_SIZE
        self.sequence = 0

    def records(self) -> Iterator[tuple[int, Order]]:
        """Yield (type, order) up to the end of what has been written.

        Raises:
            WalError: if a sequence is missing.
        """
        while True:
            if self._fd < 0 and not self._enter(self.index + 1):
                return
            yield from self._segment()
            if not self._enter(self.index + 1):
                return

    def close(self) -> None:
        """Let go of the file that is being read."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def rest(self) -> Iterator[bool]:
        """Look behind the last record in its segment, chunk by chunk, for what is not zero.

        Yields:
            For each such chunk, whether a valid record of a later sequence begins anywhere in it.
        """
        at = self.offset
        while data := os.pread(self._fd, _CHUNK + MAX_RECORD, at):  # they overlap by one record
            if data.strip(b"\0"):
                yield self._holds_record(data)
            at += _CHUNK

    def _holds_record(self, data: bytes) -> bool:
        decode, candidate = FORMATS[self.version]
        for match in candidate.finditer(data):
            found = decode(data, match.start())
            if found is not None and found[1].sequence > self.sequence:
                return True
        return False

    def _enter(self, index: int) -> bool:
        path = path_of(self._directory, index)
        if not path.exists():
            return False
        header = Header.read(path)
        if header is None:
            return False
        if header.first != self.sequence + 1 or header.index != index:
            raise WalError(
                f"{path} begins with sequence {header.first}, and sequence {self.sequence + 1} was expected: "
                "records before it are missing or damaged; restore the log from a copy"
            )
        self.close()
        self._fd = os.open(path, os.O_RDONLY)
        self.index, self.offset, self.version = index, HEADER_SIZE, header.version
        return True

    def _segment(self) -> Iterator[tuple[int, Order]]:
        decode = FORMATS[self.version].decode
        while True:
            data = os.pread(self._fd, _CHUNK, self.offset)
            base, at = self.offset, 0
            while (found := decode(data, at)) is not None:
                kind, order, at = found
                if order.sequence != self.sequence + 1:
                    raise WalError(
                        f"{path_of(self._directory, self.index)} is damaged at byte {self.offset}: "
                        f"expected sequence {self.sequence + 1}, found {order.sequence}; "
                        "restore it from a copy"
                    )
                self.sequence, self.offset = order.sequence, base + at
                yield kind, order
            if at == 0:
                return
