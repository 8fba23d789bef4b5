"""Room ``metrics``: every number that Prometheus is told, kept so that counting costs next to nothing."""

from .gcwatch import GcWatch, settling
from .histogram import Histogram, quantile
from .numbers import Metrics

__all__ = ["GcWatch", "Histogram", "Metrics", "quantile", "settling"]
