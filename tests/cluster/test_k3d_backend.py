"""The backends k3d and kube on a real cluster, with a system of one small service and a real Prometheus."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from experiments.cluster import PROMETHEUS as THE_EXCHANGES
from verdict_harness.errors import (
    ClusterError,
    HarnessError,
    ServiceDied,
    UsageError,
    WaitTimeout,
)
from verdict_harness.kubernetes import K3dBackend, KubeBackend
from verdict_harness.kubernetes.deployment import ClusterDeployment
from verdict_harness.kubernetes.kubectl import Kubectl
from verdict_harness.kubernetes.scaled import NOTE
from verdict_harness.processes import probe, progress, until
from verdict_harness.systems import Image, Kubernetes, Options, Service, System, chaos

SMALL = Path(__file__).with_name("small")
ROOT = Path(__file__).parents[2]
NAME = f"verdict-test-{secrets.token_hex(3)}"
PROMETHEUS = replace(
    THE_EXCHANGES,
    namespace="watching",
    documents={("serverFiles", "recording_rules.yml"): SMALL / "rules.yml"},
)
WEB = System(
    name="small",
    services=(Service("web", {"http": 8080}, "http:/health", scrape="http"),),
    recording_rules=SMALL / "rules.yml",
    kubernetes=Kubernetes(
        overlay=SMALL,
        namespace="small",
        images=(Image("verdict-small:test", SMALL, Path("Dockerfile"), (Path("server.py"),)),),
        charts=(PROMETHEUS,),
        prometheus="watching/prometheus-server:80",
        load_image="verdict-small:test",  # no load is run here
        cluster=NAME,
    ),
)


def out(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, timeout=120, check=True).stdout


def nodes(name: str = NAME) -> list[str]:
    words = ("docker", "ps", "-aq", "--no-trunc", "--filter", f"label=k3d.cluster={name}")
    return sorted(out(*words).split())


def ways_in() -> list[psutil.Process]:
    """Every kubectl below this test that leads into the cluster."""
    return [
        child
        for child in psutil.Process().children(recursive=True)
        if any(word in ("proxy", "port-forward") for word in child.cmdline())
    ]


def variant(directory: Path, patch: str) -> System:
    """The system with a change to its Deployment, a strategic merge patch."""
    overlay = directory / "overlay"
    shutil.copytree(SMALL, overlay, dirs_exist_ok=True)
    (overlay / "patch.yaml").write_text(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: small}\n"
        + textwrap.dedent(patch)
    )
    with (overlay / "kustomization.yaml").open("a") as file:
        file.write("patches: [{path: patch.yaml}]\n")
    assert WEB.kubernetes is not None
    return replace(WEB, kubernetes=replace(WEB.kubernetes, overlay=overlay))


def elsewhere() -> System:
    """The system with a Prometheus of its own, beside the one that is there."""
    chart = replace(PROMETHEUS, release="other", namespace="other-watching")
    assert WEB.kubernetes is not None
    at = "other-watching/other-server:80"
    return replace(WEB, kubernetes=replace(WEB.kubernetes, charts=(chart,), prometheus=at))


@pytest.fixture(scope="module")
def tools(needed: Callable[..., None]) -> None:
    """Everything that the backend needs; else the test is skipped."""
    needed("python:3.11-slim-bookworm", "prom/prometheus:v3.16.0")


@pytest.fixture(scope="module")
def backend(tools: None) -> Iterator[K3dBackend]:  # noqa: ARG001 - a fixture can't be marked
    """A backend that keeps its cluster for all tests of this file."""
    before = set(Path(tempfile.gettempdir()).glob("verdict-harness-*/kubeconfig-*"))
    with K3dBackend(Options()) as backend:
        yield backend
    assert nodes() == []
    assert ways_in() == []
    assert set(Path(tempfile.gettempdir()).glob("verdict-harness-*/kubeconfig-*")) <= before
    subprocess.run(["docker", "image", "rm", "verdict-small:test"], capture_output=True, check=False)


@pytest.fixture(scope="class")
def web(backend: K3dBackend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterDeployment]:
    directory = tmp_path_factory.mktemp("web")
    with backend.deploy(WEB, directory) as deployment:
        yield deployment
    # whatever happened to it can be told later
    assert "listening" in "".join(path.read_text() for path in (directory / "logs").glob("web-*.log"))
    assert "web" in (directory / "describe.txt").read_text()
    assert json.loads((directory / "applied.json").read_text())


def get(deployment: ClusterDeployment, path: str) -> str:
    answer = httpx.get(deployment.endpoint("web").url + path, timeout=5, trust_env=False)
    answer.raise_for_status()
    return answer.text


def put(deployment: ClusterDeployment, path: str, body: str) -> None:
    httpx.post(
        deployment.endpoint("web").url + path, content=body, timeout=5, trust_env=False
    ).raise_for_status()


def check_for(deployment: ClusterDeployment, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        deployment.check()
        time.sleep(0.1)


def ask(deployment: ClusterDeployment, query: str) -> list[Any]:
    url = f"{deployment.prometheus}/api/v1/query"
    return probe.ask(url, lambda answer: list(answer.json()["data"]["result"]), params={"query": query})


class TestUp:
    """What comes up answers, is measured, and can be broken and healed."""

    def test_answers_and_is_measured(self, web: ClusterDeployment) -> None:
        put(web, "/mark", "here")
        assert get(web, "/mark") == "here"
        assert web.inside("web").url == "http://web.small.svc:8080"
        (up,) = until("web to be up", lambda: ask(web, 'up{service="web"} == 1') or None, timeout=60)
        # nothing of the pod but what it is labelled with for this: a new one continues its series
        assert up["metric"] == {
            "__name__": "up",
            "job": "matching-engine",
            "instance": "web",
            "service": "web",
        }
        (found,) = until("its rule", lambda: ask(web, "small:requests:sum") or None, timeout=60)
        assert found["value"][1] == "7"
        assert "listening" in web.logs("web")
        web.check()

    def test_a_pause_bites_and_heals(self, web: ClusterDeployment) -> None:
        with chaos.pause(web, "web"), pytest.raises(httpx.TimeoutException):
            httpx.get(web.endpoint("web").url + "/health", timeout=1.5, trust_env=False)
        assert get(web, "/health") == "well"
        time.sleep(5)
        web.check()  # nobody restarted it for that

    def test_a_kill_bites_and_its_volume_stays(self, web: ClusterDeployment) -> None:
        put(web, "/mark", "outlives a kill")
        (before,) = web.kubectl.json("get", "pods")["items"]
        with chaos.kill(web, "web"):
            assert web.kubectl.json("get", "pods")["items"] == []
            with pytest.raises(ServiceDied):
                web.pause("web")
            web.check()  # it was on purpose
        (after,) = web.kubectl.json("get", "pods")["items"]
        assert before["metadata"]["uid"] != after["metadata"]["uid"]
        assert get(web, "/mark") == "outlives a kill"
        with pytest.raises(UsageError, match="runs already"):
            web.start("web")
        time.sleep(5)
        web.check()


class TestDeath:
    """Whatever ends that nobody ended is noticed, and ends a load early."""

    def test_of_a_pod(self, backend: K3dBackend, tmp_path: Path) -> None:
        with pytest.raises(ServiceDied) as caught:
            self.exits(backend, tmp_path)
        assert "web died by itself" in str(caught.value)
        assert "exit status 3" in str(caught.value)
        assert "somebody asked for the end" in str(caught.value)

    def test_of_the_proxy(self, backend: K3dBackend, tmp_path: Path) -> None:
        with pytest.raises(ServiceDied, match="kubectl proxy"):
            self.loses_its_proxy(backend, tmp_path)

    @staticmethod
    def exits(backend: K3dBackend, directory: Path) -> None:
        with backend.deploy(WEB, directory) as web:
            put(web, "/exit", "now")
            check_for(web, 30)

    @staticmethod
    def loses_its_proxy(backend: K3dBackend, directory: Path) -> None:
        with backend.deploy(WEB, directory) as web:
            for way in ways_in():
                way.kill()
            check_for(web, 10)


class TestAgain:
    """A later system on the same cluster is as fresh as one on a new cluster."""

    def test_starts_afresh(self, backend: K3dBackend, tmp_path: Path) -> None:
        with backend.deploy(WEB, tmp_path / "first") as first:
            put(first, "/mark", "of the first")
            (before,) = ask(first, "up[1h]")
        with backend.deploy(WEB, tmp_path / "second") as second:
            assert get(second, "/mark") == "none"
            (again,) = ask(second, "up[1h]")
            assert again["values"][0][0] > before["values"][-1][0]
        assert ways_in() == []

    def test_an_older_image_is_not_judged(self, backend: K3dBackend, tmp_path: Path) -> None:
        """What runs says what it was made of, whatever its name and annotations say."""
        old = variant(
            tmp_path,
            """
            spec: {template: {spec: {containers: [{name: web, env: [
              {name: VERDICT_HARNESS_SOURCE, value: 0123456789abcdef0123}]}]}}}
            """,
        )
        with (
            pytest.raises(ClusterError, match="does not run what this source tree makes") as caught,
            backend.deploy(old, tmp_path / "run"),
        ):
            pass
        assert "0123456789abcdef" in str(caught.value)


BROKEN = {
    "CrashLoopBackOff": (
        "spec: {template: {spec: {containers: [{name: web, env: [{name: BROKEN, value: 'yes'}]}]}}}",
        ["can't start: BROKEN is yes", "exit status 1", "BackOff"],
    ),
    "ErrImageNeverPull": (
        "spec: {template: {spec: {containers: [{name: web, image: 'no-such-image:v1'}]}}}",
        ["no-such-image:v1", "import it"],
    ),
    "ImagePullBackOff": (
        (
            "spec: {template: {spec: {containers: "
            "[{name: web, image: 'localhost:1/no:v1', imagePullPolicy: Always}]}}}"
        ),
        ["localhost:1/no:v1", "Failed"],
    ),
    "Unschedulable": (
        "spec: {template: {spec: {containers: [{name: web, resources: {requests: {cpu: '1000'}}}]}}}",
        ["Insufficient cpu", "lower what it requests"],
    ),
    "makes no pod": (
        "spec: {template: {spec: {serviceAccountName: nobody}}}",
        ["nobody", "not found"],
    ),
}


class TestFailures:
    """What can never come up is given up early, in words that help."""

    @pytest.mark.parametrize("reason", BROKEN)
    def test_ends_early_and_says_why(self, backend: K3dBackend, tmp_path: Path, reason: str) -> None:
        patch, words = BROKEN[reason]
        with (
            pytest.raises(ClusterError, match=reason) as caught,
            backend.deploy(variant(tmp_path, patch), tmp_path / "run"),
        ):
            pass
        sys.stdout.write(f"\n{caught.value}\n")  # shown with -rP: what the user sees
        for word in words:
            assert word in str(caught.value)
        assert "web" in (tmp_path / "run/describe.txt").read_text()
        assert (tmp_path / "run/events.txt").read_text().count("\n") > 1
        assert ways_in() == []

    def test_a_prometheus_that_rejects_its_configuration(self, backend: K3dBackend, tmp_path: Path) -> None:
        values = tmp_path / "values.yaml"
        values.write_text("server: {global: {scrape_timeout: 10s}}\n")  # longer than the interval
        chart = replace(PROMETHEUS, values=(*PROMETHEUS.values, values))
        assert WEB.kubernetes is not None
        broken = replace(WEB, kubernetes=replace(WEB.kubernetes, charts=(chart,)))
        with (
            pytest.raises(ClusterError, match="Prometheus rejects its configuration") as caught,
            backend.deploy(broken, tmp_path / "run"),
        ):
            pass
        sys.stdout.write(f"\n{caught.value}\n")  # shown with -rP: what the user sees
        assert "scrape timeout greater than scrape interval" in str(caught.value)
        # and the next system has a Prometheus that works
        with backend.deploy(WEB, tmp_path / "next") as deployment:
            assert ask(deployment, "up")

    def test_a_service_that_is_ready_and_never_answers(
        self, backend: K3dBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is what is named, and not whoever is quiet while it is waited for."""
        monkeypatch.setattr("verdict_harness.kubernetes.watch._SILENCE", 6.0)
        (web,) = WEB.services
        mute = replace(WEB, services=(replace(web, ready="http:/no-such-path", start_timeout=12.0),))
        with pytest.raises(WaitTimeout, match="web to answer"), backend.deploy(mute, tmp_path):
            pass

    def test_manifests_that_the_cluster_refuses(self, backend: K3dBackend, tmp_path: Path) -> None:
        wrong = variant(tmp_path, "spec: {replicas: many}")
        with pytest.raises(HarnessError, match="replicas"), backend.deploy(wrong, tmp_path / "run"):
            pass


