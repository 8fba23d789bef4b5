"""The engine as a process: what only shows with its HTTP server, its signals, its files and a real broker."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from prometheus_client.parser import text_string_to_metric_families

NOWHERE = "127.0.0.1:1"
BOOK = ("me_orderbook_depth", "me_orderbook_price_levels")


class Engine:
    """A process of ``python -m engine`` on any free ports, and a client of it."""

    def __init__(self, directory: Path, **env: object) -> None:
        self.directory = directory
        directory.mkdir(exist_ok=True)
        self.output = directory / f"log-{time.monotonic_ns()}"
        told = {
            "PYTHONWARNINGS": "error",
            "HOST": "127.0.0.1",
            "HTTP_PORT": "0",
            "METRICS_PORT": "0",
            "WAL_PATH": str(directory / "wal"),
            "WAL_SIZE_MB": "4",
            "KAFKA_BOOTSTRAP": NOWHERE,
            "DRAIN_SECONDS": "0.2",
        }
        with self.output.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "engine"],
                env={**os.environ, **told, **{key: str(value) for key, value in env.items()}},
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        self.client = httpx.Client(timeout=30)

    def close(self) -> None:
        self.client.close()
        self.process.kill()
        self.process.wait()

    def log(self) -> list[dict[str, Any]]:
        lines = [line for line in self.output.read_text().splitlines() if line.endswith("}")]
        return [json.loads(line) for line in lines]

    def ready(self) -> "Engine":
        facts = self.until(lambda: next((line for line in self.log() if line["message"] == "serving"), None))
        self.client.base_url = httpx.URL(f"http://127.0.0.1:{facts['http_port']}")
        self.metrics_url = f"http://127.0.0.1:{facts['metrics_port']}/metrics"
        assert self.client.get("/health").json() == {"status": "UP", "shardId": "a"}
        return self

    def until(self, probe: Callable[[], Any], seconds: float = 60) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := probe()):
            assert self.process.poll() is None, self.output.read_text()
            assert time.monotonic() < deadline, self.output.read_text()[-3000:]
            time.sleep(0.02)
        return found

    def order(self, price: int | None, quantity: int = 10, side: str = "BUY", **more: Any) -> httpx.Response:
        body = {"orderId": "o", "symbol": "TEST-ASSET-A", "side": side, "price": price, "quantity": quantity}
        return self.client.post("/orders", json={**body, **more})

    def seed(self, *prices: int, quantity: int = 10) -> httpx.Response:
        base = {"symbol": "TEST-ASSET-A", "side": "SELL", "quantity": quantity}
        made = [{**base, "orderId": f"s{number}", "price": price} for number, price in enumerate(prices)]
        return self.client.post("/seed", json={"orders": made})

    def metrics(self) -> dict[str, float]:
        families = text_string_to_metric_families(self.client.get(self.metrics_url).text)
        found = {}
        for family in families:
            for sample in family.samples:
                labels = {key: value for key, value in sample.labels.items() if key != "shard"}
                assert sample.labels["shard"] == "a"
                found[sample.name + (str(labels) if labels else "")] = sample.value
        return found

    def settled(self, received: int) -> dict[str, float]:
        """The metrics once ``received`` orders have been matched."""
        return self.until(
            lambda: (
                found if (found := self.metrics())["me_match_duration_seconds_count"] == received else None
            )
        )

    def book(self) -> dict[str, float]:
        return {key: value for key, value in self.metrics().items() if key.startswith(BOOK)}

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Callable[..., Engine]]:
    with ExitStack() as stack:

        def make(name: str = "a", **env: object) -> Engine:
            made = Engine(tmp_path / name, **env)
            stack.callback(made.close)
            return made

        yield make


def test_the_match_counter_moves_by_the_right_amount(engine: Callable[..., Engine]) -> None:
    it = engine().ready()
    assert it.seed(100, 100, 101, 105).json() == {"seeded": 4}

    answer = it.order(101, 25, orderId="mine", timestamp=1).json()
    assert (answer["status"], answer["orderId"], answer["shardId"]) == ("ACCEPTED", "mine", "a")
    it.order(99, 5)
    it.order(None, 7, type="MARKET")

    found = it.settled(3)
    assert found["me_matches_total"] == 5  # 25 from 10, 10 and 5; then 7 from the 5 that were left, and 2
    assert found["me_orders_executed_total"] == 2
    assert it.book() == {
        "me_orderbook_depth{'side': 'bid'}": 1,
        "me_orderbook_depth{'side': 'ask'}": 1,
        "me_orderbook_price_levels{'side': 'bid'}": 1,
        "me_orderbook_price_levels{'side': 'ask'}": 1,
    }
    assert it.stop() == 0


def test_what_is_refused_over_http(engine: Callable[..., Engine]) -> None:
    it = engine(RING_BUFFER_SIZE=1).ready()

    malformed = it.client.post("/orders", content=b"{nonsense")
    assert (malformed.status_code, malformed.json()["status"]) == (400, "REJECTED")
    assert it.client.post("/orders").status_code == 400
    unknown = it.order(1, symbol="NOPE")
    assert (unknown.status_code, unknown.json()) == (
        400,
        {"status": "REJECTED", "orderId": "o", "reason": "Unknown symbol: NOPE"},
    )
    bad_seed = it.seed(100, -1)
    assert (bad_seed.status_code, "orders[1]" in bad_seed.json()["reason"]) == (400, True)
    assert it.client.get("/nowhere").status_code == 404
    assert "error" in it.client.get("/nowhere").json()
    assert (it.client.get("/orders").status_code, "error" in it.client.get("/orders").json()) == (405, True)
    assert it.order(1).status_code == 200
    found = it.settled(1)
    assert found["me_orders_rejected_total{'reason': 'unknown_symbol'}"] == 1
    assert found["me_orders_rejected_total{'reason': 'malformed'}"] == 2


def test_a_killed_engine_comes_back_with_the_same_book(engine: Callable[..., Engine]) -> None:
    it = engine().ready()
    it.seed(*range(100, 150))
    for number in range(60):
        assert it.order(90 + number, 7 + number % 5, orderId=f"o{number}").status_code == 200
    before = it.settled(60)
    book = it.book()
    assert before["me_matches_total"] > 5

    it.kill()
    again = engine().ready()

    assert again.book() == book
    found = again.metrics()
    assert (found["me_recovery_orders"], found["me_matches_total"]) == (110, 0)
    left = book["me_orderbook_depth{'side': 'ask'}"]
    again.order(None, 10_000, type="MARKET")
    assert again.settled(1)["me_matches_total"] == left


def test_a_stop_drains_everything_and_says_so(engine: Callable[..., Engine]) -> None:
    it = engine().ready()
    for number in range(100):
        it.order(100, 1, side="SELL" if number % 2 else "BUY")

    it.process.send_signal(signal.SIGINT)

    assert it.process.wait(20) == 0
    log = it.log()
    (stopped,) = [line for line in log if line["message"] == "stopped"]
    assert (stopped["sequence"], stopped["matches"]) == (100, 50)
    # Everything but the broker's absence went well, warnings of Python's among it.
    assert {line["logger"] for line in log if line["level"] not in ("INFO", "DEBUG")} == {"engine.publisher"}
    assert not (it.directory / "wal" / "spare.wal").exists()


def test_a_stop_does_not_wait_for_idle_connections(engine: Callable[..., Engine]) -> None:
    it = engine().ready()
    url = it.client.base_url
    with socket.create_connection((url.host, url.port or 0)) as silent, httpx.Client(base_url=url) as idle:
        idle.get("/health")
        assert it.stop() == 0
        assert silent.recv(1) == b""


def test_an_unreachable_broker_stops_nothing(engine: Callable[..., Engine]) -> None:
    it = engine().ready()

    it.until(lambda: it.metrics()["me_event_publish_errors_total"] >= 2)
    for _ in range(50):
        assert it.order(100).status_code == 200

    found = it.settled(50)
    assert found["me_event_queue_depth"] == 50
    assert it.stop() == 0


def test_one_log_has_one_owner(engine: Callable[..., Engine]) -> None:
    first = engine().ready()

    second = engine()

    assert second.process.wait(20) == 1
    assert f"in use by process {first.process.pid}" in second.log()[-1]["message"]
    assert first.order(100).status_code == 200


def test_every_mistake_in_the_configuration_is_listed(engine: Callable[..., Engine]) -> None:
    it = engine(HTTP_PORT="http", RING_BUFFER_SIZE="1000", KAFKA_BOOTSTRAP="somewhere", SHARD_ID="z")

    assert it.process.wait(20) == 2
    messages = [line["message"] for line in it.log()]
    assert [message.split(":")[1].strip() for message in messages] == [
        "SHARD_SYMBOLS",
        "HTTP_PORT",
        "KAFKA_BOOTSTRAP",
        "RING_BUFFER_SIZE",
    ]


@pytest.mark.parametrize("variable", ["HTTP_PORT", "METRICS_PORT"])
def test_a_port_in_use_is_named(engine: Callable[..., Engine], variable: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        it = engine(**{variable: port})
        assert it.process.wait(20) == 1

    assert it.log()[-1]["message"].startswith(f"{variable} {port}")


def test_a_damaged_log_is_not_started_from(engine: Callable[..., Engine]) -> None:
    it = engine().ready()
    for _ in range(10):
        it.order(100)
    it.stop()
    with (it.directory / "wal" / "segment-00000001.wal").open("r+b") as file:
        file.seek(128 + 40)
        file.write(b"\xff\xff\xff\xff")

    again = engine()

    assert again.process.wait(20) == 1
    assert "is damaged at byte 128" in again.log()[-1]["message"]


def test_the_largest_seed_in_one_request(engine: Callable[..., Engine]) -> None:
    it = engine().ready()

    assert it.seed(*(15000 + number % 500 for number in range(40_000))).json() == {"seeded": 40_000}

    book = it.book()
    assert book["me_orderbook_depth{'side': 'ask'}"] == 40_000
    assert book["me_orderbook_price_levels{'side': 'ask'}"] == 500
    it.kill()
    assert engine().ready().book() == book


# With a real broker


def consume(bootstrap: str, log: str) -> dict[str, list[dict[str, Any]]]:
    """Every event of one engine's log that is in the two topics, in the order of each partition."""

    async def read() -> dict[str, list[dict[str, Any]]]:
        consumer = AIOKafkaConsumer(
            "orders", "matches", bootstrap_servers=bootstrap, auto_offset_reset="earliest", group_id=None
        )
        found: dict[str, list[dict[str, Any]]] = {"orders": [], "matches": []}
        await consumer.start()
        try:
            partitions = [
                TopicPartition(topic, number)
                for topic in found
                for number in consumer.partitions_for_topic(topic) or ()
            ]
            assert len(partitions) == 24
            ends = await consumer.end_offsets(partitions)
            while any([await consumer.position(one) < ends[one] for one in partitions]):
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    for message in batch:
                        event = json.loads(message.value)
                        assert message.key == event["symbol"].encode()
                        if event["log"] == log:
                            found[message.topic].append(event)
        finally:
            await consumer.stop()
        return found

    return asyncio.run(read())


