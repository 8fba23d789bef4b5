"""Systems that are described wrongly, do not stop, or are gone: what is said then."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from verdict_harness.errors import HarnessError, ServiceDied, UsageError
from verdict_harness.processes import Pending
from verdict_harness.systems import (
    Command,
    Endpoint,
    LocalBackend,
    Process,
    Service,
    System,
    coverage,
    expressions,
    kept,
    local,
    prometheus,
    ready,
)
from verdict_harness.systems.external import ExternalDeployment, _read

WEB = Service("web", {"http": 80}, "http:/health", url_variable="WEB_URL")
SLEEPS = Process(
    lambda _: Command((sys.executable, "-c", "import time; time.sleep(600)"), {}), stop_grace=0.2
)


def external(url: str) -> ExternalDeployment:
    return ExternalDeployment(
        System("s", (WEB,)), *_read(System("s", (WEB,)), {"PROMETHEUS_URL": "http://p", "WEB_URL": url})
    )


# -- one that others run


def test_one_that_no_longer_listens_has_died_and_is_looked_at_every_few_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [1000.0]
    monkeypatch.setattr("verdict_harness.systems.external.time", SimpleNamespace(monotonic=lambda: now[0]))
    with socket.create_server(("127.0.0.1", 0)) as there:
        url = f"http://127.0.0.1:{there.getsockname()[1]}"
        deployment = external(url)
        deployment.check()
    deployment.check()  # it has only just been looked at
    now[0] += 60.0
    with pytest.raises(ServiceDied, match="web is gone") as died:
        deployment.check()
    assert died.value.where in url
    assert died.value.found == "connection refused"


def test_one_that_is_slow_or_filtered_is_not_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    def filtered(*_: object, **__: object) -> None:
        raise TimeoutError

    with monkeypatch.context() as patch:
        patch.setattr("verdict_harness.systems.external.socket.create_connection", filtered)
        external("http://127.0.0.1:9").check()


def test_its_log_is_where_it_runs() -> None:
    assert "runs outside of the harness" in external("http://h").logs("web")
    assert external("http://h").generator is None


@pytest.mark.parametrize("what", ["share", "used"])
def test_nothing_is_known_of_its_processes(what: str) -> None:
    words: tuple[Any, ...] = ("web", 0.1) if what == "share" else ("web",)
    with pytest.raises(HarnessError, match="web"):
        getattr(external("http://h"), what)(*words)


# -- one of this machine


def part(at: Path, service: Service) -> local._Part:
    return local._Part(service, at, at / "log", {}, lambda *_: Endpoint("h", 1))


def test_a_service_without_a_recipe_for_this_machine(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="web can't run as a process of this machine"):
        _ = part(tmp_path, WEB).process


def test_a_port_that_is_not_described(tmp_path: Path) -> None:
    deployment = local.LocalDeployment(System("s", (WEB,)), tmp_path, {})
    deployment._parts["web"] = part(tmp_path, WEB)
    with pytest.raises(UsageError, match="web has no port 'metrics'"):
        deployment.endpoint("web", "metrics")
    with pytest.raises(UsageError, match="there is no service 'edge'"):
        deployment.endpoint("edge")
    assert deployment.logs("web") == "", "there is no log yet"


def test_what_ended_is_told_by_how(tmp_path: Path) -> None:
    assert local._ending(3, lost=False) == "exit status 3"
    assert local._ending(-signal.SIGKILL, lost=False) == "ended by SIGKILL"
    assert "its guard was killed" in local._ending(-signal.SIGKILL, lost=True)
    told = local._survivors(part(tmp_path, WEB), [17, 18])
    assert "web could not be ended" in told.what
    assert "17" in told.found
    assert "18" in told.found


@pytest.fixture
def sleeper(monkeypatch: pytest.MonkeyPatch) -> Service:
    """A service that is ready at once, in a system that is measured by nobody."""
    asleep = Service("asleep", {"http": 80}, "tcp:http", process=SLEEPS)
    monkeypatch.setattr(
        prometheus, "service", lambda _: Service("prometheus", {"http": 80}, "tcp:http", process=SLEEPS)
    )
    monkeypatch.setattr(prometheus, "wait_until_measuring", lambda *_: None)
    monkeypatch.setattr(local, "answers", lambda *_: True)
    return asleep


def test_what_a_process_uses_is_known_until_it_has_ended(sleeper: Service, tmp_path: Path) -> None:
    with LocalBackend().deploy(System("s", (sleeper,)), tmp_path) as deployment:
        assert deployment.used("asleep") >= 0
        deployment.share("asleep", 0.5)
        deployment.kill("asleep")
        with pytest.raises(ServiceDied, match="asleep does not run"):
            deployment.used("asleep")
        deployment.start("asleep")
        assert deployment.used("asleep") >= 0


def test_a_system_that_cannot_be_left_up_is_taken_down(
    sleeper: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(kept, "write", full)
    pids = []
    with (
        pytest.raises(HarnessError, match="the system could not be left up") as told,
        LocalBackend().deploy(System("s", (sleeper,)), tmp_path, keep=True) as deployment,
    ):
        pids = [part.guarded.pid for part in deployment._parts.values() if part.guarded]
    assert told.value.found == "no space left"
    assert len(pids) == 2
    assert not any(psutil.pid_exists(pid) for pid in pids)


# -- one that was left up


def left_up(at: Path, process: psutil.Process | None) -> Path:
    identity = process and {"pid": process.pid, "started": process.create_time()}
    service = {"endpoints": {}, "guard": None, "process": identity}
    (at / "kept.json").write_text(json.dumps({"stop_in_this_order": [["web"]], "services": {"web": service}}))
    return at


def test_what_does_not_end_is_named_and_can_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        try:
            left_up(tmp_path, psutil.Process(process.pid))
            with monkeypatch.context() as patch:
                patch.setattr(kept, "_TIMEOUT", 0.1)
                patch.setattr(psutil.Process, "kill", lambda _self: None)
                with pytest.raises(HarnessError, match="not everything could be stopped") as told:
                    kept.stop(tmp_path)
            assert str(process.pid) in told.value.found
            assert (tmp_path / "kept.json").exists()
            assert kept.stop(tmp_path) == ["web"]
            assert not (tmp_path / "kept.json").exists()
        finally:
            process.kill()


def test_what_has_ended_since_is_not_stopped_again(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        found = psutil.Process(process.pid)
        left_up(tmp_path, found)
        time.sleep(0.01)
    assert kept.stop(tmp_path) == []
    assert kept._identity(process.pid) is None
    assert kept._same(None) is None


# -- words of a description, and answers of Prometheus


@pytest.mark.parametrize("words", ["", "ready", "udp:dns"])
def test_a_readiness_that_means_nothing(words: str) -> None:
    service = Service("web", {"http": 80}, words)
    with pytest.raises(UsageError, match="how web is ready can't be understood") as told:
        ready.answers(service, lambda _: Endpoint("127.0.0.1", 9))
    assert told.value.found == words


def test_a_broker_that_knows_of_no_live_broker_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ready, "live_brokers", lambda *_: 0)
    broker = Service("broker", {"kafka": 9092}, "kafka:kafka")
    with pytest.raises(Pending, match="no live broker"):
        ready.answers(broker, lambda _: Endpoint("127.0.0.1", 9))


def test_a_service_that_is_not_there_lists_those_that_are() -> None:
    with pytest.raises(KeyError, match=r"no service 'edge' in s; there are \['web'\]"):
        System("s", (WEB,)).service("edge")


@pytest.mark.parametrize(
    "text", ["groups: 3", "groups: [{rules: [{record: a}]}]", "groups: [", "{}"], ids=repr
)
def test_rules_that_are_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rules.yml"
    path.write_text(text)
    with pytest.raises(UsageError, match="the recording rules can't be read"):
        expressions(path)


def test_no_rule_and_a_bad_one_are_both_not_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    answer: dict[str, Any] = {"groups": []}
    monkeypatch.setattr(prometheus, "query", lambda _client, _path, pick, **_: pick(answer))
    with pytest.raises(Pending, match="knows of no recording rule"):
        prometheus._all_evaluated(None)  # type: ignore[arg-type]
    rule = {"name": "a", "health": "ok"}
    answer["groups"] = [{"rules": [rule, {"name": "b", "health": "err", "lastError": "a parse error"}]}]
    with pytest.raises(Pending, match="b: a parse error"):
        prometheus._all_evaluated(None)  # type: ignore[arg-type]
    answer["groups"] = [{"rules": [rule]}]
    assert prometheus._all_evaluated(None)  # type: ignore[arg-type]


def test_a_target_that_is_scraped_rarely_is_not_waited_for() -> None:
    assert coverage._covered({"scrapeInterval": "5m"}, time.time())
    often = {"scrapeInterval": "5s", "health": "up", "lastScrape": "1970-01-01T00:00:10Z"}
    assert coverage._covered(often, 10.0)
    assert not coverage._covered(often, 11.0)
