"""The manifests as they are written: names, labels, resources, probes, security.

What kustomize makes of them is in tests/integration/test_overlays.py; what a cluster says, in tests/cluster.
"""

import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml

from experiments.exchange import MULTI, SYMBOLS
from verdict_harness.systems import Service

K8S = Path(__file__).parents[3] / "k8s"

Json = dict[str, Any]


def documents(path: str) -> list[Json]:
    return list(yaml.safe_load_all((K8S / path).read_text()))


def document(path: str, kind: str) -> Json:
    (found,) = [one for one in documents(path) if one["kind"] == kind]
    return found


WORKLOADS = {
    "me-shard": document("shard/me-shard.yaml", "Deployment"),
    "edge-gateway": document("base/edge-gateway.yaml", "Deployment"),
    "redpanda": document("base/redpanda.yaml", "StatefulSet"),
}
OURS = ("me-shard", "edge-gateway")


def pod(workload: str) -> Json:
    return WORKLOADS[workload]["spec"]["template"]


def container(workload: str) -> Json:
    (only,) = pod(workload)["spec"]["containers"]
    return only


@pytest.mark.parametrize(
    ("workload", "requests", "limits"),
    [
        ("me-shard", {"cpu": "1", "memory": "512Mi"}, {"cpu": "2", "memory": "1Gi"}),
        ("edge-gateway", {"cpu": "500m", "memory": "256Mi"}, {"cpu": "1", "memory": "512Mi"}),
        ("redpanda", {"cpu": "1", "memory": "1Gi"}, {"cpu": "2", "memory": "2Gi"}),
    ],
)
def test_resources(workload, requests, limits):
    assert container(workload)["resources"] == {"requests": requests, "limits": limits}


@pytest.mark.parametrize(
    ("workload", "image"),
    [
        ("me-shard", "matching-engine:experiment-v1"),
        ("edge-gateway", "edge-gateway:experiment-v1"),
        ("redpanda", "redpandadata/redpanda:v26.1.14"),
    ],
)
def test_images_are_pinned_and_name_no_registry(workload, image):
    assert container(workload)["image"] == image


