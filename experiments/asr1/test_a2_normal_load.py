"""A2, normal load: 17 orders/s, which make about 1,200 matches/min, on shard a for five minutes.

ASR 1: matching takes < 200 ms at p99 under 1,000 matches/min on one shard.
"""

import pytest

from experiments.judging import shards
from experiments.judging.performed import Performed
from experiments.judging.recovery import judge_recovery, recovery
from experiments.judging.standing import Standing, standing
from verdict_harness.loads import Stage
from verdict_harness.verdicts import Judge, Verdict

pytestmark = [pytest.mark.asr1, pytest.mark.a2]


@standing("A2", "ASR 1")
def test_standing(a2: Performed, by: Standing, judge: Judge) -> None:
    """What every load is judged by holds: matching and the client's wait below 200 ms at p99 among it."""
    by(a2, judge)


@pytest.mark.criterion("A2.gc-pause", experiment="A2", asr="ASR 1")
def test_garbage_collection_does_not_stop_the_shard(a2: Performed, judge: Judge) -> None:
    """The longest pause for garbage collection is below 5 ms; 10 ms and more is a failure."""
    shards.pauses(judge, a2.trial, "a")


@pytest.mark.parametrize("part", shards.BUDGETS)
@pytest.mark.criterion("A2.budget-{part}", experiment="A2", asr="ASR 1", fail_counts_as=Verdict.CONDITIONAL)
def test_each_stage_keeps_its_budget(a2: Performed, judge: Judge, part: str) -> None:
    """p99 of one stage of an order over the window is within twice its budget."""
    shards.budget(judge, a2.trial, "a", part)


@pytest.mark.criterion("A2.throughput", experiment="A2", asr="ASR 1")
def test_orders_match_as_the_mix_implies(a2: Performed, judge: Judge) -> None:
    """60 % of the orders are aggressive and make about two matches each: 1.19 for every order offered."""
    shards.fed(judge, a2.trial, "a")


@pytest.mark.criterion("A2.recovery", experiment="A2", asr="ASR 1")
def test_the_shard_comes_back_from_a_kill(a2: Performed, stage: Stage, judge: Judge) -> None:
    """Killed with -9 after the load, the shard comes back with its book; nothing acknowledged is lost."""
    judge_recovery(judge, recovery(stage, a2, "a"))
