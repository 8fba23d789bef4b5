"""What an order is, from request to last fill."""

from __future__ import annotations

import msgspec


class Order(msgspec.Struct, gc=False, eq=False):
    """One order, from request to last fill.

    It refers to nothing that could refer back to it, and the garbage collector
    does not know it (``gc=False``): 300,000 that rest cost a collection nothing.

    Attributes:
        order_id: opaque, the client's.
        symbol: what is traded.
        is_buy: the side.
        is_market: takes any price and never rests.
        price: limit in cents; 0 for a market order.
        quantity: lots ordered.
        timestamp: the client's own, epoch milliseconds, or None.
        sequence: its identity, unique in the shard, given by the log (0 before that). Order ids may repeat.
        accepted: when it was sequenced, epoch milliseconds.
        received: ``time.perf_counter()`` when the request had arrived; 0.0 when replayed.
        queued: ``time.perf_counter()`` when it was in the log and began to wait for matching.
        remaining: lots not yet filled; the only field that matching changes.
    """

    order_id: str
    symbol: str
    is_buy: bool
    is_market: bool
    price: int
    quantity: int
    timestamp: int | None = None
    sequence: int = 0
    accepted: int = 0
    received: float = 0.0
    queued: float = 0.0
    remaining: int = -1

    def __post_init__(self) -> None:
        if self.remaining < 0:
            self.remaining = self.quantity

    def __repr__(self) -> str:
        side = "BUY" if self.is_buy else "SELL"
        price = "MARKET" if self.is_market else self.price
        lots = f"{self.remaining}/{self.quantity}"
        return f"<Order {self.sequence} {self.order_id!r} {side} {lots} {self.symbol} @ {price}>"
