"""The engine's metrics: plain numbers on the hot path, exposition only when asked.

``prometheus_client`` locks and looks up on every observation (over 1 µs each,
and an order makes six).  Every number here has one writer, so it needs no lock:
an observation is one bisection and two additions, and a collector turns the
numbers into families when Prometheus scrapes.  No lock also means that the
garbage collector's callback may count whatever it has interrupted.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from .orders import REASONS

TOPICS = ("orders", "matches")

_TEN = (1, 1.25, 1.6, 2, 2.5, 3.15, 4, 5, 6.3, 8)  # steps of a decade, a quarter apart
_FORTY = (
    *(1, 1.06, 1.12, 1.18, 1.25, 1.32, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 2, 2.12, 2.24, 2.36, 2.5, 2.65, 2.8, 3),
    *(3.15, 3.35, 3.55, 3.75, 4, 4.25, 4.5, 4.75, 5, 5.3, 5.6, 6, 6.3, 6.7, 7.1, 7.5, 8, 8.5, 9, 9.5),
)  # 6 % apart; both are the preferred numbers of ISO 3


def grid(steps: Iterable[float], low: float, high: float, *exact: float) -> tuple[float, ...]:
    """Return the bounds from ``low`` to ``high`` that have ``steps`` to a decade, and ``exact`` ones.

    >>> grid(_TEN, 1e-3, 5e-3, 3e-3)
    (0.001, 0.00125, 0.0016, 0.002, 0.0025, 0.003, 0.00315, 0.004, 0.005)
    """
    # Through text, so that a bound is the same number as the literal in a query.
    every = {float(f"{step}e{power}") for power in range(-7, 2) for step in steps}
    return tuple(sorted({bound for bound in every if low <= bound <= high} | set(exact)))


# Where p99 lives, a change of 10 % must show. More buckets cost a scrape more, and an observation nothing.
MATCH_BUCKETS = grid(_TEN, 20e-6, 1.0, *grid(_FORTY, 50e-6, 20e-3))


def coarse(low: float, high: float, *exact: float) -> tuple[float, ...]:
    """Return bounds with five to a decade, and ``exact`` ones."""
    return grid((1, 1.5, 2.5, 4, 6.5), low, high, *exact)


STAGE = (0.0001, 0.0005, 0.001, 0.005, 0.01)
VALIDATION_BUCKETS = coarse(1e-6, 10e-3, *STAGE, 2e-3, 4e-3, 6e-3)
INSERTION_BUCKETS = coarse(1e-6, 10e-3, *STAGE, 50e-6, 100e-6, 150e-6)
MATCHING_BUCKETS = coarse(1e-6, 50e-3, *STAGE, 0.05, 5e-3, 10e-3, 15e-3)
WAL_BUCKETS = coarse(2.5e-6, 0.1, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 20e-3, 40e-3, 60e-3)
PUBLISH_BUCKETS = coarse(1e-6, 10e-3, *STAGE, 1e-3, 1.5e-3)
SYNC_BUCKETS = coarse(100e-6, 10.0)
GC_BUCKETS = coarse(10e-6, 0.1, 0.005, 0.01, 0.25, 0.5, 1.0)


class Histogram:
    """A histogram with one writer.

    >>> histogram = Histogram("demo_seconds", "A demonstration.", (0.1, 0.2))
    >>> for seconds in (0.1, 0.15, 7.0):
    ...     histogram.observe(seconds)
    >>> histogram.counts
    [1, 1, 1]
    """

    __slots__ = ("bounds", "counts", "help", "name", "sum")

    def __init__(self, name: str, text: str, bounds: Sequence[float]) -> None:
        self.name = name
        self.help = text
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one value.  O(log buckets)."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum += seconds

    def family(self, shard: str) -> Metric:
        """Return what Prometheus is told."""
        family = HistogramMetricFamily(self.name, self.help, labels=["shard"])
        total, buckets = 0, []
        # A copy, so that the count below is that of these buckets whatever the writer does meanwhile.
        for bound, count in zip((*self.bounds, float("inf")), list(self.counts), strict=True):
            total += count
            buckets.append((floatToGoString(bound), total))  # type: ignore[no-untyped-call]
        family.add_metric([shard], buckets, self.sum)
        return family


def quantile(bounds: Sequence[float], counts: Sequence[int], fraction: float) -> float | None:
    """Return the upper bound of the bucket in which the quantile lies; None of no observations.

    >>> quantile((0.1, 0.2), [98, 2, 0], 0.99)
    0.2
    """
    rank, seen = fraction * sum(counts), 0
    for bound, count in zip((*bounds, float("inf")), counts, strict=True):
        seen += count
        if count and seen >= rank:
            return bound
    return None


class Metrics(Collector):
    """Every number of one engine.

    Attributes are plain integers, floats and :class:`Histogram`; the code that
    owns an event adds to them. ``gauges`` are asked at each scrape.
    """

    def __init__(self, shard: str) -> None:
        self.shard = shard
        self.match = Histogram(
            "me_match_duration_seconds", "From request received to the result of matching.", MATCH_BUCKETS
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
        self.wal_sync = Histogram(
            "me_wal_sync_duration_seconds", "One group commit of the log to the disk.", SYNC_BUCKETS
        )
        self.matches = 0
        self.executed = 0
        self.received_buy = 0
        self.received_sell = 0
        self.seeded = 0
        self.publish_errors = 0
        self.published = dict.fromkeys(TOPICS, 0)
        self.rejected = dict.fromkeys(REASONS, 0)
        self.recovered_orders = 0
        self.recovery_seconds = 0.0
        self.gauges: list[tuple[str, str, str, dict[str, Callable[[], float]]]] = []
        self.counters: list[tuple[str, str, Callable[[], int]]] = []
        self.others: list[Callable[[str], Iterable[Metric]]] = [_process]
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(self)

    @property
    def received(self) -> int:
        """Orders sequenced."""
        return self.received_buy + self.received_sell

    def counter(self, name: str, text: str, count: Callable[[], int]) -> None:
        """Add a counter that is kept elsewhere; ``count`` is called in the scraping thread."""
        self.counters.append((name, text, count))

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
        for name, text, count in self.counters:
            yield self._counter(name, text, {"": count()})
        yield self._gauge("me_recovery_orders", "Orders replayed at start.", "", {"": self.recovered_orders})
        yield self._gauge("me_recovery_seconds", "How long the replay took.", "", {"": self.recovery_seconds})
        for name, text, label, values in self.gauges:
            yield self._gauge(name, text, label, {key: value() for key, value in values.items()})
        for other in self.others:
            yield from other(self.shard)

    def _counter(self, name: str, text: str, values: dict[str, int], label: str = "") -> Metric:
        family = CounterMetricFamily(name, text, labels=["shard", label] if label else ["shard"])
        for key, value in values.items():
            family.add_metric([self.shard, key] if label else [self.shard], value)
        return family

    def _gauge(self, name: str, text: str, label: str, values: dict[str, float]) -> Metric:
        family = GaugeMetricFamily(name, text, labels=["shard", label] if label else ["shard"])
        for key, value in values.items():
            family.add_metric([self.shard, key] if label else [self.shard], value)
        return family


def resident_memory() -> float:
    """Return the memory that this process holds, in bytes; where that is not told, the most it ever held."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _process(shard: str) -> Iterator[Metric]:
    memory = GaugeMetricFamily("me_process_resident_memory_bytes", "Memory held.", labels=["shard"])
    memory.add_metric([shard], resident_memory())
    yield memory
    cpu = CounterMetricFamily("me_process_cpu_seconds_total", "CPU time, of all threads.", labels=["shard"])
    cpu.add_metric([shard], time.process_time())
    yield cpu
