"""Quantities with units, so that a limit is a literal that says what it is.

Prometheus speaks base units (seconds, bytes, ratios); people write ``200 * ms``.
A :class:`Quantity` keeps both and refuses to be compared across dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..figures import quantity


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit: its symbol, what one of it is in base units, and its dimension.

    >>> 200 * ms
    Quantity(base=0.2, unit=Unit(symbol='ms', scale=0.001, dimension='time'))
    """

    symbol: str
    scale: float
    dimension: str

    def __rmul__(self, number: float) -> Quantity:
        return Quantity(number * self.scale, self)

    def of(self, base: float) -> float:
        """Express ``base`` (a number in base units) in this unit."""
        return base / self.scale


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number of base units that is shown in ``unit``.

    >>> print(0.5 * percent, 15123.4 * per_minute, 200 * ms, 12 * count, sep=", ")
    0.5 %, 15123 /min, 200 ms, 12
    """

    base: float
    unit: Unit

    def __str__(self) -> str:
        return quantity(self.unit.of(self.base), self.unit.symbol)

    def times(self, factor: float) -> Quantity:
        """Return ``factor`` times this quantity, shown in the same unit."""
        return Quantity(self.base * factor, self.unit)

    def same_dimension(self, other: Quantity) -> Quantity:
        """Return ``other`` if it measures the same thing as this; raise ``TypeError`` else."""
        if other.unit.dimension != self.unit.dimension:
            raise TypeError(
                f"cannot compare {self} ({self.unit.dimension}) with {other} ({other.unit.dimension})"
            )
        return other


seconds = Unit("s", 1.0, "time")
ms = Unit("ms", 1e-3, "time")
us = Unit("µs", 1e-6, "time")
percent = Unit("%", 1e-2, "ratio")
ratio = Unit("", 1.0, "ratio")
count = Unit("", 1.0, "count")
per_second = Unit("/s", 1.0, "rate")
per_minute = Unit("/min", 1.0, "rate per minute")
mebibytes = Unit("MiB", 2.0**20, "size")
