"""The gateway as a process: what only shows with its HTTP server, its signals and its output."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from verdict_harness.processes import Ports, ask, running, until


class FakeShard(ThreadingHTTPServer):
    """Records what it gets. Answers at once, or when told to if the body has the word ``slow``."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.bodies: list[tuple[str, bytes]] = []
        self.arrived = threading.Event()
        self.release = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeShard

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append((self.path, body))
        if b"slow" in body:
            self.server.arrived.set()
            self.server.release.wait(120)
        answer = b'{ "status":"ACCEPTED" }' if self.path == "/orders" else b'{"seeded":1}'
        self.send_response(202)
        self.send_header("Content-Type", "application/json; of=shard")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def shard() -> Iterator[FakeShard]:
    with FakeShard() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.release.set()
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def ports() -> Iterator[Ports]:
    """Ports that nobody else gets until the last test is over."""
    with Ports() as held:
        yield held


def environment(ports: Ports, shard_a: str, **changes: str) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONWARNINGS": "error",
        "HOST": "127.0.0.1",
        "HTTP_PORT": str(ports.reserve()),
        "METRICS_PORT": str(ports.reserve()),
        "ME_SHARD_MAP": f"a={shard_a},b=http://127.0.0.1:1",
        "SHARD_SYMBOLS_MAP": "a=TEST-ASSET-A:TEST-ASSET-B,b=TEST-ASSET-E",
        **changes,
    }


