"""When: the stretch of time that a verdict is about."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..errors import Inconclusive, UsageError
from ..figures import clock


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time in unix seconds, both ends belonging to it.

    Times are kept to the millisecond, which is what Prometheus keeps: a window
    then means the same points here and there, live and replayed.

    Attributes:
        start: first moment.
        end: last moment, after ``start``.

    >>> window = Window(1_000.0, 1_300.0)
    >>> window.seconds, window.skip(30).start, window.points(5)
    (300.0, 1030.0, 61)
    >>> print(window)
    00:16:40Z to 00:21:40Z
    """

    start: float
    end: float

    def __post_init__(self) -> None:
        finite = math.isfinite(self.start) and math.isfinite(self.end)
        if not finite or round(self.start, 3) >= round(self.end, 3):
            raise UsageError(
                "a window ends after it starts",
                expected="two finite times, the first one earlier",
                found=f"{self.start} to {self.end}",
            )
        object.__setattr__(self, "start", round(self.start, 3))
        object.__setattr__(self, "end", round(self.end, 3))

    @property
    def seconds(self) -> float:
        """How long it is."""
        return round(self.end - self.start, 3)

    def skip(self, seconds: float) -> Window:
        """Return this window less its first ``seconds``: what is left once warm-up is dropped.

        Raises:
            Inconclusive: nothing would be left.
        """
        if seconds >= self.seconds:
            raise Inconclusive(
                "nothing is left of the window once its beginning is dropped",
                expected=f"more than {seconds:g} s",
                found=f"{self.seconds:g} s",
                todo="use a longer load, or find out why this one ended early",
            )
        return Window(self.start + seconds, self.end)

    def points(self, step: float) -> int:
        """How many points a range query over this window returns when none is missing.

        Counted in whole milliseconds, so that 0.3 / 0.1 is 3 and not 2.999….
        """
        return round(self.seconds * 1000) // round(step * 1000) + 1

    def __str__(self) -> str:
        return f"{clock(self.start)} to {clock(self.end)}"
