"""Kubernetes objects on their way to a cluster, and what pods say of themselves."""

import copy
import json
import re
from pathlib import Path

import pytest

from verdict_harness.errors import UsageError
from verdict_harness.kubernetes import images, objects, pods
from verdict_harness.kubernetes.cluster import IMAGE, MARK, Cluster
from verdict_harness.kubernetes.waiting import pods_of
from verdict_harness.systems import Image

WEB = {
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "shop"}},
    "spec": {
        "selector": {"matchLabels": {"app": "shop"}},
        "template": {
            "metadata": {"labels": {"app": "shop"}},
            "spec": {
                "initContainers": [{"name": "first", "image": "tools:1"}],
                "containers": [{"name": "web", "image": "web:v1"}, {"name": "log", "image": "tools:1"}],
            },
        },
    },
}
STORE = {
    "kind": "StatefulSet",
    "metadata": {"name": "store", "namespace": "shop"},
    "spec": {
        "template": {"spec": {"containers": [{"name": "store", "image": "store:v1"}]}},
        "volumeClaimTemplates": [{"metadata": {"name": "data"}}],
    },
}
POLICY = {
    "kind": "NetworkPolicy",
    "metadata": {"name": "p", "namespace": "shop"},
    "spec": {"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}}]},
}
SPACE = {"kind": "Namespace", "metadata": {"name": "shop"}}
OTHER = {"kind": "ConfigMap", "metadata": {"name": "shop", "namespace": "else"}, "data": {"a": "shop"}}


def prepared(*given, instead="shop", sources=None):
    return objects.prepared(
        given, namespace="shop", instead=instead, deployment="d1", sources=sources or {"web:v1": "abc"}
    )


def test_everything_is_marked_and_pods_say_which_deployment_and_what_they_are_made_of():
    before = copy.deepcopy([WEB, STORE])
    web, store = prepared(WEB, STORE)
    assert before == [WEB, STORE]
    assert web["metadata"]["labels"] == {"app": "shop", objects.LABEL: objects.OURS}
    template = web["spec"]["template"]["metadata"]
    assert template["labels"] == {"app": "shop", objects.LABEL: objects.OURS}
    assert template["annotations"][objects.DEPLOYMENT] == "d1"
    assert json.loads(template["annotations"][objects.SOURCES]) == {"web:v1": "abc"}
    assert web["spec"]["selector"] == WEB["spec"]["selector"]
    notes = store["spec"]["template"]["metadata"]["annotations"]
    assert notes == {objects.DEPLOYMENT: "d1"}
    assert store["spec"]["volumeClaimTemplates"][0]["metadata"]["labels"] == {objects.LABEL: objects.OURS}


def test_another_namespace_is_put_where_a_namespace_is_meant_and_nowhere_else():
    space, web, policy, other = prepared(SPACE, WEB, POLICY, OTHER, instead="mine")
    assert space["metadata"]["name"] == "mine"
    assert web["metadata"]["namespace"] == "mine"
    assert web["metadata"]["labels"]["app"] == "shop"
    selector = policy["spec"]["from"][0]["namespaceSelector"]["matchLabels"]
    assert selector == {"kubernetes.io/metadata.name": "mine"}
    assert other["metadata"] == {"name": "shop", "namespace": "else", "labels": {objects.LABEL: objects.OURS}}
    assert other["data"] == {"a": "shop"}


def test_images_are_named_once_init_containers_included():
    assert objects.images([WEB, STORE, SPACE]) == ["tools:1", "web:v1", "store:v1"]


def test_namespaces_that_are_missing_come_first():
    done = objects.with_namespaces([SPACE, WEB], ["shop", "watching"])
    assert [one["metadata"]["name"] for one in done] == ["watching", "shop", "web"]
    assert done[0]["metadata"]["labels"] == {objects.LABEL: objects.OURS}


def test_pods_of_a_workload_are_those_that_it_selects_in_its_namespace():
    def pod(space, **labels):
        return {"metadata": {"namespace": space, "labels": labels}}

    mine = pod("shop", app="shop", more="x")
    assert pods_of(WEB, [mine, pod("shop", app="x"), pod("else", app="shop"), pod("shop")]) == [mine]


def pod(phase="Running", waiting=None, restarts=0, ended=None, conditions=(), *, ready=False, deleted=False):
    state = {"waiting": waiting} if waiting else {"running": {}}
    container = {"name": "app", "restartCount": restarts, "ready": ready, "state": state}
    if ended:
        container["lastState"] = {"terminated": ended}
    metadata = {"name": "web-1", "namespace": "shop", "uid": "u"}
    if deleted:
        metadata["deletionTimestamp"] = "now"
    words = [{"type": "Ready", "status": "True" if ready else "False"}, *conditions]
    status = {"phase": phase, "containerStatuses": [container], "conditions": words}
    return {"metadata": metadata, "status": status}


NO_ROOM = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "0/4 nodes are available: 4 Insufficient cpu.",
}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (pod(waiting={"reason": "ContainerCreating"}), None),
        (pod(waiting={"reason": "ErrImagePull", "message": "once"}), None),  # it tries again, then backs off
        (pod(ready=True), None),
        (pod(restarts=1), None),
        (pod(restarts=5, ready=True), None),
        (pod(waiting={"reason": "CrashLoopBackOff"}, deleted=True), None),
        (pod(waiting={"reason": "ImagePullBackOff", "message": "no such"}), "ImagePullBackOff .*no such"),
        (pod(waiting={"reason": "CrashLoopBackOff"}, ended={"reason": "Error", "exitCode": 3}), "status 3"),
        (pod(restarts=2, ended={"reason": "OOMKilled", "exitCode": 137}), "restarted 2 times; OOMKilled"),
        (pod(phase="Failed") | {"status": {"phase": "Failed", "reason": "Evicted"}}, "Evicted"),
        (pod(phase="Pending", conditions=[NO_ROOM]), "Insufficient cpu"),
    ],
)
def test_trouble_is_what_will_not_pass(given, words):
    found = pods.trouble(given)
    if words is None:
        assert found is None
    else:
        assert found is not None
        assert re.search(words, str(found))


