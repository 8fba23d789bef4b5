"""Whether the broker still has what it acknowledged: a disk can be lost, a topic deleted.

Of each partition the place of the last acknowledged event is remembered, a
mark.  An event that is not there any more, or an acknowledgement from before
the mark, says that the topic is not the one it was.  Events are a function of
the log, so all of them can be sent again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import TopicAuthorizationFailedError

from ..events import Marks, Place, Told
from .patience import let_go

log = logging.getLogger(__name__)

_FEW = 200


async def ends(options: Mapping[str, Any], places: Iterable[Place]) -> dict[Place, int]:
    """Ask the broker where each partition ends: the offset that its next event gets."""
    async with consumer_of(options) as consumer:
        found = await consumer.end_offsets([TopicPartition(*place) for place in places])
        return {(at.topic, at.partition): end for at, end in found.items()}


class Retained(NamedTuple):
    """What became of marked events.

    Attributes:
        whole: whether each is what it was, or was removed by the broker's retention, as it should.
        expired: how many were removed.
    """

    whole: bool
    expired: int


async def retains(options: Mapping[str, Any], marks: Marks, shard: str) -> Retained:
    """Read the marked events back.

    If reading is not permitted, all of them count as being there: then only
    acknowledgements can tell.
    """
    expired = 0
    try:
        async with consumer_of(options) as consumer:
            wanted = {TopicPartition(*place): mark for place, mark in marks.items()}
            consumer.assign(list(wanted))
            first = await consumer.beginning_offsets(wanted)
            end = await consumer.end_offsets(wanted)
            if any(mark.offset >= end[at] for at, mark in wanted.items()):
                return Retained(whole=False, expired=0)
            for at, mark in wanted.items():
                if mark.offset < first[at]:
                    expired += 1
                    continue
                consumer.seek(at, mark.offset)
                record = await consumer.getone(at)
                found = event_of(record.value)
                if record.offset != mark.offset or identity_of(found) != (shard, mark.log, mark.sequence):
                    return Retained(whole=False, expired=expired)
    except TopicAuthorizationFailedError:
        log.info("events can't be read back, so a lost disk of the broker's may go unnoticed")
    return Retained(whole=True, expired=expired)


async def told(
    options: Mapping[str, Any], marks: Marks, partitions: Iterable[int], shard: str
) -> AsyncIterator[Told]:
    """Yield the orders of ``shard`` that are in ``orders`` now: those behind each mark, or all there are."""
    marked = dict(marks.items())
    async with consumer_of(options) as consumer:
        places = [TopicPartition("orders", number) for number in partitions]
        first = await consumer.beginning_offsets(places)
        end = await consumer.end_offsets(places)
        for at in places:
            mark = marked.get((at.topic, at.partition))
            begin = first[at] if mark is None else max(first[at], mark.offset + 1)
            if begin >= end[at]:
                continue
            consumer.assign([at])
            consumer.seek(at, begin)
            while await consumer.position(at) < end[at]:
                # A few at a time: decoding them holds up matching.
                for records in (await consumer.getmany(at, timeout_ms=500, max_records=_FEW)).values():
                    for record in records:
                        found = event_of(record.value)
                        if found.get("shard") == shard and record.offset < end[at]:
                            yield Told(found.get("log", ""), found["sequence"], (at.topic, at.partition))
                await asyncio.sleep(0)


@asynccontextmanager
async def consumer_of(options: Mapping[str, Any]) -> AsyncIterator[Any]:
    """A consumer that is closed even if it could not be started: it holds a connection by then."""
    consumer = AIOKafkaConsumer(**options, enable_auto_commit=False, auto_offset_reset="none")
    try:
        await consumer.start()
        yield consumer
    finally:
        await let_go(consumer.stop())


def event_of(value: bytes | None) -> dict[str, Any]:
    """Return an event; nothing, if it is none of an engine's."""
    try:
        event = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        return {}
    return event if isinstance(event, dict) and isinstance(event.get("sequence"), int) else {}


def identity_of(event: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what tells an event from all others of its topic."""
    return event.get("shard"), event.get("log"), event.get("sequence")
