"""What makes a request an order (stage 1 of five)."""

from __future__ import annotations

import reprlib
from collections.abc import Container
from typing import Any

from .order import Order

MAX_ORDER_ID = 128
"""Characters in the longest order id that is taken."""

MAX_VALUE = 2**63 - 1
"""Largest price, quantity and timestamp: they are 64-bit integers in the log and at every consumer."""

REASONS = (
    "malformed",
    "order_id",
    "unknown_symbol",
    "side",
    "type",
    "price",
    "quantity",
    "timestamp",
    "ring_full",
    "wal",
    "stopping",
)
"""Values of the label ``reason`` of ``me_orders_rejected_total``."""


class Rejected(Exception):  # noqa: N818 - the word of the answer's status
    """An order that was not taken.

    Args:
        label: one of :data:`REASONS`.
        reason: what the client is told.
        status: HTTP status of the answer.
        order_id: the order's id, if it had one.
    """

    def __init__(self, label: str, reason: str, *, status: int = 400, order_id: str | None = None) -> None:
        super().__init__(reason)
        self.label = label
        self.reason = reason
        self.status = status
        self.order_id = order_id


def parse(body: Any, symbols: Container[str]) -> Order:
    """Make an order of a decoded JSON body, or say why it is none.  O(1).

    Fields that docs/reference.md does not name are ignored, as is the price of a
    market order.  ``bool`` is not an integer here, and ``10.0`` is not either.

    Raises:
        Rejected: with status 400.

    >>> body = {"orderId": "1", "symbol": "X", "side": "BUY", "price": 150, "quantity": 2}
    >>> parse(body, {"X"})
    <Order 0 '1' BUY 2/2 X @ 150>
    >>> parse(body, {"Y"})
    Traceback (most recent call last):
    ...
    engine.orders.validation.Rejected: Unknown symbol: X
    """
    if type(body) is not dict:
        raise Rejected("malformed", "The body must be a JSON object")
    get = body.get
    order_id = get("orderId")
    if type(order_id) is not str or not 0 < len(order_id) <= MAX_ORDER_ID:
        raise Rejected("order_id", f"orderId must be a string of 1 to {MAX_ORDER_ID} characters")
    symbol = get("symbol")
    if type(symbol) is not str or symbol not in symbols:
        raise Rejected("unknown_symbol", f"Unknown symbol: {_shown(symbol)}", order_id=order_id)
    side = get("side")
    if side != "BUY" and side != "SELL":  # noqa: PLR1714 - a set look-up fails on what can't be hashed
        raise Rejected("side", f"side must be BUY or SELL, not {_shown(side)}", order_id=order_id)
    kind = get("type", "LIMIT")
    if kind != "LIMIT" and kind != "MARKET":  # noqa: PLR1714
        raise Rejected("type", f"type must be LIMIT or MARKET, not {_shown(kind)}", order_id=order_id)
    is_market = kind == "MARKET"
    price: Any = 0 if is_market else get("price")
    if not is_market and (type(price) is not int or not 0 < price <= MAX_VALUE):
        raise Rejected("price", f"price must be a positive integer, not {_shown(price)}", order_id=order_id)
    quantity = get("quantity")
    if type(quantity) is not int or not 0 < quantity <= MAX_VALUE:
        raise Rejected(
            "quantity", f"quantity must be a positive integer, not {_shown(quantity)}", order_id=order_id
        )
    timestamp = get("timestamp")
    if timestamp is not None and (type(timestamp) is not int or not 0 <= timestamp <= MAX_VALUE):
        raise Rejected(
            "timestamp", f"timestamp must be epoch milliseconds, not {_shown(timestamp)}", order_id=order_id
        )
    return Order(order_id, symbol, side == "BUY", is_market, price, quantity, timestamp)


def parse_seed(body: Any, symbols: Container[str]) -> Order:
    """As :func:`parse`, for an order that is to rest: a market order can't.

    Raises:
        Rejected: with status 400.
    """
    order = parse(body, symbols)
    if order.is_market:
        raise Rejected("type", "a market order never rests, so it can't be seeded", order_id=order.order_id)
    return order


def _shown(value: object) -> str:
    """A value as it may stand in a reason: a string as it is, anything else as Python shows it, and short."""
    # reprlib's, as values may be nested more deeply than repr() can show.
    text = value if isinstance(value, str) else "missing" if value is None else reprlib.repr(value)
    return text if len(text) <= MAX_ORDER_ID else text[:MAX_ORDER_ID] + "…"
