"""How much is sent at once: as much as the broker, and the way to it, take."""

from __future__ import annotations

import time

_FIRST_PATIENCE, _LAST_PATIENCE = 60.0, 3600.0


class Portion:
    """The number of events that are sent at once.

    A failure halves it.  After some time without one it doubles again, up to
    what it was, and if that fails it takes twice the time until the next try:
    a limit that lasts, be it of the broker's requests or of a slow link, is met
    now and then, and not all the time.

    Attributes:
        size: events, at least one.

    >>> portion = Portion(200)
    >>> portion.failed(); portion.sent(); portion.size
    100
    """

    def __init__(self, most: int) -> None:
        self.size = most
        self._most = most
        self._patience = _FIRST_PATIENCE
        self._larger_at = 0.0

    def failed(self) -> None:
        """Take note of events that could not be sent."""
        self.size = max(1, self.size // 2)
        self._larger_at = time.monotonic() + self._patience
        self._patience = min(2 * self._patience, _LAST_PATIENCE)

    def sent(self) -> None:
        """Take note of events that were acknowledged."""
        if self.size == self._most or time.monotonic() < self._larger_at:
            return
        self.size = min(2 * self.size, self._most)
        self._larger_at = time.monotonic() + _FIRST_PATIENCE
        if self.size == self._most:
            self._patience = _FIRST_PATIENCE
