"""The exchange under load on a cluster, while its shard and then its broker are taken away and come back."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

import pytest

from experiments.broker import read
from experiments.exchange import BROKER, SINGLE, shard_service
from experiments.loads import Workload
from experiments.outage import SCRAPE, UNDER_WAY
from verdict_harness import loads as k6
from verdict_harness.kubernetes import K3dBackend
from verdict_harness.kubernetes.deployment import ClusterDeployment
from verdict_harness.loads import Stage, Trial
from verdict_harness.processes import Pending, until
from verdict_harness.record import Run, Watched
from verdict_harness.samples import Estimate
from verdict_harness.systems import Deployment, Fault, System, chaos

SHARD = shard_service("a")
SECONDS = 100.0  # the broker may take its time to come back
SHARD_AT, SHARD_FOR = 14.0, 8.0  # long enough for a scrape to miss it
BROKER_AT, BROKER_FOR = 42.0, 17.0  # long enough for two scrapes when nothing is under way any more
IMAGES = (
    "python:3.11-slim-bookworm",
    "redpandadata/redpanda:v26.1.14",
    "prom/prometheus:v3.16.0",
    "grafana/k6:1.8.1",
)


@dataclass
class Seen:
    """The load, what was done meanwhile, and what was there before and after.

    Attributes:
        objects: uids of the shard's pod and of its volume claim, before each fault and at the end.
    """

    stage: Stage
    system: System
    trial: Trial
    faults: dict[str, Fault]
    objects: list[tuple[list[str], list[str]]] = field(default_factory=list)

    def within(self, service: str, begin: str, end: str, *, margin: float = 0.0) -> tuple[float, float]:
        """Two moments of a fault, in unix seconds."""
        record = self.faults[service].to_json()
        return record[begin] + margin, record[end]

    def part(self, moments: tuple[float, float]) -> Trial:
        return self.trial.part(*(moment - self.trial.began for moment in moments))

    def requests(self, moments: tuple[float, float]) -> list[k6.Request]:
        """The orders that began and ended between two moments."""
        folder = self.stage.run.evidence.folder(f"loads/{self.trial.name}")
        first, last = moments
        return [
            one for one in k6.requests(folder, {"name": "order"}) if first <= one.begun and one.ended <= last
        ]


def shards_objects(deployment: ClusterDeployment) -> tuple[list[str], list[str]]:
    pods = [
        pod
        for pod in deployment.kubectl.json("get", "pods")["items"]
        if pod["metadata"]["name"].startswith(SHARD)
    ]
    claims = [
        deployment.kubectl.json("get", "persistentvolumeclaim", volume["persistentVolumeClaim"]["claimName"])
        for pod in pods
        for volume in pod["spec"]["volumes"]
        if "persistentVolumeClaim" in volume
    ]
    return [one["metadata"]["uid"] for one in pods], [one["metadata"]["uid"] for one in claims]


@pytest.fixture(scope="module")
def exchange(needed: Callable[..., None]) -> System:
    needed(*IMAGES)
    assert SINGLE.kubernetes is not None
    name = f"verdict-test-{secrets.token_hex(3)}"
    return replace(SINGLE, kubernetes=replace(SINGLE.kubernetes, cluster=name))


@pytest.fixture(scope="module")
def seen(
    exchange: System,
    shortened: Callable[..., AbstractContextManager[None]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Seen]:
    root = tmp_path_factory.mktemp("faults")
    run = Run(Watched.create(root / "runs", profile="quick", backend="k3d", argv=["test"]))
    faults: dict[str, Fault] = {}
    objects: list[tuple[list[str], list[str]]] = []

    def actions(deployment: Deployment) -> Sequence[tuple[float, Callable[[], None]]]:
        assert isinstance(deployment, ClusterDeployment)
        faults.update({name: chaos.kill(deployment, name) for name in (SHARD, BROKER)})
        look = (SHARD_AT - 1, lambda: objects.append(shards_objects(deployment)))
        return (
            look,
            *faults[SHARD].schedule(after=SHARD_AT, lasting=SHARD_FOR),
            *faults[BROKER].schedule(after=BROKER_AT, lasting=BROKER_FOR),
        )

    with shortened(root, "A4", SECONDS), K3dBackend() as backend, Stage(run, backend) as stage:
        plan = Workload.of("A4", "quick", "both").plan(run.run_id)
        trial = stage.trial(replace(plan, system=exchange, actions=actions))
        deployment = stage.up(exchange)
        assert isinstance(deployment, ClusterDeployment)
        objects.append(shards_objects(deployment))
        yield Seen(stage, exchange, trial, faults, objects)


def test_both_came_back_in_time_for_the_load_to_go_on(seen: Seen) -> None:
    for service in (SHARD, BROKER):
        record = seen.faults[service].to_json()
        moments = [record[at] for at in ("injected", "bit", "healing", "healed", "answered")]
        assert moments == sorted(moments)
        assert moments[-1] < seen.trial.window.end
    assert not [one for one in seen.trial.trouble if "never did" in one.text or one.text.startswith("at ")]


def test_clients_missed_the_shard_and_not_the_broker(seen: Seen) -> None:
    gone = seen.requests(seen.within(SHARD, "bit", "healing"))
    assert len(gone) > SHARD_FOR  # many wait for an answer until it is back
    assert not any(one.succeeded for one in gone)
    without = seen.requests(seen.within(BROKER, "injected", "healing"))
    assert len(without) > BROKER_FOR * 17 / 2
    # Not all: a connection opened while the Service had no rules yet leads elsewhere as long as it lasts.
    assert sum(one.succeeded for one in without) > 0.95 * len(without)


def test_the_shard_is_another_pod_on_the_volume_it_had(seen: Seen) -> None:
    (pods, claims), (pods_after, claims_after) = seen.objects
    assert len(pods) == len(pods_after) == len(claims) == 1
    assert pods != pods_after
    assert claims == claims_after


def test_prometheus_saw_a_shard_that_had_to_recover(seen: Seen) -> None:
    prometheus = seen.trial._prometheus  # for while the shard was gone it has nothing, and a trial says so
    before = prometheus.instant("me_recovery_orders", seen.trial.began + SHARD_AT - 2)
    after = prometheus.instant("me_recovery_orders", seen.trial.whole.end)
    assert isinstance(before, Estimate)
    assert isinstance(after, Estimate)
    assert before.value == 0
    assert after.value >= 4 * 500, "the seeds alone"
    assert SHARD in getattr(seen.trial.promql("me_recovery_orders"), "reason", ""), "its scrapes failed"


def test_the_shard_missed_the_broker(seen: Seen) -> None:
    """Not one event was acknowledged while the broker was scaled to 0."""
    start, end = seen.within(BROKER, "injected", "healing", margin=UNDER_WAY)
    silent = seen.part((start, end - SCRAPE))
    sent = silent.server.growth("me_events_published_total", of="me_orders_received_total", shard="a")
    assert isinstance(sent, Estimate)
    assert sent.interval == (0, 0)


def test_no_accepted_order_is_lost(seen: Seen) -> None:
    """Of every order that a client had accepted, before, between and after, an event is on the broker."""
    accepted = {one.id for one in seen.requests((0, seen.trial.whole.end)) if one.status == 200}
    assert len(accepted) > SECONDS * 17 / 2
    address = seen.stage.up(seen.system).endpoint(BROKER, "kafka").address

    def all_there() -> bool:
        there = {event["orderId"] for event in read(address)["orders"]["events"]}
        if missing := accepted - there:
            raise Pending(f"{len(missing)} of {len(accepted)} are missing, such as {min(missing)}")
        return True

    until("an event of each order", all_there, timeout=60, interval=1)
