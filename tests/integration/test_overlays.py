"""What kustomize makes of the manifests: names, one shard or three, k3d or a cloud. It needs no cluster."""

import copy
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
import yaml

OVERLAYS = Path(__file__).parents[2] / "k8s" / "overlays"

Json = dict[str, Any]
Render = Callable[[str], list[Json]]


@pytest.fixture(scope="module")
def render(can_not_be_had: Callable[[str], NoReturn]) -> Render:
    if shutil.which("kubectl") is None:
        can_not_be_had("kubectl is not on PATH")
    known: dict[str, list[Json]] = {}

    def rendered(overlay: str) -> list[Json]:
        if overlay not in known:
            made = subprocess.run(
                ["kubectl", "kustomize", str(OVERLAYS / overlay)], capture_output=True, text=True, check=False
            )
            assert made.returncode == 0, made.stderr
            assert not made.stderr
            known[overlay] = list(yaml.safe_load_all(made.stdout))
        return copy.deepcopy(known[overlay])

    return rendered


def names(documents: list[Json], kind: str) -> set[str]:
    return {one["metadata"]["name"] for one in documents if one["kind"] == kind}


def one(documents: list[Json], kind: str, name: str) -> Json:
    (found,) = [each for each in documents if each["kind"] == kind and each["metadata"]["name"] == name]
    return found


@pytest.mark.parametrize(
    ("overlay", "shards"), [("single", "a"), ("multi", "abc"), ("eks", "abc"), ("oke", "abc")]
)
def test_names_are_those_of_the_contract(render, overlay, shards):
    documents = render(overlay)
    shard_names = {f"me-shard-{shard}" for shard in shards}
    assert names(documents, "Deployment") == {*shard_names, "edge-gateway"}
    assert names(documents, "Service") == {*shard_names, "edge-gateway", "redpanda"}
    assert names(documents, "StatefulSet") == {"redpanda"}
    assert names(documents, "Namespace") == {"matching-engine", "monitoring"}
    assert names(documents, "PersistentVolumeClaim") == {f"me-shard-wal-{shard}" for shard in shards}
    beside = ("NetworkPolicy", "Namespace")
    homes = {
        each["metadata"]["name"]: each["metadata"]["namespace"]
        for each in documents
        if each["kind"] not in beside
    }
    assert homes.pop("grafana-dashboards") == "monitoring"
    assert set(homes.values()) == {"matching-engine"}


@pytest.mark.parametrize("shard", "abc")
def test_a_shard_has_its_own_labels_configuration_and_log(render, shard):
    documents = render("multi")
    deployment = one(documents, "Deployment", f"me-shard-{shard}")
    service = one(documents, "Service", f"me-shard-{shard}")
    pod = deployment["spec"]["template"]
    expected = {
        "app": "matching-engine",
        "shard": shard,
        "app.kubernetes.io/name": f"me-shard-{shard}",
        "app.kubernetes.io/part-of": "matching-engine",
    }
    assert deployment["metadata"]["labels"] == pod["metadata"]["labels"] == expected
    selector = {name: expected[name] for name in ("app", "shard", "app.kubernetes.io/name")}
    assert deployment["spec"]["selector"]["matchLabels"] == service["spec"]["selector"] == selector
    (constraint,) = pod["spec"]["topologySpreadConstraints"]
    assert "matchLabels" not in constraint["labelSelector"]  # else a shard keeps away from itself alone
    (container,) = pod["spec"]["containers"]
    (source,) = container["envFrom"]
    configuration = one(documents, "ConfigMap", source["configMapRef"]["name"])
    assert configuration["data"]["SHARD_ID"] == shard
    (volume,) = pod["spec"]["volumes"]
    assert volume["persistentVolumeClaim"]["claimName"] == f"me-shard-wal-{shard}"


@pytest.mark.parametrize(("overlay", "shards"), [("single", "a"), ("multi", "abc")])
def test_the_gateway_has_the_map_of_its_overlay(render, overlay, shards):
    documents = render(overlay)
    (container,) = one(documents, "Deployment", "edge-gateway")["spec"]["template"]["spec"]["containers"]
    (source,) = container["envFrom"]
    told = one(documents, "ConfigMap", source["configMapRef"]["name"])["data"]
    assert [entry.split("=")[0] for entry in told["ME_SHARD_MAP"].split(",")] == list(shards)


def containers(documents: list[Json]) -> list[Json]:
    return [
        container
        for each in documents
        if each["kind"] in ("Deployment", "StatefulSet")
        for container in each["spec"]["template"]["spec"]["containers"]
    ]


