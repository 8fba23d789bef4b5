"""Questions to Prometheus about a stretch of time, and typed answers with their units."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import _later
from .doubts import Doubt, Trouble
from .estimate import Estimate, Windows, exact
from .observed import Asked, Span, Unknown, quantile, share, windows
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
    Value,
    doubt,
    number,
)
from .units import Quantity, Unit, count, mebibytes, ms, per_minute, per_second, percent, ratio, seconds, us
from .window import Window, clock

if TYPE_CHECKING:
    from .metrics import Metrics
    from .promql import Prometheus
    from .rules import Rule, Rules, expressions
    from .server import Server
else:
    __getattr__ = _later.face(
        __name__,
        {
            "metrics": ("Metrics",),
            "promql": ("Prometheus",),
            "rules": ("Rule", "Rules", "expressions"),
            "server": ("Server",),
        },
    )

__all__ = [
    "Asked",
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
    "Rule",
    "Rules",
    "Sample",
    "Series",
    "Server",
    "Several",
    "Span",
    "Stale",
    "Trouble",
    "Unit",
    "Unknown",
    "Value",
    "Window",
    "Windows",
    "clock",
    "count",
    "doubt",
    "exact",
    "expressions",
    "mebibytes",
    "ms",
    "number",
    "per_minute",
    "per_second",
    "percent",
    "quantile",
    "ratio",
    "seconds",
    "share",
    "us",
    "windows",
]
