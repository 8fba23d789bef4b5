"""What an order is, from request to last fill."""

from __future__ import annotations


class Order:
    """One order, from request to last fill.

    Attributes:
        sequence: its identity, unique in the shard, given by the log (0 before that). Order ids may repeat.
        order_id: opaque, the client's.
        symbol: what is traded.
        is_buy: the side.
        is_market: takes any price and never rests.
        price: limit in cents; 0 for a market order.
        quantity: lots ordered.
        remaining: lots not yet filled; the only field that matching changes.
        timestamp: the client's own, epoch milliseconds, or None.
        accepted: when it was sequenced, epoch milliseconds.
        received: ``time.perf_counter()`` when the request had arrived; 0.0 when replayed.
    """

    __slots__ = (
        "accepted",
        "is_buy",
        "is_market",
        "order_id",
        "price",
        "quantity",
        "received",
        "remaining",
        "sequence",
        "symbol",
        "timestamp",
    )

    def __init__(  # noqa: PLR0913, PLR0917 - a record; the log's decoder makes a million of them
        self,
        order_id: str,
        symbol: str,
        is_buy: bool,  # noqa: FBT001
        is_market: bool,  # noqa: FBT001
        price: int,
        quantity: int,
        timestamp: int | None = None,
        sequence: int = 0,
        accepted: int = 0,
        received: float = 0.0,
    ) -> None:
        self.order_id = order_id
        self.symbol = symbol
        self.is_buy = is_buy
        self.is_market = is_market
        self.price = price
        self.quantity = quantity
        self.remaining = quantity
        self.timestamp = timestamp
        self.sequence = sequence
        self.accepted = accepted
        self.received = received

    def __repr__(self) -> str:
        side = "BUY" if self.is_buy else "SELL"
        price = "MARKET" if self.is_market else self.price
        lots = f"{self.remaining}/{self.quantity}"
        return f"<Order {self.sequence} {self.order_id!r} {side} {lots} {self.symbol} @ {price}>"
