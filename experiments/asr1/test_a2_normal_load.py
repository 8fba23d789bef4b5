"""A2, normal load: 17 orders/s, which make about 1,200 matches/min, on shard a for five minutes.

ASR 1: matching takes < 200 ms at p99 under 1,000 matches/min on one shard.
"""

import pytest

from experiments.workload import MATCHES_PER_ORDER
from verdict_harness.loads import Trial
from verdict_harness.samples import Quantity, ms, percent, ratio
from verdict_harness.verdicts import AtLeast, Below, Budget, Judge, Verdict

pytestmark = [pytest.mark.asr1, pytest.mark.a2]

STAGES = [
    pytest.param("validation", "me_order_validation_duration_seconds", 2 * ms, id="validation"),
    pytest.param("insertion", "me_orderbook_insertion_duration_seconds", 0.05 * ms, id="insertion"),
    pytest.param("matching", "me_matching_algorithm_duration_seconds", 5 * ms, id="matching"),
    pytest.param("wal", "me_wal_append_duration_seconds", 20 * ms, id="wal"),
    pytest.param("publish", "me_event_publish_duration_seconds", 0.5 * ms, id="publish"),
]


@pytest.mark.criterion("A2.match-p99", experiment="A2", asr="ASR 1")
def test_matching_takes_less_than_200_ms(a2: Trial, judge: Judge) -> None:
    """p99 of matching, request received to result, is below 200 ms all through the load."""
    judge(a2.over('me:match_duration_p99:30s{shard="a"}'), Below(200 * ms, conditional=50 * ms))


@pytest.mark.criterion("A2.client-p99", experiment="A2", asr="ASR 1")
def test_the_client_waits_less_than_200_ms(a2: Trial, judge: Judge) -> None:
    """p99 of an order's http_req_duration, as the client saw it, is below 200 ms.

    Asked twice: of Prometheus all through the load, and of k6's own samples, exactly.
    """
    series = 'sum(rate(k6_http_req_duration_seconds{testid="$testid",name="order"}[30s]))'
    judge(a2.over(f"histogram_quantile(0.99, {series})"), Below(200 * ms))
    judge(a2.client("p(99)"), Below(200 * ms))


@pytest.mark.criterion("A2.errors", experiment="A2", asr="ASR 1")
def test_orders_are_answered(a2: Trial, judge: Judge) -> None:
    """Fewer than 1 % of the orders fail."""
    judge(a2.client("failed"), Below(1 * percent))


@pytest.mark.criterion("A2.gc-pause", experiment="A2", asr="ASR 1")
def test_garbage_collection_does_not_stop_the_shard(a2: Trial, judge: Judge) -> None:
    """The longest pause for garbage collection is below 5 ms; 10 ms and more is a failure."""
    judge(a2.over('me_gc_pause_max_seconds{shard="a"}'), Below(10 * ms, conditional=5 * ms))


@pytest.mark.parametrize(("name", "metric", "budget"), STAGES)
@pytest.mark.criterion("A2.budget-{name}", experiment="A2", asr="ASR 1", fail_counts_as=Verdict.CONDITIONAL)
def test_each_stage_keeps_its_budget(
    a2: Trial, judge: Judge, name: str, metric: str, budget: Quantity
) -> None:
    """p99 of one stage of an order over the window is within twice its budget."""
    buckets = f'sum by (le) (rate({metric}_bucket{{shard="a"}}[$window]))'
    judge({name: a2.final(f"histogram_quantile(0.99, {buckets})")}, Budget(budget))


@pytest.mark.criterion("A2.throughput", experiment="A2", asr="ASR 1")
def test_orders_match_as_the_mix_implies(a2: Trial, judge: Judge) -> None:
    """60 % of the orders are aggressive and make about two matches each: 1.19 for every order offered."""
    matches = a2.ratio('me_matches_total{shard="a"}', 'me_orders_received_total{shard="a"}', series=(1, 2))
    judge(matches, AtLeast(0.9 * MATCHES_PER_ORDER * ratio))
