"""What the broker is told (stage 5 of five).

Events are a pure function of the log: an order's record gives one ORDER_PLACED
and a MATCH_EXECUTED for each fill, a seed's one ORDER_SEEDED, the same ones
whenever it is replayed.  So the log can stand in for the queue when the queue
is full, and consumers can drop what they have seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import orjson

from ..books import Fill
from ..log import SEED
from ..orders import Order

TOPICS = ("orders", "matches")
PLACED, SEEDED, EXECUTED = "ORDER_PLACED", "ORDER_SEEDED", "MATCH_EXECUTED"
TYPES = (PLACED, SEEDED, EXECUTED)


# A plain tuple: the garbage collector forgets it, and 200,000 of them may wait.
Entry = tuple[int, Order, tuple[Fill, ...]]
"""A record of the log that was executed: its type, its order, the fills that this made."""


class Event(NamedTuple):
    """One message for the broker.

    Attributes:
        topic: ``orders`` or ``matches``.
        key: the symbol, which decides the partition.
        value: JSON.
        sequence: of the event, unique for each topic, shard and log.
        log: identity under which its record was written.
        type: one of :data:`TYPES`.
    """

    topic: str
    key: bytes
    value: bytes
    sequence: int
    log: str
    type: str


def events(shard: str, log: str, entry: Entry) -> Iterator[Event]:
    """Yield the events of one record: first that the order was placed, then each match in turn.

    Args:
        shard: the shard's name.
        log: identity of the record; tells sequences apart that restart with a new log or are given anew.
        entry: what was executed.
    """
    kind, order, fills = entry
    key = order.symbol.encode()
    side = "BUY" if order.is_buy else "SELL"
    name = SEEDED if kind == SEED else PLACED
    placed = {
        "type": name,
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
        "log": log,
    }
    yield Event("orders", key, orjson.dumps(placed), order.sequence, log, name)
    for fill in fills:
        executed = {
            "type": EXECUTED,
            "matchId": f"{shard}-{log[:8]}-{fill.number}",
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
            "log": log,
        }
        yield Event("matches", key, orjson.dumps(executed), fill.number, log, EXECUTED)
