"""What the gateway counts and times, on a registry of its own.

Every series exists from the start: a counter that appears with its first error can't be told from one that
was never scraped, and ``rate()`` misses the step from nothing to one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from .config import NO_SHARD

STATUSES = ("2xx", "4xx", "5xx")
UNKNOWN_SYMBOL = "unknown_symbol"
SHARD_UNAVAILABLE = "shard_unavailable"
TIMEOUT = "timeout"
REASONS = (UNKNOWN_SYMBOL, SHARD_UNAVAILABLE, TIMEOUT)
UNANSWERED = ("broke_off", "unread", "too_many")
PROBE = "probe"
"""Label of answers to health probes, which are no shard's and no client's business."""

_SERVER_ERROR = 500

# Those of the engine's match histogram (.001 .005 .01 .025 .05 .1 .2 .5 1), finer ones between them because
# a healthy hop takes less than 2 ms, and two beyond, because a request may take 5 s.
REQUEST_BUCKETS = (
    *(0.00025, 0.0005, 0.00075, 0.001, 0.0015, 0.002, 0.003, 0.004, 0.005, 0.0075, 0.01, 0.015, 0.025),
    *(0.035, 0.05, 0.075, 0.1, 0.15, 0.2, 0.35, 0.5, 1.0, 2.0, 5.0),
)


@dataclass(slots=True)
class Tally:
    """Requests of one shard since the last summary."""

    requests: int = 0
    errors: int = 0
    slowest: float = 0.0


class Metrics:
    """All series of one gateway.

    Args:
        shards: names of the shards; requests that reach none are labelled ``none``.
    """

    def __init__(self, shards: Iterable[str]) -> None:
        self.registry = CollectorRegistry()
        # gw_process_resident_memory_bytes, gw_process_cpu_seconds_total and more; needs /proc.
        ProcessCollector(namespace="gw", registry=self.registry)
        requests = Counter(
            "gw_requests_total",
            "Answers, by shard (none: reached no shard, whatever the reason) and class of status.",
            ("shard", "status"),
            registry=self.registry,
        )
        duration = Histogram(
            "gw_request_duration_seconds",
            "From a request read to its answer ready to be written.",
            ("shard",),
            buckets=REQUEST_BUCKETS,
            registry=self.registry,
        )
        errors = Counter(
            "gw_routing_errors_total",
            "Requests that could not be routed or got no answer, by reason.",
            ("reason",),
            registry=self.registry,
        )
        probes = Counter(
            "gw_probes_total",
            "Answers of /health, by class of status; gw_requests_total has all others.",
            ("status",),
            registry=self.registry,
        )
        unanswered = Counter(
            "gw_requests_unanswered_total",
            "Requests without an answer: the client broke off, read no answers, or was one too many.",
            ("reason",),
            registry=self.registry,
        )
        threads = Gauge("gw_process_threads", "Threads of Python's.", registry=self.registry)
        threads.set_function(threading.active_count)
        self._connections = Gauge("gw_connections", "Clients that are connected.", registry=self.registry)
        # Children are looked up once, here: a look-up by label costs as much as the increment.
        labels = (*shards, NO_SHARD)
        self._requests_family = requests
        self._requests = {
            (shard, status): requests.labels(shard, status) for shard in labels for status in STATUSES
        }
        self._duration = {shard: duration.labels(shard) for shard in labels}
        self._errors = {reason: errors.labels(reason) for reason in REASONS}
        self._probes = {status: probes.labels(status) for status in STATUSES}
        self._unanswered = {reason: unanswered.labels(reason) for reason in UNANSWERED}
        self._tallies = {shard: Tally() for shard in labels}

    def answered(self, shard: str, status: int, seconds: float) -> None:
        """Count one answer.

        Args:
            shard: the shard that it was for, ``none``, or ``probe``.
            status: HTTP status of the answer.
            seconds: from the request read to the answer ready.
        """
        label = f"{status // 100}xx"
        if shard == PROBE:
            self._probes[label].inc()
            return
        counter = self._requests.get((shard, label))
        if (
            counter is None
        ):  # a redirect, say: not expected of a shard, but not to be counted as something else
            counter = self._requests[shard, label] = self._requests_family.labels(shard, label)
        counter.inc()
        self._duration[shard].observe(seconds)
        tally = self._tallies[shard]
        tally.requests += 1
        tally.errors += status >= _SERVER_ERROR
        tally.slowest = max(tally.slowest, seconds)

    def routing_error(self, reason: str) -> None:
        """Count a request that could not be routed, or whose shard gave no answer."""
        self._errors[reason].inc()

    def unanswered(self, reason: str) -> None:
        """Count a request to which there can be no answer."""
        self._unanswered[reason].inc()

    def connections(self, count: Callable[[], float]) -> None:
        """Have clients counted at each scrape."""
        self._connections.set_function(count)

    def expositions(self, answers: Mapping[str, int]) -> None:
        """Tell how many answers the port of metrics gave, which are counted there."""
        self.registry.register(_Expositions(answers))

    def take_tallies(self) -> dict[str, Tally]:
        """Return what was counted since the last call, by shard, and begin anew."""
        taken = self._tallies
        self._tallies = {shard: Tally() for shard in taken}
        return taken


class _Expositions(Collector):
    def __init__(self, answers: Mapping[str, int]) -> None:
        self._answers = answers

    def collect(self) -> Iterable[CounterMetricFamily]:
        family = CounterMetricFamily(
            "gw_metrics_answers_total",
            "Answers on the port of metrics, by class of status.",
            labels=["status"],
        )
        for status, count in self._answers.items():
            family.add_metric([status], count)
        yield family
