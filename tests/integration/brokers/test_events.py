"""What a consumer may rely on, with each broker: topics, schemas, keys, order, and events that come twice."""

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

EVENTS = Path(__file__).parents[3] / "docs" / "events"
SCHEMAS = {
    schema["properties"]["type"]["const"]: schema
    for schema in (json.loads(path.read_text()) for path in sorted(EVENTS.glob("*.schema.json")))
}
TYPES = {"orders": {"ORDER_PLACED", "ORDER_SEEDED"}, "matches": {"MATCH_EXECUTED"}}
SYMBOLS = [f"TEST-ASSET-{letter}" for letter in "ABCD"]


def partitions(broker: Any) -> dict[str, int]:
    found = (
        AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0}).list_topics(timeout=20).topics
    )
    return {name: len(topic.partitions) for name, topic in found.items() if name in TYPES}


def without_topics(broker: Any) -> AdminClient:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
    if there := list(partitions(broker)):
        for future in admin.delete_topics(there, operation_timeout=20).values():
            future.result(20)
    deadline = time.monotonic() + 20
    while partitions(broker):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return admin


def of(records: Iterable[Any], topic: str) -> list[Any]:
    return [record for record in records if record.topic == topic]


def trade(it: Any, count: int) -> None:
    """Orders of every kind for every symbol in turn, half of which match."""
    for number in range(count):
        symbol = SYMBOLS[number % 4]
        side = "BUY" if number // 4 % 2 else "SELL"
        price, kind = (None, "MARKET") if side == "BUY" and number % 3 == 0 else (100, "LIMIT")
        more = {"timestamp": 1_700_000_000_000 + number} if number % 2 else {}
        answer = it.order(price, 2, side, orderId=f"ö-{number}", symbol=symbol, type=kind, **more)
        assert answer.status_code == 200


def published(it: Any) -> Any:
    it.until(it.everything_published)
    return it


@pytest.mark.parametrize("before", ["none", "named by a consumer"])
def test_the_engine_makes_the_topics_with_12_partitions(
    broker: Any, engine: Callable[..., Any], before: str
) -> None:
    """Brokers that make a topic when a client names it give it another number of partitions."""
    admin = without_topics(broker)
    if before != "none":
        for topic in TYPES:
            admin.list_topics(topic, timeout=20)  # librdkafka lets the broker make it
        deadline = time.monotonic() + 20
        while partitions(broker) != {"orders": 1, "matches": 1}:
            assert time.monotonic() < deadline, partitions(broker)
            time.sleep(0.1)

    it = engine(KAFKA_BOOTSTRAP=broker.bootstrap).ready()
    trade(it, 8)
    published(it)

    assert partitions(broker) == {"orders": 12, "matches": 12}


def test_topics_that_have_events_keep_their_partitions(
    broker: Any, engine: Callable[..., Any], consume: Callable[..., list[Any]]
) -> None:
    admin = without_topics(broker)
    for future in admin.create_topics([NewTopic(topic, 3, 1) for topic in TYPES]).values():
        future.result(20)
    producer = Producer({"bootstrap.servers": broker.bootstrap, "log_level": 0})
    for topic in TYPES:
        producer.produce(topic, b'{"log": "another"}', b"TEST-ASSET-A")
    assert producer.flush(20) == 0

    it = engine(KAFKA_BOOTSTRAP=broker.bootstrap).ready()
    trade(it, 8)
    published(it)

    assert partitions(broker) == {"orders": 3, "matches": 3}
    assert "a topic has another number of partitions than expected" in [line["message"] for line in it.log()]
    assert len(of(consume(it.logs), "orders")) == 8
    without_topics(broker)


def test_events_are_what_their_schemas_say_in_order_for_each_symbol(
    broker: Any, engine: Callable[..., Any], consume: Callable[..., list[Any]]
) -> None:
    it = engine(KAFKA_BOOTSTRAP=broker.bootstrap).ready()
    trade(it, 120)
    assert it.seed(5000, 6000).json() == {"seeded": 2}
    published(it)

    records = consume(it.logs)

    assert {topic: len(of(records, topic)) for topic in TYPES} == {"orders": 122, "matches": 60}
    places: dict[Any, list[int]] = defaultdict(list)
    homes: dict[Any, set[int]] = defaultdict(set)
    for topic, partition, _, key, event in records:
        assert event["type"] in TYPES[topic]
        schema = SCHEMAS[event["type"]]
        jsonschema.validate(event, schema, jsonschema.Draft202012Validator)
        assert set(event) == set(schema["properties"]), "every property is described, and none is missing"
        assert key == event["symbol"]
        places[topic, key].append(event["sequence"])
        homes[topic, key].add(partition)
    assert len(places) == 2 * len(SYMBOLS)
    assert all(sequences == sorted(set(sequences)) for sequences in places.values())
    assert all(len(home) == 1 for home in homes.values())
    assert {key: home for (topic, key), home in homes.items() if topic == "orders"} == {
        key: home for (topic, key), home in homes.items() if topic == "matches"
    }
    orders = {record.event["sequence"]: record.event for record in of(records, "orders")}
    for record in of(records, "matches"):
        match = record.event
        taker, maker = orders[match["takerSequence"]], orders[match["makerSequence"]]
        assert (match["takerOrderId"], match["makerOrderId"]) == (taker["orderId"], maker["orderId"])
        assert (match["takerSide"], match["executionPrice"]) == (taker["side"], maker["price"])


def test_the_brokers_own_tool_reads_them_too(
    broker: Any, engine: Callable[..., Any], consume: Callable[..., list[Any]]
) -> None:
    it = engine(KAFKA_BOOTSTRAP=broker.bootstrap).ready()
    trade(it, 16)
    published(it)
    records = consume()

    for topic, kinds in TYPES.items():
        expected = [record.event for record in of(records, topic)]
        told = [json.loads(line) for line in broker.own_tool(topic, len(expected))]
        mine = [event for event in told if event["log"] in it.logs]
        assert len(mine) == {"orders": 16, "matches": 8}[topic]
        assert {event["type"] for event in mine} <= kinds
        assert sorted(map(str, told)) == sorted(map(str, expected))


def test_a_consumer_that_drops_repeats_sees_each_event_once(
    broker: Any, engine: Callable[..., Any], consume: Callable[..., list[Any]]
) -> None:
    """An engine that has lost its notes sends everything again, after a kill and with more orders."""
    it = engine(KAFKA_BOOTSTRAP=broker.bootstrap).ready()
    trade(it, 40)
    published(it).kill()
    (it.directory / "wal" / "published.json").unlink(missing_ok=True)
    again = engine(KAFKA_BOOTSTRAP=broker.bootstrap).ready()
    trade(again, 40)
    published(again)

    records = consume(it.logs)

    assert {topic: len(of(records, topic)) for topic in TYPES} == {"orders": 120, "matches": 60}
    seen: dict[Any, Any] = {}
    for record in records:
        identity = record.topic, *(record.event[name] for name in ("shard", "log", "sequence"))
        assert seen.setdefault(identity, record.event) == record.event, "a repeat is the same event"
    assert sorted(sequence for topic, *_, sequence in seen if topic == "orders") == list(range(1, 81))
    assert sorted(sequence for topic, *_, sequence in seen if topic == "matches") == list(range(1, 41))
