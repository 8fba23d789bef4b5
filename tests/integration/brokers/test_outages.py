"""Whatever happens to the broker delays no order and costs no event that the engine can still send."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from verdict_harness.processes import until

ORDERS = 200
TOPICS = ("orders", "matches")


class Proxy:
    """A way to the broker that can be slow, or break.

    Attributes:
        delay: seconds that each piece of data waits, either way.
        cut_after: bytes towards the broker after which a connection is reset; None for never.
        cuts: connections that were.
    """

    def __init__(self, port: int, *upstream: Any) -> None:
        self.delay = 0.0
        self.cut_after: int | None = None
        self.cuts = 0
        self._upstream = upstream
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", port))
        self._run(self._accept)

    def close(self) -> None:
        for one in (self._listener, *list(self._open)):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(20)
            assert not thread.is_alive()
        for one in (self._listener, *self._open):
            one.close()

    def _run(self, what: Callable[..., None], *words: Any) -> None:
        thread = threading.Thread(target=what, args=words)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._open.add(client)
            try:
                server = socket.create_connection(self._upstream, 5)
            except OSError:
                with contextlib.suppress(OSError):  # the client may have gone first
                    client.shutdown(socket.SHUT_RDWR)
                continue
            server.settimeout(None)
            self._open.add(server)
            self._run(self._pump, client, server, True)
            self._run(self._pump, server, client, False)

    def _pump(self, source: socket.socket, target: socket.socket, to_broker: bool) -> None:
        done = 0
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if self.delay:
                    time.sleep(self.delay)
                limit = self.cut_after
                if to_broker and limit is not None and done + len(data) > limit:
                    target.sendall(data[: max(0, limit - done)])
                    self.cuts += 1
                    break
                target.sendall(data)
                done += len(data)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def proxy(broker: Any) -> Iterator[Proxy]:
    """In front of the broker, which names it to clients that come through it."""
    made = Proxy(broker.advertised, broker.host, broker.behind)
    yield made
    made.close()


def trade(it: Any, count: int = ORDERS) -> None:
    for number in range(count):
        assert it.order(100, 1, side="BUY" if number % 2 else "SELL").status_code == 200


def connected(it: Any) -> Any:
    """Wait until an event of this engine has arrived."""
    it.ready().order(1, 1)
    it.until(lambda: it.metrics()["me_events_published_total{'topic': 'orders'}"] >= 1)
    return it


def errors(it: Any) -> float:
    return float(it.metrics()["me_event_publish_errors_total"])


def assert_all_there(records: list[Any], orders: int, matches: int) -> None:
    found = {
        topic: sorted({record.event["sequence"] for record in records if record.topic == topic})
        for topic in TOPICS
    }
    assert found == {"orders": list(range(1, orders + 1)), "matches": list(range(1, matches + 1))}


def nothing_is_lost(
    it: Any, records: list[Any], orders: int = ORDERS + 1, matches: int = ORDERS // 2
) -> None:
    assert_all_there(records, orders, matches)
    assert it.stop() == 0


def in_order(records: list[Any]) -> bool:
    """Whether a consumer that drops repeats gets each symbol's events in order."""
    last: dict[Any, int] = {}
    for topic, _, _, key, event in records:
        if event["sequence"] > last.get((topic, key), 0) + 1:
            return False
        last[topic, key] = max(event["sequence"], last.get((topic, key), 0))
    return True


def test_paused_and_a_full_queue(
    broker: Any, engine: Callable[..., Any], consume: Callable[..., list[Any]]
) -> None:
    """Back-pressure ends at the queue: what it has no room for is read from the log later."""
    it = connected(engine(KAFKA_BOOTSTRAP=broker.bootstrap, EVENT_QUEUE_SIZE=20))
    broker.pause()
    trade(it)
    during = it.settled(ORDERS + 1)
    assert during["me_matches_total"] == ORDERS / 2
    # Once, or again where what was under way made room for a moment; and not for each event that found none.
    assert 1 <= during["me_event_queue_overflows_total"] <= ORDERS / 10
    assert during["me_event_queue_depth"] <= 20
    broker.resume()
    it.until(it.everything_published)
    assert it.metrics()["me_event_resends_total"] == 0
    records = consume(it.logs)
    assert in_order(records)
    nothing_is_lost(it, records)


def write_over(broker: Any) -> None:
    """Make the topics anew, with more of others' events than the engine ever sent."""
    admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
    for future in admin.delete_topics(list(TOPICS), operation_timeout=20).values():
        future.result(20)
    until("the topics to go", lambda: not set(TOPICS) & set(admin.list_topics(timeout=20).topics), timeout=60)
    for future in admin.create_topics([NewTopic(topic, 12, 1) for topic in TOPICS]).values():
        future.result(20)
    producer = Producer({"bootstrap.servers": broker.bootstrap, "log_level": 0, "partitioner": "murmur2"})
    for number in range(2 * ORDERS):
        for topic in TOPICS:
            producer.produce(topic, f'{{"log": "another", "sequence": {number}}}', "TEST-ASSET-A")
    assert producer.flush(30) == 0


