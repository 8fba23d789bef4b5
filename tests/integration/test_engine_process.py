"""The engine as a process: what only shows with its HTTP server, its signals, its files and a real broker."""

import math
import shutil
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zlib import crc32

import httpx
import pytest

LONG = 120  # seconds: a starved machine takes some to start Python; what hangs, hangs for longer


def test_the_match_counter_moves_by_the_right_amount(engine: Callable[..., Any]) -> None:
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


def test_what_is_refused_over_http(engine: Callable[..., Any]) -> None:
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
    for answer, status in ((it.client.get("/nowhere"), 404), (it.client.get("/orders"), 405)):
        assert (answer.status_code, answer.json()["status"]) == (status, "REJECTED")
    assert it.order(1).status_code == 200
    found = it.settled(1)
    assert found["me_orders_rejected_total{'reason': 'unknown_symbol'}"] == 1
    assert found["me_orders_rejected_total{'reason': 'malformed'}"] == 2


def test_a_killed_engine_comes_back_with_the_same_book(engine: Callable[..., Any]) -> None:
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


def test_a_stop_drains_everything_and_says_so(engine: Callable[..., Any]) -> None:
    it = engine().ready()
    for number in range(100):
        it.order(100, 1, side="SELL" if number % 2 else "BUY")

    it.process.send_signal(signal.SIGINT)

    assert it.process.wait(LONG) == 0
    log = it.log()
    (stopped,) = [line for line in log if line["message"] == "stopped"]
    assert (stopped["sequence"], stopped["matches"]) == (100, 50)
    # Everything but the broker's absence went well, warnings of Python's among it.
    assert {line["logger"] for line in log if line["level"] not in ("INFO", "DEBUG")} == {
        "engine.publishing.publisher",
        "engine.publishing.trouble",
    }
    assert not (it.directory / "wal" / "spare.wal").exists()


def test_a_stop_does_not_wait_for_idle_connections(engine: Callable[..., Any]) -> None:
    it = engine().ready()
    url = it.client.base_url
    with socket.create_connection((url.host, url.port or 0)) as silent, httpx.Client(base_url=url) as idle:
        idle.get("/health")
        assert it.stop() == 0
        assert silent.recv(1) == b""


def test_an_unreachable_broker_stops_nothing(engine: Callable[..., Any]) -> None:
    it = engine().ready()

    it.until(lambda: it.metrics()["me_event_publish_errors_total"] >= 2)
    for _ in range(50):
        assert it.order(100).status_code == 200

    found = it.settled(50)
    assert found["me_event_queue_depth"] == 50
    assert it.stop() == 0


def test_one_log_has_one_owner(engine: Callable[..., Any]) -> None:
    first = engine().ready()

    second = engine()

    assert second.process.wait(LONG) == 1
    assert f"in use by process {first.process.pid}" in second.log()[-1]["message"]
    assert first.order(100).status_code == 200


def test_every_mistake_in_the_configuration_is_listed(engine: Callable[..., Any]) -> None:
    it = engine(HTTP_PORT="http", RING_BUFFER_SIZE="1000", KAFKA_BOOTSTRAP="somewhere", SHARD_ID="z")

    assert it.process.wait(LONG) == 2
    messages = [line["message"] for line in it.log()]
    assert [message.split(":")[1].strip() for message in messages] == [
        "SHARD_SYMBOLS",
        "HTTP_PORT",
        "KAFKA_BOOTSTRAP",
        "RING_BUFFER_SIZE",
    ]


