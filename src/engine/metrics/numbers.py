"""The engine's metrics: plain numbers on the hot path, exposition only when asked.

``prometheus_client`` locks and looks up on every observation (over 1 µs each,
and an order makes six).  Every number here has one writer, so it needs no lock:
an observation is one bisection and two additions, and a collector turns the
numbers into families when Prometheus scrapes.  No lock also means that the
garbage collector's callback may count whatever it has interrupted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ..orders import REASONS
from .buckets import (
    INSERTION_BUCKETS,
    MATCH_BUCKETS,
    MATCHING_BUCKETS,
    PUBLISH_BUCKETS,
    SYNC_BUCKETS,
    VALIDATION_BUCKETS,
    WAIT_BUCKETS,
    WAL_BUCKETS,
)
from .histogram import Histogram
from .process import process


class Metrics(Collector):
    """Every number of one engine.

    Attributes are plain integers, floats and :class:`Histogram`; the code that
    owns an event adds to them. ``gauges`` are asked at each scrape.
    """

    def __init__(self, shard: str) -> None:
        self.shard = shard
        self.match = Histogram(
            "me_match_duration_seconds",
            "From the last bytes of the request read off its socket to the result of matching; "
            "what waits in the kernel while the event loop is late shows in me_event_loop_lag_seconds.",
            MATCH_BUCKETS,
        )
        self.validation = Histogram(
            "me_order_validation_duration_seconds", "Stage 1: decode and check a request.", VALIDATION_BUCKETS
        )
        self.wal_append = Histogram(
            "me_wal_append_duration_seconds", "Stage 2: append to the write-ahead log.", WAL_BUCKETS
        )
        self.insertion = Histogram(
            "me_orderbook_insertion_duration_seconds",
            "Stage 3: find the book, and rest what matching left.",
            INSERTION_BUCKETS,
        )
        self.matching = Histogram(
            "me_matching_algorithm_duration_seconds",
            "Stage 4: fill the order from the other side.",
            MATCHING_BUCKETS,
        )
        self.publish = Histogram(
            "me_event_publish_duration_seconds",
            "Stage 5: hand the order's events to the publisher's queue.",
            PUBLISH_BUCKETS,
        )
        self.ring_wait = Histogram(
            "me_ring_wait_seconds", "From the record in the log to the beginning of matching.", WAIT_BUCKETS
        )
        self.wal_sync = Histogram(
            "me_wal_sync_duration_seconds", "One group commit of the log to the disk.", SYNC_BUCKETS
        )
        self.matches = 0
        self.matched = 0
        self.executed = 0
        self.received_buy = 0
        self.received_sell = 0
        self.seeded = 0
        self.publish_errors = 0
        self.published: dict[str, int] = {}  # by topic
        self.events_made: dict[str, int] = {}  # by type, as the next two
        self.events_sent: dict[str, int] = {}
        self.events_acknowledged: dict[str, int] = {}
        self.rejected = dict.fromkeys(REASONS, 0)
        self.recovered_orders = 0
        self.recovery_seconds = 0.0
        self.gauges: list[tuple[str, str, str, dict[str, Callable[[], float]]]] = []
        self.counters: list[tuple[str, str, str, dict[str, Callable[[], float]]]] = []
        self.others: list[Callable[[str], Iterable[Metric]]] = [process]
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(self)

    @property
    def received(self) -> int:
        """Orders sequenced."""
        return self.received_buy + self.received_sell

    def counter(self, name: str, text: str, count: Callable[[], float]) -> None:
        """Add a counter that is kept elsewhere; ``count`` is called in the scraping thread."""
        self.counters.append((name, text, "", {"": count}))

    def counter_by(self, name: str, text: str, label: str, counts: dict[str, Callable[[], float]]) -> None:
        """Add a counter with one more label."""
        self.counters.append((name, text, label, counts))

    def gauge(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Add a gauge; ``value`` is called in the scraping thread."""
        self.gauges.append((name, text, "", {"": value}))

    def gauge_by(self, name: str, text: str, label: str, values: dict[str, Callable[[], float]]) -> None:
        """Add a gauge with one more label."""
        self.gauges.append((name, text, label, values))

    def describe(self) -> list[Metric]:
        """Say that there is nothing to check for duplicates at registration."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield every family, each with the label ``shard``."""
        for histogram in (
            self.match,
            self.validation,
            self.wal_append,
            self.insertion,
            self.matching,
            self.publish,
            self.ring_wait,
            self.wal_sync,
        ):
            yield histogram.family(self.shard)
        yield self._counter("me_matches_total", "Matches executed.", {"": self.matches})
        yield self._counter(
            "me_orders_received_total",
            "Orders accepted, that is sequenced in the log.",
            {"buy": self.received_buy, "sell": self.received_sell},
            "side",
        )
        yield self._counter(
            "me_orders_matched_total",
            "Orders taken through matching, with fills or without.",
            {"": self.matched},
        )
        yield self._counter(
            "me_orders_executed_total", "Incoming orders that matched at least once.", {"": self.executed}
        )
        yield self._counter("me_orders_rejected_total", "Orders refused.", dict(self.rejected), "reason")
        yield self._counter("me_orders_seeded_total", "Orders rested by /seed.", {"": self.seeded})
        yield self._counter(
            "me_event_publish_errors_total", "Failed attempts to reach the broker.", {"": self.publish_errors}
        )
        yield self._counter(
            "me_events_published_total", "Events that the broker acknowledged.", dict(self.published), "topic"
        )
        for name, text, counts in (
            ("me_events_made_total", "Events of what was matched or seeded.", self.events_made),
            ("me_events_sent_total", "Events given to the broker, repeats included.", self.events_sent),
            (
                "me_events_acknowledged_total",
                "Events that the broker acknowledged, repeats included.",
                self.events_acknowledged,
            ),
        ):
            yield self._counter(name, text, dict(counts), "type")
        for name, text, label, values in self.counters:
            yield self._counter(name, text, {key: value() for key, value in values.items()}, label)
        yield self._gauge("me_recovery_orders", "Orders replayed at start.", "", {"": self.recovered_orders})
        yield self._gauge("me_recovery_seconds", "How long the replay took.", "", {"": self.recovery_seconds})
        for name, text, label, values in self.gauges:
            yield self._gauge(name, text, label, {key: value() for key, value in values.items()})
        for other in self.others:
            yield from other(self.shard)

    def _counter(self, name: str, text: str, values: Mapping[str, float], label: str = "") -> Metric:
        family = CounterMetricFamily(name, text, labels=["shard", label] if label else ["shard"])
        for key, value in values.items():
            family.add_metric([self.shard, key] if label else [self.shard], value)
        return family

    def _gauge(self, name: str, text: str, label: str, values: dict[str, float]) -> Metric:
        family = GaugeMetricFamily(name, text, labels=["shard", label] if label else ["shard"])
        for key, value in values.items():
            family.add_metric([self.shard, key] if label else [self.shard], value)
        return family
