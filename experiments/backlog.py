"""How far a shard's events are behind its orders, by its own word at this moment."""

from __future__ import annotations

from verdict_harness.processes import Answer, ask
from verdict_harness.systems import Deployment

from .exchange import shard_service


def backlog(deployment: Deployment, shard: str) -> float:
    """Return how many orders' events a shard has not handed over to the broker yet.

    Raises:
        Pending: it does not say.
    """
    return ask(deployment.endpoint(shard_service(shard), "metrics").url + "/metrics", _orders, timeout=5.0)


def _orders(answer: Answer) -> float:
    lines = (line for line in answer.text.splitlines() if line.startswith("me_event_backlog_orders{"))
    return float(next(lines).rsplit(" ", 1)[1])
