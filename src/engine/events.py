"""What the broker is told, and the bounded queue in front of it (stage 5 of five).

Events are a pure function of the log: an order's record gives one ORDER_PLACED
and a MATCH_EXECUTED for each fill, the same ones whenever it is replayed.  So
the log can stand in for the queue when the queue is full, and consumers can
drop what they have seen: ``sequence`` is unique for each topic and shard.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import orjson

from .matching import Fill
from .orders import Order


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


Entry = tuple[Order, tuple[Fill, ...]]
"""An order that was executed, and its fills."""


class EventQueue:
    """Executed orders whose events the broker has not acknowledged.

    An order costs one append here, whatever the broker does.  When the queue is
    full it says so (:attr:`overflowed`) and takes nothing more, so that what it
    holds is always a gapless run of the log; the rest is read from the log later.

    Args:
        limit: events that it may hold. An order is taken whole, and a single one always.

    Attributes:
        depth: events in it.
        overflowed: whether orders have been passed over since it was last complete.
        overflows: how often that began.
    """

    __slots__ = ("_entries", "depth", "limit", "overflowed", "overflows")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.depth = 0
        self.overflowed = False
        self.overflows = 0
        self._entries: deque[Entry] = deque()

    def __len__(self) -> int:
        return len(self._entries)

    def has_room(self) -> bool:
        """Return whether the next order, read from the log, may be added."""
        return self.depth < self.limit

    def hand(self, order: Order, fills: tuple[Fill, ...]) -> None:
        """Take an order that was just executed, unless the queue is full or behind.  O(1), never waits."""
        if self.overflowed:
            return
        count = 1 + len(fills)
        if self._entries and self.depth + count > self.limit:
            self.overflowed = True
            self.overflows += 1
            return
        self._entries.append((order, fills))
        self.depth += count

    def refill(self, order: Order, fills: tuple[Fill, ...]) -> None:
        """Take an order that was read back from the log."""
        self._entries.append((order, fills))
        self.depth += 1 + len(fills)

    def begin_again(self) -> None:
        """Drop everything; all of it is to be read from the log, from its first record."""
        self._entries.clear()
        self.depth = 0
        self.overflowed = True

    def first(self, count: int) -> list[Entry]:
        """Return the oldest ``count`` entries, or fewer, without taking them out."""
        return list(islice(self._entries, count))

    def drop(self, count: int) -> None:
        """Take out the oldest ``count`` entries."""
        for _ in range(count):
            _, fills = self._entries.popleft()
            self.depth -= 1 + len(fills)