@pytest.mark.parametrize("how", ["empty disk", "written over"])
def test_what_had_arrived_is_gone(
    broker: Any, engine: Callable[..., Any], consume: Callable[..., list[Any]], how: str
) -> None:
    """The topics are made again, and what had been acknowledged is sent again: the log still has it."""
    it = connected(engine(KAFKA_BOOTSTRAP=broker.bootstrap))
    trade(it, ORDERS - 20)
    it.until(it.everything_published)
    if how == "empty disk":
        broker.restart(empty=True)
    else:
        assert it.stop() == 0
        write_over(broker)
        it = engine(KAFKA_BOOTSTRAP=broker.bootstrap).ready()
    trade(it, 20)
    it.until(lambda: it.metrics()["me_event_resends_total"] == 1)
    it.until(it.everything_published)
    records = consume(it.logs)
    assert in_order(records)
    topics = (
        AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0}).list_topics(timeout=20).topics
    )
    for topic in TOPICS:
        assert len(topics[topic].partitions) == 12
        assert len({record.partition for record in records if record.topic == topic}) == 1
    nothing_is_lost(it, records)


def test_slow(
    broker: Any, proxy: Proxy, engine: Callable[..., Any], consume: Callable[..., list[Any]]
) -> None:
    """As slow as the engine still waits for, all arrives; slower, it is sent again, and all is well after."""
    it = connected(engine(KAFKA_BOOTSTRAP=f"127.0.0.1:{broker.advertised}"))
    proxy.delay = 1.0
    trade(it, ORDERS // 2)
    it.until(it.everything_published)  # while every answer takes two seconds
    records = consume(it.logs)
    assert in_order(records)
    assert_all_there(records, ORDERS // 2 + 1, ORDERS // 4)
    proxy.delay = 4.0
    trade(it, ORDERS // 2)
    it.settled(ORDERS + 1)
    it.until(lambda: errors(it) >= 1)
    proxy.delay = 0.0
    it.until(it.everything_published)
    assert it.metrics()["me_event_resends_total"] == 0
    records = consume(it.logs)
    assert in_order(records)
    nothing_is_lost(it, records)


def test_cut_in_mid_batch(
    broker: Any, proxy: Proxy, engine: Callable[..., Any], consume: Callable[..., list[Any]]
) -> None:
    it = connected(engine(KAFKA_BOOTSTRAP=f"127.0.0.1:{broker.advertised}"))
    proxy.cut_after = 1500  # more than it takes to connect, less than a batch
    trade(it)
    it.until(lambda: proxy.cuts >= 3)
    proxy.cut_after = None
    it.until(it.everything_published)
    records = consume(it.logs)
    assert in_order(records)
    nothing_is_lost(it, records)


def test_killed_and_back_at_another_address(
    broker: Any, engine: Callable[..., Any], consume: Callable[..., list[Any]]
) -> None:
    """The bootstrap address stays; where the broker says that it is changes, and the old place is dead."""
    old = Proxy(broker.advertised, broker.host, broker.behind)
    try:
        it = connected(engine(KAFKA_BOOTSTRAP=f"{broker.host}:{broker.behind}"))
        trade(it, ORDERS // 2)
        broker.kill()
        trade(it, ORDERS // 2)
    finally:
        old.close()
    former, broker.advertised = broker.advertised, broker.free_port()
    new = Proxy(broker.advertised, broker.host, broker.behind)
    try:
        broker.start()
        it.until(it.everything_published)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", former), 1)
        assert it.metrics()["me_event_resends_total"] == 0
        records = consume(it.logs)
        assert in_order(records)
        nothing_is_lost(it, records)
    finally:
        new.close()


def test_its_disk_is_full(broker: Any, engine: Callable[..., Any], consume: Callable[..., list[Any]]) -> None:
    it = connected(engine(KAFKA_BOOTSTRAP=broker.bootstrap))
    broker.fill_disk()
    sent = 0

    def fails() -> bool:
        """After how many more events?  There may be room for some in a file that is there already."""
        nonlocal sent
        trade(it, 20)
        sent += 20
        return errors(it) >= 1

    it.until(fails)
    trade(it)
    sent += ORDERS
    assert it.settled(sent + 1)["me_matches_total"] == sent / 2
    broker.free_disk()
    broker.restart()  # Kafka has ended by then, or is about to
    it.until(it.everything_published)
    records = consume(it.logs)
    assert in_order(records)
    nothing_is_lost(it, records, sent + 1, sent // 2)
