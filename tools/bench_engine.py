"""What does an order cost the engine beside a bare Sanic handler that decodes and answers JSON?

All are processes of their own and get the same orders in turns, so that whatever else the machine does meets
them alike.  What counts is the CPU time of the process for an order, not the time on the clock.  One engine
has no broker, and publishing ends at its queue; another one has a real Kafka, and its round ends when the
last event is acknowledged.

Then an engine with many orders at rest gets all that it takes: how long do the garbage collector and the
event loop stand in the way, as the engine and as a client see it?

    python tools/bench_engine.py [--rounds 7] [--orders 4000] [--connections 16]
                                 [--seconds 20] [--resting 300000]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import uvloop
from prometheus_client.parser import text_string_to_metric_families

from verdict_harness.processes import Ports, web
from verdict_harness.systems import Endpoint
from verdict_harness.systems import kafka as kafka_service


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


class Client(asyncio.Protocol):
    """One connection that sends a request when it has the last answer, at as little cost as can be.

    Args:
        requests: shared with other connections.
        took: gets the seconds from each request to its answer.
    """

    def __init__(self, requests: Iterator[bytes], took: list[float]) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._requests = requests
        self._took = took
        self._sent = 0.0
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._next()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if not self._answer.endswith(b"}"):  # all answers are JSON objects
            return
        if not self._answer.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"expected 200, found {self._answer!r}")
        self._took.append(time.perf_counter() - self._sent)
        self._answer = b""
        self._next()

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._transport.close()
            return
        self._sent = time.perf_counter()
        self._transport.write(request)


async def send(port: int, requests: Iterable[bytes], connections: int) -> list[float]:
    """Send every request, one at a time on each connection; return the seconds that each took."""
    left, took = iter(requests), list[float]()
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: Client(left, took), "127.0.0.1", port)
        for _ in range(connections)
    ]
    await asyncio.gather(*(client.done for _, client in made))
    return took


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


@dataclass
class Place:
    """Where the broker's process runs (see :class:`verdict_harness.systems.Place`)."""

    directory: Path
    ports: dict[str, int]

    def port(self, name: str) -> int:
        return self.ports[name]

    def endpoint(self, service: str, port: str) -> Endpoint:
        raise SystemExit(f"the broker asked for {port} of {service}, and it is alone here")


@contextmanager
def broker(directory: Path) -> Iterator[str]:
    """Start a Kafka and yield its address, or that of the one in ``KAFKA_BOOTSTRAP``."""
    if os.environ.get("KAFKA_BOOTSTRAP"):
        yield os.environ["KAFKA_BOOTSTRAP"]
        return
    recipe = kafka_service().process
    if recipe is None:
        raise SystemExit("there is no recipe for a Kafka process")
    directory.mkdir()
    with Ports() as ports:
        place = Place(directory, {"kafka": ports.reserve(), "controller": ports.reserve()})
        command = recipe.command(place)
        with started(list(command.argv), place.port("kafka"), dict(command.env), directory / "log"):
            yield f"127.0.0.1:{place.port('kafka')}"


@contextmanager
def engine(directory: Path, bootstrap: str) -> Iterator[tuple[int, int, int]]:
    """Start an engine; yield process id and the ports of orders and metrics."""
    directory.mkdir()
    http, metrics = free_ports(2)
    env = {"HOST": "127.0.0.1", "HTTP_PORT": str(http), "METRICS_PORT": str(metrics)}
    env |= {"WAL_PATH": str(directory / "wal"), "KAFKA_BOOTSTRAP": bootstrap}
    with started([sys.executable, "-m", "engine"], http, env, directory / "log") as pid:
        yield pid, http, metrics


def wait_until_published(directory: Path, sequence: int) -> None:
    """Wait for the engine's own note of it, which costs the engine nothing to be read."""
    path = directory / "wal" / "published.json"
    for _ in range(600):
        if path.exists() and json.loads(path.read_text())["sequence"] >= sequence:
            return
        time.sleep(0.1)
    raise SystemExit(f"sequence {sequence} was not published within a minute")


def compare(words: argparse.Namespace, directory: Path) -> dict[str, list[float]]:
    """Return each server's CPU microseconds for an order in each round; a first round is not counted."""
    with ExitStack() as stack:
        (plain,) = free_ports(1)
        argv = [sys.executable, __file__, "--bare", str(plain)]
        targets = {"bare": (stack.enter_context(started(argv, plain, {}, directory / "bare.log")), plain)}
        targets["engine"] = stack.enter_context(engine(directory / "engine", "127.0.0.1:1"))[:2]
        kafka = stack.enter_context(broker(directory / "kafka"))
        targets["engine, broker"] = stack.enter_context(engine(directory / "with-broker", kafka))[:2]
        costs: dict[str, list[float]] = {name: [] for name in targets}
        for round_number in range(words.rounds + 1):
            first = round_number * words.orders
            requests = [request(number) for number in range(first, first + words.orders)]
            for name, (pid, port) in targets.items():
                before = cpu_seconds(pid)
                uvloop.run(send(port, requests, words.connections))
                if name == "engine, broker":
                    wait_until_published(directory / "with-broker", first + words.orders)
                if round_number:
                    costs[name].append((cpu_seconds(pid) - before) / words.orders * 1e6)
    return costs


