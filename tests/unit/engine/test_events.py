from typing import Any

import orjson

from engine.books import Fill
from engine.events import Entry, events
from engine.log import ORDER, SEED
from engine.publishing import EventQueue

FILL = Fill(7, 3, "maker", 14950, 5)


def test_the_events_of_an_order_are_the_contracts(order: Any) -> None:
    made = order(15000, 10, sequence=9, accepted=1234, timestamp=1000, order_id="taker")

    placed, executed = events("a", "0123456789abcdef", Entry(ORDER, made, (FILL,)))

    assert (placed.topic, placed.key, executed.topic, executed.key) == ("orders", b"X", "matches", b"X")
    assert orjson.loads(placed.value) == {
        "type": "ORDER_PLACED",
        "orderId": "taker",
        "symbol": "X",
        "side": "BUY",
        "orderType": "LIMIT",
        "price": 15000,
        "quantity": 10,
        "timestamp": 1000,
        "acceptedAt": 1234,
        "shard": "a",
        "sequence": 9,
        "log": "0123456789abcdef",
    }
    assert orjson.loads(executed.value) == {
        "type": "MATCH_EXECUTED",
        "matchId": "a-01234567-7",
        "takerOrderId": "taker",
        "makerOrderId": "maker",
        "takerSequence": 9,
        "makerSequence": 3,
        "symbol": "X",
        "executionPrice": 14950,
        "executionQuantity": 5,
        "takerSide": "BUY",
        "timestamp": 1234,
        "shard": "a",
        "sequence": 7,
        "log": "0123456789abcdef",
    }


def test_a_market_order_has_no_price_and_without_a_timestamp_it_is_when_it_was_accepted(order: Any) -> None:
    (placed,) = events("a", "", Entry(ORDER, order(None, buy=False, accepted=1234), ()))

    found = orjson.loads(placed.value)
    assert (found["orderType"], found["price"], found["side"], found["timestamp"]) == (
        "MARKET",
        None,
        "SELL",
        1234,
    )


def test_an_order_that_was_filled_meanwhile_makes_the_same_events(order: Any) -> None:
    made = order(15000, 10, sequence=9)
    before = list(events("a", "", Entry(ORDER, made, (FILL,))))

    made.remaining = 0

    assert list(events("a", "", Entry(ORDER, made, (FILL,)))) == before


def test_a_full_queue_passes_over_all_that_follows(order: Any) -> None:
    queue = EventQueue(3)
    queue.hand(ORDER, order(1, sequence=1), (FILL,))
    queue.hand(ORDER, order(1, sequence=2), (FILL,))
    queue.hand(ORDER, order(1, sequence=3), ())  # would fit, but then there would be a gap before it

    assert (len(queue), queue.depth, queue.overflowed, queue.overflows) == (1, 2, True, 1)


def test_an_order_with_more_events_than_the_limit_still_passes(order: Any) -> None:
    queue = EventQueue(1)

    queue.hand(ORDER, order(1, sequence=1), (FILL, FILL))

    assert (queue.depth, queue.overflowed, queue.has_room()) == (3, False, False)
    queue.drop(1)
    assert (queue.depth, len(queue), queue.has_room()) == (0, 0, True)


def test_a_seed_is_told_as_what_it_is(order: Any) -> None:
    made = order(15000, 10, buy=False, sequence=9, accepted=1234, order_id="seed")

    (seeded,) = events("a", "f00d", Entry(SEED, made, ()))

    assert (seeded.topic, seeded.key, seeded.sequence, seeded.log, seeded.type) == (
        "orders",
        b"X",
        9,
        "f00d",
        "ORDER_SEEDED",
    )
    assert orjson.loads(seeded.value) == {
        "type": "ORDER_SEEDED",
        "orderId": "seed",
        "symbol": "X",
        "side": "SELL",
        "orderType": "LIMIT",
        "price": 15000,
        "quantity": 10,
        "timestamp": 1234,
        "acceptedAt": 1234,
        "shard": "a",
        "sequence": 9,
        "log": "f00d",
    }
