"""A4, broker degraded: 17 orders/s on shard a while the broker is paused, and once more while it is dead.

ASR 1 must hold without a broker, and no event may be lost for it. Another than who took the broker away has
to have seen that it was gone: a client that gets no answer, and the shard's own publish errors.
"""

import pytest

from experiments.latency import judge_change
from experiments.outage import Outage, aftermath
from verdict_harness.loads import Stage
from verdict_harness.samples import Estimate, count, ms, number, percent
from verdict_harness.verdicts import Below, Judge, Within

pytestmark = [pytest.mark.asr1, pytest.mark.a4]


@pytest.mark.criterion("A4.change-{a4}", experiment="A4", asr="ASR 1")
def test_matching_does_not_notice(a4: Outage, judge: Judge) -> None:
    """p99 of matching while the broker is gone is at most 10 % above that before, and below 200 ms."""
    judge_change(judge, a4.before, a4.during, "a", at_most=10 * percent, below=200 * ms)


@pytest.mark.criterion("A4.match-p99-{a4}", experiment="A4", asr="ASR 1")
def test_matching_stays_fast(a4: Outage, judge: Judge) -> None:
    """p99 of matching is below 200 ms all through the outage, at any 15 s of it."""
    buckets = 'sum by (le) (rate(me_match_duration_seconds_bucket{shard="a"}[15s]))'
    judge(a4.during.over(f"histogram_quantile(0.99, {buckets})"), Below(200 * ms))


@pytest.mark.criterion("A4.errors-{a4}", experiment="A4", asr="ASR 1")
def test_orders_are_answered(a4: Outage, judge: Judge) -> None:
    """Fewer than 1 % of the orders fail."""
    judge(a4.trial.client("failed"), Below(1 * percent))


@pytest.mark.criterion("A4.events-{a4}", experiment="A4", asr="ASR 1")
def test_every_event_arrives_afterwards(a4: Outage, stage: Stage, judge: Judge) -> None:
    """Once the broker is back, an independent consumer reads every event of every accepted order."""
    found = aftermath(stage, a4)
    accepted = found["accepted"]
    query = f"accepted orders without ORDER_PLACED {found['examples']}"
    lost = number(query, found["missing"], at=0.0, n=accepted, counted="orders")
    judge(lost, Within(0 * count, 0 * count))
    for topic, counter, series in (
        ("orders", 'me_orders_received_total{shard="a"}', 2),
        ("matches", 'me_matches_total{shard="a"}', 1),
    ):
        made = a4.trial.total(counter, series=series)
        there = number(
            f"events of the load on topic {topic}", found[topic], at=0.0, n=accepted, counted="orders"
        )
        if isinstance(made, Estimate):
            judge(there, Within(made.lo * count, 0 * count))
        else:
            judge(made, Within(0 * count, 0 * count))
