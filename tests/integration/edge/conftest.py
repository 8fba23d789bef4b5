"""Requests that no client in its right mind sends, made from a seed, and the two services that get them."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

SYMBOL = "TEST-ASSET-A"
ORDER = {"orderId": "absurd", "symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "price": 100, "quantity": 1}
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def post(body: bytes, path: str = "/orders", *, head: bytes = b"", length: int | None = None) -> bytes:
    """A request as it should be, if ``head`` and ``length`` do not spoil it."""
    size = len(body) if length is None else length
    return b"POST %b HTTP/1.1\r\nHost: x\r\n%bContent-Length: %d\r\n\r\n%b" % (
        path.encode(),
        head,
        size,
        body,
    )


def _order(**changes: object) -> bytes:
    return json.dumps({**ORDER, **changes}).encode()


def _junk(of: random.Random, most: int) -> bytes:
    return of.randbytes(of.randint(1, most))


def _wrong_field(of: random.Random) -> bytes:
    field = of.choice(("symbol", "side", "type", "price", "quantity", "timestamp", "orderId"))
    wrong = of.choice((-1, 0, 1.5, 10**30, "", "x" * 200, "\u0000", True, float("nan"), ("a", ("b",))))
    if (field, wrong) in {("timestamp", 0), ("orderId", "\u0000")}:
        wrong = 2.5  # those two are allowed
    return post(_order(**{field: wrong}))


def _missing_field(of: random.Random) -> bytes:
    left = dict(ORDER)
    del left[of.choice(("symbol", "side", "price", "quantity", "orderId"))]
    return post(json.dumps(left).encode())


def _cut(of: random.Random) -> bytes:
    body = _order()
    return post(body[: of.randrange(len(body))])


def _garbled(of: random.Random) -> bytes:
    body = bytearray(_order())
    body[of.randrange(len(body))] = of.choice(b"\x00\x01\xff\xfe{}[]\\")
    body.insert(of.randrange(len(body)), of.choice(b"\x00\xff{["))
    return post(bytes(body) + b"}" * of.randint(1, 3))


def _bytes_for_json(of: random.Random) -> bytes:
    return post(b"\xff" + _junk(of, 300))


def _nested(of: random.Random) -> bytes:
    depth = of.choice((1025, 5_000, 30_000))
    opening, closing = of.choice(((b"[", b"]"), (b'{"a":', b"}")))
    depth = min(depth, 60_000 // (len(opening) + 1))
    middle = b"1" if of.random() < 0.5 else b""
    return post(
        b'{"symbol":' + opening * depth + middle + (closing * depth if of.random() < 0.5 else b"") + b"}"
    )


def _many_fields(of: random.Random) -> bytes:
    fields = {f"{of.choice(_LETTERS)}{number}": number for number in range(of.choice((100, 1_000, 4_000)))}
    return post(json.dumps(fields).encode())


def _too_large(of: random.Random) -> bytes:
    claimed = of.choice((65_537, 1 << 20, 32 << 20, 90 << 20, 1 << 40))
    return post(b'{"orderId":"' + b"x" * of.choice((0, 1000, 100_000)), length=claimed)


def _large_head(of: random.Random) -> bytes:
    if of.random() < 0.5:
        many = of.choice((101, 300))
        return post(_order(), head=b"".join(b"X-%d: y\r\n" % number for number in range(many)))
    return post(_order(), head=b"X: " + b"y" * of.choice((9_000, 60_000)) + b"\r\n")


def _long_target(of: random.Random) -> bytes:
    return post(_order(), path="/orders?" + of.choice(_LETTERS) * of.choice((4_200, 7_000, 20_000)))


def _bad_header(of: random.Random) -> bytes:
    control = bytes([of.choice([*range(9), *range(11, 13), *range(14, 32), 127])])
    name, value = (b"X" + control, b"y") if of.random() < 0.5 else (b"X", b"y" + control + b"z")
    return post(_order(), head=name + b": " + value + b"\r\n")


def _bad_length(of: random.Random) -> bytes:
    wrong = of.choice(
        (b"-1", b"x", b"1e3", b"0x10", b"9" * 30, b"", b"1, 2", b"+5", b"5\r\nContent-Length: 6")
    )
    return b"POST /orders HTTP/1.1\r\nContent-Length: %b\r\n\r\n{}" % wrong


def _smuggled(of: random.Random) -> bytes:
    body = _order()
    both = b"Transfer-Encoding: chunked\r\n" if of.random() < 0.5 else b"Transfer-Encoding: xchunked\r\n"
    return post(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body), head=both)


def _bad_chunks(of: random.Random) -> bytes:
    head = b"POST /orders HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + of.choice(
        (
            b"zz\r\n{}\r\n0\r\n\r\n",
            b"-1\r\n",
            b"ffffffffffffffffffff\r\n",
            b"2\r\n{}x\r\n0\r\n\r\n",
            b"1;" + b"e" * 200_000,
            b"1\r\n{\r\n" * 5_000,
            b"20000\r\n" + b"x" * 70_000,
        )
    )


def _no_http(of: random.Random) -> bytes:
    return of.choice(
        (
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + _junk(of, 100),
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"\x00" * of.randint(1, 5_000),
            b"HELO mail\r\n",
            b"GET\r\n\r\n",
            b"\xff" + _junk(of, 2_000),
            b"POST /orders HTTP/3.7\r\n\r\n",
            b"POST  HTTP/1.1\r\n\r\n",
            b"SSH-2.0-x\r\n",
        )
    )


def _elsewhere(of: random.Random) -> bytes:
    path = "/" + "".join(of.choices(_LETTERS + "/%.;", k=of.randint(1, 60)))
    return post(_order(), path="/nowhere" + path)


def _other_method(of: random.Random) -> bytes:
    method = of.choice((b"GET", b"PUT", b"DELETE", b"PATCH", b"TRACE", b"CONNECT"))
    return b"%b /orders HTTP/1.1\r\nHost: x\r\n\r\n" % method


def _broken_off(of: random.Random) -> bytes:
    whole = post(_order())
    return whole[: of.randrange(5, len(whole) - 1)]


KINDS: tuple[Callable[[random.Random], bytes], ...] = (
    _wrong_field,
    _missing_field,
    _cut,
    _garbled,
    _bytes_for_json,
    _nested,
    _many_fields,
    _too_large,
    _large_head,
    _long_target,
    _bad_header,
    _bad_length,
    _smuggled,
    _bad_chunks,
    _no_http,
    _elsewhere,
    _other_method,
    _broken_off,
)


def requests(seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """``count`` requests, of every kind equally often, each with its kind; the same for the same seed."""
    of = random.Random(seed)
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        yield kind.__name__.strip("_"), kind(of)


Generator = Callable[[int, int], Iterator[tuple[str, bytes]]]


@pytest.fixture
def absurd() -> Generator:
    return requests


class Service:
    """An engine, or a gateway with an engine behind it.

    Attributes:
        host: what it was told to listen on.
        port: of its API.
        metrics_port: of its metrics.
        engine: whose book it is.
    """

    def __init__(self, host: str, port: int, metrics_port: int, engine: Any, *, is_gateway: bool) -> None:
        self.host = host
        self.port = port
        self.metrics_port = metrics_port
        self.engine = engine
        self.is_gateway = is_gateway

    @property
    def address(self) -> str:
        return "::1" if ":" in self.host else "127.0.0.1"

    def in_form(self, body: bytes) -> bool:
        """Whether a refusal is in the contract's form; the gateway passes its shards' on."""
        answer = json.loads(body)
        refusal = answer.get("status") == "REJECTED" and isinstance(answer.get("reason"), str)
        return refusal or (self.is_gateway and isinstance(answer.get("error"), str))

    def answers(self) -> dict[str, float]:
        """How many there were, by class of status; probes are counted apart at the gateway."""
        counter = "gw_requests" if self.is_gateway else "me_http_answers"
        host = f"[{self.address}]" if ":" in self.address else self.address
        text = httpx.get(f"http://{host}:{self.metrics_port}/metrics").text
        found = {"2xx": 0.0, "4xx": 0.0, "5xx": 0.0}
        for family in text_string_to_metric_families(text):
            if family.name == counter:
                for sample in family.samples:
                    found[sample.labels["status"]] += sample.value
        return found


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        return [
            stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1] for _ in range(count)
        ]


@pytest.fixture(params=["engine", "gateway"])
def service(
    request: pytest.FixtureRequest, engine: Callable[..., Any], tmp_path: Path
) -> Iterator[Callable[[str], Service]]:
    """Starts what is asked for, on a host."""
    with ExitStack() as stack:

        def start(host: str = "127.0.0.1") -> Service:
            if request.param == "engine":
                it = engine(HOST=host)
                facts = it.until(lambda: next((x for x in it.log() if x["message"] == "serving"), None))
                made = Service(host, facts["http_port"], facts["metrics_port"], it, is_gateway=False)
                name = f"[{made.address}]" if ":" in made.address else made.address
                it.client.base_url = httpx.URL(f"http://{name}:{made.port}")
                it.metrics_url = f"http://{name}:{made.metrics_port}/metrics"
                return made
            behind = engine().ready()
            http_port, metrics_port = free_ports(2)
            env = {
                "PYTHONWARNINGS": "error",
                "HOST": host,
                "HTTP_PORT": str(http_port),
                "METRICS_PORT": str(metrics_port),
                "ME_SHARD_MAP": f"a={str(behind.client.base_url).rstrip('/')}",
                "SHARD_SYMBOLS_MAP": f"a={SYMBOL}",
            }
            output = stack.enter_context((tmp_path / "gateway.log").open("wb"))
            process = subprocess.Popen(
                [sys.executable, "-m", "gateway"],
                env={**os.environ, **env},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            made = Service(host, http_port, metrics_port, behind, is_gateway=True)
            for _ in range(600):
                assert process.poll() is None, (tmp_path / "gateway.log").read_text()
                with suppress(OSError), socket.create_connection((made.address, http_port), 1):
                    return made
                time.sleep(0.05)
            return pytest.fail((tmp_path / "gateway.log").read_text())

        yield start
