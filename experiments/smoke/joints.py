"""What smoke does to the system by hand: one order of each kind through every joint, all of it on record."""

from __future__ import annotations

import time
from contextlib import ExitStack, suppress
from typing import Any

from experiments.exchange import GATEWAY, SYMBOLS, shard_service
from experiments.judging.perform import SETTLED
from experiments.judging.performed import SCRAPE
from experiments.loads import Workload
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


def services(workload: Workload) -> dict[str, str]:
    """Return the services that take part: those of its shards, and the gateway if orders go through that.

    >>> services(Workload.of("smoke", "full", "single"))
    {'a': 'me-shard-a'}
    """
    behind = {shard: shard_service(shard) for shard in workload.seeds}
    return {**behind, "gateway": GATEWAY} if workload.target == "gateway" else behind


def refusals(workload: Workload) -> list[tuple[str, dict[str, Any] | str, int, str]]:
    """Return those of :data:`REFUSALS` that somebody takes part in who can refuse them."""
    return [one for one in REFUSALS if one[0] == "engine" or workload.target == "gateway"]


def through_every_joint(deployment: Deployment, workload: Workload) -> dict[str, Any]:
    """Ask for health, match one BUY with two seeds on each shard, send what must be refused.

    Args:
        deployment: what is up.
        workload: whose shards; orders go where its orders go.

    Returns:
        ``whole``: unix seconds around it all, with a scrape before and after; ``done``: unix seconds when all
        of it was matched; ``health``, ``seeded``, ``routed``, ``refused``: what was answered.
    """
    began = time.time()
    known = {name: deployment.endpoint(service).url for name, service in services(workload).items()}
    routed_by = workload.target == "gateway"
    with ExitStack() as stack:
        at = {name: stack.enter_context(web.client(url, timeout=10)) for name, url in known.items()}
        health = {name: _answer(client.get("/health")) for name, client in at.items()}
        seeded, routed = {}, {}
        for shard in workload.seeds:
            symbol = SYMBOLS[shard][0]
            door, seeds = (at["gateway"], f"/seed/{shard}") if routed_by else (at[shard], "/seed")
            sells = [
                order(f"smoke-s{i}", symbol=symbol, side="SELL", quantity=q) for i, q in enumerate((30, 20))
            ]
            seeded[shard] = _answer(door.post(seeds, json={"orders": sells}))
            buy = order(f"smoke-b-{shard}", symbol=symbol, quantity=50)
            routed[shard] = _answer(door.post("/orders", json=buy))
        refused = []
        for where, what, _, _ in refusals(workload):
            body = {"content": what} if isinstance(what, str) else {"json": order("smoke-bad", **what)}
            refused.append(_answer(at["gateway" if where == "gateway" else "a"].post("/orders", **body)))
    time.sleep(SETTLED)
    done = time.time()
    counted = ("me_matches_total", *(("gw_requests_total",) if routed_by else ()))
    with suppress(WaitTimeout):  # who is not scraped has no figures, and the criteria say so, one by one
        wait_until_scraped(deployment.prometheus, *counted)
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
