"""Smoke and Grafana: when it is asked, what it is asked, and what is said of one that is not as it is to be.

Grafana itself is not here: a stand-in answers as its HTTP API is documented.
"""

import base64
import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from experiments.smoke import conftest as choice
from experiments.smoke import grafana
from verdict_harness.errors import UsageError
from verdict_harness.kubernetes import ClusterDeployment
from verdict_harness.verdicts import Judge, Verdict

ROOT = Path(__file__).parents[3]
SOURCE = {"id": 1, "uid": "me-experiment", "name": "Matching Engine Experiment", "type": "prometheus"}
HEALTHY = {
    "/api/health": (200, {"commit": "abc", "database": "ok", "version": "13.2.0"}),
    "/api/datasources": (200, [{"uid": "l", "type": "loki"}, SOURCE]),
    "/api/datasources/uid/me-experiment/health": (
        200,
        {"message": "Successfully queried the Prometheus API.", "status": "OK"},
    ),
    "/api/dashboards/uid/me-experiment": (200, {"dashboard": {"uid": "me-experiment"}, "meta": {}}),
}
ALL = ["up", "a Prometheus to ask", "the dashboard me-experiment"]


class StandIn(ThreadingHTTPServer):
    """A Grafana.

    Attributes:
        answers: path to status and what is said.
        login: who may ask for more than its health.
        silent: it takes requests, and answers none.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = dict(HEALTHY)
        self.login = ("admin", "admin")
        self.silent = False
        self.over = threading.Event()

    def url(self, login=""):
        return f"http://{login}127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: StandIn

    def do_GET(self):
        if self.server.silent:
            self.server.over.wait(10)
            return
        basic = "Basic " + base64.b64encode(":".join(self.server.login).encode()).decode()
        status, said = self.server.answers.get(self.path, (404, {"message": "Not found"}))
        if self.path != "/api/health" and self.headers["Authorization"] != basic:
            status, said = 401, {"message": "Invalid username or password"}
        body = (said if isinstance(said, str) else json.dumps(said)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def there(monkeypatch):
    monkeypatch.setattr(grafana, "PATIENCE", 0.0)
    monkeypatch.setattr(grafana, "TIMEOUT", 0.3)
    with StandIn() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


def test_one_that_is_as_it_is_to_be(there):
    assert grafana.asked(there.url()) == dict.fromkeys(ALL, "")


@pytest.mark.parametrize(
    ("answer", "what", "found", "todo"),
    [
        (
            {"/api/dashboards/uid/me-experiment": (404, {"message": "Dashboard not found"})},
            "the dashboard me-experiment",
            '/api/dashboards/uid/me-experiment answers 404 {"message": "Dashboard not found"}',
            "--push URL",
        ),
        (
            {"/api/dashboards/uid/me-experiment": (200, {"dashboard": {"uid": "another"}})},
            "the dashboard me-experiment",
            '{"uid": "another"}',
            "--push URL",
        ),
        (
            {"/api/datasources": (200, [{"uid": "l", "type": "loki"}])},
            "a Prometheus to ask",
            "none is a prometheus: loki",
            "--prometheus URL",
        ),
        ({"/api/datasources": (200, [])}, "a Prometheus to ask", "none at all", "--prometheus URL"),
        (
            {
                "/api/datasources/uid/me-experiment/health": (
                    400,
                    {"message": "connection refused", "status": "ERROR"},
                )
            },
            "a Prometheus to ask",
            'answers 400 {"message": "connection refused"',
            "--prometheus URL",
        ),
        (
            {"/api/datasources/uid/me-experiment/health": (200, {"message": "no", "status": "ERROR"})},
            "a Prometheus to ask",
            '"status": "ERROR"',
            "--prometheus URL",
        ),
    ],
)
def test_what_it_lacks_is_told_with_what_brings_it(there, answer, what, found, todo):
    there.answers.update(answer)
    said = grafana.asked(there.url())
    assert list(said) == ALL
    assert [name for name, instead in said.items() if instead] == [what]
    assert found in said[what]
    assert todo in said[what].partition("to do: ")[2]


def test_one_that_wants_another_password_gets_it_from_the_url(there):
    there.login = ("me", "s3cret")
    said = grafana.asked(there.url())
    assert [name for name, instead in said.items() if instead] == ALL[1:]
    assert "answers 401" in said[ALL[1]]
    assert "GRAFANA_URL=http://user:password@host:port" in said[ALL[2]]
    given = {"GRAFANA_URL": there.url("me:s3cret@")}
    told = grafana.look(SimpleNamespace(), given)
    assert told == {"where": there.url(), "found": dict.fromkeys(ALL, "")}
    assert "s3cret" not in json.dumps(told)


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ((200, "<html>hello</html>"), "/api/health answers 200 <html>hello</html>"),
        ((200, {"status": "fine"}), '/api/health answers 200 {"status": "fine"}'),
        ((503, {"database": "failing"}), '/api/health answers 503 {"database": "failing"}'),
        ((200, {"database": "failing"}), '/api/health answers 200 {"database": "failing"}'),
    ],
)
def test_what_is_no_healthy_grafana_is_asked_for_nothing_more(there, answer, found):
    there.answers["/api/health"] = answer
    ((name, said),) = grafana.asked(there.url()).items()
    assert name == "up"
    assert found in said
    assert "to do: start it, or correct GRAFANA_URL" in said


def test_one_that_hangs(there):
    there.silent = True
    assert "no answer within 0.3 s" in grafana.asked(there.url())["up"]


def test_nobody_is_there(monkeypatch):
    monkeypatch.setattr(grafana, "PATIENCE", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert "refused" in grafana.asked(f"http://127.0.0.1:{port}")["up"]


def test_one_that_becomes_ready_is_waited_for(there, monkeypatch):
    monkeypatch.setattr(grafana, "PATIENCE", 5.0)
    missing = there.answers.pop("/api/dashboards/uid/me-experiment")
    later = threading.Timer(0.3, lambda: there.answers.update({"/api/dashboards/uid/me-experiment": missing}))
    later.start()
    assert grafana.asked(there.url()) == dict.fromkeys(ALL, "")


@pytest.mark.parametrize(
    ("backend", "environment", "why"),
    [
        ("k3d", {}, ""),
        ("kube", {}, ""),
        ("k3d", {"GRAFANA_CHART": "./chart"}, ""),
        ("k3d", {"GRAFANA_CHART": "none"}, "k3d is to bring none up, and GRAFANA_URL is not set"),
        ("kube", {"GRAFANA_CHART": "none", "GRAFANA_URL": "http://g:3000"}, ""),
        ("local", {}, "local brings none up, and GRAFANA_URL is not set"),
        ("local", {"GRAFANA_URL": ""}, "local brings none up"),
        ("local", {"GRAFANA_URL": "http://g:3000"}, ""),
        ("external", {"GRAFANA_URL": "https://u:p@g/below"}, ""),
        ("external", {}, "external brings none up"),
    ],
)
def test_who_has_a_grafana(backend, environment, why):
    found = grafana.absent(backend, environment)
    assert bool(found) == bool(why)
    assert why in found


@pytest.mark.parametrize("url", ["grafana:3000", "http://", "ftp://g", "http://h:port", "x:geheim@g"])
def test_what_is_no_url_of_one(url):
    with pytest.raises(UsageError, match="GRAFANA_URL can't be understood") as caught:
        grafana.absent("external", {"GRAFANA_URL": url})
    assert "geheim" not in str(caught.value)


def cluster(tmp_path, **lacking):
    it = ClusterDeployment(SimpleNamespace(), SimpleNamespace(), SimpleNamespace(), tmp_path)
    it.lacking = lacking
    return it


def test_the_deployed_one_is_asked_through_a_way_of_its_own(there, monkeypatch, tmp_path):
    opened = []

    @contextmanager
    def ways(_, some, directory):
        opened.append((some, directory.is_dir()))
        yield SimpleNamespace(addresses={"grafana": f"localhost:{there.server_port}"})

    monkeypatch.setattr(grafana, "Ways", ways)
    told = grafana.look(cluster(tmp_path), {"GRAFANA_URL": "http://nobody.invalid"})
    assert told == {"where": "Service grafana in monitoring", "found": dict.fromkeys(ALL, "")}
    ([way], kept) = opened[0]
    assert (way.service, way.namespace, way.port, kept) == ("grafana", "monitoring", 80, True)


def test_one_that_could_not_be_deployed_is_not_asked(tmp_path):
    told = grafana.look(cluster(tmp_path, grafana="ImagePullBackOff"), {})
    assert told == {"lacking": "ImagePullBackOff"}


def test_one_without_a_service_is_not_asked(monkeypatch, tmp_path):
    @contextmanager
    def ways(*_):
        yield SimpleNamespace(addresses={})

    monkeypatch.setattr(grafana, "Ways", ways)
    assert grafana.look(cluster(tmp_path), {}) == {"lacking": "there is no Service grafana in monitoring"}


LINE = "smoke.grafana is not judged: the backend local brings none up, and GRAFANA_URL is not set"


def test_without_one_there_is_no_criterion_and_a_line_says_so():
    words = ["experiments", "--collect-only", "-m", "smoke_single", "-p", "no:cacheprovider"]
    unset = ("GRAFANA_URL", "GRAFANA_CHART", "HARNESS_BACKEND")
    env = {name: value for name, value in os.environ.items() if name not in unset}
    argv = [sys.executable, "-m", "pytest", *words]
    said = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=True).stdout
    assert LINE in said
    assert "test_bad_orders" in said
    assert "test_grafana" not in said


ASKING, OTHER = (SimpleNamespace(fixturenames=[name]) for name in ("dashboards", "load"))


@pytest.fixture
def collected(monkeypatch):
    """What is left of two tests, one of which asks Grafana, and what is said of that."""
    monkeypatch.delenv("HARNESS_BACKEND", raising=False)

    def collect(options, some=(ASKING, OTHER), **environment):
        for name in ("GRAFANA_URL", "GRAFANA_CHART"):
            monkeypatch.setenv(name, environment.pop(name, ""))
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        gone, items = [], list(some)
        hook = SimpleNamespace(pytest_deselected=lambda *, items: gone.extend(items))
        config = SimpleNamespace(getoption=options.get, stash=pytest.Stash(), hook=hook)
        choice.pytest_collection_modifyitems(config, items)
        assert [*gone, *items] == list(some)
        return items, choice.pytest_report_collectionfinish(config)

    return collect


def test_the_backend_is_that_of_the_option_or_of_its_variable(collected):
    assert collected({}) == ([OTHER], [LINE])
    assert collected({"verdict_backend": "k3d"}) == ([ASKING, OTHER], [])
    items, [line] = collected({"verdict_backend": "k3d"}, GRAFANA_CHART="none")
    assert items == [OTHER]
    assert "the backend k3d is to bring none up" in line
    assert collected({}, HARNESS_BACKEND="kube") == ([ASKING, OTHER], [])


def test_a_stored_run_says_itself_what_it_judged(collected):
    assert collected({"verdict_judge": "runs/latest"}) == ([ASKING, OTHER], [])


def test_nothing_is_said_where_nobody_would_have_asked(collected):
    assert collected({}, some=(OTHER,), GRAFANA_URL="no url") == ([OTHER], [])


def test_a_url_that_is_none_ends_the_session(collected):
    with pytest.raises(pytest.UsageError, match="GRAFANA_URL can't be understood"):
        collected({}, GRAFANA_URL="grafana")


def judged(dashboards):
    judge = Judge()
    grafana.judge_found(dashboards, judge)
    (found,) = judge.findings
    return found


def test_what_was_found_is_in_the_verdicts_words():
    right = {"where": "http://g:3000", "found": dict.fromkeys(ALL, "")}
    assert judged(right).verdict is Verdict.PASS
    instead = "answers 404; to do: nox -s dashboard"
    failed = judged({**right, "found": {**right["found"], ALL[2]: instead}})
    assert failed.verdict is Verdict.FAIL
    assert f"the dashboard me-experiment at http://g:3000: {instead}" in failed.sentence


def test_one_that_was_to_be_deployed_and_is_not_leaves_it_open():
    found = judged({"lacking": "ImagePullBackOff"})
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "ImagePullBackOff; GRAFANA_CHART=none does without it" in found.sentence
