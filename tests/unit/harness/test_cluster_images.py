"""How images get from the engine to the nodes, by what is asked of docker and k3d."""

from pathlib import Path

import pytest

from verdict_harness.errors import CommandError
from verdict_harness.kubernetes.cluster import Cluster

CLASSIC = '[["Backing Filesystem","extfs"],["Supports d_type","true"]]'
CONTAINERD = '[["driver-type","io.containerd.snapshotter.v1"]]'
DOCKER = """
echo "docker $*" >> "$CALLS"
case "$1 $2" in
  "info --format") echo '{store}';;
  "image inspect") case "$3" in *foreign*) echo linux/amd64;; *) echo linux/arm64/v8;; esac;;
  "save --platform") {save};;
esac
"""
K3D = """
echo "k3d $*" >> "$CALLS"
for word; do case "$word" in *.tar) read saved < "$word"; echo "$saved" >> "$CALLS";; esac; done
{k3d}
"""


class Tools:
    """A docker and a k3d that write down how they are called."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.calls = directory / "calls"

    def put(
        self, store: str, save: str = 'echo "holding $6 $7" > "$5"', k3d: str = "echo INFO done >&2"
    ) -> None:
        docker = DOCKER.replace("{store}", store).replace("{save}", save)
        for name, script in (("docker", docker), ("k3d", K3D.replace("{k3d}", k3d))):
            file = self.directory / name
            file.write_text(f"#!/bin/sh\n{script}\n")
            file.chmod(0o755)

    def called(self) -> list[str]:
        return [line for line in self.calls.read_text().splitlines() if " inspect " not in line]


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    return Tools(tmp_path)


def test_k3d_takes_them_from_an_engine_of_the_classic_kind(tools: Tools) -> None:
    tools.put(CLASSIC)
    Cluster("mine").import_images(["one:v1", "two:v1"])
    assert tools.called()[1:] == ["k3d image import one:v1 two:v1 --cluster mine"]


def test_what_containerd_keeps_is_saved_for_the_platform_that_is_there(tools: Tools) -> None:
    tools.put(CONTAINERD)
    Cluster("mine").import_images(["one:v1", "foreign:v1", "two:v1"])
    _, first, second, given, *held = tools.called()
    assert first.startswith("docker save --platform linux/arm64/v8 --output ")
    assert first.endswith("/0.tar one:v1 two:v1")
    assert second.startswith("docker save --platform linux/amd64 --output ")
    assert second.endswith("/1.tar foreign:v1")
    archives = [first.split()[5], second.split()[5]]
    assert given == f"k3d image import {archives[0]} {archives[1]} --cluster mine"
    assert held == ["holding one:v1 two:v1", "holding foreign:v1"]
    assert not any(Path(one).parent.exists() for one in archives), "nothing of a gigabyte is left"


def test_a_node_that_takes_none_is_no_success(tools: Tools) -> None:
    """As k3d 5.8.3 says it: with an exit status of 0, and that all went well."""
    tools.put(
        CLASSIC,
        k3d="printf '\\033[31mERRO\\033[0m[0001] failed to import images in node k3d-mine-agent-0:\\n' >&2\n"
        "echo 'ctr: content digest sha256:abc: not found' >&2\n"
        "echo 'INFO[0002] Successfully imported 1 image(s) into 1 cluster(s)'",
    )
    with pytest.raises(CommandError, match="not every node of mine took the images") as caught:
        Cluster("mine").import_images(["one:v1"])
    assert "ERRO[0001] failed to import images in node k3d-mine-agent-0" in str(caught.value)
    assert "content digest sha256:abc: not found" in str(caught.value)
    assert "one:v1" in str(caught.value)


def test_an_engine_too_old_to_save_one_platform(tools: Tools) -> None:
    tools.put(CONTAINERD, save="echo 'unknown flag: --platform' >&2; exit 125")
    with pytest.raises(CommandError, match="unknown flag") as caught:
        Cluster("mine").import_images(["one:v1"])
    assert "Docker 28 or later" in str(caught.value)