class Running:
    def __init__(self, process: subprocess.Popen[bytes], env: dict[str, str], output: Path) -> None:
        self.process = process
        self.output = output
        self.port = int(env["HTTP_PORT"])
        self.url = f"http://127.0.0.1:{self.port}"
        self.metrics_url = f"http://127.0.0.1:{env['METRICS_PORT']}/metrics"

    def log(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.output.read_text().splitlines()]

    def samples(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        families = text_string_to_metric_families(httpx.get(self.metrics_url).text)
        return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}

    def refuses(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except ConnectionRefusedError:
            return True
        return False

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextmanager
def gateway(env: dict[str, str], output: Path) -> Iterator[Running]:
    with output.open("wb") as file:
        command = [sys.executable, "-m", "gateway"]
        process = subprocess.Popen(command, env=env, stdout=file, stderr=subprocess.STDOUT)
        it = Running(process, env, output)
        try:
            until(
                "the gateway",
                lambda: ask(f"{it.url}/health", lambda answer: answer.json()["status"] == "UP"),
                timeout=60,
                alive=running(process, output),
            )
            yield it
        finally:
            process.kill()
            process.wait()


@pytest.fixture(name="running")
def started(ports: Ports, shard: FakeShard, tmp_path: Path) -> Iterator[Running]:
    with gateway(environment(ports, shard.url), tmp_path / "log") as it:
        yield it


def order(symbol: str, **more: object) -> bytes:
    return json.dumps({"orderId": "1", "symbol": symbol, **more}).encode()


def test_requests_and_answers_pass_unchanged_and_errors_are_the_contracts(
    running: Running, shard: FakeShard
) -> None:
    with httpx.Client(base_url=running.url) as http:
        health = http.get("/health")
        assert (health.status_code, health.json()) == (200, {"status": "UP", "component": "edge-gateway"})

        body = order("TEST-ASSET-B", price=15000)
        accepted = http.post("/orders", content=body)
        assert (accepted.status_code, accepted.content) == (202, b'{ "status":"ACCEPTED" }')
        assert accepted.headers["content-type"] == "application/json; of=shard"
        assert shard.bodies == [("/orders", body)]

        for request, status, error in [
            (("/orders", order("TEST-ASSET-Z")), 400, "Unknown symbol: TEST-ASSET-Z"),
            (("/orders", order("TEST-ASSET-E")), 502, "Shard unavailable: b"),
            (("/seed/q", b"{}"), 404, "Unknown shard: q"),
            (("/seed", b"{}"), 404, "Not found: /seed"),
            (("/health", b"{}"), 405, "Method not allowed: POST /health"),
        ]:
            answer = http.post(request[0], content=request[1])
            assert (answer.status_code, answer.json()) == (status, {"error": error})
        malformed = http.post("/orders", content=b"{")
        assert malformed.status_code == 400
        assert malformed.json()["error"].startswith("Malformed JSON")
    assert len(shard.bodies) == 1


def test_forty_thousand_seeds_in_one_body_pass_whole(running: Running, shard: FakeShard) -> None:
    seed = {"side": "SELL", "type": "LIMIT", "price": 15000, "quantity": 100, "symbol": "TEST-ASSET-A"}
    body = json.dumps({"orders": [{"orderId": f"seed-{n}", **seed} for n in range(40_000)]}).encode()
    assert len(body) > 4_000_000
    answer = httpx.post(f"{running.url}/seed/a", content=body)
    assert (answer.status_code, answer.content) == (202, b'{"seeded":1}')
    assert shard.bodies == [("/seed", body)]


def test_metrics_count_what_happened(running: Running) -> None:
    with httpx.Client(base_url=running.url) as http:
        before = running.samples()
        for symbol in ("TEST-ASSET-A", "TEST-ASSET-A", "TEST-ASSET-E", "NONE"):
            http.post("/orders", content=order(symbol))
        http.post("/seed/a", content=b"{}")
        after = running.samples()
    # Nothing appears with its first use, and there is no second series for each.
    assert set(before) == set(after)
    assert not [name for name, _ in after if name.endswith("_created")]
    grown = {
        key: after[key] - before[key]
        for key in after
        if key[0] in {"gw_requests_total", "gw_routing_errors_total"}
    }
    expected = {
        ("gw_requests_total", frozenset({("shard", "a"), ("status", "2xx")})): 3,
        ("gw_requests_total", frozenset({("shard", "b"), ("status", "5xx")})): 1,
        ("gw_requests_total", frozenset({("shard", "none"), ("status", "4xx")})): 1,
        ("gw_routing_errors_total", frozenset({("reason", "unknown_symbol")})): 1,
        ("gw_routing_errors_total", frozenset({("reason", "shard_unavailable")})): 1,
    }
    assert {key: value for key, value in grown.items() if value} == expected
    assert after["gw_request_duration_seconds_count", frozenset({("shard", "a")})] == 3


def test_sigterm_finishes_what_is_in_flight_and_takes_nothing_new(running: Running, shard: FakeShard) -> None:
    idle = httpx.Client(base_url=running.url)
    idle.get("/health")  # a connection that stays open and must not hold the stop up
    answers: list[httpx.Response] = []

    def send() -> None:
        # Through a client that would use its connection again.
        with httpx.Client(base_url=running.url) as http:
            answers.append(http.post("/orders", content=order("TEST-ASSET-A", word="slow")))

    sender = threading.Thread(target=send)
    sender.start()
    assert shard.arrived.wait(60)
    running.process.send_signal(signal.SIGTERM)
    until("it to take no connections any more", running.refuses, timeout=60, interval=0.05)
    assert running.process.poll() is None
    shard.release.set()
    sender.join(60)
    assert running.process.wait(60) == 0
    idle.close()
    assert [answer.status_code for answer in answers] == [202]
    assert answers[0].headers["connection"] == "close"
    assert len(shard.bodies) == 1


def test_the_log_is_json_with_a_summary(running: Running) -> None:
    httpx.post(f"{running.url}/orders", content=order("TEST-ASSET-A"))
    for _ in range(3):
        httpx.post(f"{running.url}/orders", content=order("TEST-ASSET-E"))
    assert running.stop() == 0
    log = running.log()
    assert [line["message"] for line in log] == [
        "gateway starts",
        "shard gives no answer",  # once, not three times
        "summary",
        "gateway stopped",
    ]
    shards = log[2]["shards"]
    assert isinstance(shards, dict)
    assert [(shards[name]["requests"], shards[name]["errors"]) for name in "ab"] == [(1, 0), (3, 3)]
    assert all({"time", "level", "logger", "component"} <= line.keys() for line in log)


def run_to_end(env: dict[str, str]) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "gateway"], check=False, env=env, capture_output=True, text=True, timeout=120
    )
    return done.returncode, done.stdout + done.stderr


def test_a_wrong_configuration_is_reported_whole_and_ends_with_2(ports: Ports) -> None:
    changes = {"HTTP_PORT": "x", "SHARD_SYMBOLS_MAP": "a=S,b=S"}
    status, output = run_to_end(environment(ports, "nowhere", **changes))
    assert status == 2
    lines = output.splitlines()
    assert [line.split(":")[1].strip() for line in lines] == [
        "HTTP_PORT",
        "ME_SHARD_MAP",
        "SHARD_SYMBOLS_MAP",
    ]


@pytest.mark.parametrize("variable", ["HTTP_PORT", "METRICS_PORT"])
def test_a_port_that_is_taken_is_named_and_ends_with_1(ports: Ports, variable: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        status, output = run_to_end(environment(ports, "http://127.0.0.1:1", **{variable: port}))
    assert status == 1
    assert f"{variable}: can't listen on 127.0.0.1 port {port}" in output
