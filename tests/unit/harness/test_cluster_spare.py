"""What nothing is measured by: awaited like the rest, and done without where its image can't be had."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from verdict_harness.errors import ClusterError, ImageError, WaitTimeout
from verdict_harness.kubernetes import spare, waiting
from verdict_harness.kubernetes.provision import Provision
from verdict_harness.systems import Chart, Kubernetes

CHART = Chart("grafana", "watching", "grafana", "https://charts.example", "1.0.0", needed=False)
MEASURES = Chart("prometheus", "watching", "prometheus", "https://charts.example", "1.0.0")
RECIPE = Kubernetes(
    overlay=Path("nowhere"),
    namespace="small",
    images=(),
    charts=(MEASURES, CHART),
    prometheus="watching/prometheus:80",
    load_image="none",
)
NAMES = {"name": "grafana", "namespace": "watching", "labels": {"app": "grafana"}, "uid": "u"}
WORKLOAD = {
    "kind": "Deployment",
    "metadata": {**NAMES, "generation": 1},
    "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "grafana"}}},
    "status": {"observedGeneration": 1, "updatedReplicas": 1, "readyReplicas": 1},
}
READY = {"conditions": [{"type": "Ready", "status": "True"}], "phase": "Running"}


def waits(reason: str, message: str) -> dict[str, Any]:
    """The status of a pod whose container waits for that reason."""
    state = {"waiting": {"reason": reason, "message": message}}
    return {"phase": "Pending", "containerStatuses": [{"name": "grafana", "restartCount": 0, "state": state}]}


class Cluster:
    """Stands for kubectl: one Deployment, and its pod in one state after the other."""

    context = "c"
    namespace = "small"

    def __init__(self, *states: dict[str, Any]) -> None:
        self.states = list(states)

    def within(self, namespace: str) -> "Cluster":  # noqa: ARG002 - one is like the other
        return self

    def look(self, kinds: str) -> list[Any]:  # noqa: ARG002 - all of them
        status = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return [WORKLOAD, {"kind": "Pod", "metadata": NAMES, "spec": {}, "status": status}]

    def run(self, *_: str, **__: Any) -> Any:
        return SimpleNamespace(status=0, stdout="", stderr="")


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "_LOOK", 0.0)
    monkeypatch.setattr(waiting, "ROLLOUT", 0.3)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What people were told."""
    said: list[str] = []
    monkeypatch.setattr("verdict_harness.processes.progress.say", said.append)
    return said


def awaited(*states: dict[str, Any]) -> dict[str, str]:
    """Wait for Grafana on a cluster where its pod goes through these states; all of them were seen."""
    cluster: Any = Cluster(*states)
    try:
        return spare.awaited(cluster, [(CHART, [WORKLOAD])], lambda: None)
    finally:
        assert cluster.states == [states[-1]]


def test_it_is_awaited(told: list[str]) -> None:
    assert awaited(waits("ContainerCreating", ""), {"phase": "Running"}, READY) == {}
    assert told == []


@pytest.mark.parametrize("reason", ["ImagePullBackOff", "ErrImageNeverPull"])
def test_without_its_image_a_line_says_so_and_all_goes_on(told: list[str], reason: str) -> None:
    lacking = awaited(waits("ContainerCreating", ""), waits(reason, 'Back-off pulling image "grafana:13"'))
    why = f'{reason} (container grafana): Back-off pulling image "grafana:13"'
    assert lacking == {"grafana": why}
    assert told == [f"grafana is not awaited, nothing is measured by it: {why}"]


def test_one_that_crashes_is_no_image_that_can_not_be_had() -> None:
    with pytest.raises(ClusterError, match="CrashLoopBackOff") as caught:
        awaited(waits("CrashLoopBackOff", ""))
    assert not isinstance(caught.value, ImageError)
    assert caught.value.todo == "its last lines say why it ends; GRAFANA_CHART=none does without it"


def test_one_that_never_becomes_ready_ends_the_wait() -> None:
    with pytest.raises(WaitTimeout, match="the pods") as caught:
        awaited({"phase": "Running"})
    assert caught.value.todo.endswith("; GRAFANA_CHART=none does without it")


def test_without_a_release_there_is_nothing_to_wait_for() -> None:
    cluster: Any = None
    found = spare.awaited(cluster, [(CHART, None)], lambda: None)
    assert found == {"grafana": "its chart could not be installed"}


class Releases:
    """Stands for Helm: remembers what it is to install."""

    def __init__(self, status: str) -> None:
        self.status = status
        self.asked: list[str] = []

    def install(self, chart: Chart) -> bool:
        self.asked.append(chart.release)
        return True

    def deployed(self, chart: Chart) -> bool:
        return bool(chart.release != "grafana" or self.status == "deployed")

    def workloads(self, chart: Chart) -> list[Any]:
        return [chart.release]


def provision(environment: dict[str, str], status: str = "deployed") -> tuple[Any, Releases]:
    it: Any = Provision(Cluster(READY), RECIPE, environment, {})  # type: ignore[arg-type]
    it._helm = helm = Releases(status)
    return it, helm


def test_what_is_measured_by_is_awaited_apart_from_the_rest(told: list[str]) -> None:
    it, helm = provision({})
    it.install()
    assert helm.asked == ["prometheus", "grafana"]
    assert (it.beside(), it.spare()) == (["prometheus"], [(CHART, ["grafana"])])
    assert provision({}, status="failed")[0].spare() == [(CHART, None)]
    assert told == []


def test_who_wants_to_do_without_it_is_told_so(told: list[str]) -> None:
    it, helm = provision({"GRAFANA_CHART": "none"})
    it.install()
    assert helm.asked == ["prometheus"]
    assert it.spare() == []
    assert told == ["grafana is neither installed nor awaited: GRAFANA_CHART is none"]


def test_nobody_can_do_without_what_is_measured_by() -> None:
    it, helm = provision({"PROMETHEUS_CHART": "none"})
    it.install()
    assert helm.asked == ["prometheus", "grafana"]


def test_what_is_lacking_is_known_to_whoever_uses_the_system(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    it, _ = provision({}, status="failed")
    for name in ("owners", "apply", "verify"):
        monkeypatch.setattr(it, name, lambda *_: set())
    deployment = SimpleNamespace(up=lambda *_, **__: None, check=lambda: None)
    it.bring(deployment, {}, tmp_path)
    assert deployment.lacking == {"grafana": "its chart could not be installed"}
