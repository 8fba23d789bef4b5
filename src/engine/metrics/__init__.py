"""Room ``metrics``: every number that Prometheus is told, kept so that counting costs next to nothing."""

from .gcwatch import GcWatch, settling
from .histogram import Histogram, quantile
from .loopwatch import LoopWatch
from .numbers import Metrics

__all__ = ["GcWatch", "Histogram", "LoopWatch", "Metrics", "quantile", "settling"]
