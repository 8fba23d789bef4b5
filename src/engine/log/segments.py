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
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from ..errors import WalError
from ..orders import Order
from .records import FORMAT, FORMATS, MAX_RECORD, START, Start

HEADER_SIZE = 128
_MAGIC = b"MEWL"
_HEADER = struct.Struct("<4sH2x16sIQ64s")
_NAME = re.compile(r"segment-(\d{8})\.wal")
_CHUNK = 1 << 18


@dataclass(frozen=True, slots=True)
class Header:
    """The head of a segment, which is the same in every version.

    Attributes:
        log_id: identity of the log, random, the same in all of its segments; goes with all records
            before the first start.
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


def reserve(fd: int, size: int) -> None:
    """Give a file all of its blocks, or raise ``OSError`` (ENOSPC)."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, 0, size)
        return
    for at in range(0, size, 1 << 20):  # macOS has no such call
        os.pwrite(fd, bytes(min(1 << 20, size - at)), at)


class Reader:
    """Reads a log in order, from its first record to the last whole one.

    It may follow a log that is being written: :meth:`records` ends where the
    log ends now, and called again goes on from there.

    Attributes:
        index: the segment that was read last; 0 before the first.
        offset: where in it the next record is expected.
        sequence: of the last record that was read.
        version: of the records in the segment that was read last.
        starts: every start that was read.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._fd = -1
        self.version = FORMAT
        self.index = 0
        self.offset = HEADER_SIZE
        self.sequence = 0
        self.starts: list[Start] = []

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
            # A start has the sequence of the record before it.
            if found is not None and found[1].sequence + (found[0] == START) > self.sequence:
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
                kind, it, at = found
                expected = self.sequence if isinstance(it, Start) else self.sequence + 1
                if it.sequence != expected:
                    raise WalError(
                        f"{path_of(self._directory, self.index)} is damaged at byte {self.offset}: "
                        f"expected sequence {expected}, found {it.sequence}; restore it from a copy"
                    )
                self.sequence, self.offset = it.sequence, base + at
                if isinstance(it, Start):
                    self.starts.append(it)
                else:
                    yield kind, it
            if at == 0:
                return
