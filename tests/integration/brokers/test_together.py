"""Gateway, engines, broker, k6 and Prometheus at once: what each has counted is what all the others have."""

import re
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
import yaml

from experiments.exchange import BROKER, MULTI, RULES, SYMBOLS, shard_service
from experiments.loads import Workload
from verdict_harness import loads as k6
from verdict_harness.loads import Stage, Trial
from verdict_harness.processes import ask, until
from verdict_harness.record import Run, Watched
from verdict_harness.systems import (
    Command,
    Deployment,
    Endpoint,
    LocalBackend,
    Place,
    Process,
    Service,
    System,
    wait_until_scraped,
)

SECONDS = 22
ORDER = {"orders": "orderId", "matches": "takerOrderId"}  # whose event it is
NOTHING_LEFT = re.compile(r"^me_event_backlog_orders\S* 0(\.0)?$", re.MULTILINE)
TOTALS = ("me:matches_per_minute:total", "me:orders_per_second")  # of all shards together
RECORDED = {
    rule["record"]: rule["expr"]
    for group in yaml.safe_load(RULES.read_text())["groups"]
    for rule in group["rules"]
}


class Beside:
    """A place from which the broker is seen where the test has it."""

    def __init__(self, place: Place, broker: Endpoint) -> None:
        self.directory, self.port = place.directory, place.port
        self._place, self._broker = place, broker

    def endpoint(self, service: str, port: str) -> Endpoint:
        return self._broker if service == BROKER else self._place.endpoint(service, port)


def exchange(broker: Any) -> System:
    """Three shards and their gateway, with ``broker`` instead of one of their own."""
    at = Endpoint(broker.host, broker.port)

    def beside(service: Service) -> Service:
        process = service.process
        assert process is not None

        def command(place: Place) -> Command:
            return process.command(Beside(place, at))

        return replace(service, process=Process(command))

    services = tuple(beside(service) for service in MULTI.services if service.name != BROKER)
    return replace(MULTI, services=services)


@dataclass
class Seen:
    """One load, seen from every side.

    Attributes:
        requests: k6's raw samples of its orders.
        records: what a consumer got of both topics that came of them.
    """

    trial: Trial
    prometheus: str
    requests: list[k6.Request]
    records: list[Any]

    @property
    def accepted(self) -> list[str]:
        return [request.id for request in self.requests if request.status == 200]

    def ask(self, query: str, at: float = 0.0) -> list[Any]:
        asked = {"query": query, "time": at or time.time()}
        answer = httpx.get(f"{self.prometheus}/api/v1/query", params=asked, trust_env=False)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["data"]["result"])

    def one(self, query: str, at: float = 0.0) -> float:
        (series,) = self.ask(query, at)
        return float(series["value"][1])

    @property
    def end(self) -> float:
        """When all of the load was scraped: what it pushed, and what rules made of it, is looked for there.

        Looked for at the moment of the test, it is gone where the tests before took their time.
        """
        return self.trial.whole.end


def wait_until_all_is_sent(deployment: Deployment, shard: str) -> None:
    metrics = deployment.endpoint(shard_service(shard), "metrics").url + "/metrics"
    until(
        f"shard {shard} to send what it still has",
        lambda: ask(metrics, lambda answer: bool(NOTHING_LEFT.search(answer.text))),
        timeout=60,
        alive=deployment.check,
    )


