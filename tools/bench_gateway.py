"""Which HTTP client costs the gateway less: aiohttp or httpx?

Both send the same orders to the same stub in turns, so that whatever else the machine does meets both alike.
What counts is the CPU time of this process for a request, not the time on the clock.

    python tools/bench_gateway.py [--rounds 5] [--requests 1000] [--concurrency 32]
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import httpx
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
Send = Callable[[], Awaitable[object]]


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer whatever comes in as an engine would, at as little cost as can be."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = head.lower().split(b"content-length:")[1].split(b"\r\n", 1)[0]
            await reader.readexactly(int(length))
            writer.write(REPLY)
    except asyncio.IncompleteReadError:
        writer.close()


async def stub(port: Connection) -> None:
    """Serve on a free port, and say which."""
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def run_stub(port: Connection) -> None:
    """Be the stub's process."""
    uvloop.run(stub(port))


async def cost(send: Send, requests: int, concurrency: int) -> float:
    """Return the CPU time of one request in microseconds, over ``requests`` of them."""
    left = iter(range(requests))

    async def worker() -> None:
        for _ in left:
            await send()

    began = time.process_time()
    await asyncio.gather(*(worker() for _ in range(concurrency)))
    return (time.process_time() - began) / requests * 1e6


async def compare(url: str, rounds: int, requests: int, concurrency: int) -> dict[str, list[float]]:
    """Return each client's cost in each round, rounds interleaved; one before them is not counted."""
    limits = httpx.Limits(max_connections=256, max_keepalive_connections=256)
    async with ShardClient({"a": url}) as client, httpx.AsyncClient(limits=limits, timeout=5) as other:
        senders: dict[str, Send] = {
            "aiohttp": lambda: client.order("a", ORDER, "application/json"),
            "httpx": lambda: other.post(f"{url}/orders", content=ORDER),
        }
        costs: dict[str, list[float]] = {name: [] for name in senders}
        for number in range(rounds + 1):
            for name, send in senders.items():
                measured = await cost(send, requests, concurrency)
                if number:
                    costs[name].append(measured)
        return costs


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=1000, help="of each client in each round")
    parser.add_argument("--concurrency", type=int, default=32)
    words = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=run_stub, args=(theirs,), daemon=True)
    process.start()
    try:
        url = f"http://127.0.0.1:{ours.recv()}"
        costs = uvloop.run(compare(url, words.rounds, words.requests, words.concurrency))
    finally:
        process.terminate()
        process.join()
    print(f"CPU per request, {words.rounds} rounds of {words.requests}, {words.concurrency} at a time")
    for name, values in costs.items():
        median, spread = statistics.median(values), f"({min(values):.0f} to {max(values):.0f})"
        print(f"{name:<8} {median:6.0f} µs {spread}, {1e6 / median:,.0f} requests/s a core")


if __name__ == "__main__":
    main()
