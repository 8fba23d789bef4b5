"""Whose a record is: what makes one sequence mean one order, whatever becomes of a log and its copies."""

from __future__ import annotations

from collections.abc import Iterable

from .records import Start


class Identity:
    """The identities that a log's records have, each from one start of an engine to the next.

    A log that was restored from an older copy gives sequences anew that others
    may have seen.  It can't know, with the broker away or not, but whoever
    starts on a log appends under an identity of their own.  So identity and
    sequence together never mean two orders.

    Args:
        log_id: of the log, in hexadecimal: goes with everything before the first start on what was there.
        starts: in their order.

    >>> identity = Identity("f00d", [Start(3, b"again")])
    >>> identity.of(3), identity.of(4) == b"again".hex()
    ('f00d', True)
    >>> identity.holds("f00d", 4, last=9), identity.holds("another", 4, last=9)
    (False, None)
    """

    def __init__(self, log_id: str, starts: Iterable[Start] = ()) -> None:
        self._turns = [(0, log_id), *((start.sequence, start.log.hex()) for start in starts)]

    def add(self, start: Start) -> None:
        """Take note of one more start."""
        self._turns.append((start.sequence, start.log.hex()))

    def of(self, sequence: int) -> str:
        """Return the identity that goes with a record."""
        for before, name in reversed(self._turns):
            if sequence > before:
                return name
        raise ValueError(f"sequences begin at 1, so {sequence} is none")

    def holds(self, name: str, sequence: int, *, last: int) -> bool | None:
        """Return whether a log that ends at ``last`` has such a record; None if nothing in it is so named."""
        for before, known in reversed(self._turns):
            if known == name:
                return before < sequence <= last
            last = before
        return None
