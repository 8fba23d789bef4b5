"""Every event arrives, in order, whatever the broker does and however small the queue is."""

# ruff: noqa: ASYNC110 - a test that looks on waits by looking

import asyncio
import errno
import json
import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest

from engine.errors import WalError
from engine.events import BrokerError, Event
from engine.publishing import portion as portion_module
from engine.publishing import publisher as publisher_module
from engine.publishing import trouble
from engine.publishing.portion import Portion
from engine.shard import Shard

Make = Callable[..., Shard]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher_module, "_FIRST_BACKOFF", 0.001)
    monkeypatch.setattr(publisher_module, "_LAST_BACKOFF", 0.002)
    monkeypatch.setattr(publisher_module, "_LINGER", 0)
    monkeypatch.setattr(publisher_module, "_BATCH", 7)


def accept(shard: Shard, count: int) -> None:
    for number in range(count):
        side = "BUY" if number % 2 else "SELL"
        shard.accept(orjson.dumps({"orderId": "o", "symbol": "X", "side": side, "price": 100, "quantity": 1}))


async def published(shard: Shard) -> None:
    async with asyncio.timeout(20):
        while len(shard.ring) or shard.publisher.backlog:
            await asyncio.sleep(0.001)


def sequences(received: Iterable[Any], topic: str) -> list[int]:
    return [orjson.loads(event.value)["sequence"] for event in received if event.topic == topic]


