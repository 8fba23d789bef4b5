"""B2, sustained peak: 84 orders/s over the 12 symbols of three shards for five minutes, or thirty (burst).

ASR 2: 1,000 -> 5,000 matches/min by adding shards (1 -> 3), without losing latency.
"""

import pytest

from experiments.judging import shards
from experiments.judging.performed import Performed
from experiments.judging.recovery import judge_recovery, recovery
from experiments.judging.standing import Standing, standing
from verdict_harness.loads import Stage
from verdict_harness.record import Run
from verdict_harness.verdicts import Judge

pytestmark = [pytest.mark.asr2, pytest.mark.b2]

SHARDS = ("a", "b", "c")


@standing("B2", "ASR 2", gateway=True)
def test_standing(b2: Performed, by: Standing, judge: Judge) -> None:
    """What every load is judged by holds on each shard: p99 below 200 ms among it."""
    by(b2, judge)


@pytest.mark.criterion("B2.throughput", experiment="B2", asr="ASR 2")
def test_three_shards_sustain_the_peak(b2: Performed, judge: Judge, run: Run) -> None:
    """The shards make 4,750 matches/min for four minutes on end, and never less for more than 30 s.

    A quick run is too short for four minutes: there it has to hold to the end, less a scrape at either end.
    """
    shards.sustained(judge, b2.trial, SHARDS, quick=run.quick)


@pytest.mark.criterion("B2.memory", experiment="B2", asr="ASR 2")
def test_memory_does_not_grow(b2: Performed, judge: Judge) -> None:
    """No shard holds ever more memory, but for the orders in its book, nor ever more descriptors."""
    shards.memory(judge, b2.trial, SHARDS, b2.ledger)


@pytest.mark.criterion("B2.recovery", experiment="B2", asr="ASR 2")
def test_a_shard_comes_back_from_a_kill(b2: Performed, stage: Stage, judge: Judge) -> None:
    """Killed with -9 after the load, a shard comes back with its book; nothing acknowledged is lost."""
    judge_recovery(judge, recovery(stage, b2, "b"))
