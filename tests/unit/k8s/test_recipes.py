"""Images, charts and values: what the recipes name is there, pinned, and says what the local backend says."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine.config import Config as EngineConfig
from experiments.cluster import ENGINE_IMAGE, GATEWAY_IMAGE, GRAFANA, PROMETHEUS, RULES
from experiments.exchange import MULTI, SINGLE, exchange
from gateway.config import load as load_gateway
from verdict_harness.systems import prometheus as instrument
from verdict_harness.systems.system import nested

ROOT = Path(__file__).parents[3]
IMAGES = {"engine": ENGINE_IMAGE, "gateway": GATEWAY_IMAGE}
PINS = ROOT / "harness" / "verdict_harness" / "programs" / "pins"

Json = dict[str, Any]


def values(name: str) -> Json:
    return yaml.safe_load((ROOT / "k8s" / f"{name}-values.yaml").read_text())


def duration(text: str) -> int:
    return int(text.removesuffix("s"))


@pytest.mark.parametrize(("system", "overlay"), [(SINGLE, "single"), (MULTI, "multi")])
def test_each_system_has_its_overlay(system, overlay):
    recipe = system.kubernetes
    assert recipe is not None
    assert recipe.overlay == ROOT / "k8s" / "overlays" / overlay
    assert (recipe.overlay / "kustomization.yaml").is_file()
    assert recipe.namespace == "matching-engine"
    assert recipe.prometheus == "monitoring/prometheus-server:80"
    assert {chart.namespace for chart in recipe.charts} == {"monitoring"}


def test_shards_without_an_overlay_have_no_recipe():
    assert exchange("a", "b").kubernetes is None


@pytest.mark.parametrize("chart", [PROMETHEUS, GRAFANA])
def test_charts_are_pinned_and_their_values_are_there(chart):
    assert re.fullmatch(r"\d+\.\d+\.\d+", chart.version)
    assert chart.values
    assert all(path.is_file() for path in chart.values)


def test_prometheus_is_needed_and_grafana_is_not():
    assert PROMETHEUS.needed
    assert not GRAFANA.needed


def test_helm_gets_the_rules_of_the_one_file():
    (document,) = PROMETHEUS.document_values()
    assert yaml.safe_load(document) == {
        "serverFiles": {"recording_rules.yml": yaml.safe_load(RULES.read_text())}
    }
    assert "recording_rules.yml" not in values("prometheus")["serverFiles"]
    assert values("prometheus")["serverFiles"]["prometheus.yml"]["rule_files"] == [
        "/etc/config/recording_rules.yml"
    ]


@pytest.mark.parametrize(
    "document",
    ["a: 1\n", "# only a comment at its beginning\n\na:\n  - b\n", "text: |\n  two\n\n  lines\n", "[1, 2]\n"],
)
def test_a_document_is_nested_as_it_is(document):
    assert yaml.safe_load(nested(("x.y", "on"), document)) == {"x.y": {"on": yaml.safe_load(document)}}


def test_prometheus_measures_as_the_local_one_does():
    server = values("prometheus")["server"]
    assert (
        server["global"]["scrape_interval"] == server["global"]["evaluation_interval"] == instrument.INTERVAL
    )
    # Prometheus refuses to start with a longer one
    assert duration(server["global"]["scrape_timeout"]) < duration(instrument.INTERVAL)
    assert server["extraArgs"] == {"query.lookback-delta": instrument.LOOKBACK}
    assert "web.enable-remote-write-receiver" in server["extraFlags"]
    assert server["persistentVolume"]["enabled"] is True


def test_prometheus_and_k6_are_the_versions_that_the_local_backend_builds():
    pin = re.search(
        r"github.com/prometheus/prometheus v0\.(\d)(\d\d)\.(\d+)", (PINS / "prometheus/go.mod").read_text()
    )
    assert pin
    major, minor, patch = (int(one) for one in pin.groups())
    assert values("prometheus")["server"]["image"] == {
        "repository": "prom/prometheus",
        "tag": f"v{major}.{minor}.{patch}",
    }
    k6 = re.search(r"go\.k6\.io/k6 v(\S+)", (PINS / "k6/go.mod").read_text())
    assert k6
    assert MULTI.kubernetes is not None
    assert MULTI.kubernetes.load_image == f"grafana/k6:{k6[1]}"


def test_charts_get_the_resources_of_the_contract():
    assert values("prometheus")["server"]["resources"] == {
        "requests": {"cpu": "250m", "memory": "256Mi"},
        "limits": {"cpu": "500m", "memory": "512Mi"},
    }
    assert values("grafana")["resources"] == {
        "requests": {"cpu": "250m", "memory": "128Mi"},
        "limits": {"cpu": "500m", "memory": "256Mi"},
    }


def test_nothing_but_a_server_is_installed():
    beside = values("prometheus")
    for part in ("alertmanager", "kube-state-metrics", "prometheus-node-exporter", "prometheus-pushgateway"):
        assert beside[part] == {"enabled": False}
    assert beside["configmapReload"] == {"prometheus": {"enabled": False}}


def relabelled(found: Json) -> Json | None:
    """Return the target that Prometheus makes of what it found, or None, by the actions that are used."""
    (job,) = values("prometheus")["serverFiles"]["prometheus.yml"]["scrape_configs"]
    labels = dict(found)
    for rule in job["relabel_configs"]:
        source = ";".join(labels.get(name, "") for name in rule["source_labels"])
        match = re.fullmatch(rule.get("regex", "(.*)"), source)
        action = rule.get("action", "replace")
        if (action == "keep" and not match) or (action == "drop" and match):
            return None
        if action == "replace" and match:
            replacement = re.sub(r"\$\{(\d)\}", r"\\\1", rule.get("replacement", "${1}"))
            labels[rule["target_label"]] = match.expand(replacement)
    return {name: value for name, value in labels.items() if not name.startswith("__meta_")}


POD = {
    "__address__": "10.42.1.7:8080",
    "__metrics_path__": "/metrics",
    "__meta_kubernetes_pod_annotation_prometheus_io_scrape": "true",
    "__meta_kubernetes_pod_annotation_prometheus_io_port": "9091",
    "__meta_kubernetes_pod_annotation_prometheus_io_path": "/metrics",
    "__meta_kubernetes_pod_ip": "10.42.1.7",
    "__meta_kubernetes_pod_label_app_kubernetes_io_name": "me-shard-a",
    "__meta_kubernetes_pod_label_app": "matching-engine",
    "__meta_kubernetes_pod_label_shard": "a",
    "__meta_kubernetes_pod_phase": "Running",
    "__meta_kubernetes_pod_name": "me-shard-a-5969cc9c5b-nmtgr",
}


def test_a_series_is_called_after_the_service_and_not_after_the_pod():
    assert relabelled(POD) == {
        "__address__": "10.42.1.7:9091",
        "__metrics_path__": "/metrics",
        "app": "matching-engine",
        "shard": "a",
        "service": "me-shard-a",
        "instance": "me-shard-a",
    }
    (job,) = values("prometheus")["serverFiles"]["prometheus.yml"]["scrape_configs"]
    assert job["job_name"] == "matching-engine"
    assert job["honor_labels"] is True  # else a shard's own label would come back as exported_shard
    # each port of a pod is found for itself; they are one target
    assert relabelled({**POD, "__address__": "10.42.1.7:9091"}) == relabelled(POD)


def test_the_gateway_is_no_shard():
    found = {name: label for name, label in POD.items() if not name.endswith("_shard")}
    target = relabelled({**found, "__meta_kubernetes_pod_label_app": "edge-gateway"})
    assert target is not None
    assert target["app"] == "edge-gateway"
    assert "shard" not in target


@pytest.mark.parametrize("overlay", ["single", "multi"])
def test_on_k3d_prometheus_and_grafana_have_a_port_of_every_node(overlay):
    prometheus = values(f"overlays/{overlay}/prometheus")
    assert prometheus == {"server": {"service": {"type": "NodePort", "nodePort": 30090}}}
    assert values(f"overlays/{overlay}/grafana") == {"service": {"type": "NodePort", "nodePort": 30000}}


def test_grafana_has_the_user_that_the_docs_name():
    grafana = values("grafana")
    assert (grafana["adminUser"], grafana["adminPassword"]) == ("admin", "admin")
    assert "user `admin`, password `admin`" in (ROOT / "docs" / "kubernetes.md").read_text()


@pytest.mark.parametrize(
    "change",
    [
        {"__meta_kubernetes_pod_annotation_prometheus_io_scrape": "false"},
        {"__meta_kubernetes_pod_phase": "Succeeded"},
        {"__meta_kubernetes_pod_phase": "Pending"},
    ],
)
def test_other_pods_are_not_scraped(change):
    assert relabelled({**POD, **change}) is None


@pytest.mark.parametrize("package", IMAGES)
def test_an_image_says_what_it_is_made_of(package):
    image = IMAGES[package]
    assert (
        image.name
        == {
            "engine": "matching-engine:experiment-v1",
            "gateway": "edge-gateway:experiment-v1",
        }[package]
    )
    assert (image.context / image.dockerfile).is_file()
    assert all((image.context / source).exists() for source in image.sources)
    copied = re.findall(r"^COPY (?!--from)(\S+)", (ROOT / image.dockerfile).read_text(), re.MULTILINE)
    assert copied
    made_of = {source.as_posix() for source in image.sources}
    assert set(copied) <= made_of
    assert any(image.dockerfile.is_relative_to(source) for source in image.sources)


def told(package: str) -> dict[str, str]:
    """Return what an image's ENV lines set."""
    text = (ROOT / IMAGES[package].dockerfile).read_text().replace("\\\n", " ")
    lines = re.findall(r"^ENV (.*)$", text, re.MULTILINE)
    return dict(word.split("=", 1) for line in lines for word in line.split())


