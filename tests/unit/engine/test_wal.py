"""The log: what is in it comes back, and what is wrong with it is said instead of guessed."""

import errno
import os
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import WalError
from engine.log import Wal, records, segments
from engine.log.records import ORDER, SEED, START, Start, decode, encode, encode_start
from engine.log.segments import HEADER_SIZE
from engine.orders import MAX_VALUE, Order

SMALL = 4096


class Logs:
    """Opens logs in one directory, with segments small enough to fill."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._open: list[Wal] = []

    def open(self, shard: str = "a", segment_bytes: int = SMALL, sync_seconds: float = 0.001) -> Wal:
        wal = Wal.open(self.directory, shard, 1, sync_seconds)
        wal._segment_bytes = segment_bytes
        self._open.append(wal)
        return wal

    def ready(self, **more: Any) -> tuple[Wal, list[tuple[int, Order]]]:
        wal = self.open(**more)
        return wal, list(wal.replay())

    def close(self) -> None:
        while self._open:
            self._open.pop().close()

    def write(self, *orders: Order, **more: Any) -> None:
        wal, _ = self.ready(**more)
        for order in orders:
            wal.append(order)
        self.close()

    def read(self) -> list[str]:
        _, records = self.ready()
        self.close()
        return [order.order_id for _, order in records]

    def segment(self, index: int = 1) -> Path:
        return segments.path_of(self.directory, index)

    def patch(self, at: int, data: bytes, index: int = 1) -> None:
        with self.segment(index).open("r+b") as file:
            file.seek(at)
            file.write(data)


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[Logs]:
    made = Logs(tmp_path / "wal")
    yield made
    made.close()


def numbered(order: Callable[..., Order], count: int) -> list[Order]:
    return [order(100 + number, 5, order_id=f"o{number}") for number in range(1, count + 1)]


def offsets(path: Path) -> list[int]:
    """Where each record begins, and where the last one ends."""
    data, at = path.read_bytes(), HEADER_SIZE
    found = [at]
    while (record := decode(data, at)) is not None:
        at = record[2]
        found.append(at)
    return found


orders = st.builds(
    Order,
    st.text("aé😀\0 ", min_size=1, max_size=128),
    st.sampled_from(["X", "S" * 64]),
    st.booleans(),
    st.booleans(),
    st.integers(0, MAX_VALUE),
    st.integers(1, MAX_VALUE),
    st.none() | st.integers(0, MAX_VALUE),
    st.integers(1, 2**40),
    st.integers(0, MAX_VALUE),
)


@given(st.sampled_from([ORDER, SEED]), orders)
def test_every_field_survives(kind: int, order: Order) -> None:
    data = encode(kind, order)

    found = decode(data + b"\0" * 16, 0)

    assert found is not None
    assert (found[0], found[2]) == (kind, len(data))
    for name in Order.__struct_fields__:
        assert getattr(found[1], name) == getattr(order, name)


@given(orders, st.data())
def test_no_flipped_bit_goes_unseen(order: Order, data: st.DataObject) -> None:
    record = bytearray(encode(ORDER, order))
    bit = data.draw(st.integers(0, len(record) * 8 - 1))

    record[bit // 8] ^= 1 << bit % 8

    assert decode(bytes(record), 0) is None


def test_a_record_whose_checksum_is_zero_is_a_record(
    monkeypatch: pytest.MonkeyPatch, logs: Logs, order: Any
) -> None:
    monkeypatch.setattr(records, "crc32", lambda _data: 0)

    logs.write(*numbered(order, 3))

    assert struct.unpack_from("<II", logs.segment().read_bytes(), HEADER_SIZE)[1] == 0
    assert logs.read() == ["o1", "o2", "o3"]


def test_what_was_appended_is_replayed_in_order(logs: Logs, order: Any) -> None:
    wal, before = logs.ready()
    first, last = order(1), order(2)
    wal.append(first)
    wal.append_seeds([order(3), order(4)])
    wal.append(last)
    logs.close()

    wal, records = logs.ready()

    assert before == []
    assert [(kind, made.sequence, made.price) for kind, made in records] == [
        (ORDER, 1, 1),
        (SEED, 2, 3),
        (SEED, 3, 4),
        (ORDER, 4, 2),
    ]
    assert wal.sequence == 4
    assert (first.sequence, last.sequence) == (1, 4)


def test_a_record_is_in_the_file_when_append_returns(logs: Logs, order: Any) -> None:
    wal, _ = logs.ready(sync_seconds=3600)

    wal.append(order(1))

    assert len(offsets(logs.segment())) == 2


def test_a_full_segment_is_followed_by_another(logs: Logs, order: Any) -> None:
    sent = numbered(order, 200)
    ids = [made.order_id for made in sent]

    logs.write(*sent)

    assert len(segments.paths(logs.directory)) == 3
    assert logs.read() == ids
    logs.write(order(1, order_id="more"))
    assert logs.read() == [*ids, "more"]


def test_segments_are_allocated_whole(logs: Logs, order: Any) -> None:
    logs.write(order(1), segment_bytes=1 << 20)

    stat = logs.segment().stat()
    assert stat.st_size == 1 << 20
    assert stat.st_blocks * 512 >= 1 << 20


def test_a_torn_tail_is_erased_and_logged(logs: Logs, order: Any, caplog: pytest.LogCaptureFixture) -> None:
    logs.write(*numbered(order, 3))
    *_, last, end = offsets(logs.segment())
    logs.patch(end - 3, b"\xff\xff\xff")

    assert logs.read() == ["o1", "o2"]

    assert "torn record" in caplog.text
    start = decode(logs.segment().read_bytes(), last)  # over it
    assert start is not None
    assert (start[0], start[1].sequence) == (START, 2)
    assert not logs.segment().read_bytes()[start[2] :].strip(b"\0")
    caplog.clear()
    logs.write(order(1, order_id="new"))
    assert logs.read() == ["o1", "o2", "new"]
    assert caplog.text == ""


@pytest.mark.parametrize("cut", [1, 4, 8, 9, 30])
def test_a_record_cut_off_anywhere_is_a_torn_tail(logs: Logs, order: Any, cut: int) -> None:
    logs.write(*numbered(order, 2))
    _, last, end = offsets(logs.segment())
    logs.patch(last + cut, bytes(end - last - cut))

    assert logs.read() == ["o1"]


@pytest.mark.parametrize(
    ("at", "bad"),
    [(0, b"\xff\xff\xff\xff"), (0, b"\0\0\0\0"), (4, b"\0\0\0\0"), (20, b"\xff")],
    ids=["length", "zero length", "checksum", "payload"],
)
def test_damage_in_the_middle_stops_the_start(logs: Logs, order: Any, at: int, bad: bytes) -> None:
    logs.write(*numbered(order, 5))
    where = offsets(logs.segment())[2]
    logs.patch(where + at, bad)
    before = logs.segment().read_bytes()

    with pytest.raises(WalError, match=rf"damaged at byte {where}: the record after sequence 2 is not valid"):
        logs.ready()

    assert logs.segment().read_bytes() == before


def test_damage_in_an_earlier_segment_stops_the_start(logs: Logs, order: Any) -> None:
    logs.write(*numbered(order, 100))
    logs.patch(offsets(logs.segment(1))[-2] + 20, b"\xff")

    with pytest.raises(WalError, match="records before it are missing or damaged"):
        logs.ready()


def test_a_missing_segment_stops_the_start(logs: Logs, order: Any) -> None:
    logs.write(*numbered(order, 200))
    logs.segment(2).unlink()
    with pytest.raises(WalError, match=r"segment-0000000\d.wal can't follow"):
        logs.ready()
    logs.close()

    logs.segment(1).unlink()
    with pytest.raises(WalError, match="first segment is missing"):
        logs.ready()


def test_another_shards_log_is_refused(logs: Logs, order: Any) -> None:
    logs.write(order(1))

    with pytest.raises(WalError, match="written by shard 'a' and this is shard 'b'"):
        logs.open(shard="b")


@pytest.mark.parametrize(("at", "message"), [(0, "is no segment"), (30, "header's checksum is wrong")])
def test_a_damaged_header_is_refused(logs: Logs, order: Any, at: int, message: str) -> None:
    logs.write(order(1))
    logs.patch(at, b"\xff\xff")

    with pytest.raises(WalError, match=message):
        logs.open()


def test_segments_of_two_logs_are_refused(logs: Logs, order: Any, tmp_path: Path) -> None:
    other = Logs(tmp_path / "other")
    other.write(*numbered(order, 100))
    logs.write(*numbered(order, 100))
    other.segment(2).rename(logs.segment(2))

    with pytest.raises(WalError, match="segments of 2 different logs"):
        logs.open()


def test_a_segment_that_was_never_begun_is_removed(logs: Logs, order: Any) -> None:
    logs.write(*numbered(order, 2))
    logs.segment(2).write_bytes(bytes(SMALL))

    assert logs.read() == ["o1", "o2"]
    assert not logs.segment(2).exists()


def test_one_owner(logs: Logs, order: Any) -> None:
    wal, _ = logs.ready()

    with pytest.raises(WalError, match=f"in use by process {os.getpid()}"):
        logs.open()

    wal.append(order(1))
    logs.close()
    assert logs.read() == ["id"]


def test_no_room_at_the_start(monkeypatch: pytest.MonkeyPatch, logs: Logs) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)

    with pytest.raises(WalError, match="No space left on device"):
        logs.ready()
    assert [path.name for path in logs.directory.iterdir()] == ["lock"]


def test_no_room_for_the_next_segment(monkeypatch: pytest.MonkeyPatch, logs: Logs, order: Any) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    wal, _ = logs.ready()
    with monkeypatch.context() as context:
        context.setattr(os, "posix_fallocate", full)
        with pytest.raises(WalError, match="No space left on device"):  # noqa: PT012 - which one fails is not known
            for made in numbered(order, 1000):
                wal.append(made)
    took = wal.sequence

    wal.append(order(1, order_id="after"))
    logs.close()

    ids = logs.read()
    assert len(ids) == took + 1
    assert ids[-1] == "after"


def test_a_failed_append_sequences_nothing(monkeypatch: pytest.MonkeyPatch, logs: Logs, order: Any) -> None:
    wal, _ = logs.ready()
    wal.append(order(1, order_id="before"))
    write = os.pwrite
    with monkeypatch.context() as context:
        context.setattr(os, "pwrite", lambda fd, data, at: write(fd, data[:30], at))
        with pytest.raises(WalError, match="took 30 of"):
            wal.append(order(2, order_id="a much longer identity than the next"))
    assert wal.sequence == 1

    wal.append(order(3, order_id="after"))
    logs.close()

    assert logs.read() == ["before", "after"]


def test_seeds_that_do_not_fit_are_refused_whole(logs: Logs, order: Any) -> None:
    wal, _ = logs.ready()

    with pytest.raises(WalError, match="don't fit into one segment"):
        wal.append_seeds(numbered(order, 100))

    assert wal.sequence == 0


def test_after_a_failed_sync_it_never_tries_again(
    monkeypatch: pytest.MonkeyPatch, logs: Logs, order: Any
) -> None:
    calls = []

    def broken(fd: int) -> None:
        calls.append(fd)
        raise OSError(errno.EIO, "Input/output error")

    told = threading.Event()
    wal, _ = logs.ready()
    wal.on_failure = told.set
    monkeypatch.setattr(os, "fdatasync", broken)

    wal.append(order(1))

    assert told.wait(10)
    with pytest.raises(WalError, match="Input/output error"):
        wal.append(order(2))
    logs.close()
    assert len(calls) == 1
    assert wal.unsynced == 1


def test_synced_follows_the_sequence(logs: Logs, order: Any) -> None:
    wal, _ = logs.ready()
    reached = threading.Event()
    wal.on_sync = lambda _seconds: reached.set()

    wal.append(order(1))

    assert reached.wait(10)
    logs.close()
    assert (wal.synced, wal.unsynced) == (1, 0)


def test_what_a_killed_process_wrote_is_synced_before_it_counts_as_synced(
    monkeypatch: pytest.MonkeyPatch, logs: Logs, order: Any
) -> None:
    logs.write(*[order(1) for _ in range(SMALL // 40)])
    synced: list[tuple[int, int]] = []
    wal = logs.open()
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append((os.fstat(fd).st_ino, wal.synced)))

    list(wal.replay())

    assert logs.segment(2).exists()
    needed = [*segments.paths(logs.directory), logs.directory]
    # what comes after that is the thread that makes the next segment ready
    assert synced[: len(needed)] == [(path.stat().st_ino, 0) for path in needed]
    assert wal.unsynced == 0


def test_a_reader_follows_a_log_that_is_being_written(logs: Logs, order: Any) -> None:
    wal, _ = logs.ready()
    reader = segments.Reader(logs.directory)
    seen: list[str] = []
    for number in range(200):
        wal.append(order(1, order_id=f"o{number}"))
        if number % 7 == 0:
            seen += [made.order_id for _, made in reader.records()]
            assert reader.sequence == wal.sequence
    seen += [made.order_id for _, made in reader.records()]
    reader.close()

    assert seen == [f"o{number}" for number in range(200)]


def test_each_start_gives_what_follows_an_identity_of_its_own(logs: Logs, order: Any) -> None:
    """So that two engines that go on from copies of one log never mean two orders by one name."""
    logs.write(*numbered(order, 2))
    copy = {path: path.read_bytes() for path in logs.directory.iterdir() if path.name.startswith("segment")}
    names = []
    for _ in range(2):
        for path, data in copy.items():
            path.write_bytes(data)
        logs.write(order(1, order_id="new"))
        with Wal.open(logs.directory, "a") as wal:
            list(wal.replay())
            assert wal.identity.of(1) == wal.identity.of(2) == wal.log_id
            assert [wal.identity.holds(wal.log_id, number, last=wal.sequence) for number in range(4)] == [
                False,
                True,
                True,
                False,
            ]
            names.append(wal.identity.of(3))
    assert len({*names, wal.log_id}) == 3
    assert wal.identity.holds(names[1], 3, last=wal.sequence)
    assert wal.identity.holds(names[0], 3, last=wal.sequence) is None


def test_a_start_that_does_not_follow_is_damage(logs: Logs, order: Any) -> None:
    logs.write(*numbered(order, 2))
    *_, end = offsets(logs.segment())
    logs.patch(end, encode_start(Start(7, bytes(16))))

    with pytest.raises(WalError, match="expected sequence 2, found 7"):
        logs.read()
