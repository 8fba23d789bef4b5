"""Limits that a broker sets: each is reached, said (log, metric, health), and got over where that can be."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from verdict_harness.programs import provide

TOPICS = ("orders", "matches")
SEEDS = 600
BATCH = "the broker takes no batch of this size; smaller ones are sent from now on"


class Node(NamedTuple):
    """A Kafka whose limits a test sets."""

    kafka: Any
    read: Callable[[Any], list[Any]]

    @property
    def bootstrap(self) -> str:
        return str(self.kafka.bootstrap)

    @property
    def admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})

    def topics(self, **settings: object) -> None:
        """Make both topics anew, with these settings."""
        admin = self.admin
        if there := set(TOPICS) & set(admin.list_topics(timeout=20).topics):
            for future in admin.delete_topics(list(there), operation_timeout=20).values():
                future.result(20)
        config = {name.replace("_", "."): str(value) for name, value in settings.items()}
        made = [NewTopic(topic, 12, 1, config=config) for topic in TOPICS]
        for future in admin.create_topics(made).values():
            future.result(20)

    def set(self, name: str, value: object) -> None:
        """Change a setting of both topics."""
        entry = ConfigEntry(name, str(value), incremental_operation=AlterConfigOpType.SET)
        resources = [
            ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry]) for topic in TOPICS
        ]
        admin = self.admin  # alive until it has the answer
        for future in admin.incremental_alter_configs(resources).values():
            future.result(20)

    def quota(self, change: str) -> None:
        """Change what the engine's client may send, by the tool that comes with the broker."""
        tool = [str(provide("java").path), "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"]
        tool += ["-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", f"{provide('kafka').path}/*"]
        tool += ["org.apache.kafka.tools.ConfigCommand", "--bootstrap-server", self.bootstrap, "--alter"]
        tool += ["--entity-type", "clients", "--entity-name", "me-shard-a", *change.split()]
        subprocess.run(tool, check=True, capture_output=True, timeout=60)

    def left(self) -> int:
        """How many messages both topics have, of those that came."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "tests", "log_level": 0})
        try:
            places = [TopicPartition(topic, number) for topic in TOPICS for number in range(12)]
            return sum(
                high - low
                for low, high in (consumer.get_watermark_offsets(place, timeout=20) for place in places)
            )
        finally:
            consumer.close()

    def sequences(self, it: Any) -> list[int]:
        """Of the events in ``orders`` of one engine's log, as a consumer gets them, repeats and all."""
        return [
            record.event["sequence"]
            for record in self.read(self)
            if record.topic == "orders" and record.event["log"] in it.logs
        ]


def amended(*lines: str) -> Callable[[Any], str]:
    return lambda _place: "".join(f"{line}\n" for line in lines)


