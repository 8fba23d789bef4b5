"""What does a request cost the gateway, and how much later does its answer come?

Three things are measured, each interleaved, so that whatever else the machine does meets all alike:

- CPU of the gateway's process for a request, beside a bare proxy of Sanic and aiohttp that does the least;
- CPU of its client alone, beside aiohttp's;
- at 1,000 requests/s, the time to the answer through the gateway beside the time straight from the shard.

The shard is a stub that answers at once.

    python tools/bench_gateway.py [--rounds 7] [--requests 4000] [--connections 16] [--paced 3000]
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import uvloop

from gateway.client import ShardClient

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

ORDER = (
    b'{"orderId":"bench-1","symbol":"TEST-ASSET-A","side":"BUY","type":"LIMIT","price":15000,"quantity":100}'
)
ANSWER = b'{"status":"ACCEPTED","orderId":"bench-1","shardId":"a","timestamp":1700000000000}'
REPLY = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(ANSWER) + ANSWER
)
REQUEST = (
    b"POST /orders HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
    % (len(ORDER), ORDER)
)
RATE = 1000
Send = Callable[[], Awaitable[object]]


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer whatever comes in as an engine would, at as little cost as can be."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = head.lower().split(b"content-length:")[1].split(b"\r\n", 1)[0]
            await reader.readexactly(int(length))
            writer.write(REPLY)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def stub(port: Connection) -> None:
    """Serve on a free port, and say which."""
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def run_stub(port: Connection) -> None:
    """Be the stub's process."""
    uvloop.run(stub(port))


def run_bare(port: int, shard: int) -> None:
    """Be the proxy that the gateway is compared with."""
    import orjson  # noqa: PLC0415 - only this process needs them
    from sanic import HTTPResponse, Request, Sanic  # noqa: PLC0415

    app = Sanic("bare", configure_logging=False)
    sessions: list[aiohttp.ClientSession] = []

    @app.before_server_start
    async def begin(_app: object) -> None:
        sessions.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=256)))

    @app.post("/orders")
    async def orders(request: Request) -> HTTPResponse:
        orjson.loads(request.body)["symbol"]
        headers = {"Content-Type": "application/json"}
        url = f"http://127.0.0.1:{shard}/orders"
        async with sessions[0].post(url, data=request.body, headers=headers) as reply:
            return HTTPResponse(await reply.read(), reply.status, content_type="application/json")

    app.run("127.0.0.1", port, single_process=True, motd=False, access_log=False)


class Client:
    """A connection that sends the order and waits for its answer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self) -> float:
        """Return the seconds that the answer took; fail if it is not the shard's."""
        began = time.perf_counter()
        self._writer.write(REQUEST)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        body = await self._reader.readexactly(length)
        if not head.startswith(b"HTTP/1.1 200") or body != ANSWER:
            raise SystemExit(f"expected the shard's answer, found {head!r} {body!r}")
        return time.perf_counter() - began

    def close(self) -> None:
        """Close the connection."""
        self._writer.close()