@pytest.mark.parametrize("workload", WORKLOADS)
def test_every_pod_is_restricted(workload):
    spec = pod(workload)["spec"]
    context = spec["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] > 0
    assert context["runAsGroup"] > 0
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container(workload)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert spec["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()


@pytest.mark.parametrize("workload", OURS)
def test_prometheus_is_told_where_to_scrape(workload):
    annotations = pod(workload)["metadata"]["annotations"]
    assert annotations["prometheus.io/scrape"] == "true"
    assert annotations["prometheus.io/path"] == "/metrics"
    ports = {one["name"]: one["containerPort"] for one in container(workload)["ports"]}
    assert annotations["prometheus.io/port"] == str(ports["metrics"])


@pytest.mark.parametrize("workload", OURS)
def test_probes_ask_for_health(workload):
    probes = {kind: container(workload)[f"{kind}Probe"] for kind in ("startup", "readiness", "liveness")}
    assert all(one["httpGet"] == {"path": "/health", "port": "http"} for one in probes.values())


def seconds(probe: Json) -> int:
    return probe["periodSeconds"] * probe["failureThreshold"]


def test_a_shard_gets_minutes_to_replay_its_log():
    # liveness does not begin before startup has succeeded
    assert seconds(container("me-shard")["startupProbe"]) >= 600


@pytest.mark.parametrize("workload", OURS)
def test_slow_is_not_dead(workload):
    assert seconds(container(workload)["livenessProbe"]) >= 60


def test_the_broker_is_ready_or_not_and_never_restarted_for_being_frozen():
    probes = container("redpanda")
    assert probes["readinessProbe"]["tcpSocket"] == {"port": "kafka"}
    assert "livenessProbe" not in probes


def test_a_shards_log_outlives_its_pod():
    deployment = WORKLOADS["me-shard"]
    assert deployment["spec"]["replicas"] == 1
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}
    claim = document("shard/me-shard.yaml", "PersistentVolumeClaim")
    (volume,) = pod("me-shard")["spec"]["volumes"]
    assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    (mount,) = container("me-shard")["volumeMounts"]
    environment = {one["name"]: one.get("value") for one in container("me-shard")["env"]}
    assert environment["WAL_PATH"].startswith(mount["mountPath"])


@pytest.mark.parametrize("workload", ["me-shard", "redpanda"])
def test_each_deployment_has_a_directory_of_its_own(workload):
    mounts = [one for one in container(workload)["volumeMounts"] if "subPathExpr" in one]
    assert [one["subPathExpr"] for one in mounts] == ["$(DEPLOYMENT)"]
    (source,) = [
        one["valueFrom"]["fieldRef"]["fieldPath"]
        for one in container(workload)["env"]
        if one["name"] == "DEPLOYMENT"
    ]
    key = source.removeprefix("metadata.annotations['").removesuffix("']")
    assert pod(workload)["metadata"]["annotations"][key]  # without a value the container is refused


def test_shards_keep_apart_from_each_other_and_not_only_from_themselves():
    (constraint,) = pod("me-shard")["spec"]["topologySpreadConstraints"]
    assert constraint["topologyKey"] == "kubernetes.io/hostname"
    assert constraint["whenUnsatisfiable"] == "ScheduleAnyway"
    # kustomize adds a shard's own label to matchLabels
    assert constraint["labelSelector"] == {
        "matchExpressions": [{"key": "app", "operator": "In", "values": ["matching-engine"]}]
    }


def test_the_broker_runs_as_the_contract_says():
    assert WORKLOADS["redpanda"]["spec"]["replicas"] == 1
    arguments = container("redpanda")["args"]
    assert {"--smp=1", "--memory=1G", "--overprovisioned"} <= set(arguments)
    (advertised,) = [one for one in arguments if one.startswith("--advertise-kafka-addr=")]
    assert advertised.endswith("internal://redpanda.$(NAMESPACE).svc:9092,external://127.0.0.1:19092")
    settings = [after for flag, after in itertools.pairwise(arguments) if flag == "--set"]
    assert "--unsafe-bypass-fsync=false" in arguments  # what is acknowledged must survive a kill
    assert settings == ["redpanda.write_caching_default=false", "redpanda.auto_create_topics_enabled=false"]
    service = document("base/redpanda.yaml", "Service")
    assert service["spec"]["clusterIP"] == "None"
    assert service["metadata"]["name"] == WORKLOADS["redpanda"]["spec"]["serviceName"] == "redpanda"


@pytest.mark.parametrize(
    ("workload", "told"),
    [
        ("edge-gateway", {"HTTP_PORT": "8080", "METRICS_PORT": "9091"}),
        (
            "me-shard",
            {
                "HTTP_PORT": "8080",
                "METRICS_PORT": "9091",
                "KAFKA_BOOTSTRAP": "redpanda:9092",
                "WAL_SIZE_MB": "64",
                "RING_BUFFER_SIZE": "131072",
            },
        ),
    ],
)
def test_every_variable_is_in_the_manifest(workload, told):
    found = {one["name"]: one.get("value") for one in container(workload)["env"]}
    assert told.items() <= found.items()
    ports = {f"{one['name']}_port".upper(): str(one["containerPort"]) for one in container(workload)["ports"]}
    assert ports.items() <= found.items()


@pytest.mark.parametrize("shard", SYMBOLS)
def test_each_shard_is_the_one_of_the_exchange(shard):
    (made,) = documents(f"shards/{shard}/kustomization.yaml")
    assert made["nameSuffix"] == f"-{shard}"
    (labels,) = made["labels"]
    assert labels["pairs"] == {"shard": shard, "app.kubernetes.io/name": f"me-shard-{shard}"}
    assert labels["includeSelectors"] is True
    (configuration,) = made["configMapGenerator"]
    assert configuration["literals"] == [f"SHARD_ID={shard}", f"SHARD_SYMBOLS={','.join(SYMBOLS[shard])}"]


@pytest.mark.parametrize(("component", "shards"), [("one-shard", "a"), ("three-shards", "abc")])
def test_the_gateway_knows_every_shard_of_its_overlay(component, shards):
    (made,) = documents(f"components/{component}/kustomization.yaml")
    assert made["resources"] == [f"../../shards/{shard}" for shard in shards]
    text = (K8S / "components" / component / "edge-gateway.env").read_text()
    told = dict(line.split("=", 1) for line in text.splitlines())
    assert told == {
        "ME_SHARD_MAP": ",".join(f"{s}=http://me-shard-{s}:8080" for s in shards),
        "SHARD_SYMBOLS_MAP": ",".join(f"{s}={':'.join(SYMBOLS[s])}" for s in shards),
    }


SERVICES = {
    "me-shard": document("shard/me-shard.yaml", "Service"),
    "edge-gateway": document("base/edge-gateway.yaml", "Service"),
    "redpanda": document("base/redpanda.yaml", "Service"),
}


def described(name: str) -> Service:
    return MULTI.service("me-shard-a" if name == "me-shard" else name)


@pytest.mark.parametrize("name", OURS)
def test_services_have_the_ports_that_the_description_says(name):
    ports = {one["name"]: one["port"] for one in SERVICES[name]["spec"]["ports"]}
    assert ports == described(name).ports


def test_the_brokers_service_has_the_port_of_the_description_and_one_to_forward():
    ports = {one["name"]: one["port"] for one in SERVICES["redpanda"]["spec"]["ports"]}
    assert ports == {"kafka": described("redpanda").ports["kafka"], "external": 19092, "admin": 9644}


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_selects_its_pods_by_port_names_that_they_have(name):
    spec = SERVICES[name]["spec"]
    assert spec["selector"].items() <= pod(name)["metadata"]["labels"].items()
    assert WORKLOADS[name]["spec"]["selector"]["matchLabels"] == spec["selector"]
    assert {one["targetPort"] for one in spec["ports"]} <= {one["name"] for one in container(name)["ports"]}


def test_the_namespace_enforces_what_the_pods_keep():
    namespace = document("base/namespace.yaml", "Namespace")
    assert namespace["metadata"]["name"] == "matching-engine"
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
