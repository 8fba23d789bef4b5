"""A small k3d cluster for the tests of this folder, made when the first of them asks, and deleted."""

from __future__ import annotations

import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from harness.cluster.kubectl import Kubectl

NODE = "rancher/k3s:v1.34.4-k3s1"


def _run(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr[-2000:]}"
    return done.stdout


def _have(image: str) -> bool:
    """Whether the container engine has an image, or can get it."""
    for verb in (("image", "inspect"), ("pull", "--quiet")):
        if not subprocess.run(["docker", *verb, image], capture_output=True, check=False).returncode:
            return True
    return False


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    """kubectl on a cluster of one node."""
    missing = [tool for tool in ("docker", "k3d", "kubectl") if shutil.which(tool) is None]
    if missing or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        pytest.skip(f"no cluster: {', '.join(missing) or 'a container engine'} is not there")
    name = f"verdict-test-{secrets.token_hex(3)}"
    kubeconfig = tmp_path_factory.mktemp("cluster") / "kubeconfig"
    words = ["--servers=1", "--agents=0", "--k3s-arg=--disable=traefik@server:0", f"--image={NODE}"]
    try:
        _run("k3d", "cluster", "create", name, *words, "--kubeconfig-update-default=false", "--wait")
        kubeconfig.write_text(_run("k3d", "kubeconfig", "get", name))
        yield Kubectl(f"k3d-{name}", "default", kubeconfig)
    finally:
        subprocess.run(["k3d", "cluster", "delete", name], capture_output=True, check=False)


@pytest.fixture(scope="session")
def imported(cluster: Kubectl) -> Callable[[Sequence[str]], None]:
    """Bring images of the container engine into the cluster; skip if there is one that it can't have."""

    def bring(images: Sequence[str]) -> None:
        if missing := [image for image in images if not _have(image)]:
            pytest.skip(f"no image {', '.join(missing)}, and none could be pulled")
        _run("k3d", "image", "import", *images, "--cluster", cluster.context.removeprefix("k3d-"))

    return bring


@pytest.fixture(scope="session")
def here() -> Path:
    """This folder."""
    return Path(__file__).parent
