"""A cluster that could not be made whole, by what k3d is asked to do about it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from verdict_harness.errors import CommandError, UsageError
from verdict_harness.kubernetes import K3dBackend
from verdict_harness.kubernetes.cluster import MARK
from verdict_harness.systems import Kubernetes, Options, System

K3D = """
echo "$*" >> "$STATE/calls"
case "$1 $2" in
  "cluster list") cat "$STATE/clusters" 2>/dev/null || echo '[]';;
  "cluster create") {create};;
  "cluster delete") rm -f "$STATE/clusters";;
  "kubeconfig get") {kubeconfig};;
esac
"""
THERE = json.dumps([{"name": "mine", "nodes": [{"name": "k3d-mine-server-0", "role": "server"}]}])
MAKE = f"""echo '{THERE}' > "$STATE/clusters" """
SYSTEM = System(
    name="small",
    services=(),
    kubernetes=Kubernetes(
        overlay=Path("nowhere"),
        namespace="small",
        images=(),
        charts=(),
        prometheus="watching/prometheus:80",
        load_image="none",
        cluster="mine",
    ),
)


class Tools:
    """A docker and a k3d that know of one cluster, or none."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def put(self, name: str, script: str) -> None:
        file = self.directory / name
        file.write_text(f"#!/bin/sh\nPATH=/bin:/usr/bin\n{script}\n")
        file.chmod(0o755)

    def k3d(self, create: str, kubeconfig: str = "echo '{}'") -> None:
        self.put("k3d", K3D.replace("{create}", create).replace("{kubeconfig}", kubeconfig))

    def marked(self, command: str) -> None:
        """The server's command line, which says whose it is."""
        self.put("docker", f"echo '{command}'")

    def deleted(self) -> bool:
        return any(
            line.startswith("cluster delete") for line in (self.directory / "calls").read_text().splitlines()
        )


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("STATE", str(tmp_path))
    monkeypatch.setattr("verdict_harness.kubernetes.k3d._LOCKS", tmp_path / "locks")
    return Tools(tmp_path)


def deploy(directory: Path) -> CommandError:
    with (
        pytest.raises(CommandError) as caught,
        K3dBackend(Options(environment={})).deploy(SYSTEM, directory / "run"),
    ):
        pass
    return caught.value


def test_one_that_did_not_start_is_taken_away(tools: Tools, tmp_path: Path) -> None:
    tools.k3d(create=f"{MAKE}; echo 'FATA no space left' >&2; exit 1")
    tools.marked(f'["server","{MARK}"]')
    assert "no space left" in str(deploy(tmp_path))
    assert tools.deleted()


def test_one_that_somebody_else_made_meanwhile_is_not(tools: Tools, tmp_path: Path) -> None:
    tools.k3d(create=f"{MAKE}; echo 'FATA a cluster with that name already exists' >&2; exit 1")
    tools.marked('["server"]')
    assert "already exists" in str(deploy(tmp_path))
    assert not tools.deleted()


def test_one_that_nobody_can_get_into_is_taken_away(tools: Tools, tmp_path: Path) -> None:
    tools.k3d(create=MAKE, kubeconfig="echo 'FATA no kubeconfig' >&2; exit 1")
    tools.marked(f'["server","{MARK}"]')
    assert "no kubeconfig" in str(deploy(tmp_path))
    assert tools.deleted()


def test_one_that_was_there_stays_when_nobody_can_get_into_it(tools: Tools, tmp_path: Path) -> None:
    tools.k3d(create="exit 1", kubeconfig="echo 'FATA no kubeconfig' >&2; exit 1")
    tools.marked(f'["server","{MARK}"]')
    (tmp_path / "clusters").write_text(THERE)
    with (
        pytest.raises(CommandError, match="no kubeconfig"),
        K3dBackend(Options(reuse=True, environment={})).deploy(replace(SYSTEM), tmp_path / "run"),
    ):
        pass
    assert not tools.deleted()


def test_one_that_was_left_up_is_taken_down_by_its_mark_alone(tools: Tools, tmp_path: Path) -> None:
    backend = K3dBackend(Options(environment={}))
    tools.k3d(create="exit 1")
    assert not backend.take_down(SYSTEM)
    (tmp_path / "clusters").write_text(THERE)
    tools.marked('["server"]')
    with pytest.raises(UsageError, match="did not make"):
        backend.take_down(SYSTEM)
    assert not tools.deleted()
    tools.marked(f'["server","{MARK}"]')
    assert backend.take_down(SYSTEM)
    assert tools.deleted()


def test_ways_lead_into_one_that_is_up_and_ours(tools: Tools, tmp_path: Path) -> None:
    backend = K3dBackend(Options(environment={}))
    tools.k3d(create="exit 1")
    tools.marked(f'["server","{MARK}"]')
    with pytest.raises(UsageError, match="is not up"), backend.reached(SYSTEM):
        pass
    (tmp_path / "clusters").write_text(THERE)
    with backend.reached(SYSTEM) as kubectl:
        assert kubectl.context == "k3d-mine"
        assert kubectl.kubeconfig is not None
        assert kubectl.kubeconfig.read_text() == "{}\n"
    assert not kubectl.kubeconfig.exists()
    assert not tools.deleted()
