"""The longest of what was measured lately, for a scrape that comes now and then."""

from __future__ import annotations

import time

MAX_WINDOW = 15
"""Seconds for which the longest is remembered: three scrapes."""


class Longest:
    """Remembers the longest of the last :data:`MAX_WINDOW` seconds.

    One thread writes, at any moment, the collector's callback included, and
    others read: so there is no lock and no list that grows, but one cell for
    each second.
    """

    def __init__(self) -> None:
        self._cells: list[tuple[int, float]] = [(-MAX_WINDOW, 0.0)] * (MAX_WINDOW + 1)

    def note(self, seconds: float) -> None:
        """Take one more."""
        second = int(time.monotonic())
        cell = second % (MAX_WINDOW + 1)
        held, longest = self._cells[cell]
        self._cells[cell] = (second, max(seconds, longest) if held == second else seconds)

    def __call__(self) -> float:
        """Return the longest, in seconds; 0 without one."""
        since = int(time.monotonic()) - MAX_WINDOW
        return max((seconds for second, seconds in self._cells if second > since), default=0.0)