@pytest.fixture(scope="module", params=["kafka_process", "redpanda_container"])
def seen(
    request: pytest.FixtureRequest,
    read_all: Callable[..., list[Any]],
    shortened: Callable[..., AbstractContextManager[None]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Seen]:
    broker = request.getfixturevalue(request.param)
    root = tmp_path_factory.mktemp("together")
    run = Run(Watched.create(root / "runs", profile="quick", backend="local", argv=["test"]))
    with shortened(root, "smoke", SECONDS), Stage(run, LocalBackend()) as stage:
        workload, system = Workload.of("smoke", "quick"), exchange(broker)
        trial = stage.trial(replace(workload.plan(run.run_id), system=system))
        deployment = stage.up(system)
        for shard in SYMBOLS:
            wait_until_all_is_sent(deployment, shard)
        wait_until_scraped(deployment.prometheus, "me_matches_total", "gw_requests_total")
        mine = workload.order_ids(run.run_id)
        yield Seen(
            trial,
            deployment.prometheus,
            list(k6.requests(run.evidence.folder(f"loads/{workload.id}"), {"name": "order"})),
            [
                record
                for record in read_all(broker)
                if record.event.get("type") != "ORDER_SEEDED"
                and record.event.get(ORDER[record.topic], "").startswith(mine)
            ],
        )


def test_each_order_that_k6_had_accepted_is_one_event(seen: Seen) -> None:
    assert len(seen.accepted) == seen.trial.load.requests > 6 * SECONDS  # half of what is offered
    placed = [record.event["orderId"] for record in seen.records if record.topic == "orders"]
    assert sorted(placed) == sorted(seen.accepted)


def test_prometheus_counted_as_many_as_came_to_the_broker(seen: Seen) -> None:
    for shard in SYMBOLS:
        events = [record.topic for record in seen.records if record.event["shard"] == shard]
        of = f'{{shard="{shard}"}}'
        assert seen.one(f"sum(me_orders_received_total{of})") == events.count("orders") > 0
        assert seen.one(f"me_matches_total{of}") == events.count("matches") > 0
        for topic, kind in (("orders", "ORDER_PLACED"), ("matches", "MATCH_EXECUTED")):
            acknowledged = seen.one(f'me_events_acknowledged_total{{shard="{shard}",type="{kind}"}}')
            assert acknowledged == events.count(topic)


def test_the_gateway_passed_on_what_k6_sent(seen: Seen) -> None:
    of = f'{{testid="{seen.trial.load.testid}",name!="health"}}'
    sent = seen.one(f"sum(last_over_time(k6_http_reqs_total{of}[2m]))", seen.end)
    assert seen.one('sum(gw_requests_total{status="2xx"})') == sent > len(seen.accepted)
    assert seen.one('sum(gw_requests_total{status!="2xx"})') == 0


def test_k6_wrote_to_prometheus_what_its_own_samples_say(seen: Seen) -> None:
    of = f'testid="{seen.trial.load.testid}"'
    made = seen.one(f'sum(last_over_time(k6_http_reqs_total{{{of},name="order"}}[2m]))', seen.end)
    assert made == len(seen.requests)
    accepted = seen.one(f"sum(last_over_time(k6_orders_accepted_total{{{of}}}[2m]))", seen.end)
    assert accepted == len(seen.accepted)
    # a native histogram: it has counted every request, and gives any quantile to within a bucket of 10 %
    written = f'sum(last_over_time(k6_http_req_duration_seconds{{{of},name="order"}}[2m]))'
    assert seen.one(f"histogram_count({written})", seen.end) == len(seen.requests)
    exact = statistics.median(request.duration / 1000 for request in seen.requests)
    assert seen.one(f"histogram_quantile(0.5, {written})", seen.end) == pytest.approx(exact, rel=0.15)


@pytest.mark.parametrize("rule", RECORDED)
def test_a_recording_rule_recorded_what_its_expression_says(seen: Seen, rule: str) -> None:
    compared = same = 0
    for series in seen.ask(f"{rule}[30s]", seen.end):
        labels = {name: value for name, value in series["metric"].items() if name != "__name__"}
        for moment, recorded in series["values"]:
            now = [one["value"][1] for one in seen.ask(RECORDED[rule], moment) if one["metric"] == labels]
            compared += 1
            same += now == [recorded]
    assert compared >= 3 * (1 if rule in TOTALS else len(SYMBOLS))
    # what was scraped in the very moment of a rule's evaluation may have come too late for it
    assert same > compared / 2, f"{same} of {compared}"
