"""A Prometheus whose scrapes are made up, for what is asked of a system's own metrics."""

import bisect
import math
import re

from verdict_harness.samples import Metrics, Point, Server, Window
from verdict_harness.samples.answers import Track

START = 1_700_000_000.0
SCRAPES = 61
WINDOW = Window(START + 29, START + 297)
EDGES = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, math.inf)
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

    def observe(self, name, observations, job="me-shard-a", up=None, **labels):
        """Add a histogram of observations, each at a second and of so many seconds."""
        for edge in EDGES:
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

    def server(self, window=WINDOW):
        return Server(Metrics(self, Window(START - 10, START + 305)), window, "orders")


def evenly(value, n=5100, begin=0.0, end=300.0):
    return [(begin + (end - begin) * (i + 0.5) / n, value) for i in range(n)]
