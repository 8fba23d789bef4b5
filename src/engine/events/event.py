"""What the broker is told (stage 5 of five).

Events are a pure function of the log: an order's record gives one ORDER_PLACED
and a MATCH_EXECUTED for each fill, a seed's one ORDER_SEEDED, the same ones
whenever it is replayed.  So the log can stand in for the queue when the queue
is full, and consumers can drop what they have seen.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from ..books import Fill
from ..log import SEED
from ..orders import Order

TOPICS = ("orders", "matches")
PLACED, SEEDED, EXECUTED = "ORDER_PLACED", "ORDER_SEEDED", "MATCH_EXECUTED"
TYPES = (PLACED, SEEDED, EXECUTED)


class Entry(msgspec.Struct, gc=False, frozen=True):
    """A record of the log that was executed; the garbage collector does not know it, and 200,000 may wait.

    Attributes:
        kind: of the record.
        order: that was matched, or seeded.
        fills: that it made.
    """

    kind: int
    order: Order
    fills: tuple[Fill, ...]


class Event(msgspec.Struct, gc=False, frozen=True):
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


class _Order(msgspec.Struct, gc=False, rename="camel"):
    """The value of ORDER_PLACED and ORDER_SEEDED."""

    type: str
    order_id: str
    symbol: str
    side: str
    order_type: str
    price: int | None
    quantity: int
    timestamp: int
    accepted_at: int
    shard: str
    sequence: int
    log: str


class _Match(msgspec.Struct, gc=False, rename="camel"):
    """The value of MATCH_EXECUTED."""

    type: str
    match_id: str
    taker_order_id: str
    maker_order_id: str
    taker_sequence: int
    maker_sequence: int
    symbol: str
    execution_price: int
    execution_quantity: int
    taker_side: str
    timestamp: int
    shard: str
    sequence: int
    log: str


_encode = msgspec.json.Encoder().encode


def events(shard: str, log: str, entry: Entry) -> Iterator[Event]:
    """Yield the events of one record: first that the order was placed, then each match in turn.

    Args:
        shard: the shard's name.
        log: identity of the record; tells sequences apart that restart with a new log or are given anew.
        entry: what was executed.
    """
    kind, order, fills = entry.kind, entry.order, entry.fills
    key = order.symbol.encode()
    side = "BUY" if order.is_buy else "SELL"
    name = SEEDED if kind == SEED else PLACED
    placed = _Order(
        name,
        order.order_id,
        order.symbol,
        side,
        "MARKET" if order.is_market else "LIMIT",
        None if order.is_market else order.price,
        order.quantity,
        order.accepted if order.timestamp is None else order.timestamp,
        order.accepted,
        shard,
        order.sequence,
        log,
    )
    yield Event("orders", key, _encode(placed), order.sequence, log, name)
    for fill in fills:
        number = fill.number
        executed = _Match(
            EXECUTED,
            f"{shard}-{log[:8]}-{number}",
            order.order_id,
            fill.maker_order_id,
            order.sequence,
            fill.maker_sequence,
            order.symbol,
            fill.price,
            fill.quantity,
            side,
            order.accepted,
            shard,
            number,
            log,
        )
        yield Event("matches", key, _encode(executed), number, log, EXECUTED)
