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
from engine.events import Event
from engine.events import publisher as publisher_module
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
    monkeypatch.setattr(publisher_module, "_REPORT_SECONDS", 0)

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
    assert sorted(set(found)) == [number for number in range(1, 304) if number != 201]  # 201 is the seed
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
    broker.received.append(Event("orders", b"X", b"{}", 99))  # another shard was first in the new topic
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
    (made.wal.directory / "published.json").write_text(json.dumps({"log": made.wal.log_id, "sequence": 3}))
    # A log without a record is a new one: give it one, so that its identity stays.
    asyncio.run(one_order(made))

    (made.wal.directory / "published.json").write_text(json.dumps({"log": made.wal.log_id, "sequence": 3}))
    with pytest.raises(WalError, match="sequence 3 was published, and the log ends at 1"):
        shard()


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
