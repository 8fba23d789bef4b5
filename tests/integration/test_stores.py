"""Stores of other people: behind a path, a certificate of their own, a tenant's name, a token or a password.

A real Prometheus, and before it a proxy that demands one of these; a real k6 hands its samples over by it.
"""

from __future__ import annotations

import base64
import contextlib
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
import trustme

from verdict_harness.errors import WaitTimeout
from verdict_harness.loads import Load, run_load
from verdict_harness.processes import Guarded, Plan, Ports, until
from verdict_harness.programs import provide
from verdict_harness.record import Evidence
from verdict_harness.samples import Estimate, Prometheus
from verdict_harness.systems import ExternalBackend, Service, System

SECRET = "n0b0dy-may-see-this"
SCRIPT = """
import http from "k6/http";
export const options = { scenarios: { load: {
  executor: "constant-arrival-rate", rate: 10, timeUnit: "1s", duration: "3s", preAllocatedVUs: 5 } } };
export default () => http.get(__ENV.URL);
"""


@dataclass
class Store:
    """A Prometheus at a path of a proxy with TLS, which lets through what carries ``wanted``."""

    url: str
    ca: Path
    behind: str
    wanted: dict[str, str] = field(default_factory=dict)
    refused: int = 0


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("prometheus")
    (directory / "prometheus.yml").write_text("global: {scrape_interval: 1s, evaluation_interval: 1s}\n")
    with Ports() as ports:
        port = ports.reserve()
        argv = (
            str(provide("prometheus").path),
            f"--config.file={directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--web.enable-remote-write-receiver",
            "--log.level=warn",
        )
        held = [ports.descriptor(port)]
        with Guarded(Plan(argv, cwd=directory, log=directory / "log", hold=held)):
            url = f"http://127.0.0.1:{port}"

            def ready() -> bool:
                with contextlib.suppress(httpx.HTTPError):
                    return httpx.get(f"{url}/-/ready", trust_env=False).status_code == httpx.codes.OK
                return False

            until("Prometheus", ready, timeout=60)
            yield url


@pytest.fixture
def store(prometheus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            if any(self.headers[name] != value for name, value in made.wanted.items()):
                made.refused += 1
                self._answer(401, b"not you", "text/plain")
                return
            if not self.path.startswith("/team/prom/"):
                self._answer(404, b"nothing here", "text/plain")
                return
            path = self.path.removeprefix("/team/prom")
            kept = {
                name: value for name, value in self.headers.items() if name.startswith(("Content-", "X-Prom"))
            }
            answer = httpx.request(
                self.command, f"{prometheus}{path}", content=body, headers=kept, trust_env=False, timeout=30
            )
            self._answer(answer.status_code, answer.content, answer.headers.get("Content-Type", "text/plain"))

        def _answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - as the library wants them

        def log_message(self, *_: object) -> None:
            pass

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca))
    made = Store(f"https://127.0.0.1:{server.server_port}/team/prom/", ca, prometheus)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    monkeypatch.setenv("SSL_CERT_FILE", str(ca))
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def system(behind: str) -> tuple[System, dict[str, str]]:
    """A service that runs already: the Prometheus itself will do."""
    service = Service("one", {"http": 80}, "http:/-/ready", url_variable="ONE_URL")
    return System("s", (service,)), {"ONE_URL": behind}


def files(at: Path, **content: str) -> dict[str, str]:
    """Write files; return the variables that name them."""
    told = {}
    for name, text in content.items():
        path = at / name.lower()
        path.write_text(text)
        told[name] = str(path)
    return told


def loaded(store: Store, told: dict[str, str], at: Path) -> tuple[Load, Estimate]:
    """Run k6 with that store; return the load, and how many requests the store says it made."""
    script = at / "script.js"
    script.write_text(SCRIPT)
    described, where = system(store.behind)
    evidence = Evidence.create(at / "runs", profile="quick", backend="external", argv=[])
    with ExternalBackend({**where, **told}).deploy(described, at) as deployment:
        load = run_load(
            deployment,
            script,
            name="L",
            testid=f"{at.name}/L",
            directory=evidence.directory / "loads" / "L",
            seconds=3.0,
            env={"URL": f"{store.behind}/-/ready"},
            planned=30,
        )
        asked = Prometheus(deployment.prometheus, evidence)
        query = f'sum(last_over_time(k6_http_reqs_total{{testid="{load.testid}"}}[1m]))'
        found = asked.instant(query, load.ended)
    assert isinstance(found, Estimate), found
    return load, found


BASIC = f"Basic {base64.b64encode(f'me:{SECRET}'.encode()).decode()}"


@pytest.mark.parametrize("how", ["password", "token", "tenant", "token and tenant"])
def test_samples_get_there_and_answers_come_back(store: Store, tmp_path: Path, how: str) -> None:
    told = {"PROMETHEUS_URL": store.url}
    if how == "password":
        store.wanted = {"Authorization": BASIC}
        told["PROMETHEUS_URL"] = store.url.replace("//", f"//me:{SECRET}@")
    if "token" in how:
        store.wanted["Authorization"] = f"Bearer {SECRET}"
        told |= files(tmp_path, PROMETHEUS_TOKEN_FILE=f"{SECRET}\n")
    if "tenant" in how:
        store.wanted["X-Scope-OrgID"] = "team-a"
        told |= files(tmp_path, PROMETHEUS_HEADERS_FILE="X-Scope-OrgID: team-a\n")
    load, requests = loaded(store, told, tmp_path)
    assert load.trouble == ()
    assert load.unpushed == ""
    assert requests.value is not None
    assert round(requests.value) == load.requests >= 25
    assert store.refused == 0
    written = [path for path in (tmp_path / "runs").rglob("*") if path.is_file()]
    assert len(written) > 3
    secret = SECRET.encode()
    assert not [path.name for path in written if secret in path.read_bytes()]
    assert BASIC.encode() not in b"".join(path.read_bytes() for path in written)


def test_without_what_it_demands_it_is_said_before_any_load(store: Store, tmp_path: Path) -> None:
    store.wanted = {"X-Scope-OrgID": "team-a"}
    described, where = system(store.behind)
    told = {**where, "PROMETHEUS_URL": store.url}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("verdict_harness.systems.external._PATIENCE", 1.0)
        with (
            pytest.raises(WaitTimeout, match="401") as refused,
            ExternalBackend(told).deploy(described, tmp_path),
        ):
            pytest.fail("it does not let us in")
    assert "PROMETHEUS_URL" in str(refused.value)
    assert store.refused > 0


def test_whose_certificate_nobody_vouches_for_is_not_asked(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    described, where = system(store.behind)
    monkeypatch.setattr("verdict_harness.systems.external._PATIENCE", 1.0)
    with (
        pytest.raises(WaitTimeout, match=r"(?i)certificate"),
        ExternalBackend({**where, "PROMETHEUS_URL": store.url}).deploy(described, tmp_path),
    ):
        pytest.fail("nobody knows who that is")
