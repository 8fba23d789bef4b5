"""A2, normal load: 17 orders/s, which make about 1,200 matches/min, on shard a for five minutes.

ASR 1: matching takes < 200 ms at p99 under 1,000 matches/min on one shard.
"""

import pytest

from experiments.judging.performed import Performed
from experiments.judging.recovery import judge_recovery, recovery
from experiments.judging.standing import Standing, standing
from experiments.loads import MATCHES_PER_ORDER
from verdict_harness.loads import Stage
from verdict_harness.samples import Estimate, Quantity, ms, ratio
from verdict_harness.verdicts import AtLeast, Below, Budget, Judge, Verdict

pytestmark = [pytest.mark.asr1, pytest.mark.a2]

FED = 0.8  # of the matches that the mix implies on average: with less, orders found nothing to match
GC_MEMORY = 15.0  # seconds for which the gauge remembers its maximum

STAGES = [
    pytest.param("validation", "me_order_validation_duration_seconds", 2 * ms, id="validation"),
    pytest.param("insertion", "me_orderbook_insertion_duration_seconds", 0.05 * ms, id="insertion"),
    pytest.param("matching", "me_matching_algorithm_duration_seconds", 5 * ms, id="matching"),
    pytest.param("wal", "me_wal_append_duration_seconds", 20 * ms, id="wal"),
    pytest.param("publish", "me_event_publish_duration_seconds", 0.5 * ms, id="publish"),
]


@standing("A2", "ASR 1")
def test_standing(a2: Performed, by: Standing, judge: Judge) -> None:
    """What every load is judged by holds: matching and the client's wait below 200 ms at p99 among it."""
    by(a2, judge)


@pytest.mark.criterion("A2.gc-pause", experiment="A2", asr="ASR 1")
def test_garbage_collection_does_not_stop_the_shard(a2: Performed, judge: Judge) -> None:
    """The longest pause for garbage collection is below 5 ms; 10 ms and more is a failure."""
    server = a2.trial.server
    most = server.gauge_max("me_gc_pause_max_seconds", shard="a")
    if isinstance(most, Estimate):
        # it remembers, too, what was before the window: at the least there is what can be of the window alone
        own = server.gauge_max("me_gc_pause_max_seconds", remembers=GC_MEMORY, shard="a")
        least = own.lo if isinstance(own, Estimate) else 0.0
        most = most.widened("resolution", f"it remembers {GC_MEMORY:g} s", lo=least)
    judge(most, Below(10 * ms, conditional=5 * ms))


@pytest.mark.parametrize(("name", "metric", "budget"), STAGES)
@pytest.mark.criterion("A2.budget-{name}", experiment="A2", asr="ASR 1", fail_counts_as=Verdict.CONDITIONAL)
def test_each_stage_keeps_its_budget(
    a2: Performed, judge: Judge, name: str, metric: str, budget: Quantity
) -> None:
    """p99 of one stage of an order over the window is within twice its budget."""
    judge({name: a2.trial.server.quantile(0.99, metric, shard="a")}, Budget(budget))


@pytest.mark.criterion("A2.throughput", experiment="A2", asr="ASR 1")
def test_orders_match_as_the_mix_implies(a2: Performed, judge: Judge) -> None:
    """60 % of the orders are aggressive and make about two matches each: 1.19 for every order offered."""
    matches = a2.trial.server.ratio("me_matches_total", "me_orders_received_total", shard="a")
    judge(matches, AtLeast(FED * MATCHES_PER_ORDER * ratio))


@pytest.mark.criterion("A2.recovery", experiment="A2", asr="ASR 1")
def test_the_shard_comes_back_from_a_kill(a2: Performed, stage: Stage, judge: Judge) -> None:
    """Killed with -9 after the load, the shard comes back with its book; nothing acknowledged is lost."""
    judge_recovery(judge, recovery(stage, a2, "a"))