@pytest.mark.parametrize("overlay", ["single", "multi"])
def test_k3d_never_pulls_our_images(render, overlay):
    policies = {one["image"]: one.get("imagePullPolicy") for one in containers(render(overlay))}
    assert policies == {
        "matching-engine:experiment-v1": "Never",
        "edge-gateway:experiment-v1": "Never",
        "redpandadata/redpanda:v26.1.14": None,  # ours to pull or to import
    }


def test_on_k3d_a_shard_and_the_broker_are_wished_back_to_a_node_of_their_own(render):
    wishes = [
        wish["preference"]["matchExpressions"]
        for each in render("multi")
        if each["kind"] in ("Deployment", "StatefulSet") and each["metadata"]["name"] != "edge-gateway"
        for wish in each["spec"]["template"]["spec"]["affinity"]["nodeAffinity"][
            "preferredDuringSchedulingIgnoredDuringExecution"
        ]
    ]
    nodes = {expression["values"][0] for (expression,) in wishes}
    prefix = "k3d-matching-engine-exp-"
    assert nodes == {f"{prefix}{node}" for node in ("server-0", "agent-0", "agent-1", "agent-2")}


def without_what_may_differ(documents: list[Json]) -> list[Json]:
    """Return all but registry, pull policy, Service type, volumes, resources, addresses and nodes' names."""
    for document in documents:
        if document["kind"] in ("Deployment", "StatefulSet"):
            document["spec"]["template"]["spec"].pop("affinity", None)
        if document["kind"] == "Service":
            document["metadata"].pop("annotations", None)
            document["spec"].pop("type", None)
        claims = document["spec"].get("volumeClaimTemplates", []) if "spec" in document else []
        for claim in [document, *claims]:
            if claim["kind"] == "PersistentVolumeClaim":
                claim["spec"] = {"accessModes": claim["spec"]["accessModes"]}
    for container in containers(documents):
        container.pop("imagePullPolicy", None)
        container["image"] = container["image"].rpartition("/")[2]
        container["resources"].pop("requests")
    return [
        document
        for document in documents
        if not (
            document["kind"] == "NetworkPolicy"
            and document["metadata"]["name"] in ("api-server", "load-balancer")
        )
    ]


@pytest.mark.parametrize("cloud", ["eks", "oke"])
def test_a_cloud_differs_in_what_it_may_and_in_nothing_else(render, cloud):
    assert render(cloud) != render("multi")
    assert without_what_may_differ(render(cloud)) == without_what_may_differ(render("multi"))


@pytest.mark.parametrize(("cloud", "storage"), [("eks", "gp3"), ("oke", "oci-bv")])
def test_a_cloud_pulls_from_a_registry_and_has_its_own_volumes(render, cloud, storage):
    documents = render(cloud)
    ours = [each for each in containers(documents) if each["name"] != "redpanda"]
    assert len(ours) == 4
    assert {each["imagePullPolicy"] for each in ours} == {"Always"}
    assert all(each["image"].startswith("registry.example/") for each in ours)
    assert one(documents, "Service", "edge-gateway")["spec"]["type"] == "LoadBalancer"
    claims = [each["spec"] for each in documents if each["kind"] == "PersistentVolumeClaim"]
    claims += [
        claim["spec"] for claim in one(documents, "StatefulSet", "redpanda")["spec"]["volumeClaimTemplates"]
    ]
    assert len(claims) == 4
    assert {claim["storageClassName"] for claim in claims} == {storage}


def test_one_annotation_from_outside_gives_every_log_a_new_directory(render, tmp_path):
    """How a harness asks for empty books: kustomize reaches every pod's annotation, whatever the overlay."""
    relative = Path("../" * len(tmp_path.resolve().parts)) / str(OVERLAYS / "multi").lstrip("/")
    (tmp_path / "kustomization.yaml").write_text(
        yaml.safe_dump(
            {"resources": [str(relative)], "commonAnnotations": {"verdict-harness/deployment": "run-7"}}
        )
    )
    made = subprocess.run(
        ["kubectl", "kustomize", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    pods = [
        each["spec"]["template"]
        for each in yaml.safe_load_all(made.stdout)
        if each["kind"] in ("Deployment", "StatefulSet")
    ]
    assert len(pods) == 5
    assert {pod["metadata"]["annotations"]["verdict-harness/deployment"] for pod in pods} == {"run-7"}
    assert len(render("multi")) > len(pods)
