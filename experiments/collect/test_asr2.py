"""A load that was run by hand on three shards, by what its Prometheus has: ASR 2, as far as that carries it.

ASR 2: 1,000 -> 5,000 matches/min by adding shards (1 -> 3), without losing latency.
"""

import pytest

from experiments.collect import collected
from experiments.collect.collected import UNCARRIED_2, Collected
from experiments.judging import shards
from verdict_harness.record import Run
from verdict_harness.verdicts import Judge

pytestmark = pytest.mark.collect


@pytest.mark.criterion("asr2.match-p99", experiment="collect")
def test_matching_is_fast(asr2: Collected, judge: Judge) -> None:
    """p99 of matching is below 200 ms on each shard, all through; never matched is infinitely slow."""
    shards.matching(judge, asr2.views, asr2.views)


@pytest.mark.criterion("asr2.errors", experiment="collect")
def test_few_orders_are_refused(asr2: Collected, judge: Judge) -> None:
    """Fewer than 1 % of the orders were not accepted: of those that reached no shard nothing is known."""
    shards.refused(judge, asr2.trial, asr2.asked.shards)


@pytest.mark.criterion("asr2.throughput", experiment="collect")
def test_three_shards_sustain_the_peak(asr2: Collected, judge: Judge, run: Run) -> None:
    """The shards make 4,750 matches/min for four minutes on end, and never less for more than 30 s."""
    collected.sustained(judge, asr2, quick=run.quick)


@pytest.mark.criterion("asr2.continuity", experiment="collect")
def test_no_spike_shows(asr2: Collected, judge: Judge) -> None:
    """p99 of matching is below 200 ms on each shard in any 15 s."""
    shards.continuous(judge, asr2.trial, asr2.asked.shards)


@pytest.mark.criterion("asr2.gateway", experiment="collect")
def test_the_gateway_adds_little(asr2: Collected, judge: Judge) -> None:
    """The gateway adds less than 5 ms at p99 to what a shard takes by itself."""
    collected.adds(judge, asr2)


@pytest.mark.criterion("asr2.memory", experiment="collect")
def test_memory_does_not_grow(asr2: Collected, judge: Judge) -> None:
    """The resident memory of no shard grows, but for the orders that stay in its book."""
    shards.memory(judge, asr2.trial, asr2.asked.shards)


@pytest.mark.parametrize("what", UNCARRIED_2)
@pytest.mark.criterion("asr2.{what}", experiment="collect")
def test_what_prometheus_alone_does_not_show(asr2: Collected, judge: Judge, what: str) -> None:  # noqa: ARG001
    """What else ASR 2 asks for takes more than a Prometheus."""
    UNCARRIED_2[what](judge)
