"""One sequence never means two orders that anybody may have seen, whatever copy of its log an engine gets."""

import shutil
from collections.abc import Callable
from typing import Any

import pytest

NOWHERE = "127.0.0.1:1"


def place(it: Any, *names: str) -> None:
    for name in names:
        assert it.order(100, 1, "BUY" if len(name) % 2 else "SELL", orderId=name).status_code == 200


def seen_once(records: list[Any]) -> dict[Any, Any]:
    """What is left to a consumer that drops repeats, by what tells an event from all others."""
    seen: dict[Any, Any] = {}
    for record in records:
        identity = record.topic, *(record.event[name] for name in ("shard", "log", "sequence"))
        assert seen.setdefault(identity, record.event) == record.event, "a repeat is the same event"
    return seen


@pytest.mark.parametrize("meanwhile", ["reachable", "away"])
def test_a_log_restored_from_an_older_copy(
    broker: Any, engine: Callable[..., Any], consume: Callable[..., list[Any]], meanwhile: str
) -> None:
    """What comes after counts, what is gone is told of, and the broker may be away for long."""
    it = engine(KAFKA_BOOTSTRAP=broker.bootstrap, DRAIN_SECONDS=5).ready()
    place(it, *(f"kept-{number}" for number in range(6)))
    assert it.stop() == 0
    wal = it.directory / "wal"
    shutil.copytree(wal, it.directory / "copy")
    it = engine(KAFKA_BOOTSTRAP=broker.bootstrap).ready()
    place(it, *(f"lost-{number}" for number in range(5)))
    it.until(it.everything_published)
    lost_logs = it.logs
    it.kill()
    shutil.rmtree(wal)
    (it.directory / "copy").rename(wal)

    fresh = [f"new-{number}" for number in range(8)]
    if meanwhile == "away":
        alone = engine(KAFKA_BOOTSTRAP=NOWHERE).ready()
        place(alone, *fresh[:4])
        alone.settled(4)
        alone.kill()
        fresh, late = fresh[4:], fresh[:4]
    else:
        late = []
    it = engine(KAFKA_BOOTSTRAP=broker.bootstrap).ready()
    place(it, *fresh)
    it.until(it.everything_published)
    it.until(lambda: it.metrics()["me_wal_lost_orders"])

    seen = seen_once(consume(it.logs | lost_logs))
    orders = [event["orderId"] for (topic, *_), event in seen.items() if topic == "orders"]
    assert sorted(orders) == sorted(
        [*(f"kept-{n}" for n in range(6)), *(f"lost-{n}" for n in range(5)), *fresh, *late]
    )
    assert it.metrics()["me_wal_lost_orders"] == 5
    (problem,) = it.client.get("/health").json()["problems"]
    assert problem == "the log does not have 5 orders, from sequence 7 on, that the broker was told of"
    (line,) = [line for line in it.log() if "restored from an older copy" in line["message"]]
    assert (line["level"], line["orders"], line["first_sequence"]) == ("ERROR", 5, 7)


def test_restarts_and_kills_lack_nothing(
    broker: Any, engine: Callable[..., Any], consume: Callable[..., list[Any]]
) -> None:
    """No false alarm: each engine goes on where the one before was killed."""
    for number in range(4):
        it = engine(KAFKA_BOOTSTRAP=broker.bootstrap).ready()
        place(it, *(f"{number}-{n}" for n in range(6)))
        if number % 2:
            it.until(it.everything_published)
        it.kill()
    it = engine(KAFKA_BOOTSTRAP=broker.bootstrap).ready()
    it.until(it.everything_published)
    it.until(lambda: any(line["message"] == "connected to the broker" for line in it.log()))
    assert it.stop() == 0

    seen = seen_once(consume(it.logs))
    assert sorted(sequence for topic, *_, sequence in seen if topic == "orders") == list(range(1, 25))
    assert not [line for line in it.log() if "older copy" in line["message"]]


class Rebuilt:
    """The book as docs/events.md says that it follows from the events; naive, and not the engine's."""

    def __init__(self, events: list[dict[str, Any]]) -> None:
        logs: dict[str, list[dict[str, Any]]] = {}
        for event in events:
            logs.setdefault(event["log"], []).append(event)
        for own in logs.values():
            own.sort(key=lambda event: event["sequence"])
        records: list[dict[str, Any]] = []
        for own in sorted(logs.values(), key=lambda own: own[0]["acceptedAt"]):
            records = [event for event in records if event["sequence"] < own[0]["sequence"]] + own
        assert [event["sequence"] for event in records] == list(range(1, len(records) + 1))
        self.resting: list[dict[str, Any]] = []
        self.fills: list[tuple[Any, ...]] = []
        for event in records:
            self._take(dict(event, left=event["quantity"]))

    def _take(self, it: dict[str, Any]) -> None:
        buys = it["side"] == "BUY"
        while it["type"] == "ORDER_PLACED" and it["left"]:
            makers = [
                other
                for other in self.resting
                if (other["symbol"], other["side"]) == (it["symbol"], "SELL" if buys else "BUY")
                and (
                    it["orderType"] == "MARKET"
                    or (other["price"] <= it["price"] if buys else other["price"] >= it["price"])
                )
            ]
            if not makers:
                break
            sign = 1 if buys else -1
            maker = min(makers, key=lambda other: (sign * other["price"], other["sequence"]))
            lots = min(it["left"], maker["left"])
            it["left"] -= lots
            maker["left"] -= lots
            self.fills.append(
                (it["sequence"], maker["sequence"], maker["price"], lots, it["orderId"], maker["orderId"])
            )
            self.resting = [other for other in self.resting if other["left"]]
        if it["left"] and it["orderType"] == "LIMIT":
            self.resting.append(it)


def test_the_book_follows_from_the_events(
    broker: Any, engine: Callable[..., Any], consume: Callable[..., list[Any]]
) -> None:
    """Seeds and all, over a restart, and every fill is the one that was told."""
    symbols = ("TEST-ASSET-A", "TEST-ASSET-B")
    for life in range(3):
        it = engine(KAFKA_BOOTSTRAP=broker.bootstrap).ready()
        assert it.seed(*range(100, 110), quantity=7).json() == {"seeded": 10}
        for number in range(40):
            side = "BUY" if number % 3 else "SELL"
            price = None if number % 7 == 0 else 96 + (number * 5 + life) % 12
            kind = "MARKET" if price is None else "LIMIT"
            more = {"symbol": symbols[number % 2], "type": kind, "orderId": f"{life}-{number}"}
            assert it.order(price, 3 + number % 9, side, **more).status_code == 200
        book = it.settled(40) and it.book()
        if life == 2:
            it.until(it.everything_published)
        it.kill()

    records = seen_once(consume(it.logs))
    rebuilt = Rebuilt([event for (topic, *_), event in records.items() if topic == "orders"])
    told = sorted(
        (event for (topic, *_), event in records.items() if topic == "matches"),
        key=lambda event: event["sequence"],
    )
    names = ("takerSequence", "makerSequence", "executionPrice", "executionQuantity")
    assert [tuple(event[name] for name in (*names, "takerOrderId", "makerOrderId")) for event in told] == (
        rebuilt.fills
    )
    assert len(told) > 60
    for side, label in (("BUY", "bid"), ("SELL", "ask")):
        mine = [order for order in rebuilt.resting if order["side"] == side]
        assert book[f"me_orderbook_depth{{'side': '{label}'}}"] == len(mine)
        prices = {(order["symbol"], order["price"]) for order in mine}
        assert book[f"me_orderbook_price_levels{{'side': '{label}'}}"] == len(prices)
