"""Events made again from the log, when the queue had no room for them."""

from __future__ import annotations

import time
from pathlib import Path

from ..books import NO_FILLS, Matcher
from ..events import Entry
from ..log import ORDER, Reader


class Shadow:
    """A second set of books that follows the log, to make the events again that the queue had no room for."""

    def __init__(self, directory: Path, symbols: tuple[str, ...]) -> None:
        self._reader = Reader(directory)
        self._records = self._reader.records()
        self._matcher = Matcher(symbols)
        self.used = time.monotonic()

    @property
    def sequence(self) -> int:
        """Of the last record replayed."""
        return self._matcher.sequence

    def step(self) -> Entry | None:
        """Replay one record; return it, or None at the log's end."""
        record = next(self._records, None)
        if record is None:  # all that had been written; there may be more now
            self._records = self._reader.records()
            record = next(self._records, None)
            if record is None:
                return None
        kind, order = record
        if kind == ORDER:
            return Entry(kind, order, self._matcher.execute(order))
        self._matcher.seed(order)
        return Entry(kind, order, NO_FILLS)

    def close(self) -> None:
        """Let go of the log."""
        self._reader.close()
