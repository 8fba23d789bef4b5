"""What the broker is told (stage 5 of five).

Events are a pure function of the log: an order's record gives one ORDER_PLACED
and a MATCH_EXECUTED for each fill, the same ones whenever it is replayed.  So
the log can stand in for the queue when the queue is full, and consumers can
drop what they have seen: ``sequence`` is unique for each topic and shard.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import orjson

from ..books import Fill
from ..orders import Order

TOPICS = ("orders", "matches")


class Event(NamedTuple):
    """One message for the broker.

    Attributes:
        topic: ``orders`` or ``matches``.
        key: the symbol, which decides the partition.
        value: JSON.
        sequence: of the event, unique for each topic, shard and log.
    """

    topic: str
    key: bytes
    value: bytes
    sequence: int


def events(shard: str, log_id: str, order: Order, fills: tuple[Fill, ...]) -> Iterator[Event]:
    """Yield the events of one order: first that it was placed, then each match in turn.

    Args:
        shard: the shard's name.
        log_id: identity of the log; tells sequences apart that restart with a new log.
        order: as it was sequenced.
        fills: as matching returned them.
    """
    key = order.symbol.encode()
    side = "BUY" if order.is_buy else "SELL"
    placed = {
        "type": "ORDER_PLACED",
        "orderId": order.order_id,
        "symbol": order.symbol,
        "side": side,
        "orderType": "MARKET" if order.is_market else "LIMIT",
        "price": None if order.is_market else order.price,
        "quantity": order.quantity,
        "timestamp": order.accepted if order.timestamp is None else order.timestamp,
        "acceptedAt": order.accepted,
        "shard": shard,
        "sequence": order.sequence,
        "log": log_id,
    }
    yield Event("orders", key, orjson.dumps(placed), order.sequence)
    for fill in fills:
        executed = {
            "type": "MATCH_EXECUTED",
            "matchId": f"{shard}-{log_id[:8]}-{fill.number}",
            "takerOrderId": order.order_id,
            "makerOrderId": fill.maker_order_id,
            "takerSequence": order.sequence,
            "makerSequence": fill.maker_sequence,
            "symbol": order.symbol,
            "executionPrice": fill.price,
            "executionQuantity": fill.quantity,
            "takerSide": side,
            "timestamp": order.accepted,
            "shard": shard,
            "sequence": fill.number,
            "log": log_id,
        }
        yield Event("matches", key, orjson.dumps(executed), fill.number)
