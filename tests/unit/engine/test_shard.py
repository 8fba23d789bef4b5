"""The pipeline as a whole, without HTTP and with a broker in memory."""

# ruff: noqa: ASYNC110 - a test that looks on waits by looking

import asyncio
import errno
import os
import time
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import WalError
from engine.orders import Rejected
from engine.shard import Shard, summary
from engine.shard import shard as shard_module

Make = Callable[..., Shard]


def body(price: int | None = 100, quantity: int = 1, *, buy: bool = True, **more: Any) -> bytes:
    made = {
        "orderId": "o",
        "symbol": "X",
        "side": "BUY" if buy else "SELL",
        "price": price,
        "quantity": quantity,
    }
    if price is None:
        made["type"] = "MARKET"
    return orjson.dumps({**made, **more})


def seeds(*makers: tuple[int, int]) -> bytes:
    made = [orjson.loads(body(price, quantity, buy=False)) for price, quantity in makers]
    return orjson.dumps({"orders": made})


async def settle(shard: Shard) -> None:
    """Let the loop go round until everything that was accepted is matched and published."""
    async with asyncio.timeout(20):
        while len(shard.ring) or shard.publisher.backlog:
            await asyncio.sleep(0.001)


def rejection(shard: Shard, sent: bytes) -> Rejected:
    with pytest.raises(Rejected) as caught:
        shard.accept(sent)
    return caught.value


def test_an_order_is_in_the_log_before_it_is_matched(shard: Make) -> None:
    async def scenario() -> None:
        made = shard()
        made.start()
        await made.seed(seeds((100, 5)))

        order = made.accept(body(100, 3))

        assert (order.sequence, made.wal.sequence, made.metrics.matches) == (2, 2, 0)
        await settle(made)
        assert (made.metrics.matches, made.metrics.executed, order.remaining) == (1, 1, 0)
        await made.stop()

    asyncio.run(scenario())


def test_an_order_that_fills_several_counts_each_match_and_itself_once(shard: Make) -> None:
    async def scenario() -> None:
        made = shard()
        made.start()
        await made.seed(seeds((100, 5), (100, 5), (101, 5)))
        made.accept(body(101, 12))
        made.accept(body(99, 1))
        await settle(made)
        assert (made.metrics.matches, made.metrics.executed, made.metrics.received) == (3, 1, 2)
        await made.stop()

    asyncio.run(scenario())


def test_every_stage_is_measured_once_for_every_order(shard: Make) -> None:
    async def scenario() -> None:
        made = shard()
        made.start()
        for number in range(200):
            made.accept(body(100, 1, buy=number % 2 == 0))
        await settle(made)
        await made.stop()

        metrics = made.metrics
        stages = (
            metrics.validation,
            metrics.wal_append,
            metrics.insertion,
            metrics.matching,
            metrics.publish,
        )
        assert [sum(stage.counts) for stage in (*stages, metrics.match)] == [200] * 6
        assert all(stage.sum > 0 for stage in stages)
        assert metrics.match.sum > metrics.matching.sum
        assert (metrics.received_buy, metrics.received_sell, metrics.matches) == (100, 100, 100)

    asyncio.run(scenario())


def test_a_full_ring_refuses_before_the_log_is_written(shard: Make) -> None:
    async def scenario() -> None:
        made = shard(RING_BUFFER_SIZE=2)
        made.start()
        made.accept(body())
        made.accept(body())

        refused = rejection(made, body(orderId="third"))

        assert (refused.status, refused.reason, refused.order_id) == (503, "Ring buffer full", "third")
        assert made.wal.sequence == 2
        assert made.metrics.rejected["ring_full"] == 1
        await settle(made)
        assert made.accept(body()).sequence == 3
        await made.stop()

    asyncio.run(scenario())


