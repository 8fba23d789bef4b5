"""Keeps the garbage collector out of the way, and measures how well that works."""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from .buckets import GC_BUCKETS
from .histogram import Histogram
from .longest import MAX_WINDOW, Longest

# The collector knows neither orders nor what holds them, so even a full collection, which is what finds
# the cycles of closed connections, walks through little. What it meets at saturation are the fills that wait
# for the broker, once, to forget them: 2,000 in half a millisecond.
_THRESHOLDS = (2_000, 5, 10)


class GcWatch:
    """Measures every pause of the collector from :meth:`start` to :meth:`stop`.

    The callback may run at any allocation, in any thread, so it takes no lock
    and keeps no lists: a histogram of plain numbers, and the longest.
    """

    def __init__(self) -> None:
        self.pauses = Histogram("me_gc_pause_seconds", "Pauses of the garbage collector.", GC_BUCKETS)
        self.longest = Longest()
        self.collections = 0
        self._began = 0.0
        self._thresholds = gc.get_threshold()

    def start(self) -> None:
        """Begin to measure; what there is by now, modules and empty books, is not looked at any more."""
        self._thresholds = gc.get_threshold()
        gc.freeze()
        gc.set_threshold(*_THRESHOLDS)
        gc.callbacks.append(self._callback)

    def stop(self) -> None:
        """Undo :meth:`start`, save the freezing."""
        gc.callbacks.remove(self._callback)
        gc.set_threshold(*self._thresholds)

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
        self.longest.note(pause)


@contextlib.contextmanager
def settling() -> Iterator[None]:
    """Build much that stays without a collection meanwhile."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
