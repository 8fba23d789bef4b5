"""Questions to Prometheus about a stretch of time, and typed answers with their units."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import _later
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
    "Empty",
    "Failed",
    "NoValue",
    "NotANumber",
    "Partial",
    "Point",
    "Prometheus",
    "Quantity",
    "Sample",
    "Series",
    "Several",
    "Stale",
    "Unit",
    "Value",
    "Window",
    "clock",
    "count",
    "mebibytes",
    "ms",
    "number",
    "per_minute",
    "per_second",
    "percent",
    "ratio",
    "seconds",
    "us",
]
