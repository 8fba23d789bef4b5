"""B2, sustained peak: 84 orders/s over the 12 symbols of three shards for five minutes, or thirty (burst).

ASR 2: 1,000 -> 5,000 matches/min by adding shards (1 -> 3), without losing latency.
"""

import pytest

from experiments.judging.performed import SCRAPE, Performed
from experiments.judging.recovery import judge_recovery, recovery
from experiments.judging.standing import Standing, standing
from verdict_harness.loads import Stage
from verdict_harness.record import Run
from verdict_harness.samples import per_minute
from verdict_harness.verdicts import AtLeast, Judge, NotGrowing

pytestmark = [pytest.mark.asr2, pytest.mark.b2]

SHARDS = ("a", "b", "c")
TOTAL = "me:matches_per_minute:total"


@standing("B2", "ASR 2", gateway=True)
def test_standing(b2: Performed, by: Standing, judge: Judge) -> None:
    """What every load is judged by holds on each shard: p99 below 200 ms among it."""
    by(b2, judge)


@pytest.mark.criterion("B2.throughput", experiment="B2", asr="ASR 2")
def test_three_shards_sustain_the_peak(b2: Performed, judge: Judge, run: Run) -> None:
    """The shards make 4,750 matches/min for four minutes on end, and never less for more than 30 s.

    A quick run is too short for four minutes: there it has to hold to the end, less a scrape at either end.
    """
    made = b2.trial.server.rates("me_matches_total", per=60, shard=SHARDS)
    hold = int(b2.trial.window.seconds - 2 * SCRAPE) if run.quick else 240
    judge(made, AtLeast(4750 * per_minute, hold=hold, tolerate=30), load=b2.trial.rule(TOTAL))


@pytest.mark.criterion("B2.memory", experiment="B2", asr="ASR 2")
def test_memory_does_not_grow(b2: Performed, judge: Judge) -> None:
    """The resident memory of no shard grows all through the load, but for the orders that stay in its book.

    40 % of the orders rest for good, so some growth is the load's own: 1 KiB is allowed for each, a little
    more than an order, its price level and its place in the index take.
    """
    resting = "sum by (shard) (me_orderbook_depth)"
    memory = f"sum by (shard) (me_process_resident_memory_bytes) - 1024 * {resting}"
    judge(b2.trial.each(memory, "shard", SHARDS), NotGrowing())


@pytest.mark.criterion("B2.recovery", experiment="B2", asr="ASR 2")
def test_a_shard_comes_back_from_a_kill(b2: Performed, stage: Stage, judge: Judge) -> None:
    """Killed with -9 after the load, a shard comes back with its book; nothing acknowledged is lost."""
    judge_recovery(judge, recovery(stage, b2, "b"))
