"""Keeps the garbage collector out of the way, and measures how well that works."""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from .buckets import GC_BUCKETS
from .histogram import Histogram

MAX_WINDOW = 15
"""Seconds for which the longest pause is remembered: three scrapes."""

# Orders are freed by reference counts: nothing in a book is a cycle.  What the collector would
# find is little (closed connections), what it would walk is every order that rests.  So: young
# collections small enough (20,000 objects at most, below 3 ms), and a full one practically never.
_THRESHOLDS = (5_000, 3, 2_000)


class GcWatch:
    """Measures every pause of the collector from :meth:`start` to :meth:`stop`.

    The callback may run at any allocation, in any thread, so it takes no lock
    and keeps no lists: a histogram of plain numbers, and for the maximum one
    cell for each of the last seconds.
    """

    def __init__(self) -> None:
        self.pauses = Histogram("me_gc_pause_seconds", "Pauses of the garbage collector.", GC_BUCKETS)
        self.collections = 0
        self._began = 0.0
        self._cells: list[tuple[int, float]] = [(-MAX_WINDOW, 0.0)] * (MAX_WINDOW + 1)
        self._thresholds = gc.get_threshold()

    def start(self) -> None:
        """Begin to measure, and make collections rare."""
        self._thresholds = gc.get_threshold()
        gc.set_threshold(*_THRESHOLDS)
        gc.callbacks.append(self._callback)

    def stop(self) -> None:
        """Undo :meth:`start`."""
        gc.callbacks.remove(self._callback)
        gc.set_threshold(*self._thresholds)

    def longest(self) -> float:
        """Return the longest pause of the last :data:`MAX_WINDOW` seconds, in seconds; 0 without one."""
        since = int(time.monotonic()) - MAX_WINDOW
        return max((pause for second, pause in self._cells if second > since), default=0.0)

    def families(self, shard: str) -> Iterator[Metric]:
        """Yield what Prometheus is told."""
        yield self.pauses.family(shard)
        longest = GaugeMetricFamily(
            "me_gc_pause_max_seconds", f"Longest pause of the last {MAX_WINDOW} s.", labels=["shard"]
        )
        longest.add_metric([shard], self.longest())
        yield longest
        collections = CounterMetricFamily("me_gc_collections_total", "Collections.", labels=["shard"])
        collections.add_metric([shard], self.collections)
        yield collections

    def _callback(self, phase: str, _info: dict[str, int]) -> None:
        now = time.perf_counter()
        if phase == "start":
            self._began = now
            return
        pause = now - self._began
        self.pauses.observe(pause)
        self.collections += 1
        second = int(time.monotonic())
        cell = second % (MAX_WINDOW + 1)
        held, longest = self._cells[cell]
        self._cells[cell] = (second, max(pause, longest) if held == second else pause)


@contextlib.contextmanager
def settling() -> Iterator[None]:
    """Build many long-lived objects without a collection, and exempt them from later ones.

    The few cycles that are garbage at the end are never freed; that is the price.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