@pytest.fixture(scope="module")
def node(
    start_kafka: Callable[..., AbstractContextManager[Any]],
    read_all: Callable[[Any], list[Any]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Node]:
    settings = amended("log.retention.check.interval.ms=500", "log.segment.delete.delay.ms=100")
    with start_kafka(tmp_path_factory.mktemp("limits"), settings) as kafka:
        yield Node(kafka, read_all)


def failures(it: Any) -> dict[str, float]:
    """By reason, those that there were."""
    name = "me_event_publish_failures_total{'reason': '"
    metrics = it.metrics()
    found = {key.removeprefix(name)[:-2]: value for key, value in metrics.items() if key.startswith(name)}
    assert set(found) == {"unreachable", "too_large", "not_permitted", "refused", "other"}
    assert sum(found.values()) == metrics["me_event_publish_errors_total"]
    return {reason: value for reason, value in found.items() if value}


def problems(it: Any) -> list[str]:
    health = it.client.get("/health")
    assert health.status_code == 200
    assert (health.json()["status"], health.json()["shardId"]) == ("UP", "a")
    return list(health.json().get("problems", []))


def said(it: Any, message: str) -> list[dict[str, Any]]:
    return [line for line in it.log() if line["message"] == message]


def rest(it: Any, first: int = 100) -> None:
    assert it.seed(*range(first, first + SEEDS)).json() == {"seeded": SEEDS}


def test_a_batch_that_is_too_large_is_split(node: Node, engine: Callable[..., Any]) -> None:
    node.topics(max_message_bytes=1000)
    it = engine(KAFKA_BOOTSTRAP=node.bootstrap).ready()
    rest(it)
    it.until(it.everything_published)

    assert set(failures(it)) == {"too_large"}
    lines = said(it, BATCH)
    assert 1 <= len(lines) == failures(it)["too_large"] < 10
    assert [line["bytes"] > line["bytes_from_now_on"] for line in lines] == [True] * len(lines)
    assert problems(it) == []
    before = failures(it)
    rest(it, 1000)
    it.until(it.everything_published)
    assert failures(it) == before, "what was learned is not forgotten"
    found = node.sequences(it)
    assert sorted(set(found)) == list(range(1, 2 * SEEDS + 1))


def test_an_event_that_is_too_large_waits_for_the_limit_to_be_raised(
    node: Node, engine: Callable[..., Any]
) -> None:
    node.topics(max_message_bytes=200)
    it = engine(KAFKA_BOOTSTRAP=node.bootstrap).ready()
    assert it.order(100, 1).status_code == 200
    it.until(lambda: problems(it))

    (problem,) = problems(it)
    assert it.metrics()["me_event_problems"] == 1
    assert "is larger than the broker takes" in problem
    assert "max.message.bytes" in problem
    assert failures(it)["too_large"] >= 1
    assert it.order(100, 1, side="SELL").status_code == 200
    assert it.settled(2)["me_matches_total"] == 1
    assert it.metrics()["me_event_backlog_orders"] == 2
    node.set("max.message.bytes", 100_000)
    it.until(it.everything_published)
    assert problems(it) == []
    assert sorted(set(node.sequences(it))) == [1, 2]


def test_a_request_that_is_too_large_is_made_smaller(
    engine: Callable[..., Any],
    start_kafka: Callable[..., AbstractContextManager[Any]],
    read_all: Callable[[Any], list[Any]],
    tmp_path: Path,
) -> None:
    """The broker says nothing to that: it cuts the connection, again and again."""
    with start_kafka(tmp_path, amended("socket.request.max.bytes=20000")) as kafka:
        node = Node(kafka, read_all)
        node.topics()
        it = engine(KAFKA_BOOTSTRAP=node.bootstrap).ready()
        rest(it)
        it.until(it.everything_published, 180)

        assert set(failures(it)) == {"unreachable"}
        assert 1 <= failures(it)["unreachable"] < 10
        assert said(it, "publishing failed; it is tried again for as long as it takes")
        assert sorted(set(node.sequences(it))) == list(range(1, SEEDS + 1))
        assert it.stop() == 0


def test_a_quota_holds_back_events_and_no_order(node: Node, engine: Callable[..., Any]) -> None:
    """What the broker asks for is kept: nothing times out, and nothing is sent twice."""
    node.topics()
    node.quota("--add-config producer_byte_rate=10000")
    try:
        it = engine(KAFKA_BOOTSTRAP=node.bootstrap).ready()
        rest(it)
        it.until(lambda: problems(it))
        (problem,) = problems(it)
        assert problem.startswith("events are held back by the broker's quota, for another ")
        assert it.order(50, 1).status_code == 200
        it.settled(1)
        it.until(it.everything_published, 180)
        assert failures(it) == {}
        assert it.metrics()["me_event_throttled_seconds_total"] > 1
        assert said(it, "the broker's quota holds events back")
        it.until(lambda: not problems(it))
        assert node.sequences(it) == list(range(1, SEEDS + 2))
        assert it.stop() == 0
    finally:
        node.quota("--delete-config producer_byte_rate")


def test_what_the_retention_removed_is_said_and_not_sent_again(
    node: Node, engine: Callable[..., Any]
) -> None:
    node.topics(retention_ms=500)
    it = engine(KAFKA_BOOTSTRAP=node.bootstrap).ready()
    it.order(100, 1)
    it.order(100, 1, side="SELL")
    it.until(it.everything_published)
    assert it.metrics()["me_event_partitions_expired"] == 0
    assert it.stop() == 0
    deadline = time.monotonic() + 60
    while node.left():
        assert time.monotonic() < deadline
        time.sleep(0.2)

    again = engine(KAFKA_BOOTSTRAP=node.bootstrap).ready()
    again.until(lambda: again.metrics()["me_event_partitions_expired"] == 2)

    (line,) = [line for line in again.log() if "retention has removed" in line["message"]]
    assert line["partitions"] == 2
    metrics = again.metrics()
    assert (metrics["me_event_resends_total"], metrics["me_event_backlog_orders"]) == (0, 0)
    assert problems(again) == [], "a retention is what somebody wanted"
    again.order(100, 1)
    again.until(again.everything_published)