def log_id(engine: Engine) -> str:
    """The identity of the log, from its header."""
    header = (engine.directory / "wal" / "segment-00000001.wal").read_bytes()[:128]
    return header[8:24].hex()


def everything_published(engine: Engine) -> bool:
    return engine.metrics()["me_event_backlog_orders"] == 0


def distinct(events: list[dict[str, Any]]) -> list[int]:
    return sorted({event["sequence"] for event in events})


def test_both_topics_have_every_event(engine: Callable[..., Engine], kafka: Any) -> None:
    it = engine(KAFKA_BOOTSTRAP=kafka.bootstrap, DRAIN_SECONDS=5).ready()
    it.seed(100, 101)
    it.order(100, 4, orderId="one")
    it.order(101, 16, orderId="two", timestamp=5)
    it.order(None, 3, "SELL", orderId="three", symbol="TEST-ASSET-B", type="MARKET")

    assert it.stop() == 0

    found = consume(kafka.bootstrap, log_id(it))
    placed = [(e["orderId"], e["side"], e["orderType"], e["price"], e["quantity"]) for e in found["orders"]]
    assert sorted(placed) == [
        ("one", "BUY", "LIMIT", 100, 4),
        ("three", "SELL", "MARKET", None, 3),
        ("two", "BUY", "LIMIT", 101, 16),
    ]
    matches = [
        (e["takerOrderId"], e["makerOrderId"], e["executionPrice"], e["executionQuantity"])
        for e in found["matches"]
    ]
    assert matches == [("one", "s0", 100, 4), ("two", "s0", 100, 6), ("two", "s1", 101, 10)]


