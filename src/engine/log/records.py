"""The log's records, and every version of them that can be read."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple
from zlib import crc32

from ..orders import Order

FORMAT = 2
"""Version of the records that are written; :data:`FORMATS` has those that can be read."""

ORDER = 1
"""Type of a record: an order that is matched."""

SEED = 2
"""Type of a record: an order that rests without being matched."""

START = 3
"""Type of a record: an engine took over, and gave itself an identity for all that it appends."""

MAX_RECORD = 4096  # far above the longest order: ids and symbols are bounded
_FRAME = struct.Struct("<II")
_ORDER = struct.Struct(
    "<BQQqqqBB"
)  # type, sequence, accepted, price, quantity, timestamp, flags, symbol length
_START = struct.Struct("<BQ16s")  # type, sequence of the record before it, identity
_BUY, _MARKET, _STAMPED = 1, 2, 4
# What could be the start of a record: a length below 64 KiB, any checksum, a known type.
_CANDIDATE = re.compile(rb"(?=..\x00\x00.{4}[\x01\x02\x03])", re.DOTALL)
_CANDIDATE_1 = re.compile(rb"(?=..\x00\x00.{4}[\x01\x02])", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Start:
    """An engine took over.

    Attributes:
        sequence: of the last record before.
        log: identity that goes with all records until the next start, random.
    """

    sequence: int
    log: bytes


Found = tuple[int, Order | Start, int]
"""Type of a record, what is in it, offset behind it."""


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


def encode_start(start: Start) -> bytes:
    """Return ``start`` as a whole record.

    >>> decode(encode_start(Start(7, bytes(16))), 0)[:2] == (START, Start(7, bytes(16)))
    True
    """
    body = _START.pack(START, start.sequence, start.log)
    return _FRAME.pack(len(body), crc32(body)) + body


def decode(data: bytes, at: int) -> Found | None:
    """Return what the record at ``at`` holds; None if there is no valid one."""
    start = at + _FRAME.size
    if start > len(data):
        return None
    length, checksum = _FRAME.unpack_from(data, at)
    end = start + length
    if not 0 < length <= MAX_RECORD or end > len(data) or crc32(data[start:end]) != checksum:
        return None
    kind = data[start]
    if kind in (ORDER, SEED) and length > _ORDER.size:
        return kind, _order(data, start, end), end
    if kind == START and length == _START.size:
        _kind, sequence, log = _START.unpack_from(data, start)
        return kind, Start(sequence, log), end
    return None


def _order(data: bytes, start: int, end: int) -> Order:
    _kind, sequence, accepted, price, quantity, timestamp, flags, width = _ORDER.unpack_from(data, start)
    names = start + _ORDER.size
    return Order(
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


def decode_1(data: bytes, at: int) -> Found | None:
    """As :func:`decode`, in format 1, which had no starts."""
    found = decode(data, at)
    return None if found is None or found[0] == START else found


class Format(NamedTuple):
    """How the records of one version are read.

    Attributes:
        decode: as :func:`decode` does it.
        candidate: matches, without taking any bytes, wherever a record could begin.
    """

    decode: Callable[[bytes, int], Found | None]
    candidate: re.Pattern[bytes]


FORMATS = {1: Format(decode_1, _CANDIDATE_1), 2: Format(decode, _CANDIDATE)}
"""Every version that this engine reads.  It adds to a log of an older one in a segment of its own."""