def test_the_engines_image_starts_bare_as_its_configuration_would():
    env = told("engine")
    bare, unset = EngineConfig.from_env(env), EngineConfig.from_env({})
    assert env["KAFKA_BOOTSTRAP"] == bare.kafka_bootstrap == "redpanda:9092"
    assert bare.wal_path == Path("/var/lib/matching-engine")
    for name in ("shard_id", "symbols", "http_port", "metrics_port", "wal_size_mb", "ring_buffer_size"):
        assert getattr(bare, name) == getattr(unset, name)
    assert EngineConfig.from_env({**env, "SHARD_ID": "b"}).symbols[0] == "TEST-ASSET-E"


def test_the_gateways_image_starts_bare_with_three_shards():
    env = told("gateway")
    multi = ROOT / "k8s" / "components" / "three-shards" / "edge-gateway.env"
    maps = dict(line.split("=", 1) for line in multi.read_text().splitlines())
    assert maps.items() <= env.items()
    assert set(load_gateway(env).shards) == set("abc")


@pytest.mark.parametrize("package", IMAGES)
def test_an_image_is_pinned_unprivileged_and_ended_by_sigterm(package):
    text = (ROOT / IMAGES[package].dockerfile).read_text()
    assert "ARG PYTHON=python:3.11-slim-bookworm\n" in text
    assert {line for line in text.splitlines() if line.startswith("FROM")} == {
        "FROM ${PYTHON} AS dependencies",
        "FROM ${PYTHON}",
    }
    assert "--require-hashes" in text
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", text, re.MULTILINE)
    assert f'ENTRYPOINT ["python", "-m", "{package}"]' in text


def locked(name: str) -> dict[str, set[str]]:
    """Return the hashes of each pinned requirement, by ``name==version``."""
    entries = re.split(r"^(?=[a-z0-9])", (ROOT / name).read_text(), flags=re.MULTILINE)[1:]
    return {entry.split()[0]: set(re.findall(r"--hash=(\S+)", entry)) for entry in entries}


def test_images_get_the_versions_that_were_tested_and_nothing_else():
    runtime, everything = locked("requirements-runtime.lock"), locked("requirements.lock")
    assert runtime.items() <= everything.items()
    assert all(runtime.values())
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    wanted = {re.split(r"[><=~ ]", word)[0] for word in groups["exchange"]}
    names = {entry.split("==")[0] for entry in runtime}
    assert wanted <= names
    assert not names & {"pytest", "kubernetes", "matplotlib", "testcontainers"}
