"""The exchange on Kubernetes: its images, its manifests, and what Helm installs beside it."""

from __future__ import annotations

from pathlib import Path

from verdict_harness.kubernetes import images
from verdict_harness.processes import progress
from verdict_harness.systems import Chart, Image, Kubernetes

ROOT = Path(__file__).parents[1]
RULES = ROOT / "prometheus" / "recording-rules.yml"
MANIFESTS = ROOT / "k8s"
NAMESPACE = "matching-engine"
MONITORING = "monitoring"


def _image(name: str, package: str) -> Image:
    source = Path("src", package)
    return Image(
        name=f"{name}:experiment-v1",
        context=ROOT,
        dockerfile=source / "Dockerfile",
        sources=(source, Path("src", "wire"), Path("requirements-runtime.lock"), Path(".dockerignore")),
    )


ENGINE_IMAGE = _image("matching-engine", "engine")
GATEWAY_IMAGE = _image("edge-gateway", "gateway")

PROMETHEUS = Chart(
    release="prometheus",
    namespace=MONITORING,
    chart="prometheus",
    repository="https://prometheus-community.github.io/helm-charts",
    version="29.27.0",
    values=(MANIFESTS / "prometheus-values.yaml",),
    documents={("serverFiles", "recording_rules.yml"): RULES},
    watches=r"serverFiles.prometheus\.yml.scrape_configs[0].kubernetes_sd_configs[0].namespaces.names[0]",
)
GRAFANA = Chart(
    release="grafana",
    namespace=MONITORING,
    chart="grafana",
    repository="https://grafana-community.github.io/helm-charts",
    version="12.11.1",
    values=(MANIFESTS / "grafana-values.yaml",),
    needed=False,
)


def kubernetes(shards: tuple[str, ...]) -> Kubernetes | None:
    """Return how the exchange with these shards runs on Kubernetes, if there is an overlay for them."""
    overlay = {("a",): "single", ("a", "b", "c"): "multi"}.get(shards)
    if overlay is None:
        return None
    return Kubernetes(
        overlay=MANIFESTS / "overlays" / overlay,
        namespace=NAMESPACE,
        images=(ENGINE_IMAGE, GATEWAY_IMAGE),
        charts=(PROMETHEUS, GRAFANA),
        prometheus=f"{MONITORING}/prometheus-server:80",
        load_image="grafana/k6:1.8.1",
        cluster="matching-engine-exp",
    )


if __name__ == "__main__":
    for one in (ENGINE_IMAGE, GATEWAY_IMAGE):
        progress.say(f"{one.name} is made of {images.build(one)[:16]}…")
