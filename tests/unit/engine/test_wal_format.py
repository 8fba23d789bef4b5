"""Logs of other versions: every one that was ever written is read for ever, and none is written wrongly.

``wal-format-N`` beside this file are the bytes of each version, and never change.  Whoever changes what
is written gives it a new number, keeps the reader of the old one in :data:`engine.log.records.FORMATS`, and
makes the bytes of the new one with ``python tests/unit/engine/test_wal_format.py``.
"""

import json
import logging
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from engine.errors import WalError
from engine.log import Wal, segments
from engine.log.records import FORMAT, FORMATS, ORDER, SEED, Format, Start, encode_start
from engine.log.segments import HEADER_SIZE, Header
from engine.orders import MAX_VALUE, Order
from engine.publishing import Shadow
from engine.shard import Shard

HERE = Path(__file__).parent
LOG_ID = bytes(range(16))
SEGMENT_BYTES = 1024

Record = tuple[int, Order]


def records() -> list[Record]:
    """A log's worth of records that has every kind, flag and extreme; it matches some."""
    return [
        (SEED, Order("s1", "X", False, False, 100, 5, sequence=1, accepted=1_700_000_000_000)),
        (SEED, Order("s2", "X", False, False, MAX_VALUE, MAX_VALUE, sequence=2, accepted=1_700_000_000_000)),
        (ORDER, Order("b1", "X", True, False, 100, 7, 0, sequence=3, accepted=1_700_000_000_001)),
        (ORDER, Order("é😀\0 " * 8, "Y", True, False, 1, 1, MAX_VALUE, sequence=4, accepted=MAX_VALUE)),
        (ORDER, Order("m1", "X", False, True, 0, 3, None, sequence=5, accepted=0)),
        *(
            (ORDER, Order(f"{n}" * 100, "Y", n % 2 == 0, False, n, n, n, sequence=n, accepted=n))
            for n in range(6, 12)
        ),
    ]


def fields(found: list[Record]) -> list[tuple[Any, ...]]:
    return [(kind, *(getattr(order, name) for name in Order.__struct_fields__)) for kind, order in found]


def write(directory: Path) -> None:
    """Write the log of :func:`records`, always the same bytes."""
    with Wal.open(directory, "a", sync_seconds=0.001) as wal:
        wal._id, wal._segment_bytes = LOG_ID, SEGMENT_BYTES
        list(wal.replay())
        made = records()
        wal.append_seeds([order for kind, order in made if kind == SEED])
        wal._write(encode_start(Start(wal.sequence, LOG_ID[::-1])))
        for kind, order in made:
            if kind == ORDER:
                wal.append(order)
    (directory / "lock").unlink()


def golden(version: int) -> Path:
    return HERE / f"wal-format-{version}"


def bytes_of(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in segments.paths(directory)}


def copy(source: dict[str, bytes], directory: Path) -> None:
    directory.mkdir(exist_ok=True)
    for name, data in source.items():
        (directory / name).write_bytes(data)


def read(directory: Path) -> list[Record]:
    with Wal.open(directory, "a") as wal:
        return list(wal.replay())


def test_the_bytes_of_every_format_are_kept() -> None:
    kept = {int(path.name.rpartition("-")[2]) for path in HERE.glob("wal-format-*")}

    assert kept == set(FORMATS)
    assert max(kept) == FORMAT


@pytest.mark.parametrize("version", sorted(FORMATS))
def test_every_format_is_read(version: int, tmp_path: Path) -> None:
    copy(bytes_of(golden(version)), tmp_path)

    assert fields(read(tmp_path)) == fields(records())


def test_what_is_written_is_the_present_format(tmp_path: Path) -> None:
    write(tmp_path / "wal")

    found = bytes_of(tmp_path / "wal")
    assert len(found) == 2
    assert found == bytes_of(golden(FORMAT)), "what is written has changed: give it a FORMAT of its own"


def versioned(version: int) -> dict[str, bytes]:
    """The present log, in whose headers another version stands."""
    found = {}
    for index, (name, data) in enumerate(bytes_of(golden(FORMAT)).items(), 1):
        (first,) = struct.unpack_from("<Q", data, 28)
        header = Header(LOG_ID, index, first, "a", version).pack()
        found[name] = header + data[HEADER_SIZE:]
    return found


@pytest.mark.parametrize(
    ("version", "of"), [(FORMAT + 1, "a newer"), (65535, "a newer"), (0, "an older")], ids=str
)
def test_an_unknown_format_is_refused_and_left_alone(version: int, of: str, tmp_path: Path) -> None:
    copy(versioned(version), tmp_path)
    before = bytes_of(tmp_path)
    expected = (
        rf"segment-00000001.wal has log format {version}, of {of} engine, and this one reads 1, 2: nothing"
    )

    with pytest.raises(WalError, match=expected):
        Wal.open(tmp_path, "a")

    assert bytes_of(tmp_path) == before


def test_one_segment_of_a_newer_engine_is_enough(tmp_path: Path) -> None:
    """An engine that is set back to an older version must not read half a log."""
    mixed = bytes_of(golden(FORMAT))
    last = max(mixed)
    mixed[last] = versioned(FORMAT + 1)[last]
    copy(mixed, tmp_path)

    with pytest.raises(WalError, match=f"{last} has log format {FORMAT + 1}"):
        Wal.open(tmp_path, "a")

    assert bytes_of(tmp_path) == mixed


