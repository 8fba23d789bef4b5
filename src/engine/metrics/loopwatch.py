"""Measures how late the event loop is: whatever holds it up holds up every order, and no order sees it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric

from .buckets import LAG_BUCKETS
from .histogram import Histogram
from .longest import MAX_WINDOW, Longest

TICK = 0.01
"""Seconds between two looks at the clock."""


class LoopWatch:
    """Asks to be called every :data:`TICK` seconds, and notes by how much that was too late.

    A scrape is answered by another thread, so one that comes while the loop
    stands still tells how long it has been standing by then.
    """

    def __init__(self) -> None:
        self.lags = Histogram(
            "me_event_loop_lag_seconds",
            f"How late the event loop called what was due, asked every {TICK * 1000:g} ms.",
            LAG_BUCKETS,
        )
        self._longest = Longest()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._due = 0.0
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to measure the running loop."""
        self._loop = asyncio.get_running_loop()
        self._next(self._loop)

    def stop(self) -> None:
        """Measure no more."""
        if self._handle is not None:
            self._handle.cancel()
        self._handle = None

    def longest(self) -> float:
        """Return the longest lag of the last seconds, one that goes on included; in seconds."""
        standing = time.perf_counter() - self._due if self._handle is not None else 0.0
        return max(self._longest(), standing)

    def families(self, shard: str) -> Iterator[Metric]:
        """Yield what Prometheus is told."""
        yield self.lags.family(shard)
        longest = GaugeMetricFamily(
            "me_event_loop_lag_max_seconds",
            f"Longest lag of the last {MAX_WINDOW} s, one that goes on included.",
            labels=["shard"],
        )
        longest.add_metric([shard], self.longest())
        yield longest

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = time.perf_counter() + TICK
        self._handle = loop.call_later(TICK, self._tick, loop)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        lag = max(0.0, time.perf_counter() - self._due)
        self.lags.observe(lag)
        self._longest.note(lag)
        self._next(loop)
