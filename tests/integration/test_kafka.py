"""A real broker: ready when it says so, silent when paused, and what it stores outlives a kill."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import UnknownTopicOrPartitionError

from verdict_harness.systems import LocalBackend, System, chaos, kafka, live_brokers
from verdict_harness.systems.brokers import PARTITIONS


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 60))


async def create(bootstrap: str) -> dict[str, str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic("kept", num_partitions=PARTITIONS, replication_factor=1)])
        (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.BROKER, "1")])
        (broker,) = answer.resources
        return {entry[0]: entry[1] for entry in broker[4]}
    finally:
        await admin.close()


async def produce(bootstrap: str, topic: str) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, request_timeout_ms=3000)
    await producer.start()
    try:
        for n in range(100):
            await producer.send(topic, str(n).encode())
        await producer.flush()
    finally:
        await producer.stop()


async def consume(bootstrap: str) -> set[int]:
    consumer = AIOKafkaConsumer("kept", bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        found: set[int] = set()
        while len(found) < 100:
            batches = await consumer.getmany(timeout_ms=1000)
            found |= {int(record.value) for batch in batches.values() for record in batch}
        return found
    finally:
        await consumer.stop()


def test_a_broker(tmp_path: Path) -> None:
    with LocalBackend().deploy(System("broker", (kafka(),)), tmp_path / "run") as deployment:
        endpoint = deployment.endpoint("redpanda", "kafka")
        assert live_brokers(endpoint, 2.0) == 1
        settings = run(create(endpoint.address))
        assert settings["auto.create.topics.enable"] == "false"
        assert settings["num.partitions"] == str(PARTITIONS)
        with pytest.raises(UnknownTopicOrPartitionError):
            run(produce_to_nowhere(endpoint.address))
        run(produce(endpoint.address, "kept"))

        with chaos.pause(deployment, "redpanda") as fault:
            with pytest.raises(TimeoutError):
                live_brokers(endpoint, 0.5)
            deployment.check()
        assert fault.to_json()["answered"]
        assert live_brokers(endpoint, 2.0) == 1

        with chaos.kill(deployment, "redpanda"), pytest.raises(ConnectionRefusedError):
            live_brokers(endpoint, 0.5)
        assert run(consume(endpoint.address)) == set(range(100))
        deployment.check()
    assert not (tmp_path / "run" / "state").exists()


async def produce_to_nowhere(bootstrap: str) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, request_timeout_ms=3000)
    await producer.start()
    try:
        await producer.partitions_for("unknown")
    finally:
        await producer.stop()
