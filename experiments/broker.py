"""Reads events back from the broker, as an independent consumer would."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

TOPICS = ("orders", "matches")
PARTITIONS = 12


def read_back(bootstrap: str, *, timeout: float = 60.0) -> dict[str, Any]:
    """Return what the topics hold now, each event counted once.

    Args:
        bootstrap: ``host:port`` of the broker.
        timeout: seconds for each topic.

    Returns:
        For each topic: ``partitions``, ``events`` (distinct by shard, log and sequence; seeds are not
        among them), ``repeats``, ``types``, and ``misplaced``: events whose key is not their symbol.
    """
    return {topic: asyncio.run(asyncio.wait_for(_read(bootstrap, topic), timeout)) for topic in TOPICS}


def read_orders(bootstrap: str, prefix: str, *, timeout: float = 60.0) -> dict[str, Any]:
    """Return what the topics hold now of the orders whose ids begin with ``prefix``.

    Args:
        bootstrap: ``host:port`` of the broker.
        prefix: how the ids of a load's orders begin.
        timeout: seconds for each topic.

    Returns:
        ``placed``: ids of the orders with an ORDER_PLACED; ``orders``: how many different ORDER_PLACED
        there are; ``matches``: how many different MATCH_EXECUTED with such an order as taker.
    """

    async def read() -> dict[str, Any]:
        placed: dict[str, str] = {}
        async for event in _events(bootstrap, "orders"):
            if event["type"] == "ORDER_PLACED" and event["orderId"].startswith(prefix):
                placed[_identity(event)] = event["orderId"]
        matches: set[str] = set()
        async for event in _events(bootstrap, "matches"):
            if event["type"] == "MATCH_EXECUTED" and event["takerOrderId"].startswith(prefix):
                matches.add(_identity(event))
        return {"placed": set(placed.values()), "orders": len(placed), "matches": len(matches)}

    return asyncio.run(asyncio.wait_for(read(), 2 * timeout))


async def _read(bootstrap: str, topic: str) -> dict[str, Any]:
    partitions: set[TopicPartition] = set()
    seen: set[str] = set()
    repeats = misplaced = 0
    types: set[str] = set()
    seeds: set[str] = set()
    async for event in _events(bootstrap, topic, partitions):
        identity = _identity(event)
        known = seeds if event["type"] == "ORDER_SEEDED" else seen
        repeats += identity in known
        misplaced += event["key"] != event["symbol"]
        known.add(identity)
        types.add(event["type"])
    return {
        "partitions": len(partitions),
        "events": len(seen),
        "repeats": repeats,
        "types": sorted(types),
        "misplaced": misplaced,
    }


def _identity(event: dict[str, Any]) -> str:
    """What tells an event from all others of its topic; the same one may be sent twice after a failure."""
    return f"{event['shard']} {event.get('log')} {event['sequence']}"


async def _events(
    bootstrap: str, topic: str, partitions: set[TopicPartition] | None = None
) -> AsyncIterator[dict[str, Any]]:
    """Yield what a topic holds when this begins, each event with its ``key``; add to ``partitions``."""
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
        assigned = sorted(consumer.assignment())
        if partitions is not None:
            partitions.update(assigned)
        ends = await consumer.end_offsets(assigned)
        await consumer.seek_to_beginning()
        while any([await consumer.position(p) < ends[p] for p in assigned]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    yield {**json.loads(record.value), "key": (record.key or b"").decode()}
    finally:
        await consumer.stop()
