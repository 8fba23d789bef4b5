"""What smoke does to the system by hand: one order of each kind through every joint, all of it on record."""

from __future__ import annotations

import time
from contextlib import ExitStack, suppress
from typing import Any

from experiments.exchange import GATEWAY, SYMBOLS, shard_service
from experiments.judging.perform import SETTLED
from experiments.judging.performed import SCRAPE
from verdict_harness.errors import WaitTimeout
from verdict_harness.processes import web
from verdict_harness.systems import Deployment, wait_until_scraped

# What is refused, and the status and words it is refused with: docs/reference.md.
REFUSALS: tuple[tuple[str, dict[str, Any] | str, int, str], ...] = (
    ("engine", {"symbol": "NO-SUCH"}, 400, "Unknown symbol: NO-SUCH"),
    ("engine", {"side": "HOLD"}, 400, "side"),
    ("engine", {"type": "STOP"}, 400, "type"),
    ("engine", {"price": 0}, 400, "price"),
    ("engine", {"price": "15000"}, 400, "price"),
    ("engine", {"quantity": -5}, 400, "quantity"),
    ("engine", {"quantity": 1.5}, 400, "quantity"),
    ("engine", "{not json", 400, ""),
    ("gateway", {"symbol": "NO-SUCH"}, 400, "Unknown symbol: NO-SUCH"),
    ("gateway", "{not json", 400, ""),
)


def order(name: str, **changes: Any) -> dict[str, Any]:
    """Return a good order, changed."""
    good = {
        "orderId": name,
        "symbol": "TEST-ASSET-A",
        "side": "BUY",
        "type": "LIMIT",
        "price": 15000,
        "quantity": 10,
    }
    return {**good, **changes}


def through_every_joint(deployment: Deployment) -> dict[str, Any]:
    """Ask for health, match one BUY with two seeds on each shard by the gateway, send what must be refused.

    Returns:
        ``whole``: unix seconds around it all, with a scrape before and after; ``done``: unix seconds when all
        of it was matched; ``health``, ``seeded``, ``routed``, ``refused``: what was answered.
    """
    began = time.time()
    gateway = deployment.endpoint(GATEWAY).url
    engines = {shard: deployment.endpoint(shard_service(shard)).url for shard in SYMBOLS}
    with ExitStack() as stack:
        known = {**engines, "gateway": gateway}
        at = {name: stack.enter_context(web.client(url, timeout=10)) for name, url in known.items()}
        health = {name: _answer(client.get("/health")) for name, client in at.items()}
        seeded, routed = {}, {}
        for shard, (symbol, *_) in SYMBOLS.items():
            sells = [
                order(f"smoke-s{i}", symbol=symbol, side="SELL", quantity=q) for i, q in enumerate((30, 20))
            ]
            seeded[shard] = _answer(at["gateway"].post(f"/seed/{shard}", json={"orders": sells}))
            buy = order(f"smoke-b-{shard}", symbol=symbol, quantity=50)
            routed[shard] = _answer(at["gateway"].post("/orders", json=buy))
        refused = []
        for where, what, _, _ in REFUSALS:
            body = {"content": what} if isinstance(what, str) else {"json": order("smoke-bad", **what)}
            refused.append(_answer(at["gateway" if where == "gateway" else "a"].post("/orders", **body)))
    time.sleep(SETTLED)
    done = time.time()
    with suppress(WaitTimeout):  # who is not scraped has no figures, and the criteria say so, one by one
        wait_until_scraped(deployment.prometheus, "me_matches_total", "gw_requests_total")
    return {
        "whole": [began - 2 * SCRAPE, time.time()],
        "done": done,
        "prometheus": deployment.prometheus,
        "health": health,
        "seeded": seeded,
        "routed": routed,
        "refused": refused,
    }


def _answer(response: web.Response) -> dict[str, Any]:
    try:
        return {"status": response.status_code, "body": response.json()}
    except ValueError:
        return {"status": response.status_code, "text": response.text}
