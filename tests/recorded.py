"""A Prometheus whose scrapes are made up, for what is asked of a system's own metrics."""

import bisect
import math
import re

from verdict_harness.samples import Empty, Metrics, Point, Server, Window
from verdict_harness.samples.answers import Track

START = 1_700_000_000.0
SCRAPES = 61
WINDOW = Window(START + 29, START + 297)
EDGES = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, math.inf)
STAGES = (
    "me_order_validation_duration_seconds",
    "me_orderbook_insertion_duration_seconds",
    "me_matching_algorithm_duration_seconds",
    "me_wal_append_duration_seconds",
    "me_event_publish_duration_seconds",
)
PAIR = re.compile(r'(\w+)=~?"([^"]*)"')


class Recorded:
    """A Prometheus that has scraped what it is told, every 5 s."""

    def __init__(self, up=None, **targets):
        self.asked = []
        self.tracks = []
        for job in targets or {"me-shard-a": None}:
            self.add("up", up or [1] * SCRAPES, job=job)

    def add(self, name, values, job="me-shard-a", **labels):
        labels = {"__name__": name, "job": job, "instance": f"{job}:9091", **labels}
        points = [Point(START + 5 * i, float(value)) for i, value in enumerate(values) if value is not None]
        if points:
            self.tracks.append(Track(labels, tuple(points)))
        return self

    def observe(self, name, observations, job="me-shard-a", up=None, edges=EDGES, **labels):
        """Add a histogram of observations, each at a second and of so many seconds."""
        for edge in edges:
            times = sorted(at for at, value in observations if value <= edge)
            values = [bisect.bisect(times, 5 * i) if not up or up[i] else None for i in range(SCRAPES)]
            le = "+Inf" if math.isinf(edge) else f"{edge:g}"
            self.add(f"{name}_bucket", values, job, le=le, **labels)
        return self

    def raw(self, selector, _span):
        self.asked.append(selector)
        wanted = {"__name__": selector}
        if selector.startswith("{"):
            wanted = {name: meant.replace("\\\\", "\\") for name, meant in PAIR.findall(selector)}
        return selector, tuple(
            one
            for one in self.tracks
            if all(re.fullmatch(meant, one.labels.get(name, "")) for name, meant in wanted.items())
        )

    def aside(self):
        return self

    def gone(self, empty, _at, _query=""):
        return empty

    def instant(self, query, _at):
        return Empty(query, "no such series")

    def rules(self, _at):
        return []

    def server(self, window=WINDOW):
        return Server(Metrics(self, Window(START - 10, START + 305)), window, "orders")


def evenly(value, n=5100, begin=0.0, end=300.0):
    return [(begin + (end - begin) * (i + 0.5) / n, value) for i in range(n)]


def exchange(shards="abc", rate=20, slow=0):
    """Shard a has half of the orders, or all; each makes 1.2 matches in 3 ms, but for the slow ones of a."""
    prometheus = Recorded(**{f"me-shard-{shard}": None for shard in shards})
    offered, others = rate, len(shards) - 1
    for shard in shards:
        job, rate = f"me-shard-{shard}", offered
        if others:
            rate = offered / 2 if shard == "a" else offered / 2 / others
        times = [5 * i for i in range(SCRAPES)]

        def add(name, per_second, job=job, shard=shard, times=times, **labels):
            prometheus.add(name, [per_second * at for at in times], job, shard=shard, **labels)

        add("me_matches_total", 1.2 * rate)
        for side, share in (("buy", 0.6), ("sell", 0.4)):
            add("me_orders_received_total", share * rate, side=side)
        add("me_orders_rejected_total", 0, reason="price")
        took = evenly(0.003, int(300 * rate) - (slow if shard == "a" else 0))
        took += evenly(0.3, slow, 100, 200) if shard == "a" else []
        prometheus.observe("me_match_duration_seconds", took, job, shard=shard)
        for stage in STAGES:
            add(f"{stage}_sum", 30e-6 * rate)
            add(f"{stage}_count", rate)
        add("me_gc_pause_seconds_count", 0.1)
        add("me_process_cpu_seconds_total", 0.02 * rate)
        for name, value in (
            ("me_gc_pause_max_seconds", 0.002),
            ("me_process_resident_memory_bytes", 64 * 2**20),
            ("me_ringbuffer_utilization_ratio", 0.01),
        ):
            prometheus.add(name, [value] * SCRAPES, job, shard=shard)
    return prometheus