def test_a_damaged_version_is_damage(tmp_path: Path) -> None:
    copy(bytes_of(golden(FORMAT)), tmp_path)
    with (tmp_path / "segment-00000001.wal").open("r+b") as file:
        file.seek(4)
        file.write(b"\7")

    with pytest.raises(WalError, match="its header's checksum is wrong"):
        Wal.open(tmp_path, "a")


# An upgrade, from a format that there never was: lines of JSON behind their length and checksum


def encode_older(kind: int, order: Order) -> bytes:
    body = json.dumps([kind, *(getattr(order, name) for name in Order.__struct_fields__)]).encode()
    return struct.pack(">HI", len(body), crc32(body)) + body


def decode_older(data: bytes, at: int) -> tuple[int, Order, int] | None:
    if at + 6 > len(data):
        return None
    length, checksum = struct.unpack_from(">HI", data, at)
    end = at + 6 + length
    if not length or end > len(data) or crc32(data[at + 6 : end]) != checksum:
        return None
    kind, *values = json.loads(data[at + 6 : end])
    order = Order("", "", True, False, 0, 0)
    for name, value in zip(Order.__struct_fields__, values, strict=True):
        setattr(order, name, value)
    return kind, order, end


@pytest.fixture
def older(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A directory with the log of :func:`records` in format 0, which counts as known."""
    monkeypatch.setitem(FORMATS, 0, Format(decode_older, re.compile(rb"(?=.{6}\[[12], )", re.DOTALL)))
    directory = tmp_path / "wal"
    directory.mkdir()
    made = records()
    for index, part in enumerate((made[:6], made[6:]), 1):
        data = Header(LOG_ID, index, part[0][1].sequence, "a", 0).pack()
        data += b"".join(encode_older(*record) for record in part)
        segments.path_of(directory, index).write_bytes(data.ljust(4096, b"\0"))
    return directory


def book(shard: Shard) -> list[Any]:
    matcher = shard.matcher
    counts = [
        (matcher.depth(bids=bids), matcher.levels(bids=bids), matcher.matches, matcher.sequence)
        for bids in (True, False)
    ]
    return [*counts, matcher.execute(Order("all", "X", True, True, 0, MAX_VALUE, sequence=10**6))]


def accept(shard: Shard) -> None:
    shard.ready = True
    shard.accept(b'{"orderId": "new", "symbol": "Y", "side": "BUY", "price": 1, "quantity": 1}')


def test_an_older_log_makes_the_same_book_and_goes_on_in_the_present_format(
    older: Path, shard: Callable[..., Shard], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    before = bytes_of(older)
    copy(bytes_of(golden(FORMAT)), tmp_path / "present")

    accept(shard(WAL_PATH=older))

    assert "the log goes on in another format" in caplog.text
    after = bytes_of(older)
    assert {name: after[name] for name in before} == before
    assert [Header.read(older / name) for name in sorted(after)][-1] == Header(LOG_ID, 3, 12, "a", FORMAT)
    caplog.clear()
    upgraded = shard(WAL_PATH=older)
    assert "another format" not in caplog.text
    assert set(bytes_of(older)) == set(after)
    present = shard(WAL_PATH=tmp_path / "present")
    accept(present)
    present._consume()
    assert [str(fill) for fill in book(upgraded)] == [str(fill) for fill in book(present)]


def test_an_upgrade_that_was_interrupted_before_its_first_record(older: Path) -> None:
    read(older)
    found = bytes_of(older)

    assert fields(read(older)) == fields(records())
    assert list(bytes_of(older)) == list(found)
    assert len(found) == 3


def test_events_are_made_again_from_an_older_log(older: Path, shard: Callable[..., Shard]) -> None:
    accept(shard(WAL_PATH=older))

    shadow = Shadow(older, ("X", "Y"))
    found = [(entry.kind, entry.order.sequence) for entry in iter(shadow.step, None)]
    shadow.close()

    assert found == [(SEED, 1), (SEED, 2), *((ORDER, sequence) for sequence in range(3, 13))]


def test_a_torn_tail_of_an_older_log_is_erased(older: Path, caplog: pytest.LogCaptureFixture) -> None:
    last = older / "segment-00000002.wal"
    data = last.read_bytes().rstrip(b"\0")
    last.write_bytes((data[:-3] + b"\xff\xff\xff").ljust(4096, b"\0"))

    assert fields(read(older)) == fields(records()[:-1])

    assert "torn record" in caplog.text
    header = Header.read(older / "segment-00000003.wal")
    assert header == Header(LOG_ID, 3, 11, "a", FORMAT)
    assert fields(read(older)) == fields(records()[:-1])


def test_damage_in_an_older_log_stops_the_start(older: Path) -> None:
    last = older / "segment-00000002.wal"
    damaged = bytearray(last.read_bytes())
    damaged[HEADER_SIZE + 10] ^= 0xFF
    last.write_bytes(damaged)

    with pytest.raises(WalError, match="is damaged at byte 128: the record after sequence 6 is not valid"):
        read(older)

    assert last.read_bytes() == damaged
    assert len(bytes_of(older)) == 2


if __name__ == "__main__":
    write(golden(FORMAT))