def saturate(words: argparse.Namespace, directory: Path) -> dict[str, float]:
    """Return what the engine and its clients saw while orders rested and many came."""
    with ExitStack() as stack:
        kafka = stack.enter_context(broker(directory / "kafka-2"))
        _pid, http, metrics = stack.enter_context(engine(directory / "saturated", kafka))
        each = 20_000
        for start in range(0, words.resting, each):
            orders = [
                {
                    "orderId": f"rests-{number}",
                    "symbol": f"TEST-ASSET-{'ABCD'[number % 4]}",
                    "side": "SELL",
                    "price": 20_000 + number % 500,
                    "quantity": 10,
                }
                for number in range(start, min(start + each, words.resting))
            ]
            url = f"http://127.0.0.1:{http}/seed"
            with web.client(url, timeout=60) as seeds:
                seeds.post(url, json={"orders": orders}).raise_for_status()
        before = scrape(metrics)
        began = time.perf_counter()

        def requests() -> Iterator[bytes]:
            number = 0
            while time.perf_counter() < began + words.seconds:
                yield request(number)
                number += 1

        async def look_on() -> None:
            """Scrape as Prometheus does, from beside."""
            while True:
                await asyncio.sleep(5)
                await asyncio.to_thread(scrape, metrics)

        async def load() -> list[float]:
            looking = asyncio.create_task(look_on())
            took = await send(http, requests(), words.connections)
            looking.cancel()
            return took

        took = sorted(uvloop.run(load()))
        after = scrape(metrics)
        count = len(took)
        return {
            "orders a second": count / words.seconds,
            "resting at the end": sum(after[f"me_orderbook_depth{side}"] for side in ("ask", "bid")),
            "collections": after["me_gc_collections_total"] - before["me_gc_collections_total"],
            "GC pause, below, engine (ms)": 1e3 * highest(before, after, "me_gc_pause_seconds"),
            "loop lag, below, engine (ms)": 1e3 * highest(before, after, "me_event_loop_lag_seconds"),
            "p50, client (ms)": 1e3 * took[count // 2],
            "p99, client (ms)": 1e3 * took[int(count * 0.99)],
            "p99.9, client (ms)": 1e3 * took[int(count * 0.999)],
            "longest, client (ms)": 1e3 * took[-1],
        }


def scrape(port: int) -> dict[str, float]:
    """Return what the engine exposes, without its shard: a name and the values of other labels in one."""
    with web.client(f"http://127.0.0.1:{port}", timeout=30) as client:
        text = client.get("/metrics").text
    return {
        sample.name + "".join(value for key, value in sample.labels.items() if key != "shard"): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def highest(before: dict[str, float], after: dict[str, float], name: str) -> float:
    """Return the upper bound of the last bucket that anything came into meanwhile; 0 if nothing did."""
    prefix = f"{name}_bucket"
    bounds = sorted((float(key.removeprefix(prefix)), key) for key in after if key.startswith(prefix))
    grown = [after[key] - before[key] for _, key in bounds]
    new = [bound for (bound, _), more, less in zip(bounds, grown, [0.0, *grown], strict=False) if more > less]
    return max(new, default=0.0)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7, help="0 for none")
    parser.add_argument("--orders", type=int, default=4000, help="to each server in each round")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=int, default=20, help="of all that the engine takes; 0 for none")
    parser.add_argument("--resting", type=int, default=300_000)
    parser.add_argument("--bare", type=int, help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.bare:
        bare(words.bare)
        return
    with tempfile.TemporaryDirectory() as directory:
        if words.rounds:
            show_costs(words, compare(words, Path(directory)))
        if words.seconds:
            print(f"\nAll that it takes for {words.seconds} s, {words.connections} connections, a broker")
            for name, value in saturate(words, Path(directory)).items():
                print(f"{name:<32} {value:10.{2 if '(ms)' in name else 0}f}")


def show_costs(words: argparse.Namespace, costs: dict[str, list[float]]) -> None:
    """Print median and spread of each server's cost, and of its ratio to the bare one's of the same round."""
    print(f"CPU per order, {words.rounds} rounds of {words.orders}, {words.connections} connections")
    for name, values in costs.items():
        ratios = [value / plain for value, plain in zip(values, costs["bare"], strict=True)]
        spread = f"({min(values):.0f} to {max(values):.0f})"
        ratio = f"{statistics.median(ratios):.2f} x ({min(ratios):.2f} to {max(ratios):.2f})"
        print(f"{name:<15} {statistics.median(values):5.0f} µs {spread:<14} {ratio}")


if __name__ == "__main__":
    main()
