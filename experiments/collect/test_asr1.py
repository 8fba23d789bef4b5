"""A load that was run by hand on shard a, by what its Prometheus has: ASR 1, as far as that carries it.

ASR 1: matching takes < 200 ms at p99 under 1,000 matches/min on one shard.
"""

import pytest

from experiments.collect.collected import UNCARRIED_1, Collected
from experiments.judging import shards
from verdict_harness.verdicts import Judge, Verdict

pytestmark = pytest.mark.collect


@pytest.mark.criterion("asr1.match-p99", experiment="collect")
def test_matching_is_fast(asr1: Collected, judge: Judge) -> None:
    """p99 of matching is below 200 ms all through the window; never matched is infinitely slow."""
    shards.matching(judge, asr1.views, asr1.views, shards.BUDGET)


@pytest.mark.criterion("asr1.errors", experiment="collect")
def test_few_orders_are_refused(asr1: Collected, judge: Judge) -> None:
    """Fewer than 1 % of the orders were not accepted: of those that reached no shard nothing is known."""
    shards.refused(judge, asr1.trial, asr1.asked.shards)


@pytest.mark.criterion("asr1.gc-pause", experiment="collect")
def test_garbage_collection_does_not_stop_the_shard(asr1: Collected, judge: Judge) -> None:
    """The longest pause for garbage collection is below 5 ms; 10 ms and more is a failure."""
    shards.pauses(judge, asr1.trial, "a")


@pytest.mark.parametrize("part", shards.BUDGETS)
@pytest.mark.criterion("asr1.budget-{part}", experiment="collect", fail_counts_as=Verdict.CONDITIONAL)
def test_each_stage_keeps_its_budget(asr1: Collected, judge: Judge, part: str) -> None:
    """p99 of one stage of an order over the window is within twice its budget."""
    shards.budget(judge, asr1.trial, "a", part)


@pytest.mark.criterion("asr1.throughput", experiment="collect")
def test_orders_match_as_the_mix_implies(asr1: Collected, judge: Judge) -> None:
    """60 % of the orders are aggressive and make about two matches each: 1.19 for every order offered."""
    shards.fed(judge, asr1.trial, "a")


@pytest.mark.parametrize("what", UNCARRIED_1)
@pytest.mark.criterion("asr1.{what}", experiment="collect")
def test_what_prometheus_alone_does_not_show(asr1: Collected, judge: Judge, what: str) -> None:  # noqa: ARG001
    """What else ASR 1 asks for takes more than a Prometheus."""
    UNCARRIED_1[what](judge)
