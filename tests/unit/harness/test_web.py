"""HTTP clients: no proxy towards this machine, whatever the environment says, and certificates."""

import ast
import base64
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest
import trustme

from experiments import books
from experiments.judging import ledger
from experiments.loads import Workload
from experiments.smoke import grafana as asks_grafana
from experiments.smoke import joints
from grafana.api import Grafana
from verdict_harness.errors import HarnessError, UsageError
from verdict_harness.kubernetes.watch import Watch
from verdict_harness.loads.live import Live
from verdict_harness.processes import Pending, ask, web
from verdict_harness.samples.fetch import fetch
from verdict_harness.systems import Address, check_past, coverage, wait_until_covered, wait_until_scraped
from verdict_harness.systems import external as of_others
from verdict_harness.systems import prometheus as of_prometheus
from verdict_harness.systems.external import ExternalDeployment

ROOT = Path(__file__).parents[3]
PROXIES = ("http_proxy", "https_proxy", "all_proxy")


class Server:
    """Answers every request alike, and keeps what was asked for."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.asked: list[str] = []
        self.logins: list[str | None] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.asked.append(self.path)
                owner.logins.append(self.headers["Authorization"])
                body = json.dumps({"status": "success", "data": {"result": [], "activeTargets": []}}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_CONNECT = do_GET  # noqa: N815 - as the library wants them

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        scheme = "https" if context else "http"
        self.url = f"{scheme}://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as it:
        yield it


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The proxy of an environment that names one in every way there is."""
    with Server() as it:
        for name in PROXIES:
            monkeypatch.setenv(name, it.url)
            monkeypatch.setenv(name.upper(), it.url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        yield it


def live(url: str) -> None:
    shown = Live(name="A2", seconds=9, begun=lambda: 9.0, prometheus=url, testid="x", tags={})
    with shown._client() as client:
        shown._figures(client, "5s")


def watch(url: str) -> None:
    way = SimpleNamespace(port=int(url.rpartition(":")[2]), check=lambda: None)
    it = Watch(SimpleNamespace(context="x", namespace="x"), way, ())  # type: ignore[arg-type]
    it._known = {("x", "shard"): None}  # type: ignore[dict-item]
    with web.client(f"http://127.0.0.1:{way.port}") as client:
        it._look(client)


def external(url: str) -> None:
    system: Any = SimpleNamespace(services=(), recording_rules=None, name="x")
    ExternalDeployment(system, Address.of(url), {}).verify()


def deployment(url: str) -> Any:
    return SimpleNamespace(prometheus=url, endpoint=lambda _: SimpleNamespace(url=url))


def place(url: str) -> None:
    with web.client(url) as http:
        books.place(http, url, {})


# Whatever of ours speaks HTTP, by the file that makes the client.
USES: dict[str, Callable[[str], Any]] = {
    "experiments/books.py": lambda url: books.sweep(url, "a", "x"),
    "experiments/judging/ledger.py": lambda url: ledger._ask(deployment(url), "up"),
    "experiments/judging/recovery.py": place,
    "experiments/smoke/grafana.py": asks_grafana.asked,
    "experiments/smoke/joints.py": lambda url: joints.through_every_joint(
        deployment(url), Workload.of("smoke", "full")
    ),
    "grafana/api.py": lambda url: Grafana(url, web.BasicAuth("a", "b")).push({"uid": "x"}),
    "harness/verdict_harness/kubernetes/watch.py": watch,
    "harness/verdict_harness/loads/live.py": live,
    "harness/verdict_harness/processes/probe.py": lambda url: ask(url, lambda answer: answer.json()),
    "harness/verdict_harness/samples/fetch.py": lambda url: fetch(Address.of(url), "query", {}, 1.0),
    "harness/verdict_harness/systems/coverage.py": lambda url: wait_until_covered(url, 0.0, {}),
    "harness/verdict_harness/systems/external.py": external,
    "harness/verdict_harness/systems/past.py": lambda url: check_past(Address.of(url), 0.0, 1.0, "up"),
    "harness/verdict_harness/systems/prometheus.py": of_prometheus._deleted,
}
# A script for people who measure, and the place itself.
ELSEWHERE = {"tools/bench_engine.py", "harness/verdict_harness/processes/web.py"}


@pytest.mark.parametrize("file", USES)
def test_no_use_asks_a_proxy_for_this_machine(
    server: Server, proxy: Server, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    patient = [(of_prometheus, "_TIMEOUT"), (coverage, "_PATIENCE"), (of_others, "_PATIENCE")]
    for module, word in (*patient, (asks_grafana, "PATIENCE")):
        monkeypatch.setattr(module, word, 0.3)
    with suppress(HarnessError, OSError, Pending, LookupError, TypeError):  # what they make of such an answer
        USES[file](server.url)
    assert server.asked
    assert proxy.asked == []


def test_every_use_is_among_them() -> None:
    found = {
        str(path.relative_to(ROOT))
        for tree in ("harness", "experiments", "grafana", "tools")
        for path in (ROOT / tree).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "web.client"
    }
    direct = {
        str(path.relative_to(ROOT))
        for tree in ("harness", "experiments", "grafana", "tools")
        for path in (ROOT / tree).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import) and any(one.name.split(".")[0] == "httpx" for one in node.names)
    }
    assert direct == {"harness/verdict_harness/processes/web.py"}
    assert found <= USES.keys() | ELSEWHERE


def test_what_is_far_away_goes_by_the_proxy(proxy: Server) -> None:
    with web.client("http://far.example") as client:
        client.get("/x")
    assert proxy.asked == ["http://far.example/x"]


def test_who_has_a_login_logs_in(server: Server) -> None:
    address = Address.of(server.url.replace("//", "//me:secret@"))
    with web.client(address) as client:
        client.get("/x")
    with web.client(server.url) as client:
        client.get("/x")
    assert server.logins == [f"Basic {base64.b64encode(b'me:secret').decode()}", None]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def test_this_machine_with_tls_is_believed_by_the_authority_that_the_environment_names(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: Server
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with Server(context) as server:
        with (
            web.client(server.url) as client,
            pytest.raises(web.NetworkError, match="CERTIFICATE_VERIFY_FAILED"),
        ):
            client.get("/x")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        with web.client(server.url) as client:
            assert client.get("/x").status_code == web.status.OK
        assert server.asked == ["/x"]
    assert proxy.asked == []


def test_a_client_without_certificates_speaks_no_tls(server: Server) -> None:
    with web.client(server.url) as client, pytest.raises(UsageError, match="asked for TLS"):
        client.get("https://127.0.0.1:1/x")


@pytest.mark.parametrize(
    ("url", "near"),
    [
        ("http://127.8.9.1", True),
        ("https://[::1]:9090/prom", True),
        ("http://localhost:1", True),
        ("http://10.0.0.1", False),
        ("http://localhost.example.org", False),
        ("no url", False),
        ("http://[broken", False),
    ],
)
def test_what_is_near(url: str, near: bool) -> None:
    assert web.is_near(url) is near


def test_scrapes_are_asked_for_past_the_proxy_too(
    server: Server, proxy: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_prometheus, "_TIMEOUT", 0.5)
    with suppress(HarnessError):
        wait_until_scraped(server.url, "up")
    assert server.asked
    assert proxy.asked == []
