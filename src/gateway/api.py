"""The gateway over HTTP."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from wire import JSON, Answer, Request, Route, Site

from .config import NO_SHARD
from .metrics import PROBE, Metrics
from .routing import Router, error

SUMMARY_INTERVAL = 10.0
"""Seconds between two summaries in the log."""

MAX_ORDER = 64 << 10
"""Bytes in the largest order; an engine takes no larger one either."""

MAX_SEED = 16 << 20
"""Bytes in the largest seed: three times the 40,000 orders of the deepest books of an experiment."""

_log = logging.getLogger(__name__)


class Gateway:
    """What is asked, and what is answered: the edge of :mod:`wire`.

    Args:
        router: sends requests on.
        counts: where answers are counted.
    """

    def __init__(self, router: Router, counts: Metrics) -> None:
        self._router = router
        self._counts = counts
        self.site = Site(
            {
                b"/orders": {b"POST": Route(self._order, MAX_ORDER)},
                b"/health": {b"GET": Route(health)},
            },
            below={b"/seed/": {b"POST": Route(self._seed, MAX_SEED)}},
        )

    def _order(self, request: Request) -> Coroutine[Any, Any, Answer]:
        return self._router.order(request.body, request.header(b"content-type") or JSON)

    def _seed(self, request: Request) -> Coroutine[Any, Any, Answer]:
        shard = request.path[len(b"/seed/") :].decode("ascii", "replace")
        return self._router.seed(shard, request.body, request.header(b"content-type") or JSON)

    def refuse(self, status: int, reason: str) -> Answer:
        """Say why a request is not taken, in the form of all our errors."""
        return error(status, reason)

    def answered(self, answer: Answer, seconds: float) -> None:
        """Count an answer, whoever made it."""
        self._counts.answered(answer.label or NO_SHARD, answer.status, seconds)

    def unanswered(self, reason: str) -> None:
        """Count a request to which there can be no answer."""
        self._counts.unanswered(reason)


def health(_request: Request) -> Answer:
    """``GET /health``: the gateway's own; a shard that is down does not make it unhealthy."""
    return Answer(200, b'{"status":"UP","component":"edge-gateway"}', label=PROBE)


async def summaries(counts: Metrics) -> None:
    """Log a summary every ten seconds."""
    while True:
        await asyncio.sleep(SUMMARY_INTERVAL)
        log_summary(counts)


def log_summary(counts: Metrics) -> None:
    """Log what was counted since the last summary."""
    shards = {
        shard: {"requests": t.requests, "errors": t.errors, "slowest_ms": round(t.slowest * 1000, 2)}
        for shard, t in counts.take_tallies().items()
    }
    _log.info("summary", extra={"shards": shards})