def test_a_paused_broker_delays_no_order_and_loses_no_event(
    engine: Callable[..., Engine], kafka: Any
) -> None:
    it = engine(KAFKA_BOOTSTRAP=kafka.bootstrap, DRAIN_SECONDS=5).ready()
    it.order(100, 1)
    it.until(lambda: it.metrics()["me_events_published_total{'topic': 'orders'}"] == 1)

    kafka.pause()
    for number in range(400):
        assert it.order(100, 1, side="BUY" if number % 2 else "SELL").status_code == 200
    during = it.settled(401)
    assert during["me_matches_total"] == 200
    assert during["me_events_published_total{'topic': 'orders'}"] == 1
    it.until(lambda: it.metrics()["me_event_publish_errors_total"] >= 1)
    kafka.resume()

    it.until(lambda: everything_published(it))
    found = consume(kafka.bootstrap, log_id(it))
    assert distinct(found["orders"]) == list(range(1, 402))
    assert distinct(found["matches"]) == list(range(1, 201))
    assert it.stop() == 0


def test_an_overflowed_queue_recovers_every_event_from_the_log(
    engine: Callable[..., Engine], kafka: Any
) -> None:
    it = engine(KAFKA_BOOTSTRAP=kafka.bootstrap, EVENT_QUEUE_SIZE=10).ready()
    it.order(100, 1)
    it.until(lambda: it.metrics()["me_events_published_total{'topic': 'orders'}"] == 1)

    kafka.pause()
    for number in range(300):
        assert it.order(100, 1, side="BUY" if number % 2 else "SELL").status_code == 200
    during = it.settled(301)
    assert during["me_event_queue_overflows_total"] == 1
    assert during["me_event_queue_depth"] <= 10
    kafka.resume()

    it.until(lambda: everything_published(it))
    found = consume(kafka.bootstrap, log_id(it))
    assert distinct(found["orders"]) == list(range(1, 302))
    assert distinct(found["matches"]) == list(range(1, 151))


def test_what_was_not_published_before_a_kill_is_published_after(
    engine: Callable[..., Engine], kafka: Any
) -> None:
    dead = engine().ready()
    for number in range(100):
        dead.order(100, 1, side="BUY" if number % 2 else "SELL")
    dead.settled(100)
    dead.kill()

    it = engine(KAFKA_BOOTSTRAP=kafka.bootstrap).ready()

    it.until(lambda: everything_published(it))
    found = consume(kafka.bootstrap, log_id(it))
    assert distinct(found["orders"]) == list(range(1, 101))
    assert distinct(found["matches"]) == list(range(1, 51))


def test_a_stop_ends_in_time_with_a_broker_that_hangs(engine: Callable[..., Engine], kafka: Any) -> None:
    it = engine(KAFKA_BOOTSTRAP=kafka.bootstrap, DRAIN_SECONDS=1).ready()
    it.order(100, 1)
    it.until(lambda: it.metrics()["me_events_published_total{'topic': 'orders'}"] == 1)
    kafka.pause()
    for _ in range(50):
        it.order(100, 1)

    assert it.stop() == 0

    assert "not all events reached the broker; they are sent after the next start" in [
        line["message"] for line in it.log()
    ]
