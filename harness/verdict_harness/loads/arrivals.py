"""When each order of a load is due: the schedule that k6's arrival-rate executors keep."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Ramp:
    """A stretch in which the rate goes evenly from one value to another.

    Attributes:
        first: orders/s at its beginning.
        last: orders/s at its end.
        seconds: its length.
    """

    first: float
    last: float
    seconds: float

    @property
    def orders(self) -> float:
        """How many orders are due in it: the area under the rate."""
        return (self.first + self.last) / 2 * self.seconds

    def at(self, orders: float) -> float:
        """Return after how many seconds that many ``orders`` of it are due; at most :attr:`orders`."""
        steepness = (self.last - self.first) / self.seconds
        root = math.sqrt(max(0.0, self.first**2 + 2 * steepness * orders))
        return min(self.seconds, 2 * orders / (self.first + root)) if orders else 0.0


@dataclass(frozen=True, slots=True)
class Arrivals:
    """A schedule of arrivals.

    As k6 has it, a constant rate begins with an order at once, and one that
    ramps has its first when the area under the rate has reached one order.

    Attributes:
        ramps: in order; those of no length are jumps.
        ramping: whether it is k6's ``ramping-arrival-rate``, and not ``constant-arrival-rate``.

    >>> steady = Arrivals.constant(4, 2)
    >>> steady.planned, steady.due(0), steady.due(3)
    (8, 0.0, 0.75)
    >>> ramp = Arrivals((Ramp(0, 10, 2), Ramp(10, 10, 1)), ramping=True)
    >>> ramp.planned, round(ramp.due(9), 3), round(ramp.due(14), 3)
    (19, 2.0, 2.5)
    """

    ramps: tuple[Ramp, ...]
    ramping: bool = False

    @classmethod
    def constant(cls, rate: float, seconds: float) -> Self:
        """Return the schedule of ``rate`` orders/s for so many ``seconds``."""
        return cls((Ramp(rate, rate, seconds),))

    @property
    def seconds(self) -> float:
        """How long it is."""
        return sum(ramp.seconds for ramp in self.ramps)

    @property
    def planned(self) -> int:
        """How many orders are due before its end. k6 may make one more, that is due at the very end."""
        # the sum of a ramp's halves may be a hair's breadth off the whole number that it is
        orders = math.ceil(sum(ramp.orders for ramp in self.ramps) - 1e-9)
        return orders - 1 if self.ramping else orders

    def due(self, index: int) -> float:
        """Return when the order ``index``, from 0, is due: seconds after the beginning."""
        return self.times([index])[0]

    def times(self, indices: Sequence[int]) -> list[float]:
        """Return what :meth:`due` does, of many; what lies beyond the end goes on at the last rate."""
        before = list(itertools.accumulate((ramp.orders for ramp in self.ramps), initial=0.0))
        starts = list(itertools.accumulate((ramp.seconds for ramp in self.ramps), initial=0.0))
        found = []
        for index in indices:
            orders = index + 1.0 if self.ramping else float(index)
            if orders > before[-1]:
                found.append(starts[-1] + (orders - before[-1]) / self.ramps[-1].last)
                continue
            at = max(0, bisect.bisect_left(before, orders) - 1)
            found.append(starts[at] + self.ramps[at].at(orders - before[at]))
        return found
