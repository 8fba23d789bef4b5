"""What Prometheus is told of a shard that is no count on an order's way: states, asked at each scrape."""

from __future__ import annotations

from functools import partial
from typing import Protocol

from ..books import Matcher
from ..log import Wal
from ..metrics import GcWatch, LoopWatch, Metrics
from ..orders import Order
from ..publishing import Publisher
from .ring import Ring


class Exposed(Protocol):
    """What of a shard is shown."""

    metrics: Metrics
    matcher: Matcher
    ring: Ring[Order]
    wal: Wal
    publisher: Publisher
    gc: GcWatch
    loop: LoopWatch


def expose(shard: Exposed) -> None:
    """Have ``shard``'s metrics ask it for its states."""
    metrics, matcher, queue = shard.metrics, shard.matcher, shard.publisher.queue
    metrics.gauge_by(
        "me_orderbook_depth",
        "Orders that rest, over all symbols of the shard.",
        "side",
        {"bid": lambda: matcher.depth(bids=True), "ask": lambda: matcher.depth(bids=False)},
    )
    metrics.gauge_by(
        "me_orderbook_price_levels",
        "Prices at which orders rest, over all symbols of the shard.",
        "side",
        {"bid": lambda: matcher.levels(bids=True), "ask": lambda: matcher.levels(bids=False)},
    )
    metrics.gauge(
        "me_ringbuffer_utilization_ratio", "How full the ring is, 0 to 1.", lambda: shard.ring.utilization
    )
    metrics.counter(
        "me_event_queue_overflows_total",
        "Times the event queue was full, and the log took over.",
        lambda: queue.overflows,
    )
    metrics.counter(
        "me_event_resends_total",
        "Times the broker had lost what it had acknowledged, and every event was sent again.",
        lambda: shard.publisher.resends,
    )
    metrics.gauge("me_event_queue_depth", "Events that wait for the broker in memory.", lambda: queue.depth)
    metrics.gauge(
        "me_event_backlog_orders",
        "Records behind the last published one, in memory or only in the log.",
        lambda: shard.publisher.backlog,
    )
    metrics.gauge(
        "me_wal_unsynced_records", "Records that power loss could take.", lambda: shard.wal.unsynced
    )
    metrics.counter_by(
        "me_wal_records_total",
        "Records appended to the log, by what they are of.",
        "kind",
        {"order": lambda: shard.wal.orders_written, "seed": lambda: shard.wal.seeds_written},
    )
    metrics.counter("me_wal_bytes_total", "Bytes appended to the log.", lambda: shard.wal.bytes_written)
    metrics.others += [shard.gc.families, shard.loop.families]
    _expose_broker(shard)


def _expose_broker(shard: Exposed) -> None:
    metrics, publisher = shard.metrics, shard.publisher
    failures = publisher.trouble.failures
    metrics.counter_by(
        "me_event_publish_failures_total",
        "Failed attempts to reach the broker, by what kept them from it.",
        "reason",
        {reason: partial(failures.__getitem__, reason) for reason in failures},
    )
    metrics.counter(
        "me_event_throttled_seconds_total",
        "Time for which the broker's quota asked to send nothing.",
        lambda: publisher.broker.throttled,
    )
    metrics.gauge(
        "me_event_partitions_expired",
        "Partitions of whose events the broker's retention has left none.",
        lambda: publisher.broker.expired,
    )
    metrics.gauge(
        "me_event_problems",
        "Reasons for which somebody should look at the broker or the log; /health has them in words.",
        lambda: len(publisher.problems()),
    )
    metrics.gauge(
        "me_wal_lost_orders",
        "Orders that the broker was told of before this start, and the log does not have.",
        lambda: publisher.lost.count,
    )
