"""Every wait of the harness, on a server that gives everything but the answer first: ``tests/hostile.py``."""

import json
import struct
import sys
from functools import partial
from types import SimpleNamespace
from unittest.mock import Mock

import httpx
import pytest

from experiments.judging import ledger
from tests.hostile import INSTEAD, hostile, http
from verdict_harness.errors import UsageError, WaitTimeout
from verdict_harness.kubernetes import proxy, waiting
from verdict_harness.kubernetes.k6 import pod
from verdict_harness.kubernetes.kubectl import Kubectl
from verdict_harness.kubernetes.watch import Watch
from verdict_harness.loads import here, live
from verdict_harness.processes import Pending, until
from verdict_harness.systems import (
    Endpoint,
    ExternalBackend,
    Service,
    System,
    answers,
    chaos,
    external,
    prometheus,
)

# A silence is waited for as long as an answer may take: test_probe.py does that.
QUICK = {name: what for name, what in INSTEAD.items() if name != "silence"}
PATHS = {
    "/api/v1/targets": {"activeTargets": []},
    "/api/v1/rules": {"groups": [{"rules": [{"name": "r", "health": "ok"}]}]},
}
RULES = "groups: [{name: g, rules: [{record: r, expr: vector(1)}]}]\n"


def web(port, ready="http:/health UP"):
    return Service("web", {"http": port}, ready, url_variable="WEB_URL", scrape="http")


def path_of(asked):
    return asked.split()[1].decode().partition("?")[0]


def like_prometheus(asked):
    if path_of(asked) == "/health":
        return http({"status": "UP"})
    if path_of(asked) == "/api/v1/write":
        return http("snappy: corrupt input", "400 Bad Request", kind="text/plain")
    if b"query=time" in asked:
        data = {"result": [0, "7"]}
    else:
        data = {"result": [{"metric": {"job": "web"}, "value": [0, "8" if b"timestamp" in asked else "1"]}]}
    return http({"status": "success", "data": PATHS.get(path_of(asked), data)})


def seen_through(server):
    """Whether it gave everything that it has before it was right."""
    return all(server.got.values())


@pytest.fixture
def server():
    with hostile(like_prometheus, refused=0.1, instead=QUICK) as made:
        yield made
        assert seen_through(made), made.got


def test_a_service_that_says_its_word(server):
    at = Endpoint("127.0.0.1", server.port)
    assert until("it", partial(answers, web(80), lambda _: at), timeout=60, interval=0.005)


@pytest.mark.parametrize(
    ("word", "text"), [("UP", {"status": "UP"}), ("Ready.", "Server is Ready.\n"), ("", "no matter what")]
)
def test_the_word_of_who_is_ready(word, text):
    with hostile(lambda _: http(text), refused=0, instead={}) as server:
        at = Endpoint("127.0.0.1", server.port)
        assert answers(web(80, f"http:/health {word}".rstrip()), lambda _: at)


@pytest.mark.parametrize("text", ["BACKUP", {"status": "UPDATING"}, {"UP": False}, '{"status":"UP', ""])
def test_the_word_of_who_is_not(text):
    with hostile(lambda _: http(text), refused=0, instead={}) as server, pytest.raises(Pending):
        answers(web(80), lambda _: Endpoint("127.0.0.1", server.port))


def test_a_broker():
    metadata = struct.pack(">iiii", 12, 7, 0, 1)
    instead = {
        "reset": b"reset",
        "nothing": b"",
        "HTML": INSTEAD["HTML"],
        "half": metadata[:6],
        "another's": struct.pack(">iiii", 12, 8, 0, 1),
        "fenced": struct.pack(">iiii", 12, 7, 0, 0),
    }
    with hostile(lambda _: metadata, refused=0.1, instead=instead) as server:
        at = Endpoint("127.0.0.1", server.port)
        broker = Service("broker", {"kafka": 9092}, "kafka:kafka")
        assert until("it", partial(answers, broker, lambda _: at), timeout=60, interval=0.005)
    assert seen_through(server), server.got


