"""The bounded queue between matching and the broker."""

from __future__ import annotations

from collections import deque
from itertools import islice

from ..books import Fill
from ..orders import Order

Entry = tuple[Order, tuple[Fill, ...]]
"""An order that was executed, and its fills."""


class EventQueue:
    """Executed orders whose events the broker has not acknowledged.

    An order costs one append here, whatever the broker does.  When the queue is
    full it says so (:attr:`overflowed`) and takes nothing more, so that what it
    holds is always a gapless run of the log; the rest is read from the log later.

    Args:
        limit: events that it may hold. An order is taken whole, and a single one always.

    Attributes:
        depth: events in it.
        overflowed: whether orders have been passed over since it was last complete.
        overflows: how often that began.
    """

    __slots__ = ("_entries", "depth", "limit", "overflowed", "overflows")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.depth = 0
        self.overflowed = False
        self.overflows = 0
        self._entries: deque[Entry] = deque()

    def __len__(self) -> int:
        return len(self._entries)

    def has_room(self) -> bool:
        """Return whether the next order, read from the log, may be added."""
        return self.depth < self.limit

    def hand(self, order: Order, fills: tuple[Fill, ...]) -> None:
        """Take an order that was just executed, unless the queue is full or behind.  O(1), never waits."""
        if self.overflowed:
            return
        count = 1 + len(fills)
        if self._entries and self.depth + count > self.limit:
            self.overflowed = True
            self.overflows += 1
            return
        self._entries.append((order, fills))
        self.depth += count

    def refill(self, order: Order, fills: tuple[Fill, ...]) -> None:
        """Take an order that was read back from the log."""
        self._entries.append((order, fills))
        self.depth += 1 + len(fills)

    def begin_again(self) -> None:
        """Drop everything; all of it is to be read from the log, from its first record."""
        self._entries.clear()
        self.depth = 0
        self.overflowed = True

    def first(self, count: int) -> list[Entry]:
        """Return the oldest ``count`` entries, or fewer, without taking them out."""
        return list(islice(self._entries, count))

    def drop(self, count: int) -> None:
        """Take out the oldest ``count`` entries."""
        for _ in range(count):
            _, fills = self._entries.popleft()
            self.depth -= 1 + len(fills)
