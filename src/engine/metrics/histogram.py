"""A histogram that costs the hot path one bisection and two additions."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.utils import floatToGoString


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
