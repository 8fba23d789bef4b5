"""The bounded queue between matching and the broker."""

from __future__ import annotations

from collections import deque
from itertools import islice

from ..books import Fill
from ..events import Entry
from ..orders import Order


class EventQueue:
    """Executed records whose events the broker has not acknowledged.

    A record costs one append here, whatever the broker does.  When the queue is
    full it says so (:attr:`overflowed`) and takes nothing more, so that what it
    holds is always a gapless run of the log; the rest is read from the log later.

    Args:
        limit: events that it may hold. A record is taken whole, and a single one always.

    Attributes:
        depth: events in it.
        overflowed: whether records have been passed over since it was last complete.
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
        """Return whether the next record, read from the log, may be added."""
        return self.depth < self.limit

    def hand(self, kind: int, order: Order, fills: tuple[Fill, ...]) -> None:
        """Take a record that was just executed, unless the queue is full or behind.  O(1), never waits."""
        if self.overflowed:
            return
        count = 1 + len(fills)
        if self._entries and self.depth + count > self.limit:
            self.overflowed = True
            self.overflows += 1
            return
        self._entries.append(Entry(kind, order, fills))
        self.depth += count

    def refill(self, entry: Entry) -> None:
        """Take a record that was read back from the log."""
        self._entries.append(entry)
        self.depth += 1 + len(entry.fills)

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
            self.depth -= 1 + len(self._entries.popleft().fills)