def test_prometheus_before_it_measures(server, tmp_path):
    rules = tmp_path / "rules.yml"
    rules.write_text(RULES)
    looks = Mock()
    prometheus.wait_until_measuring(server.url, System("s", (web(server.port),), rules), looks)
    assert looks.call_count > len(QUICK)


@pytest.mark.parametrize(
    ("rules", "seen"),
    [
        ([], "Prometheus knows of no recording rule"),
        (
            [
                {"name": "good", "health": "ok"},
                {"name": "bad", "health": "err", "lastError": "unknown function"},
                {"name": "new", "health": "unknown", "lastError": ""},
            ],
            "bad: unknown function; new: not evaluated yet",
        ),
    ],
)
def test_rules_that_are_never_evaluated_are_named(tmp_path, monkeypatch, rules, seen):
    monkeypatch.setattr(prometheus, "_TIMEOUT", 0.0)
    monkeypatch.setitem(PATHS, "/api/v1/rules", {"groups": [{"rules": rules}] if rules else []})
    path = tmp_path / "rules.yml"
    path.write_text(RULES)
    with hostile(like_prometheus, refused=0, instead={}) as server:
        system = System("s", (web(server.port),), path)
        with pytest.raises(WaitTimeout) as caught:
            prometheus.wait_until_measuring(server.url, system, lambda: None)
    assert seen in caught.value.found


def test_a_scrape_more(server):
    prometheus.wait_until_scraped(server.url, "a", "b")


def test_a_scrape_that_never_comes(monkeypatch):
    monkeypatch.setattr(prometheus, "_TIMEOUT", 0.0)
    old = http({"status": "success", "data": {"result": [{"value": [0, "6"]}]}})

    def reply(asked):
        return old if b"timestamp" in asked else like_prometheus(asked)

    never = pytest.raises(WaitTimeout, match="a m was last scraped 1")
    with hostile(reply, refused=0, instead={}) as server, never:
        prometheus.wait_until_scraped(server.url, "m")


def test_a_system_of_others(server, tmp_path, monkeypatch):
    monkeypatch.setattr(external, "_PATIENCE", 60.0)
    rules = tmp_path / "rules.yml"
    rules.write_text(RULES)
    told = {"WEB_URL": server.url, "PROMETHEUS_URL": server.url}
    with ExternalBackend(told).deploy(System("s", (web(80),), rules), tmp_path) as deployment:
        assert deployment.endpoint("web").port == server.port


@pytest.mark.parametrize(
    ("name", "error"),
    [("404", UsageError), ("503", WaitTimeout), ("HTML", WaitTimeout), ("reset", WaitTimeout)],
)
def test_what_takes_no_remote_write(name, error, tmp_path, monkeypatch):
    monkeypatch.setattr(external, "_PATIENCE", 0.1)

    def reply(asked):
        return INSTEAD[name] if path_of(asked) == "/api/v1/write" else like_prometheus(asked)

    with hostile(reply, refused=0, instead={}) as server:
        told = {"WEB_URL": server.url, "PROMETHEUS_URL": server.url}
        with pytest.raises(error), ExternalBackend(told).deploy(System("s", (web(80),)), tmp_path):
            pytest.fail("it takes none")


def test_a_fault_that_heals(server):
    at = Endpoint("127.0.0.1", server.port)
    deployment = Mock(endpoint=lambda *_: at, system=System("s", (web(80),)))
    fault = chaos.pause(deployment, "web", bites=lambda: True)
    fault._on = True
    fault.heal()
    assert not fault.on


def test_k6_that_has_not_begun():
    states = iter((2, 5, 7))
    reply = lambda _: http({"data": {"attributes": {"status": next(states)}}})  # noqa: E731
    with hostile(reply, refused=0.1, instead=QUICK) as server:
        k6 = here.Process(Mock(), server.port)
        assert until("k6", k6.begun, timeout=60, interval=0.005)
    assert seen_through(server), server.got


def test_figures_of_a_load_that_nobody_has_yet(server):
    with httpx.Client(base_url=server.url) as client:
        assert until("a figure", lambda: live._value(client, "x"), timeout=60, interval=0.005) == 1.0


