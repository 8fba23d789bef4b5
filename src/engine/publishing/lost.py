"""Whether the broker was told of orders that the log, restored from an older copy, does not have."""

from __future__ import annotations

import asyncio
import logging

from ..events import Broker, Marks
from ..log import Wal

log = logging.getLogger(__name__)


class Lost:
    """Looks once, beside publishing, at what the broker had been told before this start.

    Nothing waits for the answer: what is appended since the start has an identity
    of its own, so whatever it is, no sequence is used again.

    Attributes:
        count: orders found that the log does not have.
        problem: that, in words; None if there is nothing to say.
    """

    def __init__(self, broker: Broker, wal: Wal, symbols: tuple[str, ...]) -> None:
        self.count = 0
        self.problem: str | None = None
        self._broker = broker
        self._wal = wal
        self._keys = [symbol.encode() for symbol in symbols]
        self._task: asyncio.Task[None] | None = None
        self._known = False

    def look(self, marks: Marks) -> None:
        """Begin to look, unless that was done; the broker must be connected."""
        if self._known or self._task is not None or not self._wal.recovered:
            return
        behind = Marks(dict(marks.items()))  # they go on
        self._task = asyncio.create_task(self._look(behind), name="lost")

    async def stop(self) -> None:
        """Look no further."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _look(self, marks: Marks) -> None:
        found: set[tuple[str, int]] = set()
        ours = {place for place, _ in marks.items()}  # where this log has told something before
        try:
            async for told in self._broker.told(marks, self._keys):
                held = self._wal.identity.holds(told.log, told.sequence, last=self._wal.sequence)
                if held:
                    ours.add(told.place)
                elif held is False or told.place in ours:  # else it may be of a log that was before this one
                    found.add((told.log, told.sequence))
        except Exception as error:  # noqa: BLE001 - the next connection is another chance
            log.info("what the broker was told before can't be read", extra={"error": str(error)})
            self._task = None
            return
        self._known = True
        self.count = len(found)
        if found:
            first = min(sequence for _, sequence in found)
            self.problem = (
                f"the log does not have {self.count} orders, from sequence {first} on, "
                "that the broker was told of"
            )
            log.error(
                "the log lacks orders that the broker was told of: it was restored from an older copy; "
                "new orders go under another identity",
                extra={"orders": self.count, "first_sequence": first, "log_ended": self._wal.recovered},
            )
