"""A service paused where nobody reaches its node: scaled to 0, and back to what it had, whatever happens."""

import dataclasses
import json
import time
from copy import deepcopy
from pathlib import Path

import pytest

from verdict_harness.errors import CommandError, ServiceDied, UsageError, WaitTimeout
from verdict_harness.kubernetes import deployment as made
from verdict_harness.kubernetes import scaled, waiting
from verdict_harness.kubernetes.deployment import ClusterDeployment, left
from verdict_harness.kubernetes.kubectl import Kubectl
from verdict_harness.kubernetes.provision import Provision
from verdict_harness.processes import Completed, Pending, progress
from verdict_harness.systems import Endpoint, Kubernetes, Service, System, chaos

BROKER = {
    "kind": "StatefulSet",
    "metadata": {
        "name": "broker",
        "namespace": "n",
        "labels": {"app.kubernetes.io/managed-by": "verdict-harness"},
    },
    "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "broker"}}, "template": {}},
}
SYSTEM = System(
    "s",
    (Service("broker", {"kafka": 9092}, "kafka:kafka"),),
    kubernetes=Kubernetes(Path("nowhere"), "n", (), (), "watching/prometheus:80", "none"),
)
ENDING = 2  # looks at a pod that is ending before it is gone


class Cluster:
    """One StatefulSet and its pods, each with a volume claim, as a cluster would have them.

    Attributes:
        did: what was asked of it that changes something.
        gone_at: unix seconds at which the last pod was gone.
        stuck: whether pods never end.
        broken: raised instead of the next change.
    """

    def __init__(self, replicas: int) -> None:
        self.workload = deepcopy(BROKER)
        self.workload["spec"]["replicas"] = replicas
        self.lives = 0
        self.pods: list[dict] = []
        self.did: list[str] = []
        self.gone_at = 0.0
        self.stuck = False
        self.broken: BaseException | None = None
        self._follow()

    def _follow(self) -> None:
        """Make pods, or let them end, until there are as many as there are to be."""
        wanted = self.workload["spec"]["replicas"]
        for number in range(len(self.pods), wanted):
            self.lives += 1
            self.pods.append(
                {
                    "kind": "Pod",
                    "metadata": {
                        "name": f"broker-{number}",
                        "namespace": "n",
                        "uid": f"{self.lives}",
                        "labels": {"app": "broker"},
                    },
                    "spec": {"nodeName": "node", "terminationGracePeriodSeconds": 7},
                    "status": {"conditions": [{"type": "Ready", "status": "True"}]},
                }
            )
        for pod in self.pods[wanted:]:
            pod["metadata"].setdefault("deletionTimestamp", ENDING)

    def _pass_time(self) -> None:
        for pod in list(self.pods):
            if "deletionTimestamp" in pod["metadata"] and not self.stuck:
                pod["metadata"]["deletionTimestamp"] -= 1
                if pod["metadata"]["deletionTimestamp"] < 0:
                    self.pods.remove(pod)
                    self.gone_at = time.time()

    def asked(self, *words: str) -> object:
        match words:
            case ("get", "statefulset/broker", *_):
                return self.workload
            case ("get", "pods", *_):
                self._pass_time()
                return {"items": self.pods}
            case ("get", "deployments,statefulsets,pods", *_):
                have = len(self.pods)
                status = {"observedGeneration": 1, "updatedReplicas": have, "readyReplicas": have}
                workload = {**self.workload, "status": status}
                workload["metadata"] = {**workload["metadata"], "generation": 1}
                return {"items": [workload, *self.pods]}
            case ("logs", pod, *_):
                return f"{pod} in its life {self.lives}"
        self.did.append(" ".join(words))
        if self.broken:
            error, self.broken = self.broken, None
            raise error
        match words:
            case ("patch", "statefulset/broker", "--type=merge", "--patch", patch):
                change = json.loads(patch)
                self.workload["spec"]["replicas"] = change["spec"]["replicas"]
                notes = self.workload["metadata"].setdefault("annotations", {})
                notes |= change["metadata"]["annotations"]
                self.workload["metadata"]["annotations"] = {k: v for k, v in notes.items() if v is not None}
                self._follow()
            case ("delete", "pod", *names):
                self.pods = [pod for pod in self.pods if pod["metadata"]["name"] not in names]
        return ""

    @property
    def state(self) -> tuple[int, dict[str, str]]:
        return self.workload["spec"]["replicas"], self.workload["metadata"].get("annotations", {})


