"""The table of what a cluster needs: found, needed, how to get it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from verdict_harness.kubernetes import prerequisites

DOCKER = 'case "$1" in version) echo 27.1.1;; info) echo {memory};; esac'


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with good tools, and a machine with room."""
    put(tmp_path, "docker", DOCKER.format(memory=16 * 10**9))
    put(tmp_path, "k3d", "echo 'k3d version v5.8.3'")
    put(tmp_path, "kubectl", "echo 'Client Version: v1.34.4'")
    put(tmp_path, "helm", "echo v3.22.0")
    monkeypatch.setenv("PATH", str(tmp_path))
    room(monkeypatch, 40)
    return tmp_path


def put(directory: Path, name: str, script: str) -> None:
    file = directory / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def room(monkeypatch: pytest.MonkeyPatch, gigabytes: int) -> None:
    usage = SimpleNamespace(free=gigabytes * 10**9)
    monkeypatch.setattr(prerequisites.shutil, "disk_usage", lambda _: usage)


def test_everything_that_is_needed_has_a_row(tools: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tools
    assert prerequisites.main() == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["what", "found", "needed"]
    cells = {name: rest for name, *rest in (row.split("  ") for row in rows)}
    assert [*cells] == ["system", "a container engine", "k3d", "kubectl", "helm", "memory", "free disk"]
    assert all(rest[-1].strip() == "ok" for rest in cells.values())
    assert "16.0 GB" in cells["memory"]  # Docker's, not this machine's
    assert "1.28 or later" in [cell.strip() for cell in cells["kubectl"]]


def test_what_is_missing_says_how_to_get_it(
    tools: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tools, "docker", DOCKER.format(memory=4 * 10**9))
    (tools / "k3d").unlink()
    put(tools, "kubectl", "echo 'Client Version: v1.27.9'")
    room(monkeypatch, 3)
    assert prerequisites.main() == 1
    said = capsys.readouterr().out
    missing = {row.split("  ")[0]: row for row in said.splitlines() if "missing: " in row}
    assert [*missing] == ["k3d", "kubectl", "memory", "free disk"]
    assert "https://k3d.io" in missing["k3d"]
    assert "1.27" in missing["kubectl"]
    assert "4.0 GB" in missing["memory"]
    assert "--backend k3d lacks: k3d, kubectl, memory, free disk" in said


def test_where_docker_does_not_run_the_memory_is_the_machines(
    tools: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(
        tools, "docker", "echo 'Cannot connect to the Docker daemon at unix:///x. Is it running?' >&2; exit 1"
    )
    assert prerequisites.main() == 1
    said = capsys.readouterr().out
    assert "Cannot connect to the Docker daemon" in said
    assert "16.0 GB" not in said