def test_a_log_that_can_not_be_written_refuses_and_sequences_nothing(
    shard: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    async def scenario() -> None:
        made = shard()
        made.start()
        with monkeypatch.context() as context:
            context.setattr(os, "pwrite", full)
            refused = rejection(made, body())
            with pytest.raises(Rejected, match="No space left"):
                await made.seed(seeds((1, 1)))
        assert (refused.status, refused.label) == (503, "wal")
        assert "No space left on device" in refused.reason
        assert (made.wal.sequence, len(made.ring), made.metrics.received) == (0, 0, 0)
        assert made.accept(body()).sequence == 1
        await made.stop()

    asyncio.run(scenario())


def test_a_log_that_can_not_be_synced_stops_the_engine(shard: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    async def scenario() -> None:
        made = shard()
        failed = asyncio.Event()
        made.on_failure = failed.set
        made.start()
        with monkeypatch.context() as context:
            context.setattr(os, "fdatasync", broken)
            made.accept(body())
            await asyncio.wait_for(failed.wait(), 10)
        assert made.failure is not None
        assert "Input/output error" in made.failure
        assert rejection(made, body()).status == 503
        await made.stop()

    asyncio.run(scenario())


def test_an_error_in_matching_stops_the_engine(shard: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    async def scenario() -> None:
        made = shard()
        failed = asyncio.Event()
        made.on_failure = failed.set
        made.start()
        with monkeypatch.context() as context:
            context.setattr(type(made.matcher), "match", broken)
            made.accept(body())
            made.accept(body())
            await asyncio.wait_for(failed.wait(), 10)
        assert made.failure == "matching failed: ZeroDivisionError()"
        assert not made.ready
        assert len(made.ring) == 1
        with pytest.raises(shard_module.MatchingError):
            made._consume()
        await made.stop()
        assert (len(made.ring), made.metrics.published["orders"]) == (1, 0)

    asyncio.run(scenario())


def test_seeds_rest_without_matching(shard: Make, broker: Any) -> None:
    async def scenario() -> None:
        made = shard()
        made.start()
        made.accept(body(200, 5))

        assert await made.seed(seeds((100, 1), (150, 1))) == 2

        await settle(made)
        assert (made.metrics.matches, made.metrics.seeded, made.metrics.received) == (0, 2, 1)
        assert (made.matcher.depth(bids=True), made.matcher.depth(bids=False)) == (1, 2)
        await made.stop()

    asyncio.run(scenario())
    assert [event.type for event in broker.received] == ["ORDER_PLACED", "ORDER_SEEDED", "ORDER_SEEDED"]


def test_one_bad_seed_rests_none_and_is_named(shard: Make) -> None:
    async def scenario() -> None:
        made = shard()
        made.start()
        with pytest.raises(Rejected, match=r"orders\[1\]: price must be") as caught:
            await made.seed(seeds((100, 1), (-1, 1), (100, 1)))
        assert (caught.value.status, made.wal.sequence, made.matcher.depth(bids=False)) == (400, 0, 0)
        for wrong in (b"[]", b"{}", b'{"orders": 1}', b"{"):
            with pytest.raises(Rejected):
                await made.seed(wrong)
        assert await made.seed(b'{"orders": []}') == 0
        await made.stop()

    asyncio.run(scenario())


def test_orders_that_wait_in_the_ring_are_matched_before_seeds_rest(shard: Make) -> None:
    """The log says so, and a replay would do it so."""

    async def scenario() -> list[Any]:
        made = shard()
        made.start()
        for _ in range(3 * shard_module.CONSUME_BATCH):
            made.accept(body(100, 1))
        await made.seed(seeds((100, 1000)))
        await settle(made)
        await made.stop()
        return list(made.matcher.resting())

    before = asyncio.run(scenario())

    assert list(shard().matcher.resting()) == before
    assert len(before) == 3 * shard_module.CONSUME_BATCH + 1


def test_a_large_seed_lets_others_through(shard: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        monkeypatch.setattr(shard_module, "SEED_CHUNK", 10)
        made = shard()
        made.start()
        seeding = asyncio.create_task(made.seed(seeds(*[(price, 1) for price in range(1, 301)])))
        accepted = 0
        while not seeding.done():
            made.accept(body(None, 1))
            accepted += 1
            await asyncio.sleep(0)
        assert accepted > 20
        assert await seeding == 300
        await settle(made)
        await made.stop()
        assert made.matcher.depth(bids=False) == 300 - made.metrics.matches

    asyncio.run(scenario())


actions = st.lists(
    st.tuples(
        st.sampled_from(["order", "seed", "turn"]),
        st.booleans(),
        st.integers(98, 102) | st.none(),
        st.integers(1, 5),
        st.sampled_from(["X", "Y"]),
    ),
    max_size=25,
)


@given(actions)
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_restart_restores_the_same_books_and_events(shard: Make, broker: Any, sequence: list[Any]) -> None:
    first = shard()
    start, matches = (
        first.wal.sequence,
        first.matcher.matches,
    )  # earlier examples share the log: the more the better
    broker.received.clear()

    async def scenario() -> None:
        first.start()
        for kind, buy, price, quantity, symbol in sequence:
            if kind == "order":
                first.accept(body(price, quantity, buy=buy, symbol=symbol))
            elif kind == "seed" and price is not None:
                seed = orjson.loads(body(price, quantity, buy=buy, symbol=symbol))
                await first.seed(orjson.dumps({"orders": [seed]}))
            else:
                await asyncio.sleep(0)
        await settle(first)
        await first.stop()

    asyncio.run(scenario())
    published = [event for event in broker.received if is_later(event.value, start, matches)]
    (first.wal.directory / "published.json").unlink(missing_ok=True)

    second = shard()

    assert list(second.matcher.resting()) == list(first.matcher.resting())
    assert (second.matcher.matches, second.wal.sequence) == (first.matcher.matches, first.wal.sequence)
    for book in second.matcher.books.values():
        book.check()
    broker.received.clear()

    async def again() -> None:
        second.start()
        await settle(second)
        await second.stop()

    asyncio.run(again())
    replayed = [event for event in broker.received if is_later(event.value, start, matches)]
    assert replayed == published


def is_later(value: bytes, order: int, match: int) -> bool:
    event = orjson.loads(value)
    return bool(event["sequence"] > (order if event["type"] == "ORDER_PLACED" else match))


def test_a_log_with_foreign_symbols_is_refused(shard: Make) -> None:
    async def scenario() -> None:
        made = shard()
        made.start()
        made.accept(body(symbol="Y"))
        await made.stop()

    asyncio.run(scenario())

    with pytest.raises(WalError, match="holds orders for Y, and SHARD_SYMBOLS is X,Z"):
        shard(SHARD_SYMBOLS="X,Z")


def test_a_stop_leaves_nothing_accepted_unmatched(shard: Make, broker: Any) -> None:
    async def scenario() -> None:
        made = shard()
        made.start()
        for number in range(1000):
            made.accept(body(100, 1, buy=number % 2 == 0))
        assert made.metrics.matches == 0
        await made.stop()
        assert (len(made.ring), made.metrics.matches, made.wal.unsynced) == (0, 500, 0)
        assert rejection(made, body()).label == "stopping"

    asyncio.run(scenario())
    assert len(broker.received) == 1500


def test_the_largest_order_is_decoded_and_no_larger_one(shard: Make) -> None:
    made = shard()

    refused = rejection(made, body(padding="x" * shard_module.MAX_ORDER))

    assert (refused.status, refused.label) == (400, "malformed")
    assert rejection(made, b"\xff").label == "malformed"


def test_the_summary_counts_what_happened_since_the_last(
    shard: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        monkeypatch.setattr(summary, "SUMMARY_SECONDS", 0.01)
        made = shard()
        made.start()
        await made.seed(seeds((100, 1)))
        made.accept(body())
        rejection(made, b"{")
        await settle(made)
        async with asyncio.timeout(10):
            while not any(record.message == "summary" for record in caplog.records):
                await asyncio.sleep(0.01)
        await made.stop()

    caplog.set_level("INFO")
    asyncio.run(scenario())

    record = next(record for record in caplog.records if record.message == "summary")
    told = record.__dict__
    assert (told["orders"], told["matches"], told["rejected"], told["asks"]) == (1, 1, 1, 0)
    assert 0 < told["match_p99_ms"] < 10_000


def test_an_order_is_measured_from_when_its_bytes_were_read(shard: Make) -> None:
    made = shard()
    made.ready = True
    began = time.perf_counter()

    made.accept(body(100, 1), began - 3.0)
    made._consume()

    assert 3.0 <= made.metrics.match.sum < 3.0 + (time.perf_counter() - began)
    assert made.metrics.validation.sum < 3.0, "the other stages are not"
    assert 0 < made.metrics.ring_wait.sum < 3.0