@dataclasses.dataclass(frozen=True, slots=True)
class StandIn(Kubectl):
    """kubectl on that cluster."""

    cluster: Cluster | None = None

    def run(self, *words, stdin="", timeout=0, check=True):  # noqa: ARG002 - as kubectl has them
        said = self.cluster.asked(*words)
        return Completed(words, 0, said if isinstance(said, str) else json.dumps(said), "", 0.0)


@pytest.fixture
def cluster(monkeypatch):
    """Three pods, where the manifest has one: somebody gave it more."""
    cluster = Cluster(3)

    def answers(*_):
        if not cluster.pods or any("deletionTimestamp" in pod["metadata"] for pod in cluster.pods):
            raise Pending("refused")
        return True

    monkeypatch.setattr(made, "answers", answers)
    monkeypatch.setattr(chaos, "answers", answers)
    monkeypatch.setattr(waiting, "_LOOK", 0.0)
    return cluster


@pytest.fixture
def said(monkeypatch):
    lines: list[str] = []
    monkeypatch.setattr(progress, "say", lines.append)
    return lines


def deployed(cluster, directory, **how):
    kubectl = StandIn("c", "n", cluster=cluster)
    one = ClusterDeployment(SYSTEM, SYSTEM.kubernetes, kubectl, directory, **how)
    one._workloads = {"broker": BROKER}
    one.endpoint = lambda *_: Endpoint("nowhere", 1)
    return one


def test_a_pause_is_over_when_no_pod_is_left_and_a_resume_when_as_many_are_ready(cluster, tmp_path):
    broker = deployed(cluster, tmp_path)
    assert broker.pause("broker") == "paused by scaling broker to 0"
    assert cluster.pods == []
    assert cluster.state == (0, {scaled.NOTE: "3"}), "whoever finds it can tell what it had"
    with pytest.raises(ServiceDied):
        broker.pause("broker")
    broker.resume("broker")
    assert len(cluster.pods) == 3
    assert cluster.state == (3, {})
    assert [one.split()[0] for one in cluster.did] == ["patch", "patch"], "no volume is touched"


def test_a_resume_of_what_runs_does_nothing(cluster, tmp_path):
    broker = deployed(cluster, tmp_path)
    broker.resume("broker")
    assert cluster.did == []
    broker.pause("broker")
    broker.resume("broker")
    broker.resume("broker")
    assert len(cluster.did) == 2


def test_a_kill_is_scaled_back_to_what_there_was_too(cluster, tmp_path):
    broker = deployed(cluster, tmp_path)
    assert broker.kill("broker") == "killed by deleting the pods of broker with a grace of 1 s"
    assert cluster.state == (0, {scaled.NOTE: "3"})
    broker.start("broker")
    assert cluster.state == (3, {})
    with pytest.raises(UsageError, match="runs already"):
        broker.start("broker")


def test_where_nodes_can_be_reached_nothing_is_scaled(cluster, tmp_path, monkeypatch):
    frozen: list[str] = []
    monkeypatch.setattr(made.pod_processes, "freeze", lambda pod: frozen.append(pod["metadata"]["name"]))
    monkeypatch.setattr(made.pod_processes, "thaw", lambda pod: frozen.remove(pod["metadata"]["name"]))
    broker = deployed(cluster, tmp_path, nodes=True)
    assert broker.pause("broker") == "paused by SIGSTOP to every process of broker"
    assert frozen == ["broker-0", "broker-1", "broker-2"]
    broker.resume("broker")
    assert frozen == []
    assert cluster.did == []


def test_it_counts_from_when_it_was_seen_and_not_from_the_order(cluster, tmp_path):
    with chaos.pause(deployed(cluster, tmp_path), "broker") as fault:
        record = fault.to_json()
        assert record["means"] == "paused by scaling broker to 0"
        assert record["bit"] >= record["injected"] >= cluster.gone_at > 0
    assert cluster.state == (3, {})


