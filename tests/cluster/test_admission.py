"""What an API server says of every manifest and rendered chart: a dry run, with Pod Security enforced."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
import yaml

from experiments.cluster import GRAFANA, MONITORING, NAMESPACE, PROMETHEUS
from verdict_harness.kubernetes import left_out
from verdict_harness.systems import Chart

from .conftest import Cluster, run

ROOT = Path(__file__).parents[2]
OVERLAYS = ROOT / "k8s" / "overlays"
DRY = ("--dry-run=server", "--validate=strict", "-f", "-")

Json = dict[str, Any]


@pytest.fixture(scope="module")
def cluster(small_cluster: Cluster) -> Cluster:
    """The cluster with both namespaces, and nothing in them."""
    for file in ("base", "monitoring"):
        made = small_cluster.kubectl("apply", "-f", str(ROOT / "k8s" / file / "namespace.yaml"))
        assert made.returncode == 0, made.stderr
    # pods are refused until the controller has made this, a moment later
    for namespace in (NAMESPACE, MONITORING):
        waited = small_cluster.kubectl(
            "wait", "--for=create", "serviceaccount/default", "-n", namespace, "--timeout=60s"
        )
        assert waited.returncode == 0, waited.stderr
    return small_cluster


def rendered(cluster: Cluster, overlay: str) -> str:
    made = cluster.kubectl("kustomize", str(OVERLAYS / overlay))
    assert made.returncode == 0, made.stderr
    return made.stdout


def accepted(cluster: Cluster, manifests: str) -> int:
    """Dry-run ``manifests``; return how many the server took, all of them and without a warning."""
    answer = cluster.kubectl("apply", *DRY, text=manifests)
    assert answer.returncode == 0, answer.stderr
    warnings = [line for line in answer.stderr.splitlines() if "last-applied-configuration" not in line]
    assert not warnings
    return len(answer.stdout.splitlines())


def as_pods(manifests: str) -> list[Json]:
    """Return each workload's pod as a Pod: of templates, Pod Security only warns."""
    found = []
    for document in yaml.safe_load_all(manifests):
        if document and document["kind"] in ("Deployment", "StatefulSet"):
            template = document["spec"]["template"]
            template["spec"].pop("serviceAccountName", None)  # only rendered, so it is not there
            for claim in document["spec"].get("volumeClaimTemplates", []):
                name = claim["metadata"]["name"]
                source = {"claimName": f"{name}-{document['metadata']['name']}-0"}
                template["spec"]["volumes"].append({"name": name, "persistentVolumeClaim": source})
            metadata = {
                **template["metadata"],
                "name": document["metadata"]["name"],
                "namespace": document["metadata"]["namespace"],
            }
            found.append({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]})
    return found


@pytest.mark.parametrize("overlay", ["single", "multi", "eks", "oke"])
def test_the_server_takes_every_manifest(cluster, overlay):
    manifests = rendered(cluster, overlay)
    assert accepted(cluster, manifests) == len(list(yaml.safe_load_all(manifests)))


@pytest.mark.parametrize(("overlay", "pods"), [("single", 3), ("multi", 5), ("eks", 5), ("oke", 5)])
def test_the_namespace_takes_every_pod(cluster, overlay, pods):
    found = as_pods(rendered(cluster, overlay))
    assert len(found) == pods
    assert accepted(cluster, yaml.safe_dump_all(found)) == pods


def test_a_privileged_pod_is_refused(cluster):
    """Else the test above would say nothing."""
    pod = as_pods(rendered(cluster, "single"))[0]
    pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    answer = cluster.kubectl("create", *DRY, text=yaml.safe_dump(pod))
    assert answer.returncode != 0
    assert 'violates PodSecurity "restricted' in answer.stderr


def test_a_misspelt_field_is_refused(cluster):
    """Else the first test would say little."""
    manifests = rendered(cluster, "single").replace("readinessProbe:", "readynessProbe:")
    answer = cluster.kubectl("apply", *DRY, text=manifests)
    assert answer.returncode != 0
    assert "readynessProbe" in answer.stderr


@pytest.fixture
def template(
    cluster: Cluster, tmp_path: Path, can_not_be_had: Callable[[str], NoReturn]
) -> Callable[[Chart], str]:
    if shutil.which("helm") is None:
        can_not_be_had("helm is not on PATH")

    def rendered_chart(chart: Chart, *more: Path) -> str:
        if left_out(chart, os.environ):
            pytest.skip(f"{chart.chart} is left out, as its variable says")
        local = os.environ.get(f"{chart.chart.upper()}_CHART")
        if not local:
            pulled = run(
                *("helm", "pull", chart.chart, "--repo", chart.repository, "--version", chart.version),
                *("--untar", "--untardir", str(tmp_path)),
            )
            if pulled.returncode:
                missing = can_not_be_had if chart.needed else pytest.skip
                missing(f"chart {chart.chart} can't be pulled: {' '.join(pulled.stderr.split())}")
            local = str(tmp_path / chart.chart)
        documents = []
        for number, text in enumerate(chart.document_values()):
            documents.append(tmp_path / f"document-{number}.yaml")
            documents[-1].write_text(text)
        made = run(
            *("helm", "template", chart.release, local, "--namespace", chart.namespace),
            *(word for file in (*chart.values, *more, *documents) for word in ("--values", str(file))),
            *("--kube-version", cluster.version),
        )
        assert made.returncode == 0, made.stderr
        return made.stdout

    return rendered_chart


@pytest.mark.parametrize("cloud", [None, "eks", "oke"])
@pytest.mark.parametrize("chart", [PROMETHEUS, GRAFANA], ids=lambda chart: chart.chart)
def test_the_server_takes_every_rendered_chart(cluster, template, chart, cloud):
    more = [OVERLAYS / cloud / "prometheus-values.yaml"] if cloud and chart is PROMETHEUS else []
    manifests = template(chart, *more)
    assert accepted(cluster, manifests) == sum(bool(one) for one in yaml.safe_load_all(manifests))
    pods = as_pods(manifests)
    assert len(pods) == 1
    assert accepted(cluster, yaml.safe_dump_all(pods)) == 1


def test_the_rendered_prometheus_has_the_rules_and_scrapes_pods(template):
    maps = [one for one in yaml.safe_load_all(template(PROMETHEUS)) if one and one["kind"] == "ConfigMap"]
    (files,) = [one["data"] for one in maps if "prometheus.yml" in one["data"]]
    rules = yaml.safe_load((ROOT / "prometheus" / "recording-rules.yml").read_text())
    assert yaml.safe_load(files["recording_rules.yml"]) == rules
    configuration = yaml.safe_load(files["prometheus.yml"])
    assert configuration["rule_files"] == ["/etc/config/recording_rules.yml"]
    assert [job["job_name"] for job in configuration["scrape_configs"]] == ["matching-engine"]
    (scrape,) = configuration["scrape_configs"]
    assert scrape["kubernetes_sd_configs"][0]["namespaces"] == {"names": ["matching-engine"]}
    assert "${1}:${2}" in [rule.get("replacement") for rule in scrape["relabel_configs"]]
