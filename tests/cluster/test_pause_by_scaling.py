"""A4 where no node can be reached: the broker is paused by scaling it to 0 and back, and misses no event."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import pytest

from experiments import outage
from experiments.exchange import BROKER, SINGLE
from experiments.judging import conservation
from experiments.outage import Outage
from verdict_harness.kubernetes import K3dBackend, KubeBackend
from verdict_harness.kubernetes.kubectl import Kubectl
from verdict_harness.kubernetes.scaled import NOTE
from verdict_harness.loads import Stage
from verdict_harness.record import Run, Watched
from verdict_harness.systems import Deployment, Fault, Options, chaos
from verdict_harness.verdicts import Judge, Verdict

SECONDS, START, LASTING = 75, 12, 20  # the broker's end and its new start each may take some more
IMAGES = (
    "python:3.11-slim-bookworm",
    "redpandadata/redpanda:v26.1.14",
    "prom/prometheus:v3.16.0",
    "grafana/k6:1.8.1",
)


@pytest.fixture(scope="module")
def kubectl(needed: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    """On a cluster that has every image of the exchange, and is not made by the backend that is tried."""
    needed(*IMAGES)
    assert SINGLE.kubernetes is not None
    name = f"verdict-test-{secrets.token_hex(3)}"
    exchange = replace(SINGLE, kubernetes=replace(SINGLE.kubernetes, cluster=name))
    with K3dBackend() as made, pytest.MonkeyPatch.context() as patch:
        with made.deploy(exchange, tmp_path_factory.mktemp("k3d")):
            pass
        with made.reached(exchange) as kubectl:
            patch.setenv("KUBECONFIG", str(kubectl.kubeconfig))
            yield Kubectl(kubectl.context, SINGLE.kubernetes.namespace)


def state(kubectl: Kubectl) -> dict[str, Any]:
    """The broker's pod and volume claim by their uids, and how many pods it is to have."""
    workload = kubectl.json("get", f"statefulset/{BROKER}")
    return {
        "pod": kubectl.json("get", f"pod/{BROKER}-0")["metadata"]["uid"],
        "claim": kubectl.json("get", f"persistentvolumeclaim/data-{BROKER}-0")["metadata"]["uid"],
        "replicas": workload["spec"]["replicas"],
        "note": workload["metadata"].get("annotations", {}).get(NOTE),
    }


def test_a_broker_that_is_scaled_to_0_and_back_costs_no_event(
    kubectl: Kubectl,
    shortened: Callable[..., AbstractContextManager[None]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    root = tmp_path_factory.mktemp("a4")
    run = Run(Watched.create(root / "runs", profile="quick", backend="kube", argv=["test"]))
    away = {"start_s": {"quick": START}, "length_s": {"quick": LASTING}}
    before: list[dict[str, Any]] = []

    def pause(deployment: Deployment, service: str) -> Fault:
        before.append(state(kubectl))
        return chaos.pause(deployment, service)

    with (
        shortened(root, "A4", SECONDS, outage=away),
        Stage(run, KubeBackend(Options(context=kubectl.context))) as stage,
    ):
        found = outage.outage(stage, "pause", pause)
        after = state(kubectl)
        assert found.trouble == (), "no event got through meanwhile, and it was gone as long as it was to be"
        assert list(found.views)[1] == f"during, paused by scaling {BROKER} to 0"
        assert conserved(found) is Verdict.PASS
        assert len(found.ledger.placed) == len(found.accepted) > SECONDS * 17 / 2
    assert after["pod"] != before[0]["pod"]
    assert (
        {**after, "pod": ""} == {**before[0], "pod": ""} == {**after, "pod": "", "replicas": 1, "note": None}
    )


def conserved(found: Outage) -> Verdict:
    """What comes of its books, each account held against the others."""
    judge = Judge()
    conservation.judge_conservation(found, judge)
    return max(one.verdict for one in judge.findings)
