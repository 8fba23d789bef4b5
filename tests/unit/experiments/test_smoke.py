"""Smoke, by hand: who is asked what, with three shards behind the gateway and with one alone."""

import doctest
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from experiments.loads import Workload
from experiments.smoke import joints
from verdict_harness.systems import Endpoint

THREE, ONE = Workload.of("smoke", "full"), Workload.of("smoke", "full", "single")


class Exchange(ThreadingHTTPServer):
    """Every service of it, at one address; keeps who was asked for what."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = []

    def deployment(self):
        at = lambda service: Endpoint("127.0.0.1", self.server_port, f"/{service}")  # noqa: E731
        return SimpleNamespace(endpoint=at, prometheus="")


class Handler(BaseHTTPRequestHandler):
    server: Exchange

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        _, service, path = self.path.split("/", 2)
        self.server.asked.append((service, path))
        body = json.dumps({"by": service})
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    do_POST = do_GET  # noqa: N815 - as the library wants it

    def log_message(self, *_):
        """Say nothing."""


def test_the_examples_are_true():
    assert doctest.testmod(joints) == doctest.TestResults(0, 1)


@pytest.fixture
def waited(monkeypatch):
    """The metrics whose scrape was waited for."""
    metrics = []
    monkeypatch.setattr(joints, "wait_until_scraped", lambda _, *some: metrics.extend(some))
    return metrics


@pytest.fixture
def exchange():
    with Exchange() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_nobody_but_the_shard_is_asked_where_there_is_one(exchange, waited):
    told = joints.through_every_joint(exchange.deployment(), ONE)
    assert {service for service, _ in exchange.asked} == {"me-shard-a"}
    assert [path for _, path in exchange.asked[:3]] == ["health", "seed", "orders"]
    assert [set(told[what]) for what in ("health", "seeded", "routed")] == [{"a"}] * 3
    assert len(told["refused"]) == len(joints.refusals(ONE)) == 8
    assert waited == ["me_matches_total"]


def test_orders_and_seeds_for_every_shard_go_through_the_gateway(exchange, waited):
    told = joints.through_every_joint(exchange.deployment(), THREE)
    asked = [path for service, path in exchange.asked if service == "edge-gateway"]
    assert [path for path in asked if path.startswith("seed")] == ["seed/a", "seed/b", "seed/c"]
    assert {answer["body"]["by"] for answer in told["routed"].values()} == {"edge-gateway"}
    assert set(told["health"]) == {"a", "b", "c", "gateway"}
    assert len(told["refused"]) == len(joints.REFUSALS) == 10
    assert waited == ["me_matches_total", "gw_requests_total"]