def test_a_pod_that_does_not_end_is_named_with_how_far_it_is(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(made, "_ENDING", -7.0)  # its own grace is 7 s
    cluster.stuck = True
    with pytest.raises(WaitTimeout, match="every pod of broker to end") as caught:
        deployed(cluster, tmp_path).pause("broker")
    assert "broker-0: ending" in caught.value.found


@pytest.mark.parametrize("moment", ["at the order", "while its pods end"])
def test_ctrl_c_puts_back_what_there_was(cluster, tmp_path, said, monkeypatch, moment):
    broker = deployed(cluster, tmp_path)
    monkeypatch.setattr(made.diagnosis, "collect", lambda *_: [])

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    if moment == "at the order":
        cluster.broken = KeyboardInterrupt()
    else:
        monkeypatch.setattr(waiting, "until_gone", interrupted)
    with pytest.raises(KeyboardInterrupt), left(broker):
        broker.pause("broker")
    assert cluster.state == (3, {})
    assert said == ["statefulset/broker is scaled back to 3; whether it is ready again was not awaited"]


def test_a_fault_heals_on_ctrl_c_and_then_nothing_is_left_to_put_back(cluster, tmp_path, said, monkeypatch):
    monkeypatch.setattr(made.diagnosis, "collect", lambda *_: [])
    broker = deployed(cluster, tmp_path)
    with pytest.raises(KeyboardInterrupt), left(broker), chaos.pause(broker, "broker"):
        raise KeyboardInterrupt
    assert cluster.state == (3, {})
    assert len(cluster.pods) == 3
    assert said == []


def test_what_can_not_be_put_back_is_said_with_what_to_type(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(made.diagnosis, "collect", lambda *_: [])
    broker = deployed(cluster, tmp_path)
    broker.pause("broker")
    cluster.broken = CommandError("kubectl failed", found="Unable to connect to the server")
    with pytest.raises(KeyError) as caught, left(broker):
        raise KeyError
    (note,) = caught.value.__notes__
    assert "statefulset/broker may be left scaled to 0" in note
    assert "Unable to connect" in note
    assert "kubectl --context=c --namespace=n scale statefulset/broker --replicas=3" in note


def test_the_logs_of_both_lives_are_kept(cluster, tmp_path):
    broker = deployed(cluster, tmp_path)
    broker.pause("broker")
    broker.resume("broker")
    for pod in cluster.pods:
        made.diagnosis.save_logs(broker.kubectl, pod, tmp_path)
    assert (tmp_path / "logs/broker-0.log").read_text().split("broker-0") == [
        "",
        " in its life 3",
        " in its life 6",
    ]


@dataclasses.dataclass(frozen=True, slots=True)
class Applying(Kubectl):
    """kubectl on a cluster that has the broker, of which nothing is asked but what ``apply`` asks."""

    has: tuple = ()
    did: list = dataclasses.field(default_factory=list)

    def run(self, *words, stdin="", timeout=0, check=True):  # noqa: ARG002 - as kubectl has them
        self.did.append(words[0])
        known = {one["metadata"]["name"] for one in json.loads(stdin)["items"]} if stdin else set()
        items = [one for one in self.has if one["metadata"]["name"] in known]
        listed = json.dumps({"kind": "List", "items": items}) if words[0] == "get" else ""
        return Completed(words, 0, listed, "", 0.0)


def found(replicas, **notes):
    return {
        **BROKER,
        "metadata": {**BROKER["metadata"], "annotations": notes},
        "spec": {**BROKER["spec"], "replicas": replicas},
    }


@pytest.mark.parametrize(
    ("there", "words"),
    [
        (
            [found(0, **{scaled.NOTE: "3"})],
            ["found scaled to 0, by a run that broke off; it had 3: it is made anew"],
        ),
        ([found(0)], ["found scaled to 0, and not by this harness: it is made anew"]),
        ([found(2)], []),
        ([], []),
    ],
)
def test_a_later_run_says_what_it_found_scaled_to_0(tmp_path, said, there, words):
    kubectl = Applying("c", "n", has=tuple(there))
    provision = Provision(kubectl, SYSTEM.kubernetes, {}, {})
    provision._rendered = [deepcopy(BROKER)]
    provision.apply({}, tmp_path)
    assert said == [f"statefulset/broker was {word}" for word in words]
    assert kubectl.did[-1] == "apply"
    (applied,) = [one for one in provision.applied if one["kind"] == "StatefulSet"]
    assert applied["spec"]["replicas"] == 1, "as its manifest says"
