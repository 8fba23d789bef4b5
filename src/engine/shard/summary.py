"""What an operator reads in the log every few seconds, while something happens."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from ..metrics import Histogram, quantile
from .exposition import Exposed

log = logging.getLogger(__name__)

SUMMARY_SECONDS = 10.0


async def summarise(shard: Exposed) -> None:
    """Log what has happened since the last time, until cancelled."""
    metrics = shard.metrics
    before = (0, 0, 0, 0, [0] * len(metrics.match.counts))
    while True:
        now = (
            metrics.received,
            metrics.matches,
            sum(metrics.rejected.values()),
            metrics.publish_errors,
            list(metrics.match.counts),
        )
        if now[:4] != (0, 0, 0, 0):
            log.info("summary", extra=_since(shard, before, now))
        before = now
        await asyncio.sleep(SUMMARY_SECONDS)


def _since(shard: Exposed, before: tuple[Any, ...], now: tuple[Any, ...]) -> dict[str, object]:
    histogram: Histogram = shard.metrics.match
    fresh = [after - earlier for after, earlier in zip(now[4], before[4], strict=True)]
    p99 = quantile(histogram.bounds, fresh, 0.99)
    return {
        "orders": now[0] - before[0],
        "matches": now[1] - before[1],
        "rejected": now[2] - before[2],
        "publish_errors": now[3] - before[3],
        "match_p99_ms": None if p99 is None else round(p99 * 1000, 3),
        "event_queue_depth": shard.publisher.queue.depth,
        "ring": len(shard.ring),
        "bids": shard.matcher.depth(bids=True),
        "asks": shard.matcher.depth(bids=False),
        "unsynced": shard.wal.unsynced,
    }