def test_a_clusters_api_that_is_watched():
    pods = http({"kind": "PodList", "items": [{"metadata": {"uid": "u"}, "status": {"phase": "Running"}}]})
    with hostile(lambda _: pods, refused=0.1, instead=QUICK) as server:
        watch = Watch(Kubectl("c", "n"), Mock(port=server.port))
        watch.expect("n", "web", [{"metadata": {"uid": "u"}}])
        with httpx.Client(base_url=server.url) as client:

            def look():
                watch._look(client)
                return True

            assert until("the API", look, timeout=60, interval=0.005)
        watch.check()
    assert seen_through(server), server.got


@pytest.mark.parametrize("right", [http("ok", kind="text/plain"), http({"kind": "Status"}, "403 Forbidden")])
def test_the_proxy_to_a_cluster(right, monkeypatch, tmp_path):
    with hostile(lambda _: right, refused=0.1, instead=QUICK) as server:
        held = Mock(reserve=lambda: server.port)
        monkeypatch.setattr(proxy, "Ports", lambda: held)
        monkeypatch.setattr(proxy, "Guarded", lambda _: Mock(status=None))
        proxy.Proxy(Kubectl("c", "n"), tmp_path / "log").open()
    assert seen_through(server), server.got


KUBECTL = """#!{python}
import pathlib, sys
turn = pathlib.Path({turn!r})
now = int(turn.read_text())
turn.write_text(str(now + 1))
said = {said!r}
if now < len(said):
    sys.stderr.write("The connection to the server was refused")
    sys.stdout.write(said[now])
    sys.exit(now == 0)
sys.stdout.write({right!r})
"""


@pytest.fixture
def kubectl(monkeypatch, tmp_path):
    """A kubectl that says everything else first; returns how to tell it what it lists in the end."""
    said = ["", "", "<html>503</html>", '{"items":[{', "[]", "null", '{"kind":"Status"}']
    turn = tmp_path / "turn"
    turn.write_text("0")
    program = tmp_path / "kubectl"
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def lists(*items):
        right = json.dumps({"items": items})
        program.write_text(KUBECTL.format(python=sys.executable, turn=str(turn), said=said, right=right))
        program.chmod(0o755)

    yield lists
    assert int(turn.read_text()) > len(said)


def test_a_rollout_in_a_cluster_that_starts(kubectl, monkeypatch):
    made = {"kind": "Deployment", "metadata": {"namespace": "n", "name": "web", "generation": 1}}
    spec = {"replicas": 0, "selector": {}}
    kubectl(
        {**made, "spec": spec, "status": {"observedGeneration": 1, "updatedReplicas": 0, "readyReplicas": 0}}
    )
    monkeypatch.setattr(waiting, "_LOOK", 0.0)
    waiting.until_rolled_out(Kubectl("c", "n"), [made], timeout=120)


def test_the_pod_of_a_load_in_a_cluster_that_is_starved(kubectl, monkeypatch, tmp_path):
    kubectl({"metadata": {"uid": "u", "name": "k6", "deletionTimestamp": "now"}})
    monkeypatch.setattr(pod, "_LOOK_EARLY", 0.0)
    monkeypatch.setattr(pod, "_DEAF", 600.0)
    monkeypatch.setattr(pod.diagnosis, "events", lambda *_: "(none)")
    with pod.Pod(Kubectl("c", "n"), "job", Mock(directory=tmp_path)) as k6:
        assert k6.ended(120.0)
        assert k6.collect().trouble[0] == "k6's pod: it was deleted"


def test_what_a_shard_still_has_to_send(monkeypatch):
    left = iter(("3", "0"))

    def reply(_):
        return http({"status": "success", "data": {"result": [{"metric": {}, "value": [0, next(left)]}]}})

    with hostile(reply, refused=0.1, instead=QUICK) as server:
        monkeypatch.setattr(ledger, "LOOK", 0.005)
        assert ledger._drained(SimpleNamespace(prometheus=server.url), ("a",), 0.0, 10.0) is not None
    assert seen_through(server), server.got