def assert_all(broker: Any, orders: int) -> None:
    assert sorted(set(sequences(broker.received, "orders"))) == list(range(1, orders + 1))
    assert sorted(set(sequences(broker.received, "matches"))) == list(range(1, orders // 2 + 1))


def test_events_arrive_once_and_in_order(shard: Make, broker: Any) -> None:
    async def scenario() -> None:
        made = shard()
        made.start()
        accept(made, 100)
        await published(made)
        await made.stop()
        assert made.metrics.published == {"orders": 100, "matches": 50}
        assert made.metrics.publish_errors == 0

    asyncio.run(scenario())
    assert sequences(broker.received, "orders") == list(range(1, 101))
    assert sequences(broker.received, "matches") == list(range(1, 51))


def test_a_broker_that_is_not_there_is_tried_for_ever_and_counted(shard: Make, broker: Any) -> None:
    async def scenario() -> None:
        broker.refuse_connections = 20
        made = shard()
        made.start()
        accept(made, 10)
        await published(made)
        await made.stop()
        assert made.metrics.publish_errors == 20

    asyncio.run(scenario())
    assert_all(broker, 10)


def test_each_reason_is_logged_once_and_at_once(
    shard: Make, broker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    reasons = ["refused", "refused", "no such user", "refused", "no such user"]

    connect = broker.connect

    async def refuse() -> None:
        if reasons:
            raise OSError(reasons.pop(0))
        await connect()

    async def scenario() -> None:
        made = shard()
        made.start()
        accept(made, 10)
        await published(made)
        await made.stop()
        assert made.metrics.publish_errors == 5

    broker.connect = refuse
    asyncio.run(scenario())
    failed = [record.error for record in caplog.records if record.message.startswith("publishing failed")]
    assert failed == ["OSError: refused", "OSError: no such user"]


def test_a_reason_that_lasts_is_logged_now_and_then(
    shard: Make, broker: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trouble, "_REPORT_SECONDS", 0)

    async def scenario() -> None:
        broker.refuse_connections = 3
        made = shard()
        made.start()
        accept(made, 10)
        await published(made)
        await made.stop()

    asyncio.run(scenario())
    assert caplog.text.count("publishing failed") == 3


def test_a_batch_that_broke_is_sent_again_whole(shard: Make, broker: Any) -> None:
    async def scenario() -> None:
        broker.fail_sends = 3
        made = shard()
        made.start()
        accept(made, 20)
        await published(made)
        await made.stop()
        assert made.metrics.publish_errors == 3
        assert made.metrics.published == {"orders": 20, "matches": 10}
        assert broker.connections == 4

    asyncio.run(scenario())
    assert_all(broker, 20)
    assert len(sequences(broker.received, "orders")) > 20  # at least once: some came twice


def test_a_broker_that_hangs_delays_no_order(shard: Make, broker: Any) -> None:
    async def scenario() -> None:
        made = shard()
        made.start()
        broker.open.clear()
        accept(made, 500)
        async with asyncio.timeout(20):
            while len(made.ring):
                await asyncio.sleep(0)
        assert made.metrics.matches == 250
        assert (made.publisher.queue.depth, broker.received) == (750, [])
        broker.open.set()
        await published(made)
        await made.stop()

    asyncio.run(scenario())
    assert_all(broker, 500)


@pytest.mark.parametrize("limit", [1, 2, 10, 60])
def test_what_the_queue_had_no_room_for_comes_from_the_log(shard: Make, broker: Any, limit: int) -> None:
    async def scenario() -> None:
        made = shard(EVENT_QUEUE_SIZE=limit)
        made.start()
        broker.open.clear()
        accept(made, 200)
        await made.seed(
            b'{"orders": [{"orderId": "s", "symbol": "Y", "side": "BUY", "price": 1, "quantity": 1}]}'
        )
        assert made.publisher.queue.depth <= max(limit, 2)
        assert made.publisher.queue.overflowed
        broker.open.set()
        while made.publisher.backlog > 100:
            await asyncio.sleep(0)
        accept(made, 100)  # while it catches up
        broker.fail_sends = 2
        await published(made)
        assert not made.publisher.queue.overflowed
        accept(made, 2)
        await published(made)
        await made.stop()

    asyncio.run(scenario())
    found = sequences(broker.received, "orders")
    assert sorted(set(found)) == list(range(1, 304))
    types = {event.sequence: event.type for event in broker.received if event.topic == "orders"}
    assert [sequence for sequence, kind in types.items() if kind == "ORDER_SEEDED"] == [201]
    assert sorted(set(sequences(broker.received, "matches"))) == list(range(1, 152))


def test_what_was_published_before_a_restart_is_not_sent_again(shard: Make, broker: Any) -> None:
    async def first() -> None:
        made = shard()
        made.start()
        accept(made, 30)
        await published(made)
        await made.stop()

    async def second() -> None:
        made = shard()
        assert made.publisher.backlog == 0
        made.start()
        accept(made, 10)
        await published(made)
        await made.stop()

    asyncio.run(first())
    asyncio.run(second())
    assert sequences(broker.received, "orders") == list(range(1, 41))


@pytest.mark.parametrize("limit", [5, 200_000])
def test_what_a_dead_broker_did_not_get_is_sent_after_the_restart(
    shard: Make, broker: Any, limit: int
) -> None:
    async def first() -> None:
        made = shard(EVENT_QUEUE_SIZE=limit, DRAIN_SECONDS=0.01)
        made.start()
        accept(made, 20)
        await published(made)
        broker.open.clear()
        accept(made, 30)
        await made.stop()

    async def second() -> None:
        broker.open.set()
        made = shard(EVENT_QUEUE_SIZE=limit)
        made.start()
        await published(made)
        await made.stop()

    asyncio.run(first())
    assert sequences(broker.received, "orders") == list(range(1, 21))
    asyncio.run(second())
    assert sequences(broker.received, "orders") == list(range(1, 51))


def test_a_stop_publishes_what_is_queued(shard: Make, broker: Any) -> None:
    async def scenario() -> None:
        made = shard()
        made.start()
        accept(made, 100)
        await made.stop()

    asyncio.run(scenario())
    assert_all(broker, 100)


@pytest.mark.parametrize("limit", [5, 200_000])
def test_nothing_is_published_that_power_loss_could_take(
    shard: Make, broker: Any, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """From the queue, and from the log when the queue was full; matching does not wait for the disk."""
    disk = threading.Event()

    async def scenario() -> None:
        made = shard(EVENT_QUEUE_SIZE=limit)
        made.start()
        accept(made, 20)
        await published(made)
        assert made.wal.unsynced == 0
        monkeypatch.setattr(os, "fdatasync", lambda _fd: disk.wait(20))
        accept(made, 30)
        while len(made.ring):
            await asyncio.sleep(0)
        await asyncio.sleep(0.05)
        assert made.publisher.queue.overflowed == (limit == 5)
        assert (made.metrics.matches, made.wal.unsynced) == (25, 30)
        assert sequences(broker.received, "orders") == list(range(1, 21))
        disk.set()
        await published(made)
        await made.stop()

    try:
        asyncio.run(scenario())
    finally:
        disk.set()  # or the thread would keep a failed test from ending
    assert_all(broker, 50)


def test_a_stop_syncs_at_once_and_publishes_what_that_saved(shard: Make, broker: Any) -> None:
    async def scenario() -> None:
        made = shard(DRAIN_SECONDS=1)
        made.wal._sync_seconds = 60
        made.start()
        accept(made, 30)
        await made.stop()

    asyncio.run(scenario())
    assert_all(broker, 30)


def test_a_stop_does_not_wait_for_what_a_failed_log_can_not_sync(
    shard: Make, broker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    async def life(orders: int) -> Shard:
        made = shard(DRAIN_SECONDS=60)
        made.start()
        accept(made, orders)
        await published(made)
        return made

    async def first() -> None:
        made = await life(20)
        with monkeypatch.context() as context:
            context.setattr(os, "fdatasync", broken)
            accept(made, 10)
            async with asyncio.timeout(20):
                while made.failure is None:
                    await asyncio.sleep(0.001)
                await made.stop()
        assert sequences(broker.received, "orders") == list(range(1, 21))

    async def second() -> None:
        await (await life(0)).stop()

    asyncio.run(first())
    asyncio.run(second())
    assert_all(broker, 30)  # the position could not be written either, so some came twice


def test_a_saved_sequence_has_its_own_marks(
    shard: Make, broker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the broker's loss is noticed while a save is under way, which would leave none."""
    saved: list[dict[str, Any]] = []
    made: Shard
    opened, replaced = Path.open, Path.replace

    def open_late(path: Path, *mode: Any, **more: Any) -> Any:
        if path.name == "published.tmp" and not saved:
            broker.open.clear()
            broker.lose_disk()
            give_up = time.monotonic() + 20
            while not made.publisher.resends and time.monotonic() < give_up:
                time.sleep(0.001)
        return opened(path, *mode, **more)

    def replace(path: Path, target: Path) -> Path:
        if path.name == "published.tmp":
            with opened(path) as file:
                saved.append(json.load(file))
        return replaced(path, target)

    monkeypatch.setattr(publisher_module, "_PERSIST_SECONDS", 0.001)
    monkeypatch.setattr(publisher_module, "_CHECK_SECONDS", 0.001)

    async def scenario() -> None:
        nonlocal made
        made = shard()
        monkeypatch.setattr(Path, "replace", replace)
        monkeypatch.setattr(Path, "open", open_late)
        made.start()
        accept(made, 2)  # one batch, so that there is nothing to save before all is published
        async with asyncio.timeout(20):
            while not (made.publisher.resends and saved):
                await asyncio.sleep(0.001)
        broker.open.set()
        await published(made)
        await made.stop()

    asyncio.run(scenario())
    assert saved[0]["sequence"] == 2
    assert [bool(each["marks"]) for each in saved] == [each["sequence"] > 0 for each in saved]


def test_other_places_are_saved_though_the_sequence_is_the_same(shard: Make, broker: Any) -> None:
    async def life(orders: int) -> int:
        made = shard()
        made.start()
        accept(made, orders)
        async with asyncio.timeout(20):
            while not broker.connected:  # and has been asked what it retains
                await asyncio.sleep(0.001)
        await published(made)
        await made.stop()
        return made.publisher.resends

    asyncio.run(life(10))
    broker.lose_disk()
    broker.received.append(
        Event("orders", b"X", b"{}", 99, "another", "ORDER_PLACED")
    )  # another shard was first in the new topic
    assert asyncio.run(life(0)) == 1
    assert asyncio.run(life(0)) == 0


@pytest.mark.parametrize("content", ["", "{", "[]", '{"log": "another", "sequence": 3}', '{"sequence": 3}'])
def test_a_position_that_says_nothing_means_that_all_is_sent_again(
    shard: Make, broker: Any, content: str
) -> None:
    async def run(count: int) -> None:
        made = shard()
        made.start()
        accept(made, count)
        await published(made)
        await made.stop()

    asyncio.run(run(4))
    (shard().wal.directory / "published.json").write_text(content)
    asyncio.run(run(0))

    assert sequences(broker.received, "orders") == [1, 2, 3, 4, 1, 2, 3, 4]


def test_a_log_that_ends_before_what_was_published_is_refused(shard: Make) -> None:
    made = shard()
    (made.wal.directory / "published.json").write_text(
        json.dumps({"log": made.wal.log_id, "sequence": 3, "seeds": True})
    )
    # A log without a record is a new one: give it one, so that its identity stays.
    asyncio.run(one_order(made))

    (made.wal.directory / "published.json").write_text(
        json.dumps({"log": made.wal.log_id, "sequence": 3, "seeds": True})
    )
    with pytest.raises(WalError, match="sequence 3 was published, and the log ends at 1"):
        shard()


def test_a_position_from_before_seeds_were_told_counts_as_none(shard: Make, broker: Any) -> None:
    """Or the book could not be made of the events: those seeds would never be among them."""

    async def life() -> None:
        made = shard()
        made.start()
        await made.seed(
            b'{"orders": [{"orderId": "s", "symbol": "X", "side": "BUY", "price": 1, "quantity": 1}]}'
        )
        await published(made)
        await made.stop()

    asyncio.run(life())
    path = shard().wal.directory / "published.json"
    stored = json.loads(path.read_text())
    assert stored.pop("seeds")
    path.write_text(json.dumps(stored))
    broker.received.clear()
    asyncio.run(life())

    assert sequences(broker.received, "orders") == [1, 2]


async def one_order(shard: Shard) -> None:
    shard.start()
    accept(shard, 1)
    await shard.stop()


def test_what_a_broker_has_lost_is_sent_again(shard: Make, broker: Any) -> None:
    """Noticed when it is connected to anew, and when it acknowledges at a place long passed."""

    async def scenario() -> None:
        made = shard()
        made.start()
        accept(made, 20)
        await published(made)
        broker.lose_disk()
        broker.fail_sends = 1
        accept(made, 2)
        await published(made)
        assert made.publisher.resends == 1
        assert_all(broker, 22)
        broker.lose_disk()
        accept(made, 2)
        async with asyncio.timeout(20):
            while made.publisher.resends < 2 or made.publisher.backlog:
                await asyncio.sleep(0.001)
        assert made.metrics.publish_errors == 1
        await made.stop()

    asyncio.run(scenario())
    assert_all(broker, 24)


def test_what_a_broker_lost_between_two_starts_is_sent_again(shard: Make, broker: Any) -> None:
    async def life(orders: int) -> int:
        made = shard()
        made.start()
        accept(made, orders)
        await published(made)
        await made.stop()
        return made.publisher.resends

    assert asyncio.run(life(30)) == 0
    assert asyncio.run(life(0)) == 0
    broker.lose_disk()
    assert asyncio.run(life(2)) == 1
    assert_all(broker, 32)


def test_a_position_of_a_former_version_knows_no_places(shard: Make, broker: Any) -> None:
    async def life(orders: int) -> Shard:
        made = shard()
        made.start()
        accept(made, orders)
        await published(made)
        await made.stop()
        return made

    made = asyncio.run(life(10))
    path = made.wal.directory / "published.json"
    stored = json.loads(path.read_text())
    assert len(stored.pop("marks")) == 2
    path.write_text(json.dumps(stored))
    again = asyncio.run(life(2))
    assert again.publisher.resends == 0
    assert sequences(broker.received, "orders") == list(range(1, 13))


def test_what_a_broker_lost_while_nothing_happened_is_sent_again(
    shard: Make, broker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher_module, "_CHECK_SECONDS", 0.005)

    async def scenario() -> None:
        made = shard()
        made.start()
        accept(made, 20)
        await published(made)
        await asyncio.sleep(0.05)
        assert made.publisher.resends == 0
        broker.lose_disk()
        async with asyncio.timeout(20):
            while not made.publisher.resends:
                await asyncio.sleep(0.001)
        await published(made)
        await made.stop()

    asyncio.run(scenario())
    assert sequences(broker.received, "orders") == list(range(1, 21))
    assert sequences(broker.received, "matches") == list(range(1, 11))


def test_a_restart_goes_on_under_another_identity_and_tells_the_rest_under_the_former(
    shard: Make, broker: Any
) -> None:
    async def life(orders: int) -> None:
        made = shard()
        broker.open.clear()
        made.start()
        accept(made, orders)
        while len(made.ring):
            await asyncio.sleep(0)
        await made.stop()

    asyncio.run(life(4))
    asyncio.run(life(4))

    async def last() -> Shard:
        made = shard()
        broker.open.set()
        made.start()
        accept(made, 4)
        await published(made)
        await made.stop()
        return made

    made = asyncio.run(last())
    told = {event.sequence: event.log for event in broker.received if event.topic == "orders"}
    logs = [told[sequence] for sequence in range(1, 13)]
    assert logs[:4] == [made.wal.log_id] * 4
    assert (len(set(logs)), len(set(logs[4:8])), len(set(logs[8:]))) == (3, 1, 1)
    assert {event.log for event in broker.received if event.topic == "matches"} == set(logs)


@pytest.fixture
def restored(shard: Make) -> Shard:
    """An engine on a log that lacks its last 4 orders, of which the broker was told."""

    async def life(orders: int) -> Shard:
        made = shard()
        made.start()
        accept(made, orders)
        await published(made)
        await made.stop()
        return made

    first = asyncio.run(life(6))
    copy = {path: path.read_bytes() for path in first.wal.directory.iterdir() if path.name != "lock"}
    asyncio.run(life(4))
    for path in first.wal.directory.iterdir():
        if path.name.startswith("segment"):
            path.unlink()
    for path, data in copy.items():
        path.write_bytes(data)
    return shard()


def test_a_log_restored_from_an_older_copy_uses_no_sequence_again(restored: Shard, broker: Any) -> None:
    async def scenario() -> None:
        before = {(event.topic, event.log, event.sequence): event.value for event in broker.received}
        restored.start()
        accept(restored, 8)
        await published(restored)
        async with asyncio.timeout(20):
            while not restored.publisher.lost.count:
                await asyncio.sleep(0.001)
        fresh = [event for event in broker.received[len(before) :] if event.topic == "orders"]
        assert sorted(event.sequence for event in fresh) == list(range(7, 15))
        for event in broker.received:
            was = before.setdefault((event.topic, event.log, event.sequence), event.value)
            assert was == event.value, "an identity never means two events"
        assert restored.publisher.lost.count == 4
        (problem,) = restored.publisher.problems()
        assert problem == "the log does not have 4 orders, from sequence 7 on, that the broker was told of"
        await restored.stop()

    asyncio.run(scenario())


def test_a_restart_on_the_whole_log_lacks_nothing(shard: Make, broker: Any) -> None:
    async def life() -> None:
        made = shard()
        made.start()
        accept(made, 4)
        await published(made)
        async with asyncio.timeout(20):
            while made.wal.recovered and not made.publisher.lost._known:
                await asyncio.sleep(0.001)
        assert (made.publisher.lost.count, made.publisher.problems()) == (0, [])
        await made.stop()

    for notes in (True, True, False):
        asyncio.run(life())
        if not notes:
            (shard().wal.directory / "published.json").unlink()
    # of another log, before this one was begun: as when a directory was emptied on purpose
    broker.received.insert(0, Event("orders", b"X", b"{}", 99, "0" * 32, "ORDER_PLACED"))
    asyncio.run(life())


def test_what_is_sent_at_once_shrinks_until_it_passes(shard: Make, broker: Any) -> None:
    """And a record that made more events than that is sent in pieces."""
    sizes: list[int] = []
    send = broker.send

    async def narrow(batch: Any) -> Any:
        sizes.append(len(batch))
        if len(batch) > 3:
            raise OSError("the request was too large")
        return await send(batch)

    broker.send = narrow

    async def scenario() -> None:
        made = shard()
        made.publisher._portion = Portion(16)
        made.start()
        await made.seed(
            orjson.dumps(
                {"orders": [{"orderId": "s", "symbol": "X", "side": "SELL", "price": 9, "quantity": 1}] * 9}
            )
        )
        made.accept(b'{"orderId": "o", "symbol": "X", "side": "BUY", "price": 9, "quantity": 9}')
        await published(made)
        await made.stop()
        assert made.publisher.trouble.failures["other"] == made.metrics.publish_errors > 0
        assert made.metrics.events_made == {"ORDER_PLACED": 1, "ORDER_SEEDED": 9, "MATCH_EXECUTED": 9}
        assert made.metrics.events_acknowledged["MATCH_EXECUTED"] == 9
        assert sum(made.metrics.events_sent.values()) == sum(sizes)

    asyncio.run(scenario())
    assert max(sizes) > 3 >= sizes[-1]
    assert sorted(set(sequences(broker.received, "orders"))) == list(range(1, 11))
    assert sorted(set(sequences(broker.received, "matches"))) == list(range(1, 10))


def test_a_portion_grows_again_after_a_while_and_ever_later(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(portion_module.time, "monotonic", lambda: now)
    portion = Portion(8)

    def wait(seconds: float) -> int:
        nonlocal now
        now += seconds
        portion.sent()
        return portion.size

    portion.failed()
    assert (wait(59), wait(2)) == (4, 8)
    portion.failed()
    portion.failed()
    assert (wait(119), wait(2), wait(59), wait(2)) == (2, 4, 4, 8)
    for _ in range(9):
        portion.failed()
    assert (portion.size, wait(3599), wait(2)) == (1, 1, 2)


def test_a_pause_that_the_broker_asks_for_is_kept_and_said(
    shard: Make, broker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        made = shard()
        broker.throttled_until = time.monotonic() + 0.3
        made.start()
        accept(made, 2)
        async with asyncio.timeout(20):
            while "quota holds events back" not in caplog.text:
                await asyncio.sleep(0.001)
        (problem,) = made.publisher.problems()
        assert problem.startswith("events are held back by the broker's quota")
        assert broker.received == []
        await published(made)
        assert time.monotonic() >= broker.throttled_until
        assert made.publisher.problems() == []
        await made.stop()

    asyncio.run(scenario())


def test_what_lasts_is_a_problem_until_something_arrives(shard: Make, broker: Any) -> None:
    send = broker.send

    async def forbidden(_batch: Any) -> Any:
        raise BrokerError("not for you", "not_permitted", lasting=True)

    broker.send = forbidden

    async def scenario() -> None:
        made = shard()
        made.start()
        accept(made, 2)
        async with asyncio.timeout(20):
            while not made.publisher.problems():
                await asyncio.sleep(0.001)
        assert made.publisher.problems() == ["events do not reach the broker: not for you"]
        assert made.publisher.trouble.failures["not_permitted"] >= 1
        broker.send = send
        await published(made)
        assert made.publisher.problems() == []
        await made.stop()

    asyncio.run(scenario())
