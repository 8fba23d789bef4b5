"""Questions to Prometheus about a stretch of time, and answers: intervals with their doubts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import _later
from .chance import Ranks, family, least, ranks, slope
from .chance import share as likelihood
from .doubts import Doubt, Trouble, bound
from .estimate import Estimate, Windows, exact
from .observed import Asked, Span, Unknown, bucket_quantile, quantile, rate, ratio_of, share, windows
from .pairs import FEWEST, LOOKS, Block, Ratio, Ruling, against_itself, compare, is_calm, rule
from .sample import (
    Empty,
    Failed,
    NotANumber,
    NoValue,
    Partial,
    Point,
    Sample,
    Series,
    Several,
    Stale,
    number,
)
from .units import Quantity, Unit, count, mebibytes, ms, per_minute, per_second, percent, ratio, seconds, us
from .window import Window

if TYPE_CHECKING:
    from .metrics import Metrics
    from .promql import Prometheus
    from .rules import Rule, Rules
    from .server import Server
else:
    __getattr__ = _later.face(
        __name__,
        {
            "metrics": ("Metrics",),
            "promql": ("Prometheus",),
            "rules": ("Rule", "Rules"),
            "server": ("Server",),
        },
    )

__all__ = [
    "FEWEST",
    "LOOKS",
    "Asked",
    "Block",
    "Doubt",
    "Empty",
    "Estimate",
    "Failed",
    "Metrics",
    "NoValue",
    "NotANumber",
    "Partial",
    "Point",
    "Prometheus",
    "Quantity",
    "Ranks",
    "Ratio",
    "Rule",
    "Rules",
    "Ruling",
    "Sample",
    "Series",
    "Server",
    "Several",
    "Span",
    "Stale",
    "Trouble",
    "Unit",
    "Unknown",
    "Window",
    "Windows",
    "against_itself",
    "bound",
    "bucket_quantile",
    "compare",
    "count",
    "exact",
    "family",
    "is_calm",
    "least",
    "likelihood",
    "mebibytes",
    "ms",
    "number",
    "per_minute",
    "per_second",
    "percent",
    "quantile",
    "ranks",
    "rate",
    "ratio",
    "ratio_of",
    "rule",
    "seconds",
    "share",
    "slope",
    "us",
    "windows",
]
