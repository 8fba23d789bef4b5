"""Smoke: the whole system comes up, and every joint of it holds once."""

from __future__ import annotations

from typing import Any

import pytest

from experiments.broker import PARTITIONS
from experiments.exchange import MULTI, SYMBOLS, recording_rules
from experiments.judging.oracle import PLACED
from experiments.judging.perform import perform
from experiments.judging.performed import Performed
from experiments.judging.standing import Standing, standing
from experiments.smoke import joints as by_hand
from verdict_harness.loads import Stage
from verdict_harness.samples import Metrics, Prometheus, Server, Window, count, number
from verdict_harness.verdicts import AtLeast, Judge, Within

pytestmark = [pytest.mark.smoke]

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


@pytest.fixture(scope="session")
def joints(stage: Stage) -> Any:
    """What was answered at every joint, asked once."""
    return stage.observe("smoke through every joint", MULTI, by_hand.through_every_joint)


@pytest.fixture(scope="session")
def watched(stage: Stage, joints: Any) -> Server:
    """The system as its metrics tell of what was asked by hand."""
    began, ended = joints["whole"]
    metrics = Metrics(Prometheus(joints["prometheus"], stage.run.evidence), Window(began, ended))
    return Server(metrics, Window(began, joints["done"]), "orders")


@pytest.fixture(scope="session")
def load(stage: Stage, joints: Any) -> Performed:  # noqa: ARG001 - by hand first, while the books are known
    """A few seconds of orders for every symbol, through the gateway."""
    return perform(stage, "smoke")


def holds(judge: Judge, what: str, right: int, of: int) -> None:
    """Judge that all of so many things are right."""
    judge(number(what, right, at=0.0, n=of), Within(of * count, 0 * count))


@pytest.mark.criterion("smoke.health", experiment="smoke")
def test_every_service_is_healthy(joints: Any, judge: Judge) -> None:
    """Shards and gateway answer GET /health with UP and who they are."""
    expected = {
        **{s: {"status": 200, "body": {"status": "UP", "shardId": s}} for s in SYMBOLS},
        "gateway": {"status": 200, "body": {"status": "UP", "component": "edge-gateway"}},
    }
    right = sum(joints["health"][name] == answer for name, answer in expected.items())
    holds(judge, "GET /health of each shard and the gateway", right, len(expected))


@pytest.mark.criterion("smoke.routing", experiment="smoke")
def test_the_gateway_reaches_every_shard(joints: Any, judge: Judge) -> None:
    """An order for each shard is accepted through the gateway, by that shard."""
    bodies = {shard: joints["routed"][shard].get("body", {}) for shard in SYMBOLS}
    right = sum((b.get("status"), b.get("shardId")) == ("ACCEPTED", shard) for shard, b in bodies.items())
    holds(judge, "POST /orders at the gateway: ACCEPTED by the right shard", right, len(SYMBOLS))


@pytest.mark.criterion("smoke.matching", experiment="smoke")
def test_a_buy_matches_what_was_seeded(joints: Any, watched: Server, judge: Judge) -> None:
    """A BUY of 50 against seeds of 30 and 20 makes exactly two matches on each shard."""
    seeded = sum(answer == {"status": 200, "body": {"seeded": 2}} for answer in joints["seeded"].values())
    holds(judge, "POST /seed/{shard} of two orders", seeded, len(SYMBOLS))
    made = {s: watched.growth("me_matches_total", of="me_orders_received_total", shard=s) for s in SYMBOLS}
    judge(made, Within(2 * count, 0 * count))


@pytest.mark.criterion("smoke.refusals", experiment="smoke")
def test_bad_orders_are_refused_with_the_reason(joints: Any, judge: Judge) -> None:
    """Unknown symbol, bad side, type, price or quantity, and what is not JSON get a 400 that says why."""
    right = 0
    for (where, _, status, words), answer in zip(by_hand.REFUSALS, joints["refused"], strict=True):
        body = answer.get("body", {})
        reason = body.get("error") if where == "gateway" else body.get("reason")
        rejected = where == "gateway" or body.get("status") == "REJECTED"
        right += answer["status"] == status and rejected and bool(reason) and words.lower() in reason.lower()
    holds(judge, "POST /orders of what must be refused", right, len(by_hand.REFUSALS))


@standing("smoke", gateway=True)
def test_standing(load: Performed, by: Standing, judge: Judge) -> None:
    """What every load is judged by holds of a short one over all 12 symbols."""
    by(load, judge)


@pytest.mark.criterion("smoke.targets", experiment="smoke")
def test_prometheus_scrapes_every_service(load: Performed, judge: Judge) -> None:
    """Every shard and the gateway are up for Prometheus, all through the load."""
    scraped = [service.name for service in MULTI.services if service.scrape]
    judge({name: load.trial.server.up(name) for name in scraped}, Within(1 * count, 0 * count))


@pytest.mark.criterion("smoke.metrics", experiment="smoke")
def test_every_metric_has_data(load: Performed, judge: Judge) -> None:
    """Each metric that docs/reference.md names has one series for each shard."""
    found = {metric: load.trial.promql(f"count({metric})") for metric in METRICS}
    judge(found, Within(len(SYMBOLS) * count, 0 * count))


@pytest.mark.criterion("smoke.buckets", experiment="smoke")
def test_every_bucket_is_there(load: Performed, judge: Judge) -> None:
    """Each histogram has the buckets that limits are at, and those that people were told of."""
    for metric, bounds in BUCKETS.items():
        wanted = [float(bound) for bound in bounds.split()]
        either = "|".join(f"{bound:g}" + ("|1.0" if bound == 1 else "") for bound in wanted).replace(
            ".", "[.]"
        )
        found = load.trial.promql(f'count(count by (le) ({metric}_bucket{{le=~"{either}"}}))')
        judge({metric: found}, Within(len(wanted) * count, 0 * count))


@pytest.mark.criterion("smoke.rules", experiment="smoke")
def test_every_recording_rule_has_data(load: Performed, judge: Judge) -> None:
    """Each recording rule yields numbers while orders come in."""
    judge({name: load.trial.promql(f"count({name})") for name in recording_rules()}, AtLeast(1 * count))


@pytest.mark.criterion("smoke.events", experiment="smoke")
def test_events_of_every_symbol_are_in_their_place(load: Performed, joints: Any, judge: Judge) -> None:
    """Both topics have 12 partitions, every key is its symbol, what was sent by hand is there."""
    ledger = load.ledger
    holds(judge, "partitions of both topics", sum(ledger.partitions.values()), 2 * PARTITIONS)
    events = [event for topic in ledger.events.values() for event in topic]
    right = sum(event["key"] == event["symbol"] for event in events)
    holds(judge, "events whose key is their symbol", right, max(1, len(events)))
    by_hand_ = {event["orderId"] for event in ledger.events["orders"] if event["type"] == PLACED}
    right = sum(f"smoke-b-{shard}" in by_hand_ for shard in joints["routed"])
    holds(judge, "orders sent by hand that have an event", right, len(joints["routed"]))
