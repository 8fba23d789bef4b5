"""Smoke: the whole system comes up, or one shard of it alone, and every joint of it holds once."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

import pytest

from experiments.broker import PARTITIONS
from experiments.exchange import recording_rules
from experiments.judging.oracle import PLACED
from experiments.judging.perform import plan, told
from experiments.judging.performed import Performed
from experiments.judging.standing import GATEWAY, Standing, standing
from experiments.loads import Workload
from experiments.smoke import grafana
from experiments.smoke import joints as by_hand
from verdict_harness.loads import Stage
from verdict_harness.samples import Metrics, Prometheus, Server, Window, count, number
from verdict_harness.verdicts import AtLeast, Judge, Within

# How the ids of the criteria of each end.
THREE_SHARDS = pytest.param("", id="multi", marks=pytest.mark.smoke)
ONE_SHARD = pytest.param("-single", id="single", marks=pytest.mark.smoke_single)
# With one shard nothing need be in front of it, and what is is not judged.
behind_the_gateway = pytest.mark.parametrize("workload", [THREE_SHARDS], indirect=True)

METRICS = (
    *(f"me_{stage}_duration_seconds_count" for stage in ("match", "order_validation", "orderbook_insertion")),
    *(
        f"me_{stage}_count"
        for stage in ("matching_algorithm_duration_seconds", "wal_append_duration_seconds")
    ),
    "me_event_publish_duration_seconds_count",
    "me_matches_total",
    'me_orders_received_total{side="buy"}',
    'me_orders_received_total{side="sell"}',
    "me_event_publish_errors_total",
    'me_orderbook_depth{side="bid"}',
    'me_orderbook_depth{side="ask"}',
    'me_orderbook_price_levels{side="bid"}',
    'me_orderbook_price_levels{side="ask"}',
    "me_ringbuffer_utilization_ratio",
    "me_gc_pause_max_seconds",
    "me_process_resident_memory_bytes",
)
BUCKETS = {
    "me_match_duration_seconds": ".001 .005 .01 .025 .05 .1 .2 .5 1",
    "me_order_validation_duration_seconds": ".0001 .0005 .001 .005 .01",
    "me_orderbook_insertion_duration_seconds": ".0001 .0005 .001 .005 .01",
    "me_event_publish_duration_seconds": ".0001 .0005 .001 .005 .01",
    "me_matching_algorithm_duration_seconds": ".0001 .0005 .001 .005 .01 .05",
    "me_wal_append_duration_seconds": ".001 .005 .01 .025 .05 .1",
}


@pytest.fixture(scope="session", params=[THREE_SHARDS, ONE_SHARD])
def workload(stage: Stage, request: pytest.FixtureRequest) -> Workload:
    """A few seconds of orders: for every symbol through the gateway, or straight to shard a."""
    return Workload.of("smoke", stage.run.profile, request.param.removeprefix("-"))


@pytest.fixture(scope="session")
def joints(stage: Stage, workload: Workload) -> Any:
    """What was answered at every joint, asked once."""
    ask = partial(by_hand.through_every_joint, workload=workload)
    return stage.observe(f"{workload.id} through every joint", workload.system, ask)


@pytest.fixture(scope="session")
def dashboards(stage: Stage, workload: Workload) -> Any:
    """What Grafana has, asked once."""
    ask = partial(grafana.look, environment=os.environ)
    return stage.observe(f"{workload.id} grafana", workload.system, ask)


@pytest.fixture(scope="session")
def watched(stage: Stage, joints: Any) -> Server:
    """The system as its metrics tell of what was asked by hand."""
    began, ended = joints["whole"]
    metrics = Metrics(Prometheus(joints["prometheus"], stage.run.evidence), Window(began, ended))
    return Server(metrics, Window(began, joints["done"]), "orders")


@pytest.fixture(scope="session")
def load(stage: Stage, workload: Workload, joints: Any) -> Performed:  # noqa: ARG001 - by hand first, while the books are known
    """These orders, sent."""
    return told(stage, workload, stage.trial(plan(stage, workload)))


def holds(judge: Judge, what: str, right: int, of: int) -> None:
    """Judge that all of so many things are right."""
    judge(number(what, right, at=0.0, n=of), Within(of * count, 0 * count))


@pytest.mark.criterion("smoke.health{workload}", experiment="smoke")
def test_every_service_is_healthy(workload: Workload, joints: Any, judge: Judge) -> None:
    """Whoever takes part, shards and gateway, answers GET /health with UP and who it is."""
    who = {
        **{shard: {"shardId": shard} for shard in workload.seeds},
        "gateway": {"component": "edge-gateway"},
    }
    there = by_hand.services(workload)
    right = sum(
        joints["health"][name] == {"status": 200, "body": {"status": "UP", **who[name]}} for name in there
    )
    holds(judge, f"GET /health of {', '.join(there.values())}", right, len(there))


@behind_the_gateway
@pytest.mark.criterion("smoke.routing", experiment="smoke")
def test_the_gateway_reaches_every_shard(workload: Workload, joints: Any, judge: Judge) -> None:
    """An order for each shard is accepted through the gateway, by that shard."""
    bodies = {shard: joints["routed"][shard].get("body", {}) for shard in workload.seeds}
    right = sum((b.get("status"), b.get("shardId")) == ("ACCEPTED", shard) for shard, b in bodies.items())
    holds(judge, "POST /orders at the gateway: ACCEPTED by the right shard", right, len(bodies))


@pytest.mark.criterion("smoke.matching{workload}", experiment="smoke")
def test_a_buy_matches_what_was_seeded(
    workload: Workload, joints: Any, watched: Server, judge: Judge
) -> None:
    """A BUY of 50 against seeds of 30 and 20 makes exactly two matches on each shard."""
    seeded = sum(answer == {"status": 200, "body": {"seeded": 2}} for answer in joints["seeded"].values())
    holds(judge, "POST /seed of two orders for each shard", seeded, len(workload.seeds))
    made = {
        shard: watched.growth("me_matches_total", of="me_orders_received_total", shard=shard)
        for shard in workload.seeds
    }
    judge(made, Within(2 * count, 0 * count))


@pytest.mark.criterion("smoke.refusals{workload}", experiment="smoke")
def test_bad_orders_are_refused_with_the_reason(workload: Workload, joints: Any, judge: Judge) -> None:
    """Unknown symbol, bad side, type, price or quantity, and what is not JSON get a 400 that says why."""
    right, asked = 0, by_hand.refusals(workload)
    for (where, _, status, words), answer in zip(asked, joints["refused"], strict=True):
        body = answer.get("body", {})
        reason = body.get("error") if where == "gateway" else body.get("reason")
        rejected = where == "gateway" or body.get("status") == "REJECTED"
        right += answer["status"] == status and rejected and bool(reason) and words.lower() in reason.lower()
    holds(judge, "POST /orders of what must be refused", right, len(asked))


@standing("smoke", variant="{workload}")
def test_standing(load: Performed, by: Standing, judge: Judge) -> None:
    """What every load is judged by holds of a short one over all symbols of the shards that take part."""
    by(load, judge)


@behind_the_gateway
@pytest.mark.criterion(f"smoke.{GATEWAY}", experiment="smoke")
def test_the_gateway_adds_little(load: Performed, judge: Judge) -> None:
    """The gateway adds less than 5 ms at p99 to what a shard takes by itself."""
    GATEWAY(load, judge)


@pytest.mark.criterion("smoke.targets{workload}", experiment="smoke")
def test_prometheus_scrapes_every_service(load: Performed, judge: Judge) -> None:
    """Whoever takes part, shards and gateway, is up for Prometheus, all through the load."""
    scraped = by_hand.services(load.workload).values()
    judge({name: load.trial.server.up(name) for name in scraped}, Within(1 * count, 0 * count))


@pytest.mark.criterion("smoke.metrics{workload}", experiment="smoke")
def test_every_metric_has_data(load: Performed, judge: Judge) -> None:
    """Each metric that docs/reference.md names has one series for each shard."""
    shards = "|".join(load.workload.seeds)
    found = {
        metric: load.trial.promql(f'count({name}{{shard=~"{shards}",{labels or "}"})')
        for metric in METRICS
        for name, _, labels in [metric.partition("{")]
    }
    judge(found, Within(len(load.workload.seeds) * count, 0 * count))


@pytest.mark.criterion("smoke.buckets{workload}", experiment="smoke")
def test_every_bucket_is_there(load: Performed, judge: Judge) -> None:
    """Each histogram has the buckets that limits are at, and those that people were told of."""
    for metric, bounds in BUCKETS.items():
        wanted = [float(bound) for bound in bounds.split()]
        either = "|".join(f"{bound:g}" + ("|1.0" if bound == 1 else "") for bound in wanted).replace(
            ".", "[.]"
        )
        found = load.trial.promql(f'count(count by (le) ({metric}_bucket{{le=~"{either}"}}))')
        judge({metric: found}, Within(len(wanted) * count, 0 * count))


@pytest.mark.criterion("smoke.rules{workload}", experiment="smoke")
def test_every_recording_rule_has_data(load: Performed, judge: Judge) -> None:
    """Each recording rule yields numbers while orders come in."""
    judge({name: load.trial.promql(f"count({name})") for name in recording_rules()}, AtLeast(1 * count))


@pytest.mark.criterion("smoke.events{workload}", experiment="smoke")
def test_events_of_every_symbol_are_in_their_place(load: Performed, joints: Any, judge: Judge) -> None:
    """Both topics have 12 partitions, every key is its symbol, what was sent by hand is there."""
    ledger = load.ledger
    if ledger.untold:
        judge.inconclusive(f"the events could not be read: {ledger.untold}")
        return
    holds(judge, "partitions of both topics", sum(ledger.partitions.values()), 2 * PARTITIONS)
    events = [event for topic in ledger.events.values() for event in topic]
    right = sum(event["key"] == event["symbol"] for event in events)
    holds(judge, "events whose key is their symbol", right, max(1, len(events)))
    by_hand_ = {event["orderId"] for event in ledger.events["orders"] if event["type"] == PLACED}
    right = sum(f"smoke-b-{shard}" in by_hand_ for shard in joints["routed"])
    holds(judge, "orders sent by hand that have an event", right, len(joints["routed"]))


@pytest.mark.criterion("smoke.grafana{workload}", experiment="smoke")
def test_grafana_shows_it(dashboards: Any, judge: Judge) -> None:
    """Where there is a Grafana it is up, reaches its Prometheus and has the dashboard."""
    grafana.judge_found(dashboards, judge)
