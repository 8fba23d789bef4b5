"""What does an order cost the engine beside a bare Sanic handler that decodes and answers JSON?

Both are processes of their own and get the same orders in turns, so that whatever else the machine does meets
both alike.  What counts is the CPU time of the process for an order, not the time on the clock.  Without
KAFKA_BOOTSTRAP there is no broker, and publishing ends at the queue.

    python tools/bench_engine.py [--rounds 7] [--orders 4000] [--connections 16]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import uvloop


def bare(port: int) -> None:
    """Be the handler that the engine is compared with."""
    import orjson  # noqa: PLC0415 - only this process needs them
    from sanic import HTTPResponse, Request, Sanic  # noqa: PLC0415

    app = Sanic("bare", configure_logging=False)

    @app.post("/orders")
    async def orders(request: Request) -> HTTPResponse:
        order_id = orjson.loads(request.body)["orderId"]
        return HTTPResponse(orjson.dumps({"orderId": order_id}), content_type="application/json")

    app.run("127.0.0.1", port, single_process=True, motd=False, access_log=False)


def request(number: int) -> bytes:
    """Return order ``number`` of the contract's mix, every other one a sell so that books stay small."""
    passive = number % 5 >= 3  # noqa: PLR2004 - 40 %
    side = "SELL" if number // 5 % 2 else "BUY"
    away = (200 + number % 100) * (1 if side == "SELL" else -1) if passive else 0
    body = json.dumps(
        {
            "orderId": f"bench-{number}",
            "symbol": f"TEST-ASSET-{'ABCD'[number % 4]}",
            "side": side,
            "price": 15000 + away,
            "quantity": 10 + number % 190,
        }
    ).encode()
    return b"POST /orders HTTP/1.1\r\nhost: bench\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


async def send(port: int, requests: list[bytes], connections: int) -> None:
    """Send every request, one at a time on each connection; fail on any answer but 200."""
    left = iter(requests)

    async def worker() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for one in left:
            writer.write(one)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            body = await reader.readexactly(length)
            if not head.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"expected 200, found {head!r} {body!r}")
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(worker() for _ in range(connections)))


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process, of all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def started(argv: list[str], port: int, env: dict[str, str], log: Path) -> Iterator[int]:
    """Start a server, wait until it listens, and yield its process id."""
    with (
        log.open("wb") as output,
        subprocess.Popen(argv, env={**os.environ, **env}, stderr=output) as process,
    ):
        try:
            for _ in range(200):
                if process.poll() is not None:
                    raise SystemExit(f"{argv} ended:\n{log.read_text()}")
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


def compare(words: argparse.Namespace, directory: Path) -> dict[str, list[float]]:
    """Return each server's CPU microseconds for an order in each round; a first round is not counted."""
    plain, http, metrics = free_ports(3)
    env = {"HOST": "127.0.0.1", "HTTP_PORT": str(http), "METRICS_PORT": str(metrics)}
    env |= {"WAL_PATH": str(directory / "wal")}
    env |= {"KAFKA_BOOTSTRAP": os.environ.get("KAFKA_BOOTSTRAP", "127.0.0.1:1")}
    costs: dict[str, list[float]] = {"bare": [], "engine": []}
    with (
        started(
            [sys.executable, __file__, "--bare", str(plain)], plain, {}, directory / "bare.log"
        ) as bare_pid,
        started([sys.executable, "-m", "engine"], http, env, directory / "engine.log") as engine_pid,
    ):
        for round_number in range(words.rounds + 1):
            first = round_number * words.orders
            requests = [request(number) for number in range(first, first + words.orders)]
            for name, pid, port in (("bare", bare_pid, plain), ("engine", engine_pid, http)):
                before = cpu_seconds(pid)
                uvloop.run(send(port, requests, words.connections))
                if round_number:
                    costs[name].append((cpu_seconds(pid) - before) / words.orders * 1e6)
        if not re.search(r'"message": "serving"', (directory / "engine.log").read_text()):
            raise SystemExit("the engine never served")
    return costs


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--orders", type=int, default=4000, help="to each server in each round")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--bare", type=int, help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.bare:
        bare(words.bare)
        return
    with tempfile.TemporaryDirectory() as directory:
        costs = compare(words, Path(directory))
    print(f"CPU per order, {words.rounds} rounds of {words.orders}, {words.connections} connections")
    ratios = [engine / plain for engine, plain in zip(costs["engine"], costs["bare"], strict=True)]
    for name, values, unit in (
        *((name, found, "µs") for name, found in costs.items()),
        ("ratio", ratios, "x "),
    ):
        digits = 0 if unit == "µs" else 2
        spread = f"{min(values):.{digits}f} to {max(values):.{digits}f}"
        print(f"{name:<7} {statistics.median(values):7.{digits}f} {unit} ({spread})")


if __name__ == "__main__":
    main()
