"""Reads events back from the broker, as an independent consumer would."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiokafka import AIOKafkaConsumer

TOPICS = ("orders", "matches")
PARTITIONS = 12


def read_back(bootstrap: str, *, timeout: float = 60.0) -> dict[str, Any]:
    """Return what the topics hold now, each event counted once.

    Args:
        bootstrap: ``host:port`` of the broker.
        timeout: seconds for each topic.

    Returns:
        For each topic: ``partitions``, ``events`` (distinct by shard, log and sequence), ``repeats``,
        ``types``, and ``misplaced``: events whose key is not their symbol.
    """
    return {topic: asyncio.run(asyncio.wait_for(_read(bootstrap, topic), timeout)) for topic in TOPICS}


async def _read(bootstrap: str, topic: str) -> dict[str, Any]:
    # Without a group a consumer of a topic gets all of its partitions at once.
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        partitions = sorted(consumer.assignment())
        ends = await consumer.end_offsets(partitions)
        seen: set[tuple[str, str, int]] = set()
        repeats = misplaced = 0
        types: set[str] = set()
        await consumer.seek_to_beginning()
        while any([await consumer.position(p) < ends[p] for p in partitions]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    event = json.loads(record.value)
                    identity = (event["shard"], event.get("log", ""), event["sequence"])
                    repeats += identity in seen
                    misplaced += (record.key or b"").decode() != event["symbol"]
                    seen.add(identity)
                    types.add(event["type"])
        return {
            "partitions": len(partitions),
            "events": len(seen),
            "repeats": repeats,
            "types": sorted(types),
            "misplaced": misplaced,
        }
    finally:
        await consumer.stop()
