"""Questions to Prometheus about a stretch of time, and typed answers with their units."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import _later
from .doubts import Doubt, Trouble
from .estimate import Estimate, Windows, exact
from .pairs import FEWEST, LOOKS, Block, Ratio, Ruling, against_itself, compare, is_calm, rule
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
    number,
)
from .units import Quantity, Unit, count, mebibytes, ms, per_minute, per_second, percent, ratio, seconds, us
from .window import Window, clock

if TYPE_CHECKING:
    from .promql import Prometheus
else:
    __getattr__ = _later.face(
        __name__,
        {
            "promql": ("Prometheus",),
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
    "NoValue",
    "NotANumber",
    "Partial",
    "Point",
    "Prometheus",
    "Quantity",
    "Ratio",
    "Ruling",
    "Sample",
    "Series",
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
    "exact",
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