def test_want_of_room_may_pass_on_a_cluster_that_starts():
    found = pods.trouble(pod(phase="Pending", conditions=[NO_ROOM]))
    assert found is not None
    assert found.patient
    assert "requests" in found.todo


def test_states_are_a_few_words():
    assert pods.state(pod(ready=True)) == "ready"
    assert pods.state(pod()) == "runs, not ready"
    assert pods.state(pod(deleted=True, ready=True)) == "ending"
    assert pods.state(pod(waiting={"reason": "ContainerCreating"})) == "ContainerCreating"
    assert not pods.ready(pod(ready=True, deleted=True))
    assert pods.restarts(pod(restarts=3)) == 3
    assert pods.last_ending(pod(ended={"reason": "Error", "exitCode": 1})) == "Error, exit status 1"


def test_the_digest_is_of_everything_that_an_image_is_made_of_and_of_nothing_else(tmp_path: Path):
    (tmp_path / "src/__pycache__").mkdir(parents=True)
    for name in ("Dockerfile", "src/a.py", "src/b.py", "other.py", "src/__pycache__/a.pyc"):
        (tmp_path / name).write_text(name)
    image = Image("web:v1", tmp_path, Path("Dockerfile"), (Path("src"),))
    first = images.digest(image)
    (tmp_path / "other.py").write_text("changed")
    (tmp_path / "src/__pycache__/a.pyc").write_text("changed")
    assert images.digest(image) == first
    seen = {first}
    for change in (
        lambda: (tmp_path / "src/a.py").write_text("changed"),
        lambda: (tmp_path / "Dockerfile").write_text("changed"),
        lambda: (tmp_path / "src/b.py").rename(tmp_path / "src/c.py"),
        lambda: (tmp_path / "src/new.py").write_text(""),
    ):
        change()
        seen.add(images.digest(image))
    assert len(seen) == 5
    with pytest.raises(UsageError, match="can't be built"):
        images.digest(Image("web:v1", tmp_path, Path("Dockerfile"), (Path("gone"),)))


def fake(directory: Path, monkeypatch: pytest.MonkeyPatch, **scripts: str) -> Path:
    log = directory / "log"
    for name, script in scripts.items():
        file = directory / name
        file.write_text(f'#!/bin/sh\necho "{name} $*" >>"{log}"\n{script}\n')
        file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:/usr/bin:/bin")
    return log


def test_an_image_is_built_unless_it_is_fresh_and_says_what_it_is_made_of(tmp_path, monkeypatch):
    (tmp_path / "Dockerfile").write_text("FROM scratch")
    image = Image("web:v1", tmp_path, Path("Dockerfile"), ())
    wanted = images.digest(image)
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    docker = (
        'case "$1" in image) echo "{\\"verdict-harness.source\\": \\"$HAVE\\"}";; build) cat >"$0.in";; esac'
    )
    log = fake(bin_, monkeypatch, docker=docker)
    monkeypatch.setenv("HAVE", wanted)
    assert images.build(image) == wanted
    assert "build" not in log.read_text()
    monkeypatch.setenv("HAVE", "another")
    assert images.build(image) == wanted
    assert f"docker build --tag web:v1 --file - {tmp_path}" in log.read_text()
    recipe = (bin_ / "docker.in").read_text()
    assert recipe.startswith("FROM scratch\n")
    assert f"ENV {images.VARIABLE}={wanted}" in recipe


def test_a_cluster_is_ours_if_its_server_says_so(tmp_path, monkeypatch):
    nodes = [{"name": "k3d-x-agent-0", "role": "agent"}, {"name": "k3d-x-server-0", "role": "server"}]
    cluster = Cluster("x")
    log = fake(tmp_path, monkeypatch, docker=f'echo \'["server","--node-label={MARK}"]\'')
    assert cluster.ours(nodes)
    assert "k3d-x-server-0" in log.read_text()
    assert not cluster.ours(nodes[:1])
    fake(tmp_path, monkeypatch, docker="echo '[\"server\"]'")
    assert not cluster.ours(nodes)
    fake(tmp_path, monkeypatch, docker="exit 1")
    assert not cluster.ours(nodes)


def test_name_and_image_of_the_cluster_can_be_set():
    assert Cluster.of({}, "x") == Cluster("x", IMAGE)
    found = Cluster.of({"K3D_CLUSTER": "y", "K3S_IMAGE": "rancher/k3s:v1"}, "x")
    assert (found.name, found.image, found.context) == ("y", "rancher/k3s:v1", "k3d-y")
