"""Who may talk to whom, worked out from the policies as a cluster's network would."""

import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml

K8S = Path(__file__).parents[3] / "k8s"
EXCHANGE, MONITORING = "matching-engine", "monitoring"

Json = dict[str, Any]

SHARD = {
    "app": "matching-engine",
    "shard": "a",
    "app.kubernetes.io/name": "me-shard-a",
    "app.kubernetes.io/part-of": "matching-engine",
}
PODS: dict[str, tuple[str, Json]] = {
    "shard": (EXCHANGE, SHARD),
    "other shard": (EXCHANGE, {**SHARD, "shard": "b", "app.kubernetes.io/name": "me-shard-b"}),
    "gateway": (EXCHANGE, {"app": "edge-gateway", "app.kubernetes.io/part-of": "matching-engine"}),
    "broker": (EXCHANGE, {"app": "redpanda", "app.kubernetes.io/part-of": "matching-engine"}),
    "k6": (EXCHANGE, {"app.kubernetes.io/name": "k6"}),
    "prometheus": (
        MONITORING,
        {"app.kubernetes.io/name": "prometheus", "app.kubernetes.io/instance": "prometheus"},
    ),
    "grafana": (MONITORING, {"app.kubernetes.io/name": "grafana", "app.kubernetes.io/instance": "grafana"}),
    "stranger here": (EXCHANGE, {"app": "stranger"}),
    "stranger": ("default", {"app": "stranger"}),
    "dns": ("kube-system", {"k8s-app": "kube-dns"}),
}
PORTS = {  # what listens there, by name and number as a policy may say either
    "shard": {"http": 8080, "metrics": 9091},
    "other shard": {"http": 8080, "metrics": 9091},
    "gateway": {"http": 8080, "metrics": 9091},
    "broker": {"kafka": 9092, "external": 19092},
    "prometheus": {"http": 9090},
    "grafana": {"http": 3000},
    "dns": {"dns": 53},
}
FILES = ["base/network-policies.yaml", "monitoring/network-policies.yaml"]
POLICIES = [policy for file in FILES for policy in yaml.safe_load_all((K8S / file).read_text())]


def selects(selector: Json, labels: Json) -> bool:
    assert not selector.keys() - {"matchLabels", "matchExpressions"}
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        one["operator"] == "In" and labels.get(one["key"]) in one["values"]
        for one in selector.get("matchExpressions", [])
    )


def is_peer(peer: Json, home: str, pod: str) -> bool:
    namespace, labels = PODS[pod]
    if "ipBlock" in peer:
        return False  # no pod
    if "namespaceSelector" in peer:
        if not selects(peer["namespaceSelector"], {"kubernetes.io/metadata.name": namespace}):
            return False
    elif namespace != home:
        return False
    return selects(peer.get("podSelector", {}), labels)


def permits(direction: str, of: str, other: str, target: str, port: str) -> bool:
    """Whether the policies on pod ``of`` let it talk with ``other`` on ``port`` of ``target``."""
    namespace, labels = PODS[of]
    key, side = {"Ingress": ("ingress", "from"), "Egress": ("egress", "to")}[direction]
    mine = [
        policy
        for policy in POLICIES
        if policy["metadata"]["namespace"] == namespace
        and direction in policy["spec"]["policyTypes"]
        and selects(policy["spec"]["podSelector"], labels)
    ]
    if not mine:
        return True
    return any(
        any(is_peer(peer, namespace, other) for peer in rule[side])
        and ("ports" not in rule or any(one["port"] in (port, PORTS[target][port]) for one in rule["ports"]))
        for policy in mine
        for rule in policy["spec"].get(key, [])
    )


def may(source: str, target: str, port: str) -> bool:
    return permits("Egress", source, target, target, port) and permits(
        "Ingress", target, source, target, port
    )


ALLOWED = {
    ("gateway", "shard", "http"),
    ("gateway", "other shard", "http"),
    ("k6", "shard", "http"),
    ("k6", "other shard", "http"),
    ("k6", "gateway", "http"),
    ("k6", "prometheus", "http"),
    ("shard", "broker", "kafka"),
    ("other shard", "broker", "kafka"),
    ("prometheus", "shard", "metrics"),
    ("prometheus", "other shard", "metrics"),
    ("prometheus", "gateway", "metrics"),
    ("grafana", "prometheus", "http"),
    *((source, "dns", "dns") for source in PODS if source != "dns"),
}


def test_nobody_talks_to_anybody_without_leave():
    found = {
        (source, target, port)
        for source, target in itertools.permutations(PODS, 2)
        for port in PORTS.get(target, {})
        if may(source, target, port)
    }
    assert found == ALLOWED


@pytest.mark.parametrize("cloud", ["k3d/api-server", "eks/addresses", "oke/addresses"])
def test_the_api_servers_proxy_reaches_services_and_prometheus_from_addresses_that_are_no_pods(cloud):
    policies = list(yaml.safe_load_all((K8S / "components" / f"{cloud}.yaml").read_text()))
    for name in ("shard", "gateway", "prometheus", "grafana"):
        namespace, labels = PODS[name]
        (policy,) = [
            one
            for one in policies
            if one["metadata"] == {"name": "api-server", "namespace": namespace}
            and selects(one["spec"]["podSelector"], labels)
        ]
        (rule,) = policy["spec"]["ingress"]
        assert "ports" not in rule
        assert all(peer.keys() == {"ipBlock"} for peer in rule["from"])
        assert not [peer for peer in rule["from"] if peer["ipBlock"]["cidr"].endswith("/0")]