@pytest.mark.parametrize("variable", ["HTTP_PORT", "METRICS_PORT"])
def test_a_port_in_use_is_named(engine: Callable[..., Any], variable: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        it = engine(**{variable: port})
        assert it.process.wait(LONG) == 1

    assert it.log()[-1]["message"].startswith(f"{variable}: can't listen on 127.0.0.1 port {port}: ")


def test_a_damaged_log_is_not_started_from(engine: Callable[..., Any]) -> None:
    it = engine().ready()
    for _ in range(10):
        it.order(100)
    it.stop()
    with (it.directory / "wal" / "segment-00000001.wal").open("r+b") as file:
        file.seek(128 + 40)
        file.write(b"\xff\xff\xff\xff")

    again = engine()

    assert again.process.wait(LONG) == 1
    assert "is damaged at byte 128" in again.log()[-1]["message"]


def test_the_largest_seed_in_one_request(engine: Callable[..., Any]) -> None:
    it = engine().ready()

    assert it.seed(*(15000 + number % 500 for number in range(40_000))).json() == {"seeded": 40_000}

    book = it.book()
    assert book["me_orderbook_depth{'side': 'ask'}"] == 40_000
    assert book["me_orderbook_price_levels{'side': 'ask'}"] == 500
    it.kill()
    assert engine().ready().book() == book


# The log of version 1, as its first engine wrote it
OLD = Path(__file__).parents[1] / "unit" / "engine" / "wal-format-1"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Where an engine by the name of ``old`` keeps such a log."""
    return Path(shutil.copytree(OLD, tmp_path / "old" / "wal"))


@pytest.mark.usefixtures("old")
def test_an_old_log_is_gone_on_with(engine: Callable[..., Any], kafka: Any) -> None:
    it = engine("old", SHARD_SYMBOLS="X,Y", KAFKA_BOOTSTRAP=kafka.bootstrap).ready()
    assert it.metrics()["me_recovery_orders"] == 11
    assert it.order(1, 1, symbol="Y").status_code == 200
    it.until(it.everything_published)
    book = it.book()

    found = it.events(kafka.bootstrap)

    assert distinct(found["orders"]) == list(range(1, 13))
    assert {event["sequence"] for event in found["orders"] if event["type"] == "ORDER_SEEDED"} == {1, 2}
    executed = {event["sequence"]: event["executionQuantity"] for event in found["matches"]}
    assert executed == {1: 5, 2: 2, 3: 7, 4: 9}
    it.kill()
    again = engine("old", SHARD_SYMBOLS="X,Y").ready()
    assert (again.book(), again.metrics()["me_recovery_orders"]) == (book, 12)


def test_a_log_of_a_newer_engine_is_refused_and_left_alone(engine: Callable[..., Any], old: Path) -> None:
    first = old / "segment-00000001.wal"
    header = bytearray(first.read_bytes()[:128])
    header[4:6] = struct.pack("<H", 3)
    header[124:128] = struct.pack("<I", crc32(header[:100]))
    first.write_bytes(bytes(header) + first.read_bytes()[128:])
    before = {path.name: path.read_bytes() for path in old.glob("*.wal")}

    it = engine("old", SHARD_SYMBOLS="X,Y")

    assert it.process.wait(LONG) == 1
    assert f"{first} has log format 3, of a newer engine" in it.log()[-1]["message"]
    assert {path.name: path.read_bytes() for path in old.glob("*.wal")} == before


# With a real broker


def distinct(events: list[dict[str, Any]]) -> list[int]:
    return sorted({event["sequence"] for event in events})


def test_both_topics_have_every_event(engine: Callable[..., Any], kafka: Any) -> None:
    it = engine(KAFKA_BOOTSTRAP=kafka.bootstrap, DRAIN_SECONDS=5).ready()
    it.seed(100, 101)
    it.order(100, 4, orderId="one")
    it.order(101, 16, orderId="two", timestamp=5)
    it.order(None, 3, "SELL", orderId="three", symbol="TEST-ASSET-B", type="MARKET")

    assert it.stop() == 0

    found = it.events(kafka.bootstrap)
    placed = [(e["orderId"], e["side"], e["orderType"], e["price"], e["quantity"]) for e in found["orders"]]
    assert sorted(placed) == [
        ("one", "BUY", "LIMIT", 100, 4),
        ("s0", "SELL", "LIMIT", 100, 10),
        ("s1", "SELL", "LIMIT", 101, 10),
        ("three", "SELL", "MARKET", None, 3),
        ("two", "BUY", "LIMIT", 101, 16),
    ]
    matches = [
        (e["takerOrderId"], e["makerOrderId"], e["executionPrice"], e["executionQuantity"])
        for e in found["matches"]
    ]
    assert matches == [("one", "s0", 100, 4), ("two", "s0", 100, 6), ("two", "s1", 101, 10)]


def test_a_paused_broker_delays_no_order_and_loses_no_event(engine: Callable[..., Any], kafka: Any) -> None:
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

    it.until(it.everything_published)
    found = it.events(kafka.bootstrap)
    assert distinct(found["orders"]) == list(range(1, 402))
    assert distinct(found["matches"]) == list(range(1, 201))
    assert it.stop() == 0


def test_an_overflowed_queue_recovers_every_event_from_the_log(
    engine: Callable[..., Any], kafka: Any
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

    it.until(it.everything_published)
    found = it.events(kafka.bootstrap)
    assert distinct(found["orders"]) == list(range(1, 302))
    assert distinct(found["matches"]) == list(range(1, 151))


def test_what_was_not_published_before_a_kill_is_published_after(
    engine: Callable[..., Any], kafka: Any
) -> None:
    dead = engine().ready()
    for number in range(100):
        dead.order(100, 1, side="BUY" if number % 2 else "SELL")
    dead.settled(100)
    dead.kill()

    it = engine(KAFKA_BOOTSTRAP=kafka.bootstrap).ready()

    it.until(it.everything_published)
    found = it.events(kafka.bootstrap)
    assert distinct(found["orders"]) == list(range(1, 101))
    assert distinct(found["matches"]) == list(range(1, 51))


def test_a_stop_ends_in_time_with_a_broker_that_hangs(engine: Callable[..., Any], kafka: Any) -> None:
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


# What it tells of itself


def test_a_loop_that_stands_still_is_told(engine: Callable[..., Any]) -> None:
    """An order that waited in the kernel meanwhile has a short match duration, and the lag says why."""
    it = engine().ready()
    it.order(100, 1)
    before = it.settled(1)
    assert before["me_event_loop_lag_max_seconds"] < 2.4
    late = threading.Thread(target=it.order, args=(100, 1, "SELL"))
    it.process.send_signal(signal.SIGSTOP)
    try:
        late.start()
        time.sleep(2.5)
    finally:
        it.process.send_signal(signal.SIGCONT)
    late.join(20)
    after = it.settled(2)

    assert after["me_event_loop_lag_max_seconds"] >= 2.4
    assert after["me_event_loop_lag_seconds_sum"] - before["me_event_loop_lag_seconds_sum"] >= 2.4
    buckets = [
        float(name.partition("'le': '")[2].partition("'")[0])
        for name, value in after.items()
        if name.startswith("me_event_loop_lag_seconds_bucket") and value > before[name]
    ]
    assert any(2.4 <= bound < math.inf for bound in buckets), "and it stays"


def test_the_accounts_can_be_held_against_each_other(engine: Callable[..., Any], kafka: Any) -> None:
    """As docs/architecture.md says: each door counts for itself, and all come to the same."""
    it = engine(KAFKA_BOOTSTRAP=kafka.bootstrap).ready()
    assert it.seed(*range(100, 150), quantity=4).json() == {"seeded": 50}
    statuses = [it.order(100 + n % 60, 1 + n % 9, orderId=f"o{n}").status_code for n in range(80)]
    statuses += [it.order(1, 1, "SELL", symbol="nobody's").status_code for _ in range(3)]
    statuses += [it.order(0, 1).status_code for _ in range(2)]
    it.until(it.everything_published)
    found = it.settled(80)

    def count(name: str, **labels: str) -> float:
        return found[name + (str(labels) if labels else "")]

    orders = count("me_orders_received_total", side="buy") + count("me_orders_received_total", side="sell")
    assert orders == statuses.count(200) == 80
    assert count("me_orders_rejected_total", reason="unknown_symbol") == 3
    assert count("me_orders_rejected_total", reason="price") == 2
    assert (
        statuses.count(400)
        == 5
        == sum(value for name, value in found.items() if name.startswith("me_orders_rejected_total"))
    )
    assert count("me_wal_records_total", kind="order") == orders == count("me_orders_matched_total")
    assert count("me_match_duration_seconds_count") == orders == count("me_ring_wait_seconds_count")
    assert count("me_wal_records_total", kind="seed") == 50 == count("me_orders_seeded_total")
    fills = count("me_matches_total")
    assert fills > 0
    expected = {"ORDER_PLACED": orders, "ORDER_SEEDED": 50, "MATCH_EXECUTED": fills}
    for type_, number in expected.items():
        for stage in ("made", "sent", "acknowledged"):
            assert count(f"me_events_{stage}_total", type=type_) == number, stage
    assert count("me_events_published_total", topic="orders") == orders + 50
    assert count("me_events_published_total", topic="matches") == fills
    assert (count("me_event_publish_errors_total"), count("me_event_resends_total")) == (0, 0)
    events = it.events(kafka.bootstrap)
    told = [event["type"] for topic in events.values() for event in topic]
    assert {type_: told.count(type_) for type_ in expected} == expected
    written = sum(path.stat().st_size for path in (it.directory / "wal").glob("segment-*.wal"))
    assert 0 < count("me_wal_bytes_total") < written
