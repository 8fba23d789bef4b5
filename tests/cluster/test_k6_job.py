"""k6 as a Job of a real cluster: a sound load has no trouble, and each way of going wrong has its own."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from verdict_harness import loads as k6
from verdict_harness.errors import ServiceDied
from verdict_harness.kubernetes.k6 import manifests, pod
from verdict_harness.kubernetes.k6.job import Jobs
from verdict_harness.kubernetes.kubectl import Kubectl
from verdict_harness.processes import until
from verdict_harness.systems import Deployment, Generator, System

from .conftest import Cluster
from .conftest import run as sh

HERE = Path(__file__).parent
K6, PYTHON = "grafana/k6:1.8.1", "python:3.11-slim-bookworm"
NAMESPACE = "loads"
TARGET = f"http://target.{NAMESPACE}.svc:8080"
SCRIPT = """
import http from "k6/http";
import {{ body, orders }} from "./lib/parts.js";
export const options = {{ scenarios: {{ load: {{
  executor: "constant-arrival-rate", rate: 20, timeUnit: "1s", duration: "{seconds}s",
  preAllocatedVUs: 40, maxVUs: 40 }} }} }};
if (__ENV.MONEY !== "$$5 $(HOME)") {{ throw new Error(`MONEY is ${{__ENV.MONEY}}`); }}
export function setup() {{ http.post(`${{__ENV.URL}}/seed`, "x", {{ tags: {{ name: "seed" }} }}); }}
export default function () {{
  http.post(`${{__ENV.URL}}${{orders}}`, body, {{ tags: {{ name: "order" }} }});
  {then}
}}
"""
PARTS = """
export const body = JSON.parse(open(import.meta.resolve("../parts.json"))).body;
export const orders = "/orders";
"""
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


@dataclass
class Up:
    """A system that is up, as far as a load asks (see :class:`verdict_harness.systems.Deployment`)."""

    generator: Generator
    prometheus: str = "http://127.0.0.1:1"  # as seen from here, where nobody asks it
    system: System = field(default_factory=lambda: System("target", ()))
    dies: threading.Event = field(default_factory=threading.Event)

    def check(self) -> None:
        if self.dies.is_set():
            raise ServiceDied("the target died by itself")


@pytest.fixture(scope="module")
def loads(small_cluster: Cluster, container_engine: Any) -> Iterator[Kubectl]:
    """kubectl in a namespace that lets only restricted pods in, with a target in it."""
    config = json.loads(small_cluster.kubectl("config", "view", "-o", "json").stdout)
    cluster = Kubectl(config["current-context"], "default", small_cluster.kubeconfig)
    images = [container_engine.image(name) for name in (K6, PYTHON)]
    brought = sh("k3d", "image", "import", *images, "--cluster", cluster.context.removeprefix("k3d-"))
    assert brought.returncode == 0, brought.stderr
    within = cluster.within(NAMESPACE)
    container = {
        "name": "target",
        "image": PYTHON,
        "command": ["python", "-c", (HERE / "target.py").read_text()],
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
        "securityContext": RESTRICTED,
    }
    port = {"port": 8080}
    label = {"app": "target"}
    made = [
        {
            "kind": "Pod",
            "metadata": {"name": "target", "labels": label},
            "spec": {"containers": [container], "automountServiceAccountToken": False},
        },
        {
            "kind": "Service",
            "metadata": {"name": "target"},
            "spec": {"selector": label, "ports": [port]},
        },
    ]
    cluster.run("create", "namespace", NAMESPACE)
    cluster.run("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
    items = [{"apiVersion": "v1", **one} for one in made]
    within.run("create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    within.run("wait", "--for=condition=Ready", "pod/target", "--timeout=90s", timeout=100)
    yield within
    cluster.run("delete", "namespace", NAMESPACE, "--wait=false")


@pytest.fixture(autouse=True)
def nothing_stays(loads: Kubectl) -> Iterator[None]:
    """Whatever happened: no Job, no pod, no ConfigMap of a load is left."""
    yield
    ours = "--selector=app.kubernetes.io/name=k6"
    left = loads.json("get", "jobs,pods,configmaps", ours)["items"]
    assert [f"{one['kind']}/{one['metadata']['name']}" for one in left] == []


def taken(loads: Kubectl) -> dict[str, int]:
    path = f"/api/v1/namespaces/{NAMESPACE}/services/target:8080/proxy/"
    return dict(json.loads(loads.run("get", "--raw", path).stdout))


def script(at: Path, *, seconds: int = 2, then: str = "") -> Path:
    (at / "script" / "lib").mkdir(parents=True)
    (at / "script" / "lib" / "parts.js").write_text(PARTS)
    (at / "script" / "parts.json").write_text('{"body": "\\u00e4"}')
    path = at / "script" / "load.js"
    path.write_text(SCRIPT.format(seconds=seconds, then=then))
    return path


def run(
    loads: Kubectl,
    at: Path,
    *,
    seconds: int = 2,
    then: str = "",
    image: str = K6,
    dies: threading.Event | None = None,
    actions: Sequence[tuple[float, Callable[[], None]]] = (),
) -> k6.Load:
    up: Deployment = Up(Jobs(loads, image, TARGET), dies=dies or threading.Event())  # type: ignore[assignment]
    return k6.run_load(
        up,
        script(at, seconds=seconds, then=then),
        name="L 1",
        testid=f"{at.name}/L",
        directory=at / "load",
        env={"URL": TARGET, "MONEY": "$$5 $(HOME)"},
        planned=20 * seconds,
        seconds=float(seconds),
        tags={"name": "order"},
        actions=actions,
    )


def pod_of(loads: Kubectl) -> str:
    (one,) = loads.json("get", "pods", "--selector=app.kubernetes.io/name=k6")["items"]
    return str(one["metadata"]["name"])


def told(load):
    return [one.text for one in load.trouble]


def test_a_sound_load_is_what_its_target_saw(
    loads: Kubectl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("K6_DURATION", "1s")  # of the user; it would replace the script's own scenario
    before, then = taken(loads), time.time()
    load = run(loads, tmp_path)
    after = taken(loads)
    assert load.trouble == ()
    assert load.exit_status == 0
    assert 40 <= load.requests <= 41  # k6 may begin one more at the very end
    assert load.requests == load.iterations == after["/orders"] - before.get("/orders", 0)
    assert after["/seed"] - before.get("/seed", 0) == 1
    assert after["/api/v1/write"] > before.get("/api/v1/write", 0), "its samples went to Prometheus"
    assert load.statuses == {"200": load.requests}
    assert load.ahead == 0.0
    assert then < load.started < load.window.start < load.window.end < load.ended
    summary = json.loads((tmp_path / "load" / "summary.json").read_text())["metrics"]
    assert summary["http_reqs"]["count"] == load.requests + 1
    assert len(k6.requests(tmp_path / "load", {"name": "order"})) == load.requests
    assert (tmp_path / "load" / "k6-L 1.log").exists()
    said = (tmp_path / "load" / "pod.log").read_text()
    assert re.search(r"started k6 .*1\.8\.1", said)
    assert re.search(r"harness: running\nharness: ended 0$", said.strip())


def test_a_script_that_throws(loads: Kubectl, tmp_path: Path) -> None:
    load = run(loads, tmp_path, then='throw new Error("boom");')
    assert load.exit_status == 0, "k6 itself is content"
    assert re.search(r"(\d+) of \1 iterations threw: Error: boom", "\n".join(told(load)))


def test_a_script_with_a_mistake(loads: Kubectl, tmp_path: Path) -> None:
    load = run(loads, tmp_path, then="let = ;")
    assert load.exit_status == 107
    assert "Unexpected token" in told(load)[0]


def test_k6_is_killed_and_actions_happen_on_time(loads: Kubectl, tmp_path: Path) -> None:
    happened: list[float] = []

    def kill() -> None:
        happened.append(time.time())
        loads.run("exec", pod_of(loads), "--", "sh", "-c", 'kill -KILL "$(cat /out/pid)"')

    load = run(loads, tmp_path, seconds=30, actions=((2.5, kill),))
    assert load.exit_status == -signal.SIGKILL
    whole = "\n".join(told(load))
    assert "k6 was ended by SIGKILL" in whole
    assert "break off in the middle" in whole
    assert "k6 left no summary" in whole
    assert len(happened) == 1


def test_its_pod_is_deleted_in_mid_load(loads: Kubectl, tmp_path: Path) -> None:
    def delete() -> None:
        loads.run("delete", "pod", pod_of(loads), "--force", "--grace-period=0", "--wait=false")

    load = run(loads, tmp_path, seconds=60, actions=((1.0, delete),))
    assert re.match(r"k6's pod( is gone|: it was deleted)", told(load)[0])
    assert told(load)[1] == "what k6 measured could not be brought back from its pod"
    assert "k6 left no raw samples (raw.csv.gz)" in told(load)
    assert (load.requests, load.exit_status) == (0, None)
    assert load.ended - load.started < 45, "nobody waited for the end of a load that is gone"


def test_a_service_dies_and_k6_is_stopped_in_order(loads: Kubectl, tmp_path: Path) -> None:
    before = taken(loads)
    death = threading.Event()
    load = run(loads, tmp_path, seconds=60, dies=death, actions=((2.0, death.set),))
    assert load.died == "the target died by itself"
    assert load.exit_status == 105
    assert load.requests == taken(loads)["/orders"] - before.get("/orders", 0) > 0
    assert (tmp_path / "load" / "summary.json").exists(), "it ended in order"
    assert load.ended - load.started < 45


def test_two_loads_at_once(loads: Kubectl, tmp_path: Path) -> None:
    def another() -> None:
        (tmp_path / "other").mkdir()
        run(loads, tmp_path / "other")

    load = run(loads, tmp_path, seconds=4, actions=((0.5, another),))
    assert "another load is on in this namespace" in told(load)[0]
    assert "kubectl delete job -n loads k6-l-1-" in told(load)[0]


def test_an_image_that_is_nowhere(loads: Kubectl, tmp_path: Path) -> None:
    load = run(loads, tmp_path, image="localhost:1/nowhere/k6:none")
    assert re.match("k6's pod: ImagePullBackOff.*localhost:1/nowhere/k6:none", told(load)[0])
    assert load.requests == 0


def test_no_node_has_room(loads: Kubectl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifests, "_RESOURCES", {"requests": {"cpu": "1000"}})
    monkeypatch.setattr(pod, "_UNSCHEDULABLE", 3.0)
    load = run(loads, tmp_path)
    assert re.match("k6's pod did not run within 3 s; FailedScheduling .*Insufficient cpu", told(load)[0])


def test_a_pod_that_may_not_be(loads: Kubectl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifests, "_USER", 0)
    monkeypatch.setattr(pod, "_UNMADE", 3.0)
    load = run(loads, tmp_path)
    assert re.match("k6's pod did not run within 3 s; FailedCreate .*forbidden", told(load)[0])


def test_its_container_is_killed_from_outside(loads: Kubectl, tmp_path: Path) -> None:
    def kill() -> None:
        uid = loads.json("get", "pod", pod_of(loads))["metadata"]["uid"]
        names = f"{uid}|{uid.replace('-', '_')}"
        each = (
            f'for p in /proc/[0-9]*; do grep -qsE "{names}" $p/cgroup && kill -KILL ${{p#/proc/}}; done; true'
        )
        subprocess.run(["docker", "exec", f"{loads.context}-server-0", "sh", "-c", each], check=True)

    load = run(loads, tmp_path, seconds=60, actions=((1.0, kill),))
    assert re.match(r"k6's pod: Error, exit status 137", told(load)[0])
    assert told(load)[1] == "what k6 measured could not be brought back from its pod"
    assert load.ended - load.started < 45


CTRL_C = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from verdict_harness.kubernetes.kubectl import Kubectl
from tests.cluster.test_k6_job import run
run(Kubectl(sys.argv[3], "loads", Path(sys.argv[4])), Path(sys.argv[2]), seconds=60)
"""


def test_ctrl_c_brings_back_what_was_measured_and_goes_on(loads: Kubectl, tmp_path: Path) -> None:
    words = [
        sys.executable,
        "-c",
        CTRL_C,
        str(HERE.parents[1]),
        str(tmp_path),
        loads.context,
        str(loads.kubeconfig),
    ]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    said = tmp_path / "load" / "pod.log"
    before = taken(loads).get("/orders", 0)

    def alive() -> None:
        assert process.poll() is None

    until("k6 to run", lambda: said.exists() and "running" in said.read_text(), timeout=60, alive=alive)
    until("orders", lambda: taken(loads).get("/orders", 0) > before + 10, timeout=60, alive=alive)
    below = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=90)
    assert "KeyboardInterrupt" in errors
    assert [one for one in below if one.is_running()] == []
    load = k6.Load.from_json(json.loads((tmp_path / "load" / "load.json").read_text()))
    assert load.requests > 0
    assert told(load)[0] == "it was interrupted by Ctrl-C"
    assert load.exit_status == 105
