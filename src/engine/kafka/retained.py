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
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import TopicAuthorizationFailedError

from ..events import Marks, Place
from .patience import let_go

log = logging.getLogger(__name__)


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
