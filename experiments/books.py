"""Takes from the books whatever rests there, by orders that meet all of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from verdict_harness.errors import Inconclusive
from verdict_harness.processes import web

from .exchange import SYMBOLS

EVERYTHING = 2**40  # lots: more than any book of an experiment has


def sweep(url: str, shards: Sequence[str], name: str) -> list[str]:
    """Let a market order for everything meet each side of each book; return the ids of these orders.

    What rested trades then in its order, so that the events of it tell the whole book.

    Args:
        url: where orders are accepted.
        shards: whose books.
        name: how the ids begin.

    Raises:
        Inconclusive: one was not accepted.
    """
    orders = [
        {
            "orderId": f"{name}-{symbol}-{side}",
            "symbol": symbol,
            "side": side,
            "type": "MARKET",
            "quantity": EVERYTHING,
        }
        for shard in shards
        for symbol in SYMBOLS[shard]
        for side in ("BUY", "SELL")
    ]
    with web.client(url, timeout=30) as http:
        for order in orders:
            place(http, url, order)
    return [str(order["orderId"]) for order in orders]


def place(http: web.Client, url: str, order: dict[str, Any]) -> None:
    """Place one order.

    Raises:
        Inconclusive: it was not accepted.
    """
    try:
        answer = http.post(f"{url}/orders", json=order)
        found = f"{answer.status_code}, {answer.text[:200]}"
        accepted = answer.status_code == web.status.OK and answer.json().get("status") == "ACCEPTED"
    except (web.HttpError, ValueError) as error:
        accepted, found = False, repr(error)
    if not accepted:
        raise Inconclusive("an order was not accepted", expected="200, ACCEPTED", found=found, where=url)
