"""Where the last acknowledged event of each partition lies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Mark(NamedTuple):
    """Where an acknowledged event lies.

    Attributes:
        offset: in its partition.
        sequence: of the event, in its topic and log.
        log: identity under which its record was written.
    """

    offset: int
    sequence: int
    log: str


Place = tuple[str, int]
"""Topic and partition."""


class Marks:
    """The last acknowledged event of each partition.

    >>> marks = Marks()
    >>> [marks.advance({("orders", 3): Mark(offset, offset, "f00d")}) for offset in (7, 9)]
    [True, True]
    >>> marks.advance({("orders", 3): Mark(0, 10, "f00d")})
    False
    """

    def __init__(self, known: Mapping[Place, Mark] | None = None) -> None:
        self._marks = dict(known or {})

    def __bool__(self) -> bool:
        return bool(self._marks)

    def items(self) -> list[tuple[Place, Mark]]:
        """Return all of them."""
        return list(self._marks.items())

    def advance(self, fresh: Mapping[Place, Mark]) -> bool:
        """Take the marks of a batch; return False if a partition has fallen behind what was acknowledged."""
        forward = all(
            mark.offset > self._marks[place].offset for place, mark in fresh.items() if place in self._marks
        )
        self._marks.update(fresh)
        return forward

    def clear(self) -> None:
        """Forget all of them."""
        self._marks.clear()

    def to_json(self) -> list[list[Any]]:
        """Return what :meth:`from_json` reads."""
        return [[topic, partition, *mark] for (topic, partition), mark in self.items()]

    @classmethod
    def from_json(cls, stored: Any, log: str) -> Marks:
        """Read what :meth:`to_json` returned; former versions wrote no identity, which was ``log`` then.

        Raises:
            ValueError, TypeError: if it is nothing of the kind.
        """
        return cls(
            {
                (str(topic), int(partition)): Mark(int(offset), int(sequence), *map(str, named or [log]))
                for topic, partition, offset, sequence, *named in stored
            }
        )
