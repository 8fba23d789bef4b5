"""Engine and gateway among clients that send nonsense, too much, too slowly: raw sockets, real processes."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import pytest

SEED = 18
MANY = 20_000
AT_ONCE = 16
HEALTH = {"GET": 200, "HEAD": 200, "OPTIONS": 204}
ORDER = {"orderId": "sane", "symbol": "TEST-ASSET-A", "side": "BUY", "price": 100, "quantity": 1}


def order_bytes() -> bytes:
    body = json.dumps(ORDER).encode()
    return b"POST /orders HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def split(data: bytes) -> list[tuple[int, bytes]]:
    """Status and body of each answer of a connection."""
    found = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        length = next((int(x.split(b":")[1]) for x in lines if x.lower().startswith(b"content-length")), 0)
        found.append((int(lines[0].split()[1]), data[:length]))
        data = data[length:]
    return found


async def ask(service: Any, data: bytes) -> list[tuple[int, bytes]]:
    """All answers to what is sent on a connection of its own, which this side then shuts."""
    reader, writer = await asyncio.open_connection(service.address, service.port)
    try:
        with suppress(ConnectionError):
            writer.write(data)
            writer.write_eof()
            await writer.drain()
        return split(await reader.read())
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


class Others:
    """Clients in their right mind: each sends an order, waits for its answer, rests a little, and so on."""

    def __init__(self, service: Any) -> None:
        self._service = service
        self.statuses: Counter[int] = Counter()
        self.seconds: list[float] = []
        self._end = False

    async def one(self) -> None:
        reader, writer = await asyncio.open_connection(self._service.address, self._service.port)
        while not self._end:
            began = time.perf_counter()
            writer.write(order_bytes())
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            body = await reader.readexactly(length)
            self.seconds.append(time.perf_counter() - began)
            self.statuses[int(head.split()[1])] += 1
            assert json.loads(body)["status"] == "ACCEPTED"
            await asyncio.sleep(0.01)
        writer.close()

    @asynccontextmanager
    async def among(self) -> Any:
        tasks = [asyncio.create_task(self.one()) for _ in range(4)]
        try:
            yield self
        finally:
            self._end = True
            await asyncio.gather(*tasks)
        assert set(self.statuses) == {200}
        took = sorted(self.seconds)
        p99, longest = took[len(took) * 99 // 100] * 1000, took[-1] * 1000
        print(f"{len(took)} orders of others: p99 {p99:.1f} ms, longest {longest:.1f} ms")  # noqa: T201


def nothing_lost_or_invented(service: Any, others: Others) -> None:
    accepted = others.statuses[200]
    assert service.engine.settled(accepted)["me_orders_received_total{'side': 'buy'}"] == accepted
    assert service.engine.book()["me_orderbook_depth{'side': 'bid'}"] == accepted


def test_nonsense_is_refused_in_form_and_counted_and_others_go_on(
    service: Callable[..., Any], absurd: Callable[[int, int], Iterator[tuple[str, bytes]]]
) -> None:
    it = service()
    before = it.answers()
    statuses: Counter[str] = Counter()
    wrong: list[tuple[str, bytes, object]] = []
    left = absurd(SEED, MANY)

    async def send() -> None:
        for kind, request in left:
            answers = await ask(it, request)
            if not answers:
                wrong.append((kind, request[:200], "no answer"))
            for status, body in answers:
                statuses[f"{status // 100}xx"] += 1
                if not (400 <= status < 500 or status == 503) or not it.in_form(body):
                    wrong.append((kind, request[:200], (status, body)))

    async def scenario() -> Others:
        async with Others(it).among() as others:
            await asyncio.gather(*(send() for _ in range(AT_ONCE)))
        return others

    others = asyncio.run(scenario())

    assert not wrong, wrong[:5]
    assert statuses["4xx"] >= MANY
    expected = {"2xx": others.statuses[200], "4xx": statuses["4xx"], "5xx": statuses["5xx"]}
    assert {key: count - before[key] for key, count in it.answers().items()} == expected
    nothing_lost_or_invented(it, others)


def test_the_same_seed_makes_the_same_requests(
    absurd: Callable[[int, int], Iterator[tuple[str, bytes]]],
) -> None:
    first, second = ([request for _, request in absurd(SEED, 500)] for _ in range(2))
    assert first == second
    assert len(set(first)) > 300


def test_bodies_of_ninety_mebibytes_are_refused_by_their_size_and_others_go_on(
    service: Callable[..., Any],
) -> None:
    it = service()
    before = it.answers()
    size = 90 << 20
    head = b"POST /orders HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size
    piece = b" " * (1 << 20)

    async def send() -> list[tuple[int, bytes]]:
        reader, writer = await asyncio.open_connection(it.address, it.port)
        with suppress(ConnectionError):
            writer.write(head)
            for _ in range(size // len(piece)):
                writer.write(piece)
                await writer.drain()
        try:
            return split(await reader.read())
        finally:
            writer.close()

    async def scenario() -> tuple[list[list[tuple[int, bytes]]], Others]:
        async with Others(it).among() as others:
            answers = await asyncio.gather(*(send() for _ in range(3)))
        return answers, others

    answers, others = asyncio.run(scenario())
    assert [[status for status, _ in found] for found in answers] == [[413]] * 3
    assert all(it.in_form(body) for [(_, body)] in answers)
    assert it.answers()["4xx"] - before["4xx"] == 3
    nothing_lost_or_invented(it, others)


def test_who_sends_a_head_byte_by_byte_is_told_that_it_takes_too_long(service: Callable[..., Any]) -> None:
    it = service()
    before = it.answers()

    async def slowly() -> list[tuple[int, bytes]]:
        reader, writer = await asyncio.open_connection(it.address, it.port)
        answer = asyncio.create_task(reader.read())
        with suppress(ConnectionError):
            for byte in b"POST /orders HTTP/1.1\r\nX: " + b"y" * 1000:
                writer.write(bytes([byte]))
                await asyncio.sleep(0.5)
                if answer.done():
                    break
        writer.close()
        return split(await answer)

    async def scenario() -> tuple[list[list[tuple[int, bytes]]], Others]:
        async with Others(it).among() as others:
            answers = await asyncio.gather(*(slowly() for _ in range(200)))
        return answers, others

    answers, others = asyncio.run(scenario())
    assert [[status for status, _ in found] for found in answers] == [[408]] * 200
    assert all(it.in_form(body) for [(_, body)] in answers)
    assert it.answers()["4xx"] - before["4xx"] == 200
    nothing_lost_or_invented(it, others)


def test_pipelined_orders_are_each_answered_once_and_others_go_on(service: Callable[..., Any]) -> None:
    it = service()

    async def scenario() -> tuple[list[tuple[int, bytes]], Others]:
        async with Others(it).among() as others:
            answers = await ask(it, order_bytes() * 3000)
        return answers, others

    answers, others = asyncio.run(scenario())
    assert [status for status, _ in answers] == [200] * 3000
    others.statuses[200] += 3000
    nothing_lost_or_invented(it, others)


@pytest.mark.parametrize("port", ["port", "metrics_port"])
@pytest.mark.parametrize("path", ["/health", "/health/"])
def test_probes_of_every_usual_kind_are_answered(service: Callable[..., Any], port: str, path: str) -> None:
    it = service()
    for method, status in HEALTH.items():
        answer = httpx.request(method, f"http://127.0.0.1:{getattr(it, port)}{path}")
        assert answer.status_code == status, method
        if method == "GET":
            assert answer.json()["status"] == "UP"


def reachable(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), 2).close()
    except OSError:
        return False
    return True


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize(
    ("host", "families"),
    [
        ("::", {"127.0.0.1", "::1"}),
        ("0.0.0.0", {"127.0.0.1"}),
        ("::1", {"::1"}),
        ("127.0.0.1", {"127.0.0.1"}),
    ],
)
def test_host_means_the_same_at_every_port(
    service: Callable[..., Any], host: str, families: set[str]
) -> None:
    it = service(host)
    for port in (it.port, it.metrics_port):
        assert {address for address in ("127.0.0.1", "::1") if reachable(address, port)} == families
