"""Whether the broker still has what it acknowledged: a disk can be lost, a topic deleted.

Of each partition the place of the last acknowledged event is remembered, a
mark.  An event that is not there any more, or an acknowledgement from before
the mark, says that the topic is not the one it was.  Events are a function of
the log, so all of them can be sent again.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import TopicAuthorizationFailedError

from .patience import let_go

log = logging.getLogger(__name__)


class Mark(NamedTuple):
    """Where an acknowledged event lies.

    Attributes:
        offset: in its partition.
        sequence: of the event, in its topic and log.
    """

    offset: int
    sequence: int


Place = tuple[str, int]
"""Topic and partition."""


class Marks:
    """The last acknowledged event of each partition.

    >>> marks = Marks()
    >>> marks.advance({("orders", 3): Mark(7, 1)}), marks.advance({("orders", 3): Mark(9, 2)})
    (True, True)
    >>> marks.advance({("orders", 3): Mark(0, 3)})
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
    def from_json(cls, stored: Any) -> Marks:
        """Read what :meth:`to_json` returned.

        Raises:
            ValueError, TypeError: if it is nothing of the kind.
        """
        return cls({(str(t), int(p)): Mark(int(offset), int(sequence)) for t, p, offset, sequence in stored})


async def ends(options: Mapping[str, Any], places: Iterable[Place]) -> dict[Place, int]:
    """Ask the broker where each partition ends: the offset that its next event gets."""
    async with _consumer(options) as consumer:
        found = await consumer.end_offsets([TopicPartition(*place) for place in places])
        return {(at.topic, at.partition): end for at, end in found.items()}


async def retains(options: Mapping[str, Any], marks: Marks, shard: str, log_id: str) -> bool:
    """Read the marked events back; return whether each is what it was.

    What the broker's retention has removed since counts as there.  So does all
    of it if reading is not permitted: then only acknowledgements can tell.
    """
    try:
        async with _consumer(options) as consumer:
            wanted = {TopicPartition(*place): mark for place, mark in marks.items()}
            consumer.assign(list(wanted))
            first = await consumer.beginning_offsets(wanted)
            end = await consumer.end_offsets(wanted)
            if any(mark.offset >= end[at] for at, mark in wanted.items()):
                return False
            for at, mark in wanted.items():
                if mark.offset < first[at]:
                    continue
                consumer.seek(at, mark.offset)
                record = await consumer.getone(at)
                if record.offset != mark.offset or _identity(record.value) != (shard, log_id, mark.sequence):
                    return False
    except TopicAuthorizationFailedError:
        log.info("events can't be read back, so a lost disk of the broker's may go unnoticed")
    return True


@asynccontextmanager
async def _consumer(options: Mapping[str, Any]) -> AsyncIterator[Any]:
    """A consumer that is closed even if it could not be started: it holds a connection by then."""
    consumer = AIOKafkaConsumer(**options, enable_auto_commit=False, auto_offset_reset="none")
    try:
        await consumer.start()
        yield consumer
    finally:
        await let_go(consumer.stop())


def _identity(value: bytes) -> tuple[Any, ...] | None:
    try:
        event = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(event, dict):
        return None
    return event.get("shard"), event.get("log"), event.get("sequence")