async def clients(port: int, count: int) -> list[Client]:
    """Connect."""
    return [Client(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(count)]


async def saturate(port: int, requests: int, connections: int) -> None:
    """Send requests as fast as they are answered."""
    left = iter(range(requests))
    connected = await clients(port, connections)

    async def worker(client: Client) -> None:
        for _ in left:
            await client.send()

    await asyncio.gather(*map(worker, connected))
    for client in connected:
        client.close()


async def pace(port: int, requests: int, connections: int) -> list[float]:
    """Send requests at a fixed rate; return how long each took from when it was due, sorted."""
    free: asyncio.Queue[Client] = asyncio.Queue()
    for client in await clients(port, connections):
        free.put_nowait(client)
    took: list[float] = []

    async def one(due: float) -> None:
        client = await free.get()
        await client.send()
        took.append(time.perf_counter() - due)
        free.put_nowait(client)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(requests):
            due = began + number / RATE
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            group.create_task(one(due))
    for _ in range(connections):
        (await free.get()).close()
    return sorted(took)


async def client_cost(send: Send, requests: int, concurrency: int) -> float:
    """Return the CPU time of one request in this process, in microseconds."""
    left = iter(range(requests))

    async def worker() -> None:
        for _ in left:
            await send()

    began = time.process_time()
    await asyncio.gather(*(worker() for _ in range(concurrency)))
    return (time.process_time() - began) / requests * 1e6


async def compare_clients(url: str, words: argparse.Namespace) -> dict[str, list[float]]:
    """Return each client's cost in each round; a first one is not counted."""
    async with ShardClient({"a": url}) as ours, aiohttp.ClientSession() as other:

        async def with_aiohttp() -> bytes:
            headers = {"Content-Type": "application/json"}
            async with other.post(f"{url}/orders", data=ORDER, headers=headers) as reply:
                return await reply.read()

        senders: dict[str, Send] = {
            "client": lambda: ours.order("a", ORDER, b"application/json"),
            "aiohttp": with_aiohttp,
        }
        costs: dict[str, list[float]] = {name: [] for name in senders}
        for number in range(words.rounds + 1):
            for name, send in senders.items():
                measured = await client_cost(send, words.requests, words.connections)
                if number:
                    costs[name].append(measured)
        return costs


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process, of all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def started(argv: list[str], port: int, env: dict[str, str]) -> Iterator[int]:
    """Start a server, wait until it listens, and yield its process id."""
    with subprocess.Popen(argv, env={**os.environ, **env}, stdout=subprocess.DEVNULL) as process:
        try:
            for _ in range(400):
                if process.poll() is not None:
                    raise SystemExit(f"{argv} ended with {process.returncode}")
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    time.sleep(0.05)
            yield process.pid
        finally:
            process.kill()


def free_ports(count: int) -> list[int]:
    """Return ports that are free now."""
    with ExitStack() as stack:
        return [
            stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1] for _ in range(count)
        ]


def measure(shard: int, words: argparse.Namespace) -> None:
    """Measure everything in front of the stub, and print it."""
    plain, http, metrics = free_ports(3)
    env = {
        "HOST": "127.0.0.1",
        "HTTP_PORT": str(http),
        "METRICS_PORT": str(metrics),
        "ME_SHARD_MAP": f"a=http://127.0.0.1:{shard}",
        "SHARD_SYMBOLS_MAP": "a=TEST-ASSET-A",
    }
    costs: dict[str, list[float]] = {"gateway": [], "bare": []}
    added: dict[str, list[float]] = {"p50": [], "p99": []}
    with (
        started([sys.executable, "-m", "gateway"], http, env) as gateway_pid,
        started([sys.executable, __file__, "--bare", str(plain), str(shard)], plain, {}) as bare_pid,
    ):
        for number in range(words.rounds + 1):
            for name, pid, port in (("gateway", gateway_pid, http), ("bare", bare_pid, plain)):
                before = cpu_seconds(pid)
                uvloop.run(saturate(port, words.requests, words.connections))
                if number:
                    costs[name].append((cpu_seconds(pid) - before) / words.requests * 1e6)
            through = uvloop.run(pace(http, words.paced, 64))
            straight = uvloop.run(pace(shard, words.paced, 64))
            if number:
                for key, rank in (("p50", words.paced // 2), ("p99", words.paced * 99 // 100)):
                    added[key].append((through[rank] - straight[rank]) * 1000)
    costs |= uvloop.run(compare_clients(f"http://127.0.0.1:{shard}", words))
    print(f"CPU per request, {words.rounds} rounds of {words.requests}, {words.connections} connections")
    for name, values in costs.items():
        print(f"{name:<8} {statistics.median(values):7.0f} µs ({min(values):.0f} to {max(values):.0f})")
    ratios = [ours / bare for ours, bare in zip(costs["gateway"], costs["bare"], strict=True)]
    print(f"gateway / bare {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    print(f"Added at {RATE} requests/s, {words.rounds} rounds of {words.paced}")
    for name, values in added.items():
        print(f"{name:<8} {statistics.median(values):7.2f} ms ({min(values):.2f} to {max(values):.2f})")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=4000, help="to each server in each round")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--paced", type=int, default=3000, help="requests each way in each round")
    parser.add_argument("--bare", type=int, nargs=2, help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.bare:
        run_bare(*words.bare)
        return
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=run_stub, args=(theirs,), daemon=True)
    process.start()
    try:
        measure(ours.recv(), words)
    finally:
        process.terminate()
        process.join()


if __name__ == "__main__":
    main()