class TestOthers:
    """What is not ours is neither changed nor deleted."""

    def test_kube_takes_away_only_what_it_brought(
        self, web: ClusterDeployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """In a namespace that was there before, beside objects of others."""
        monkeypatch.setenv("KUBECONFIG", str(web.kubectl.kubeconfig))
        kubectl = Kubectl(web.kubectl.context, "theirs")
        kubectl.run("create", "namespace", "theirs")
        kubectl.run("create", "configmap", "theirs", "--from-literal=a=b")
        options = Options(context=kubectl.context, namespace="theirs")
        with KubeBackend(options).deploy(elsewhere(), tmp_path) as deployment:
            assert get(deployment, "/health") == "well"
            # the same service runs in another namespace, and must not be taken for this one
            targets = httpx.get(f"{deployment.prometheus}/api/v1/targets", trust_env=False).json()["data"]
            (pod,) = kubectl.json("get", "pods")["items"]
            (at,) = [one["discoveredLabels"]["__meta_kubernetes_pod_ip"] for one in targets["activeTargets"]]
            assert at == pod["status"]["podIP"]
            kubectl.run("scale", "deployment/web", "--replicas=2")
            kubectl.run("rollout", "status", "deployment/web")
            with chaos.pause(deployment, "web") as fault:
                assert fault.to_json()["means"] == "paused by scaling web to 0"
                assert kubectl.json("get", "pods")["items"] == []
                deployment.check()  # it was on purpose
            workload = kubectl.json("get", "deployment/web")
            assert workload["spec"]["replicas"] == workload["status"]["readyReplicas"] == 2
            assert NOTE not in workload["metadata"]["annotations"]
            with chaos.kill(deployment, "web"):
                assert kubectl.json("get", "pods")["items"] == []
            assert get(deployment, "/health") == "well"
        left = kubectl.json("get", "all,configmaps,pvc")["items"]
        assert {one["metadata"]["name"] for one in left} == {"theirs", "kube-root-ca.crt"}
        spaces = {one["metadata"]["name"] for one in kubectl.within("").json("get", "namespaces")["items"]}
        assert "theirs" in spaces
        assert "other-watching" not in spaces
        kubectl.run("delete", "namespace", "theirs")

    def test_kube_puts_back_what_an_interrupt_left_scaled_to_0(
        self,
        web: ClusterDeployment,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """And what a run could not put back any more, the next one says and makes anew."""
        monkeypatch.setenv("KUBECONFIG", str(web.kubectl.kubeconfig))
        kubectl = Kubectl(web.kubectl.context, "left")
        kube = KubeBackend(Options(context=kubectl.context, namespace="left"))
        with pytest.raises(KeyboardInterrupt):
            self.interrupted_in_a_pause(kube, tmp_path / "interrupted")
        assert kubectl.json("get", "deployment/web")["spec"]["replicas"] == 1
        scale = {"metadata": {"annotations": {NOTE: "1"}}, "spec": {"replicas": 0}}
        kubectl.run("patch", "deployment/web", "--type=merge", "--patch", json.dumps(scale))
        said: list[str] = []
        monkeypatch.setattr(progress, "say", said.append)
        with kube.deploy(elsewhere(), tmp_path / "next") as deployment:
            assert get(deployment, "/health") == "well"
        found = "deployment/web was found scaled to 0, by a run that broke off; it had 1"
        assert any(found in line for line in said), said

    @staticmethod
    def interrupted_in_a_pause(kube: KubeBackend, directory: Path) -> None:
        with kube.deploy(elsewhere(), directory, keep=True) as deployment:
            deployment.pause("web")
            raise KeyboardInterrupt

    def test_kube_refuses_objects_of_others(
        self, web: ClusterDeployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("KUBECONFIG", str(web.kubectl.kubeconfig))
        kubectl = Kubectl(web.kubectl.context, "taken")
        kubectl.run("create", "namespace", "taken")
        kubectl.run("create", "service", "clusterip", "web", "--tcp=1:1")
        options = Options(context=kubectl.context, namespace="taken")
        with (
            pytest.raises(UsageError, match="did not make") as caught,
            KubeBackend(options).deploy(WEB, tmp_path),
        ):
            pass
        assert "Service taken/web" in str(caught.value)
        assert kubectl.json("get", "services")["items"]
        assert kubectl.json("get", "deployments")["items"] == []
        kubectl.run("delete", "namespace", "taken")

    @pytest.mark.parametrize("part", ["manifests", "chart"])
    def test_kube_takes_away_what_came_up_in_part(
        self, web: ClusterDeployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
    ) -> None:
        """Whatever is refused, it is refused after something else was made."""
        monkeypatch.setenv("KUBECONFIG", str(web.kubectl.kubeconfig))
        bad = tmp_path / "bad.yaml"
        bad.write_text("server: {resources: {requests: {cpu: no number}}}\n")
        chart = replace(PROMETHEUS, namespace="part-watching")
        broken = WEB
        if part == "chart":
            chart = replace(chart, values=(*chart.values, bad))
        else:
            broken = variant(
                tmp_path, "spec: {template: {spec: {containers: [{name: web, ports: [{containerPort: 0}]}]}}}"
            )
        assert broken.kubernetes is not None
        system = replace(broken, kubernetes=replace(broken.kubernetes, charts=(chart,)))
        options = Options(context=web.kubectl.context, namespace="part")
        with pytest.raises(HarnessError), KubeBackend(options).deploy(system, tmp_path / "run"):
            pass
        spaces = web.kubectl.within("").json("get", "namespaces")["items"]
        names = {one["metadata"]["name"] for one in spaces}
        assert {"part", "part-watching"} & names == set()
        assert "small" in names
        mine = web.kubectl.within("").json("get", "clusterroles,clusterrolebindings")["items"]
        assert not [
            one for one in mine if "part-watching" in json.dumps(one["metadata"].get("annotations", {}))
        ]

    @pytest.mark.usefixtures("tools")
    def test_a_cluster_of_that_name_that_is_not_ours(self, tmp_path: Path) -> None:
        name = f"verdict-test-{secrets.token_hex(3)}"
        out("k3d", "cluster", "create", name, "--no-lb", "--kubeconfig-update-default=false")
        try:
            before = nodes(name)
            assert WEB.kubernetes is not None
            theirs = replace(WEB, kubernetes=replace(WEB.kubernetes, cluster=name))
            for reuse in (False, True):
                with (
                    pytest.raises(UsageError, match="did not make"),
                    K3dBackend(Options(reuse=reuse)).deploy(theirs, tmp_path),
                ):
                    pass
            assert nodes(name) == before
        finally:
            out("k3d", "cluster", "delete", name)

    def test_two_runs_do_not_share_a_cluster(self, web: ClusterDeployment, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="another run uses"), K3dBackend().deploy(WEB, tmp_path):
            pass
        assert get(web, "/health")


SCRIPT = """
import sys
from pathlib import Path
from verdict_harness.processes import interrupt
from verdict_harness.kubernetes import K3dBackend
from verdict_harness.systems import Options
sys.path.insert(0, {folder!r})
from test_k3d_backend import WEB
from dataclasses import replace
interrupt.heed()
system = replace(WEB, kubernetes=replace(WEB.kubernetes, cluster={name!r}))
with K3dBackend(Options()) as backend, backend.deploy(system, Path({directory!r})):
    print("up", flush=True)
    raise SystemExit("it was to be interrupted")
"""


@pytest.mark.usefixtures("tools")
def test_ctrl_c_while_the_cluster_is_made_leaves_nothing(tmp_path: Path) -> None:
    name = f"verdict-test-{secrets.token_hex(3)}"
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    script = SCRIPT.format(folder=str(Path(__file__).parent), name=name, directory=str(tmp_path / "run"))
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )

    def alive() -> None:
        assert process.poll() is None

    until("a node", lambda: nodes(name) or None, timeout=120, alive=alive)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=120)
    assert "KeyboardInterrupt" in said
    assert nodes(name) == []
    assert name not in out("docker", "network", "ls")
    assert list(temporary.iterdir()) == []
