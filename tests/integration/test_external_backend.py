"""The external backend against a system that somebody else started: here, the local backend."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from verdict_harness.errors import ServiceDied, UsageError, WaitTimeout
from verdict_harness.processes import Guarded, Plan, Ports, until
from verdict_harness.programs import provide
from verdict_harness.systems import (
    Command,
    ExternalBackend,
    LocalBackend,
    Place,
    Process,
    Service,
    System,
    external,
    prometheus,
)
from verdict_harness.systems.local import LocalDeployment

SERVER = Path(__file__).with_name("tiny_server.py")
RULES = """
groups:
  - name: g
    rules:
      - record: tiny:sum
        expr: sum(up)
"""


def tiny(name: str) -> Service:
    def command(at: Place) -> Command:
        return Command((sys.executable, str(SERVER)), {"PORT": str(at.port("http"))})

    return Service(name, {"http": 8080}, "http:/health", Process(command), url_variable=f"{name.upper()}_URL")


SYSTEM = System("tiny", (tiny("one"), tiny("two")))


@pytest.fixture
def running(tmp_path: Path) -> Iterator[LocalDeployment]:
    with LocalBackend().deploy(SYSTEM, tmp_path / "run") as deployment:
        yield deployment


@pytest.fixture
def environment(running: LocalDeployment) -> dict[str, str]:
    return {"ONE_URL": running.endpoint("one").url, "PROMETHEUS_URL": running.prometheus}


def test_judged_and_left_alone(
    running: LocalDeployment, environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("verdict_harness.systems.external.progress.say", said.append)
    monkeypatch.setattr(external, "_LOOK", 0.0)
    (tmp_path / "rules.yml").write_text(RULES)
    system = System("tiny", SYSTEM.services, tmp_path / "rules.yml")
    with ExternalBackend(environment).deploy(system, tmp_path / "judge") as deployment:
        assert deployment.endpoint("one") == running.endpoint("one")
        assert deployment.prometheus == running.prometheus
        deployment.check()
        running.kill("one")
        with pytest.raises(ServiceDied, match="one is gone"):
            deployment.check()
        running.start("one")
        deployment.check()
    running.check()
    assert httpx.get(f"{running.endpoint('one').url}/health").status_code == 200
    (line,) = said
    assert "lacks recording rules of rules.yml: tiny:sum" in line


def test_a_service_that_does_not_answer(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(external, "_PATIENCE", 0.5)
    told = {**environment, "TWO_URL": "http://127.0.0.1:1"}
    with pytest.raises(WaitTimeout) as caught, ExternalBackend(told).deploy(SYSTEM, tmp_path):
        pytest.fail("it is not there")
    assert "where TWO_URL points" in str(caught.value)
    assert "connection refused" in str(caught.value)


def test_a_prometheus_that_is_none(
    running: LocalDeployment, environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(external, "_PATIENCE", 0.5)
    told = {**environment, "PROMETHEUS_URL": running.endpoint("two").url}
    with pytest.raises(WaitTimeout) as caught, ExternalBackend(told).deploy(SYSTEM, tmp_path):
        pytest.fail("it is none")
    assert "where PROMETHEUS_URL points" in str(caught.value)


def test_a_prometheus_without_remote_write(running: LocalDeployment, tmp_path: Path) -> None:
    (tmp_path / "prometheus.yml").write_text("{}")
    with Ports() as ports:
        port = ports.reserve()
        argv = (
            str(provide("prometheus").path),
            f"--config.file={tmp_path / 'prometheus.yml'}",
            f"--storage.tsdb.path={tmp_path / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        )
        with Guarded(Plan(argv, cwd=tmp_path, log=tmp_path / "log", hold=[ports.descriptor(port)])):
            url = f"http://127.0.0.1:{port}"
            with httpx.Client(base_url=url) as client:
                until(
                    "Prometheus",
                    lambda: prometheus.ask(client, "/api/v1/query", query="vector(1)"),
                    timeout=20,
                )
            told = {"ONE_URL": running.endpoint("one").url, "PROMETHEUS_URL": url}
            with (
                pytest.raises(UsageError, match="does not take remote write") as caught,
                ExternalBackend(told).deploy(SYSTEM, tmp_path),
            ):
                pytest.fail("k6 could not hand over anything")
    assert "--web.enable-remote-write-receiver" in str(caught.value)
