"""What the variables say, and what follows from those that say nothing."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest

from experiments.exchange import MULTI
from verdict_harness.errors import ServiceDied, Unsupported, UsageError
from verdict_harness.loads import words
from verdict_harness.plugin.backends import NAMES, backend
from verdict_harness.processes import web
from verdict_harness.processes.environment import shown
from verdict_harness.systems import Address, Endpoint, ExternalBackend, Service, System, external
from verdict_harness.systems.external import ExternalDeployment, _read

SYSTEM = System(
    "s",
    (
        Service("web", {"http": 80, "metrics": 9091}, "http:/health", url_variable="WEB_URL"),
        Service("edge", {"http": 80}, "http:/health", url_variable="EDGE_URL"),
        Service("broker", {"kafka": 9092}, "kafka:kafka", url_variable="BOOTSTRAP"),
        Service("inner", {"http": 80}, "http:/health"),
    ),
)
PROMETHEUS = {"PROMETHEUS_URL": "http://p:9090/"}


def deployment(**environment: str) -> ExternalDeployment:
    return ExternalDeployment(SYSTEM, *_read(SYSTEM, {**PROMETHEUS, **environment}))


def test_one_service_is_enough() -> None:
    one = deployment(WEB_URL="http://h:1234/")
    assert one.prometheus == "http://p:9090"
    assert one.endpoint("web") == Endpoint("h", 1234)


@pytest.mark.parametrize(
    ("ask", "missing"),
    [
        (("edge", "http"), "EDGE_URL"),
        (("broker", "kafka"), "BOOTSTRAP"),
        (("web", "metrics"), "metrics"),
        (("inner", "http"), "inner"),
        (("nobody", "http"), "nobody"),
    ],
)
def test_asking_for_what_nobody_told(ask: tuple[str, str], missing: str) -> None:
    with pytest.raises(Unsupported, match="is not known") as caught:
        deployment(WEB_URL="http://h").endpoint(*ask)
    assert missing in str(caught.value)


def test_other_names_are_understood_where_the_first_is_not_set() -> None:
    system = System(
        "s", (Service("web", {"http": 80}, "http:/", url_variable="A_URL", url_aliases=("B_URL",)),)
    )
    prometheus, known = _read(system, {"PROM_URL": "http://p:1", "B_URL": "http://b:2"})
    assert (prometheus, known["web"].endpoint) == ("http://p:1", Endpoint("b", 2))
    both = {**PROMETHEUS, "PROM_URL": "http://p:1", "A_URL": "http://a:1", "B_URL": "http://b:2"}
    prometheus, known = _read(system, both)
    assert (prometheus, known["web"].endpoint) == ("http://p:9090", Endpoint("a", 1))
    with pytest.raises(UsageError, match="B_URL"):
        _read(system, {**PROMETHEUS, "B_URL": "nonsense"})


def test_the_exchanges_other_names() -> None:
    _, known = _read(MULTI, {"PROM_URL": "http://p:1", "ME_URL": "http://a:8080"})
    assert [*known] == ["me-shard-a"]


def test_ports() -> None:
    one = deployment(WEB_URL="http://h", BOOTSTRAP="b:9092")
    assert one.endpoint("web") == Endpoint("h", 80)
    assert one.endpoint("broker", "kafka") == Endpoint("b", 9092)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("WEB_URL", "h:80"),
        ("WEB_URL", "https://h"),
        ("WEB_URL", "http://"),
        ("WEB_URL", "http://h:port"),
        ("WEB_URL", "http://h/path"),
        ("WEB_URL", "http://h?query"),
        ("BOOTSTRAP", "b"),
        ("BOOTSTRAP", "http://b:9092"),
        ("PROMETHEUS_URL", "p:9090"),
        ("PROMETHEUS_URL", "ftp://p"),
        ("PROMETHEUS_URL", "http://p:port"),
        ("PROMETHEUS_URL", "http://[::1"),
    ],
)
def test_what_can_not_be_understood(variable: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"{variable} can't be understood") as caught:
        deployment(**{"EDGE_URL": "http://e", variable: value})
    assert value in str(caught.value)


@pytest.mark.parametrize("environment", [{}, PROMETHEUS, {"WEB_URL": "http://h"}])
def test_too_little_is_told(environment: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not known") as caught:
        ExternalBackend(environment).deploy(SYSTEM, tmp_path).__enter__()
    for variable in ("PROMETHEUS_URL", "WEB_URL", "EDGE_URL", "BOOTSTRAP"):
        assert variable in str(caught.value)


@pytest.mark.parametrize("what", ["pause", "resume", "kill", "start"])
def test_nothing_is_done_to_what_is_not_ours(what: str) -> None:
    assert ExternalBackend().capabilities == frozenset()
    with pytest.raises(Unsupported, match=f"can't {what} web"):
        getattr(deployment(WEB_URL="http://h"), what)("web")


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda one: one.share("web", 0.5), "can't give a share of the CPU to web"),
        (lambda one: one.used("web"), "can't tell the CPU of web"),
        (lambda one: one.resident("web"), "can't tell the memory of web"),
    ],
)
def test_nothing_is_known_of_its_processes(ask: Callable[[ExternalDeployment], object], said: str) -> None:
    with pytest.raises(Unsupported, match=said):
        ask(deployment(WEB_URL="http://h"))


def test_k6_reaches_it_as_the_harness_does() -> None:
    one = deployment(WEB_URL="http://h:1234", BOOTSTRAP="b:9092")
    assert one.inside("web") == one.endpoint("web") == Endpoint("h", 1234)
    assert one.inside("broker", "kafka") == Endpoint("b", 9092)
    with pytest.raises(Unsupported, match="is not known"):
        one.inside("edge")
    assert "outside of the harness" in one.logs("web")


def test_a_service_that_no_longer_listens_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external, "_LOOK", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        one = deployment(WEB_URL=f"http://{address}")
        one.check()
    with pytest.raises(ServiceDied, match="web is gone") as caught:
        one.check()
    assert caught.value.where == address
    assert caught.value.found == "connection refused"


def test_what_is_slow_to_accept_is_not_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its queue of connections is full, as where a service hangs: the load will tell."""
    monkeypatch.setattr(external, "_LOOK", 0.0)
    monkeypatch.setattr(external, "_TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, ExitStack() as others:
        address = server.getsockname()
        with suppress(TimeoutError):
            while True:
                others.enter_context(socket.create_connection(address, timeout=0.2))
        with pytest.raises(TimeoutError):
            socket.create_connection(address, timeout=0.2)
        deployment(WEB_URL=f"http://127.0.0.1:{address[1]}").check()


def test_it_is_not_looked_for_all_the_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        one = deployment(WEB_URL=f"http://127.0.0.1:{server.getsockname()[1]}")
        one.check()
    one.check()  # too soon to have looked again


def test_the_registry() -> None:
    assert [backend(name).name for name in NAMES] == list(NAMES)
    with pytest.raises(UsageError, match="no such backend") as caught:
        backend("cloud")
    assert "local, k3d, kube, external" in str(caught.value)


def prometheus(version: str, flags: str = "", status: int = 200) -> httpx.Client:
    """Make a client of a Prometheus that says no more than which it is."""
    answers = {
        "/api/v1/status/buildinfo": {"version": version},
        "/api/v1/status/flags": {"enable-feature": flags},
    }

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, json={"status": "success", "data": answers[request.url.path]})

    return httpx.Client(base_url="http://p:9090", transport=httpx.MockTransport(answer))


