"""How far another clock is from ours, as far as asking it can tell."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

_LOOKS = 4
_CLOSE = 0.5  # seconds; known this well, it is not asked again


@dataclass(frozen=True, slots=True)
class Difference:
    """By how much another clock is ahead of ours: somewhere from ``least`` to ``most`` seconds.

    >>> Difference(-0.2, 0.3).ahead, Difference(2.0, 2.5).ahead
    (0.0, 2.25)
    """

    least: float
    most: float

    @property
    def ahead(self) -> float:
        """The best guess; 0 if it may be none at all."""
        return 0.0 if self.least <= 0 <= self.most else round((self.least + self.most) / 2, 3)

    def beyond(self, limit: float) -> bool:
        """Whether it surely is more than ``limit`` seconds, to either side."""
        return self.least > limit or self.most < -limit


def difference(ask: Callable[[], tuple[float, float]], now: Callable[[], float] = time.time) -> Difference:
    """Ask another clock, several times if it is coarse or slow to answer, and return the difference.

    Args:
        ask: returns unix seconds as that clock shows them, cut off, and to what that is cut off: 1.0 if it
            shows whole seconds.
        now: our clock.

    Returns:
        What is compatible with every answer; with ``least`` above ``most`` if a clock jumped meanwhile.
    """
    least, most = float("-inf"), float("inf")
    for _ in range(_LOOKS):
        before = now()
        shown, cut = ask()
        after = now()
        least, most = max(least, shown - after), min(most, shown + cut - before)
        if most - least <= _CLOSE:
            break
    return Difference(least, most)
