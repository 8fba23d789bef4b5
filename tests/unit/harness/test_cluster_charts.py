"""Which images a chart runs."""

from types import SimpleNamespace
from typing import Any

import pytest

from verdict_harness.errors import CommandError
from verdict_harness.kubernetes.helm import Helm

RENDERED = """
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
spec:
  template:
    spec:
      initContainers: [{name: first, image: "first:1"}]
      containers:
        - name: main
          image: 'main:2'   # a comment
        - {name: sidecar, image: quay.example/sidecar@sha256:0a}
---
kind: CronJob
spec: {jobTemplate: {spec: {template: {spec: {containers: [{image: nightly:3}]}}}}}
---
kind: Pod
metadata: {annotations: {"helm.sh/hook": test}}
spec: {containers: [{image: tests:4}]}
---
kind: Pod
metadata: {annotations: {"helm.sh/hook": "test-success, test-failure"}}
spec: {containers: [{image: tests:5}]}
---
kind: Job
metadata: {annotations: {"helm.sh/hook": "pre-install,test"}}
spec: {template: {spec: {containers: [{image: before:6}]}}}
---
kind: ConfigMap
data:
  text: |
    image: in-a-text:7
---
"""


def helm(monkeypatch: pytest.MonkeyPatch, answer: Any) -> Helm:
    it = Helm(SimpleNamespace())  # type: ignore[arg-type]
    monkeypatch.setattr(it, "_with_values", answer)
    return it


def test_images_are_those_of_what_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    it = helm(monkeypatch, lambda *_: SimpleNamespace(stdout=RENDERED))
    assert it.images(None) == [  # type: ignore[arg-type]
        "first:1",
        "main:2",
        "quay.example/sidecar@sha256:0a",
        "nightly:3",
        "before:6",
    ]


def test_a_chart_that_can_not_be_had_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> Any:
        raise CommandError("helm template failed")

    assert helm(monkeypatch, refused).images(None) == []  # type: ignore[arg-type]
