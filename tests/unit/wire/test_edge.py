"""The edge against clients that behave, and clients that don't: real sockets, so that each byte is ours."""

from __future__ import annotations

import asyncio
import gc
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from wire import Answer, Limits, Request, Route, Server, Site

TINY = Limits(
    target=64,
    head=1024,
    headers=8,
    chunks=16,
    connections=8,
    held=4096,
    head_seconds=0.3,
    body_seconds=0.6,
    idle_seconds=0.9,
    write_seconds=0.5,
    linger_seconds=0.5,
)
CHUNKED = b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
ORDER = b"POST /echo HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"


class Edge:
    """Echoes, at once or when told to; notes what it is told."""

    def __init__(self) -> None:
        self.answers: Counter[int] = Counter()
        self.lost: Counter[str] = Counter()
        self.seen: list[bytes] = []
        self.release = asyncio.Event()
        self.site = Site(
            {
                b"/health": {b"GET": Route(lambda _request: Answer(200, b"up"))},
                b"/echo": {b"POST": Route(self.echo, 1000)},
                b"/later": {b"POST": Route(self.later, 1000)},
                b"/broken": {b"GET": Route(self.broken)},
                b"/much": {b"GET": Route(lambda _request: Answer(200, b"x" * 1_000_000))},
            }
        )

    def echo(self, request: Request) -> Answer:
        self.seen.append(request.body)
        return Answer(200, request.body)

    async def later(self, request: Request) -> Answer:
        self.seen.append(request.body)
        await self.release.wait()
        return Answer(202, request.body)

    def broken(self, _request: Request) -> Answer:
        raise RuntimeError("a mistake")

    def refuse(self, status: int, reason: str) -> Answer:
        return Answer(status, reason.encode(), b"text/plain")

    def answered(self, answer: Answer, seconds: float) -> None:
        assert 0 <= seconds < 60
        self.answers[answer.status] += 1

    def unanswered(self, reason: str) -> None:
        self.lost[reason] += 1


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def answer(self, *, head_only: bool = False) -> tuple[int, bytes, bytes]:
        """Status, head and body of the next answer."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        length = next((int(x.split(b":")[1]) for x in lines if x.lower().startswith(b"content-length")), 0)
        return int(lines[0].split()[1]), head, b"" if head_only else await self.reader.readexactly(length)

    async def gone(self) -> bool:
        return await self.reader.read() == b""

    def reset(self) -> None:
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.close()


class Setup:
    def __init__(self, edge: Edge, server: Server, port: int) -> None:
        self.edge = edge
        self.server = server
        self.port = port

    @asynccontextmanager
    async def client(self, data: bytes = b"") -> AsyncIterator[Client]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        yield Client(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def until(self, reached: object) -> None:
        for _ in range(500):
            if reached():  # type: ignore[operator]
                return
            await asyncio.sleep(0.01)
        pytest.fail(f"not within 5 s: {self.edge.answers} {self.edge.lost} {self.server.connections}")


@asynccontextmanager
async def serving(limits: Limits = TINY) -> AsyncIterator[Setup]:
    edge = Edge()
    server = Server(edge, limits)
    sock = socket.create_server(("127.0.0.1", 0))
    sock.setblocking(False)
    await server.start(sock)
    setup = Setup(edge, server, sock.getsockname()[1])
    yield setup
    edge.release.set()
    await server.stop(1)
    assert (server.connections, server.held) == (0, 0)
    gc.collect()


def post(path: str, body: bytes, *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@pytest.mark.parametrize(
    ("request_", "status", "body"),
    [
        (b"GET /health HTTP/1.1\r\n\r\n", 200, b"up"),
        (b"GET /health/?deep=1 HTTP/1.1\r\n\r\n", 200, b"up"),
        (b"GET http://here/health HTTP/1.1\r\n\r\n", 200, b"up"),
        (b"\r\nGET /health HTTP/1.0\r\n\r\n", 200, b"up"),
        (b"OPTIONS /health HTTP/1.1\r\n\r\n", 204, b""),
        (b"OPTIONS * HTTP/1.1\r\n\r\n", 204, b""),
        (ORDER, 200, b"hello"),
        (CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", 200, b"hello"),
        (CHUNKED + b"2\r\nhe\r\n0\r\nA: trailer\r\n\r\n", 200, b"he"),
        (post("/echo", b"hello", "Connection: Upgrade", "Upgrade: h2c", "HTTP2-Settings: A"), 200, b"hello"),
        (b"GET /nowhere HTTP/1.1\r\n\r\n", 404, b"Not found: /nowhere"),
        (b"PUT /echo HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi", 405, b"Method not allowed: PUT /echo"),
        (b"GET /broken HTTP/1.1\r\n\r\n", 500, b"Internal error"),
    ],
)  # fmt: skip
def test_what_is_taken_leaves_the_connection_to_the_next_request(
    request_: bytes, status: int, body: bytes
) -> None:
    async def scenario() -> None:
        async with serving() as setup, setup.client(request_) as client:
            assert (await client.answer())[::2] == (status, body)
            if b"HTTP/1.0" not in request_:
                client.writer.write(ORDER)
                assert (await client.answer())[::2] == (200, b"hello")
            assert sum(setup.edge.answers.values()) == 1 + (b"HTTP/1.0" not in request_)
            assert setup.edge.answers[status] >= 1
            assert not setup.edge.lost

    asyncio.run(scenario())


@pytest.mark.parametrize("path", [b"/health", b"/nowhere"])
def test_head_is_get_without_its_body(path: bytes) -> None:
    async def scenario() -> None:
        async with serving() as setup, setup.client() as client:
            answers = []
            for method in (b"GET", b"HEAD"):
                client.writer.write(b"%b %b HTTP/1.1\r\n\r\n" % (method, path))
                answers.append((await client.answer(head_only=method == b"HEAD"))[:2])
            assert answers[0] == answers[1]

    asyncio.run(scenario())


def test_what_is_allowed_is_told() -> None:
    async def scenario() -> None:
        async with serving() as setup, setup.client() as client:
            for request in (b"OPTIONS /health", b"DELETE /health"):
                client.writer.write(request + b" HTTP/1.1\r\n\r\n")
                _, head, _ = await client.answer()
                assert b"Allow: GET, HEAD, OPTIONS\r\n" in head

    asyncio.run(scenario())


HEADERS = b"".join(b"H%d: x\r\n" % number for number in range(9))


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nA: \x01\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nA\x00: b\r\n\r\n", 400),
        (b"GET /health HTTP/9.9\r\n\r\n", 400),
        (b"BREW /health HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
        (b"POST /echo HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello", 400),
        (CHUNKED + b"zz\r\n", 400),
        (b"GET /" + b"a" * 64 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET /health HTTP/1.1\r\n" + HEADERS + b"\r\n", 431),
        (b"GET /health HTTP/1.1\r\nA: " + b"a" * 1100 + b"\r\n\r\n", 431),
        (b"GET /health HTTP/1.1\r\nA:" + b" " * 20_000, 431),
        (b"POST /echo HTTP/1.1\r\nContent-Length: 1001\r\n\r\n", 413),
        (b"POST /echo HTTP/1.1\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n", 413),
        (CHUNKED + b"3e9\r\n" + b"x" * 1001, 413),
        (CHUNKED + b"1\r\nx\r\n" * 17, 413),
        (CHUNKED + b"1;" + b"x" * 300_000, 413),
        (b"PUT /echo HTTP/1.1\r\nContent-Length: 5000\r\n\r\n", 405),
        (b"CONNECT here:1 HTTP/1.1\r\n\r\n", 405),
        (b"POST /nowhere HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 404),
    ],
)  # fmt: skip
def test_what_is_refused_is_told_why_and_counted_and_the_connection_ends(
    request_: bytes, status: int
) -> None:
    async def scenario() -> None:
        async with serving() as setup, setup.client(request_) as client:
            found, head, body = await client.answer()
            assert (found, b"Connection: close\r\n" in head, body != b"") == (status, True, True)
            assert await client.gone()
            assert setup.edge.answers == {status: 1}
            assert (setup.edge.seen, setup.edge.lost) == ([], {})

    asyncio.run(scenario())


def test_who_is_refused_while_sending_gets_the_answer_and_not_a_reset() -> None:
    async def scenario() -> None:
        async with serving() as setup, setup.client() as client:
            client.writer.write(post("/echo", b"x" * 2_000_000))
            await client.writer.drain()  # what is read away, or else this breaks
            assert (await client.answer())[0] == 413

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("part", "rest"),
    [
        (b"GET /health HT", b"TP/1.1\r\nA: b"),
        (b"POST /echo HTTP/1.1\r\nContent-Length: 9\r\n\r\nh", b"ell"),
    ],
    ids=["head", "body"],
)
def test_who_sends_too_slowly_is_told_so(part: bytes, rest: bytes) -> None:
    async def scenario() -> None:
        async with serving() as setup, setup.client(part) as client:
            for byte in rest:
                await asyncio.sleep(0.05)
                client.writer.write(bytes([byte]))
            assert (await client.answer())[0] == 408
            assert await client.gone()
            assert setup.edge.answers == {408: 1}

    asyncio.run(scenario())


def test_who_asks_nothing_is_let_go_without_a_word() -> None:
    async def scenario() -> None:
        async with serving() as setup, setup.client() as client:
            assert await client.gone()
            assert not setup.edge.answers
            assert not setup.edge.lost

    asyncio.run(scenario())


def test_who_breaks_off_is_told_so_and_counted() -> None:
    async def scenario() -> None:
        async with serving() as setup, setup.client(ORDER[:-2]) as client:
            client.writer.write_eof()
            assert (await client.answer())[0] == 400
            assert setup.edge.answers == {400: 1}

    asyncio.run(scenario())


def test_who_resets_the_connection_is_counted_as_unanswered() -> None:
    async def scenario() -> None:
        async with serving() as setup, setup.client(ORDER[:-2]) as client:
            await asyncio.sleep(0.05)
            client.reset()
            await setup.until(lambda: setup.edge.lost == {"broke_off": 1})
            assert not setup.edge.answers
            assert not setup.edge.seen

    asyncio.run(scenario())


def test_who_leaves_before_the_answer_has_its_order_taken_and_counted() -> None:
    async def scenario() -> None:
        async with serving() as setup, setup.client(post("/later", b"mine")) as client:
            await setup.until(lambda: setup.edge.seen)
            client.reset()
            await setup.until(lambda: not setup.server.connections)
            setup.edge.release.set()
            await setup.until(lambda: setup.edge.answers == {202: 1})

    asyncio.run(scenario())


def test_who_shuts_its_side_still_gets_its_answers() -> None:
    async def scenario() -> None:
        async with serving() as setup, setup.client(post("/later", b"a") + post("/later", b"b")) as client:
            client.writer.write_eof()
            await setup.until(lambda: setup.edge.seen)
            setup.edge.release.set()
            assert [(await client.answer())[2] for _ in range(2)] == [b"a", b"b"]
            assert await client.gone()

    asyncio.run(scenario())


def test_who_reads_no_answers_is_cut_off() -> None:
    async def scenario() -> None:
        async with serving() as setup, setup.client(b"GET /much HTTP/1.1\r\n\r\n" * 20) as client:
            await setup.until(lambda: setup.edge.lost)
            assert setup.edge.answers[200] + setup.edge.lost["unread"] == 20
            client.reset()

    asyncio.run(scenario())


def test_pipelined_requests_are_answered_in_order_whatever_they_wait_for() -> None:
    async def scenario() -> None:
        requests = [post("/later" if number % 3 else "/echo", b"%d" % number) for number in range(300)]
        async with serving() as setup, setup.client(b"".join(requests)) as client:
            setup.edge.release.set()
            for number in range(300):
                assert (await client.answer())[2] == b"%d" % number
            assert setup.edge.answers == {200: 100, 202: 200}

    asyncio.run(scenario())


def test_what_waits_is_not_even_read() -> None:
    async def scenario() -> None:
        async with serving() as setup, setup.client(post("/later", b"x") * 300) as client:
            await setup.until(lambda: setup.edge.seen)
            await asyncio.sleep(0.1)
            assert len(setup.edge.seen) == 1
            assert setup.server.held < 100
            setup.edge.release.set()
            for _ in range(300):
                assert (await client.answer())[0] == 202

    asyncio.run(scenario())


def test_a_thousand_pipelined_requests_let_others_go_first() -> None:
    async def scenario() -> None:
        async with serving() as setup, setup.client() as other, setup.client() as greedy:
            greedy.writer.write(ORDER * 4000)
            other.writer.write(post("/echo", b"other"))
            assert (await other.answer())[2] == b"other"
            assert len(setup.edge.seen) < 4000
            for _ in range(4000):
                await greedy.answer()

    asyncio.run(scenario())


def test_a_refusal_waits_for_the_answers_before_it() -> None:
    async def scenario() -> None:
        async with serving() as setup, setup.client(post("/later", b"a") + b"nonsense\r\n") as client:
            await setup.until(lambda: setup.edge.seen)
            setup.edge.release.set()
            assert [(await client.answer())[0] for _ in range(2)] == [202, 400]
            assert setup.edge.answers == {202: 1, 400: 1}

    asyncio.run(scenario())


def test_who_waits_to_be_told_may_send() -> None:
    async def scenario() -> None:
        head = b"POST /echo HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        async with serving() as setup, setup.client(head) as client:
            assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            client.writer.write(b"hello")
            assert (await client.answer())[::2] == (200, b"hello")
            assert setup.edge.answers == {200: 1}

    asyncio.run(scenario())


def test_what_follows_the_last_request_of_a_connection_is_nobodys() -> None:
    async def scenario() -> None:
        last = post("/echo", b"last", "Connection: close")
        async with serving() as setup, setup.client(last + ORDER + b"nonsense") as client:
            assert (await client.answer())[2] == b"last"
            assert await client.gone()
            assert setup.edge.answers == {200: 1}

    asyncio.run(scenario())


def test_one_client_too_many_is_told_so() -> None:
    async def scenario() -> None:
        async with serving() as setup:
            others = [await asyncio.open_connection("127.0.0.1", setup.port) for _ in range(TINY.connections)]
            await setup.until(lambda: setup.server.connections == TINY.connections)
            async with setup.client() as client:
                assert (await client.answer())[::2] == (503, b"Too many connections")
            for _, writer in others:
                writer.close()
            await setup.until(lambda: not setup.server.connections)
            async with setup.client(ORDER) as client:
                assert (await client.answer())[0] == 200

    asyncio.run(scenario())


def test_bodies_of_all_clients_together_have_a_limit() -> None:
    async def scenario() -> None:
        async with serving() as setup:
            parts = [await asyncio.open_connection("127.0.0.1", setup.port) for _ in range(5)]
            for _, writer in parts[:4]:
                writer.write(post("/echo", b"x" * 1000)[:-1])
            await setup.until(lambda: setup.server.held == 4 * 999)
            reader, writer = parts[4]
            writer.write(post("/echo", b"x" * 1000))
            assert (await Client(reader, writer).answer())[0] == 503
            for _, each in parts:
                each.close()
            await setup.until(lambda: not setup.server.connections)
            assert setup.server.held == 0

    asyncio.run(scenario())


def test_a_stop_lets_what_is_under_way_end_and_closes_the_rest() -> None:
    async def scenario() -> None:
        async with serving() as setup, setup.client() as idle, setup.client(post("/later", b"a")) as busy:
            await setup.until(lambda: setup.edge.seen)
            stop = asyncio.create_task(setup.server.stop(5))
            assert await idle.gone()
            setup.edge.release.set()
            status, head, _ = await busy.answer()
            assert (status, b"Connection: close" in head) == (202, True)
            await stop
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", setup.port)

    asyncio.run(scenario())


def test_a_stop_has_an_end() -> None:
    async def scenario() -> None:
        async with serving() as setup, setup.client(post("/later", b"a")) as busy:
            await setup.until(lambda: setup.edge.seen)
            await setup.server.stop(0.1)
            assert setup.edge.answers == {503: 1}
            assert (await busy.answer())[0] == 503

    asyncio.run(scenario())
