"""The router against shards that behave, and shards that don't: raw sockets, so that each byte is ours."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import orjson
import pytest

from gateway import client
from gateway.client import ShardClient
from gateway.metrics import Metrics
from gateway.routing import Router
from wire import JSON, Answer

ORDER = b'{"orderId": "1",  "symbol":"X", "price": 1e3}'
ACCEPTED = b'{"status": "ACCEPTED"}'
Handler = Callable[["Shard", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def http(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


class Shard:
    """Reads requests off a socket and records them; how it answers is the test's."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.connections = 0

    async def read(self, reader: asyncio.StreamReader) -> None:
        """Read one request whole; ends the handler if the other side has closed."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *fields = head.rstrip().split("\r\n")
        headers = {
            name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)
        }
        body = await reader.readexactly(int(headers["content-length"]))
        self.requests.append((line, headers, body))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self.handler(self, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def answering(*answers: bytes) -> Handler:
    """Answer the n-th request of a connection with the n-th answer, the last one for ever."""

    async def handler(shard: Shard, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        count = 0
        while True:
            await shard.read(reader)
            writer.write(answers[min(count, len(answers) - 1)])
            await writer.drain()
            count += 1

    return handler


class Setup:
    def __init__(self, shard: Shard, router: Router, counts: Metrics) -> None:
        self.shard = shard
        self.router = router
        self.value = counts.registry.get_sample_value

    def errors(self) -> dict[str, float | None]:
        reasons = ("unknown_symbol", "shard_unavailable", "timeout")
        return {reason: self.value("gw_routing_errors_total", {"reason": reason}) for reason in reasons}


def parts(answer: Answer) -> tuple[int, bytes, bytes, str]:
    return answer.status, answer.body, answer.content_type, answer.label


UNAVAILABLE = (502, b'{"error":"Shard unavailable: a"}', JSON, "a")
TIMEOUT = (504, b'{"error":"Shard timeout: a"}', JSON, "a")


@asynccontextmanager
async def routed(handler: Handler) -> AsyncIterator[Setup]:
    """A router with the symbol X on shard a, which is served by ``handler``."""
    shard = Shard(handler)
    server = await asyncio.start_server(shard.serve, "127.0.0.1", 0)
    shards = {"a": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"}
    counts = Metrics(shards)
    async with ShardClient(shards) as sender:
        yield Setup(shard, Router({"X": "a"}, shards, sender, counts), counts)
    server.close()
    await asyncio.sleep(0.01)  # the shard's ends of the connections see that they were closed
    gc.collect()


def test_the_order_goes_out_as_it_came_and_the_answer_comes_back_as_it_is() -> None:
    body = b'{"reason":  "Ring buffer full"}'

    async def scenario() -> None:
        reply = http("503 Busy", body, "Content-Type: application/json; charset=utf-8")
        async with routed(answering(reply)) as setup:
            answer = await setup.router.order(ORDER, JSON)
            assert parts(answer) == (503, body, b"application/json; charset=utf-8", "a")
            [(line, headers, sent)] = setup.shard.requests
            assert (line, headers["content-type"], sent) == ("POST /orders HTTP/1.1", JSON.decode(), ORDER)
            assert setup.errors() == {"unknown_symbol": 0, "shard_unavailable": 0, "timeout": 0}

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b'{"symbol": "Y"}', "Unknown symbol: Y"),
        (b'{"symbol": "X"', "Malformed JSON: "),
        (b"", "Malformed JSON: "),
        (b'\xff{"symbol": "X"}', "Malformed JSON: "),
        (b'["X"]', "Malformed order: expected a JSON object"),
        (b'{"orderId": "1"}', "Malformed order: no symbol"),
        (b'{"symbol": null}', "Malformed order: no symbol"),
        (b'{"symbol": ["X"]}', "Malformed order: symbol is not a string"),
    ],
)
def test_an_order_without_a_known_symbol_reaches_no_shard(body: bytes, complaint: str) -> None:
    async def scenario() -> None:
        async with routed(answering(http("200 OK", ACCEPTED))) as setup:
            answer = await setup.router.order(body, JSON)
            assert (answer.status, answer.content_type) == (400, JSON)
            assert orjson.loads(answer.body)["error"].startswith(complaint)
            assert setup.shard.requests == []
            assert answer.label == "none"
            assert setup.errors()["unknown_symbol"] == complaint.startswith("Unknown")

    asyncio.run(scenario())


def test_the_answers_for_an_unknown_symbol_and_shard_are_the_contracts() -> None:
    async def scenario() -> None:
        async with routed(answering(http("200 OK", ACCEPTED))) as setup:
            assert (
                await setup.router.order(b'{"symbol": "Y"}', JSON)
            ).body == b'{"error":"Unknown symbol: Y"}'
            answer = await setup.router.seed("z", b"{}", JSON)
            assert parts(answer) == (404, b'{"error":"Unknown shard: z"}', JSON, "none")
            assert setup.shard.requests == []

    asyncio.run(scenario())


@pytest.mark.parametrize("size", [10, 6_000_000])
def test_seeds_go_to_their_shard_unread_however_large(size: int) -> None:
    body = b"*" * size

    async def scenario() -> None:
        async with routed(answering(http("200 OK", b'{"seeded":40000}'))) as setup:
            assert (await setup.router.seed("a", body, b"text/x")).body == b'{"seeded":40000}'
            [(line, headers, sent)] = setup.shard.requests
            assert (line, headers["content-type"]) == ("POST /seed HTTP/1.1", "text/x")
            assert sent == body

    asyncio.run(scenario())


def test_connections_are_used_again() -> None:
    async def scenario() -> None:
        async with routed(answering(http("200 OK", ACCEPTED))) as setup:
            for _ in range(5):
                assert (await setup.router.order(ORDER, JSON)).status == 200
            assert (setup.shard.connections, len(setup.shard.requests)) == (1, 5)

    asyncio.run(scenario())


def test_an_order_is_never_sent_twice_when_a_used_connection_breaks() -> None:
    async def one_then_close(
        shard: Shard, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await shard.read(reader)
        writer.write(http("200 OK", ACCEPTED))
        await shard.read(reader)  # read, perhaps matched; and then no answer

    async def scenario() -> None:
        async with routed(one_then_close) as setup:
            assert (await setup.router.order(ORDER, JSON)).status == 200
            assert parts(await setup.router.order(ORDER, JSON)) == UNAVAILABLE
            assert (setup.shard.connections, len(setup.shard.requests)) == (1, 2)
            assert setup.errors() == {"unknown_symbol": 0, "shard_unavailable": 1, "timeout": 0}

    asyncio.run(scenario())


def test_a_redirect_is_passed_on_and_not_followed() -> None:
    async def scenario() -> None:
        redirect = http("307 Elsewhere", b"", "Location: /orders")
        async with routed(answering(redirect, http("200 OK", ACCEPTED))) as setup:
            assert (await setup.router.order(ORDER, JSON)).status == 307
            assert len(setup.shard.requests) == 1

    asyncio.run(scenario())


def test_a_connection_that_the_shard_closed_while_idle_costs_no_order() -> None:
    async def one_each(shard: Shard, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await shard.read(reader)
        writer.write(http("200 OK", ACCEPTED))  # says nothing of closing, and closes

    async def scenario() -> None:
        async with routed(one_each) as setup:
            for _ in range(3):
                assert (await setup.router.order(ORDER, JSON)).status == 200
                await asyncio.sleep(0.05)
            assert setup.shard.connections == 3

    asyncio.run(scenario())


def test_a_connection_that_idled_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.IDLE_TIMEOUT < 5  # the shortest idle time of the usual servers
    monkeypatch.setattr(client, "IDLE_TIMEOUT", 0.1)

    async def scenario() -> None:
        async with routed(answering(http("200 OK", ACCEPTED))) as setup:
            await setup.router.order(ORDER, JSON)
            await asyncio.sleep(0.2)
            await setup.router.order(ORDER, JSON)
            assert (setup.shard.connections, len(setup.shard.requests)) == (2, 2)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "broken",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", b"this is not HTTP\r\n\r\n"],
    ids=["closed", "cut short", "not HTTP"],
)
def test_an_answer_that_is_none_means_unavailable(broken: bytes) -> None:
    async def handler(shard: Shard, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await shard.read(reader)
        writer.write(broken)
        await writer.drain()

    async def scenario() -> None:
        async with routed(handler) as setup:
            assert parts(await setup.router.order(ORDER, JSON)) == UNAVAILABLE

    asyncio.run(scenario())


def test_a_closed_port_means_unavailable() -> None:
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        shards = {"a": f"http://127.0.0.1:{port}"}
        counts = Metrics(shards)
        async with ShardClient(shards) as sender:
            answer = await Router({"X": "a"}, shards, sender, counts).order(ORDER, JSON)
        assert parts(answer) == UNAVAILABLE
        assert (
            counts.registry.get_sample_value("gw_routing_errors_total", {"reason": "shard_unavailable"}) == 1
        )

    asyncio.run(scenario())


def test_no_answer_in_time_means_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (client.CONNECT_TIMEOUT, client.REQUEST_TIMEOUT) == (2, 5)
    monkeypatch.setattr(client, "REQUEST_TIMEOUT", 0.2)

    async def silent(shard: Shard, reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await shard.read(reader)
        await reader.read()

    async def scenario() -> None:
        async with routed(silent) as setup:
            assert parts(await setup.router.order(ORDER, JSON)) == TIMEOUT
            assert setup.errors() == {"unknown_symbol": 0, "shard_unavailable": 0, "timeout": 1}
            assert len(setup.shard.requests) == 1

    asyncio.run(scenario())


@contextmanager
def full_backlog() -> Iterator[int]:
    """A port whose queue of connections is full: the kernel ignores a further one, as a lost host would."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)
        yield address[1]
        for one in waiting:
            one.close()


def test_no_connection_in_time_means_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "CONNECT_TIMEOUT", 0.2)

    async def scenario(port: int) -> None:
        shards = {"a": f"http://127.0.0.1:{port}"}
        counts = Metrics(shards)
        async with ShardClient(shards) as sender:
            began = asyncio.get_running_loop().time()
            answer = await Router({"X": "a"}, shards, sender, counts).order(ORDER, JSON)
            assert parts(answer) == TIMEOUT
            assert asyncio.get_running_loop().time() - began < client.REQUEST_TIMEOUT
        assert counts.registry.get_sample_value("gw_routing_errors_total", {"reason": "timeout"}) == 1

    with full_backlog() as port:
        asyncio.run(scenario(port))