@pytest.mark.parametrize(
    ("client", "told"),
    [
        (prometheus("2.42.0"), True),
        (prometheus("2.42.0", "exemplar-storage,native-histograms"), False),
        (prometheus("3.1.0"), True),
        (prometheus("3.15.0"), False),
        (prometheus("2.42.0", status=404), False),  # a relative of Prometheus, of which nothing is known
    ],
)
def test_what_an_old_prometheus_lacks_is_said_before_any_load(
    client: httpx.Client, told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("verdict_harness.systems.external.progress.say", said.append)
    deployment(WEB_URL="http://h")._takes_native_histograms(client)
    assert bool(said) == told
    if told:
        assert "takes no native histograms" in said[0]
        assert "start it with --enable-feature=native-histograms" in said[0]


@pytest.mark.parametrize("url", ["http://me:s3cret@p:9090", "me:s3cret@p:9090", "http//me:s3cret@p"])
def test_a_password_is_kept_and_never_shown(url: str) -> None:
    if url.startswith("http:"):
        one = deployment(WEB_URL="http://h", PROMETHEUS_URL=url)
        assert one.prometheus == "http://p:9090"
        assert one.prometheus.login == ("me", "s3cret")
        return
    with pytest.raises(UsageError) as caught:
        deployment(WEB_URL="http://h", PROMETHEUS_URL=url)
    assert "s3cret" not in str(caught.value)


def test_a_token_and_headers_are_kept_and_never_shown(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    (tmp_path / "headers").write_text("\nX-Scope-OrgID:  team-a \nX-Other: a: b\n")
    one = deployment(
        WEB_URL="http://h",
        PROMETHEUS_TOKEN_FILE=str(tmp_path / "token"),
        PROMETHEUS_HEADERS_FILE=str(tmp_path / "headers"),
    ).prometheus
    assert isinstance(one, Address)
    assert one.headers == {"X-Scope-OrgID": "team-a", "X-Other": "a: b", "Authorization": "Bearer s3cret"}
    assert "s3cret" not in f"{one}{one!r}"
    with web.client(one) as client:
        assert client.headers["X-Scope-OrgID"] == "team-a"
        assert client.headers["Authorization"] == "Bearer s3cret"
    given = {"SSL_CERT_FILE": "/ca.pem", "OTHER": "x"}
    assert "SSL_CERT_FILE" not in words.environment(one, Path("/out"), given), "it has no certificate"
    secure = Address.of("https://p:9090").carrying(one.headers)
    told = words.environment(secure, Path("/out"), given)
    assert told["K6_PROMETHEUS_RW_BEARER_TOKEN"] == "s3cret"
    assert told["K6_PROMETHEUS_RW_HTTP_HEADERS"] == "X-Scope-OrgID:team-a,X-Other:a: b"
    assert told["SSL_CERT_FILE"] == "/ca.pem"
    assert "OTHER" not in told
    assert "s3cret" not in str(shown(told))
    assert "team-a" not in str(shown(told))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("PROMETHEUS_TOKEN_FILE", None, "can't be read"),
        ("PROMETHEUS_TOKEN_FILE", "", "nothing in it"),
        ("PROMETHEUS_TOKEN_FILE", "two words", "several words"),
        ("PROMETHEUS_HEADERS_FILE", "A: b\nno header", "line 2 is none"),
        ("PROMETHEUS_HEADERS_FILE", "A:", "line 1 is none"),
        ("PROMETHEUS_HEADERS_FILE", "a b: c", "line 1 is none"),
    ],
)
def test_files_that_cannot_be_understood(tmp_path: Path, name: str, text: str | None, said: str) -> None:
    path = tmp_path / "file"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError) as refused:
        deployment(WEB_URL="http://h", **{name: str(path)})
    assert said in str(refused.value)
    assert name in str(refused.value)
    assert str(path) in refused.value.where


def test_a_password_and_a_token_are_one_too_many(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret")
    told = {"PROMETHEUS_TOKEN_FILE": str(tmp_path / "token"), "PROMETHEUS_URL": "http://me:p4ss@p:9090"}
    with pytest.raises(UsageError, match="in two ways") as refused:
        deployment(WEB_URL="http://h", **told)
    assert "s3cret" not in str(refused.value)
    assert "p4ss" not in str(refused.value)


def test_a_header_that_k6_cannot_send_is_refused() -> None:
    address = Address.of("http://p").carrying({"X-Roles": "a,b"})
    with pytest.raises(UsageError, match="the header X-Roles"):
        words.environment(address, Path("/out"))
