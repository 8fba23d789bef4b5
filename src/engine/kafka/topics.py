"""Makes the topics that are missing, with the number of partitions that consumers rely on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.errors import for_code

from .patience import let_go
from .retained import ends

log = logging.getLogger(__name__)

_ALREADY_EXISTS = 36
_POLL_SECONDS = 0.1


async def ensure_topics(options: Mapping[str, Any], topics: Sequence[str], partitions: int) -> None:
    """Return when each of ``topics`` is there.

    One that has events keeps the number of partitions that it has: with more,
    a symbol's later events would go to another partition than its earlier ones.

    Args:
        options: for a client (see :func:`engine.kafka.broker.connection_options`).
        topics: their names.
        partitions: of each one that is made, or is empty.

    Raises:
        KafkaError: a topic can't be made, or the broker can't be asked.
    """
    admin = AIOKafkaAdminClient(**options)
    try:
        await admin.start()
        there = await _partitions(admin)
        # -1: as many replicas as the cluster's default; the empty map is aiokafka's condition for it.
        missing = [
            NewTopic(name, partitions, -1, replica_assignments={}) for name in topics if name not in there
        ]
        if missing:
            answer = await admin.create_topics(missing)
            for topic, code, *rest in answer.topic_errors:
                if code not in (0, _ALREADY_EXISTS):  # another shard may have been faster
                    raise for_code(code)(f"topic {topic} can't be created: {rest}")
                log.info("topic is there", extra={"topic": topic, "partitions": partitions, "code": code})
        for topic in topics:
            if 0 < there.get(topic, 0) < partitions:
                await _grow(admin, options, topic, range(there[topic]), partitions)
    finally:
        await let_go(admin.close())


async def _grow(admin: Any, options: Mapping[str, Any], topic: str, has: range, wanted: int) -> None:
    """Give an empty topic the partitions that it lacks: many brokers make a topic when a client names it."""
    if any((await ends(options, [(topic, number) for number in has])).values()):
        return
    await admin.create_partitions({topic: NewPartitions(wanted)})
    while (await _partitions(admin))[topic] < wanted:  # noqa: ASYNC110 - there is nothing else to wait for
        await asyncio.sleep(_POLL_SECONDS)
    log.info("an empty topic had too few partitions", extra={"topic": topic, "partitions": wanted})


async def _partitions(admin: Any) -> dict[str, int]:
    """Return the number of partitions of each topic."""
    return {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}
