"""One small cluster for the tests of a session: made by k3d, of one node, and gone afterwards."""

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest

from verdict_harness.errors import UsageError
from verdict_harness.kubernetes import K3dBackend

NODE = "rancher/k3s:v1.34.4-k3s1"


@dataclass(frozen=True)
class Cluster:
    """A cluster that is ours.

    Attributes:
        kubeconfig: a file of its own; nobody's ``~/.kube/config`` is touched.
        version: of its API server, such as ``v1.34.4``.
    """

    kubeconfig: Path
    version: str

    def kubectl(self, *words: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run kubectl with ``text`` as its standard input; failing is the caller's to judge."""
        return run("kubectl", *words, text=text, KUBECONFIG=str(self.kubeconfig))


def run(*argv: str, text: str | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv, input=text, env={**os.environ, **env}, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture(scope="session")
def small_cluster(
    container_engine: Any,
    can_not_be_had: Callable[[str], NoReturn],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Cluster]:
    for tool in ("k3d", "kubectl"):
        if shutil.which(tool) is None:
            can_not_be_had(f"{tool} is not on PATH")
    container_engine.image(NODE)
    name = f"verdict-test-{uuid.uuid4().hex[:6]}"
    kubeconfig = tmp_path_factory.mktemp("cluster") / "kubeconfig"
    kubeconfig.touch(mode=0o600)
    options = ["--servers", "1", "--no-lb", "--image", NODE, "--k3s-arg", "--disable=traefik@server:0"]
    try:
        made = run("k3d", "cluster", "create", name, *options, "--wait", KUBECONFIG=str(kubeconfig))
        assert made.returncode == 0, made.stderr
        version = run("kubectl", "version", "-o", "json", KUBECONFIG=str(kubeconfig))
        yield Cluster(kubeconfig, json.loads(version.stdout)["serverVersion"]["gitVersion"].split("+")[0])
    finally:
        run("k3d", "cluster", "delete", name, KUBECONFIG=str(kubeconfig))


@pytest.fixture(scope="session")
def needed(container_engine: Any, can_not_be_had: Callable[[str], NoReturn]) -> Callable[..., None]:
    """Call it with the images that the backend is to run: without one, or a tool, the test is skipped."""

    def look(*images: str) -> None:
        for image in (NODE, *images):
            container_engine.image(image)
        try:
            K3dBackend().preflight()
        except UsageError as error:
            can_not_be_had(f"no cluster can be made: {error.found}")

    return look
