"""B1, baseline: 17 orders/s on shard a for three minutes: what one shard alone does.

The other experiments of ASR 2 are compared with it.
"""

import pytest

from experiments.judging.performed import Performed
from experiments.judging.standing import Standing, standing
from verdict_harness.samples import per_minute
from verdict_harness.verdicts import AtLeast, Judge

pytestmark = [pytest.mark.asr2, pytest.mark.b1]


@standing("B1", "ASR 2")
def test_standing(b1: Performed, by: Standing, judge: Judge) -> None:
    """What every load is judged by holds: p99 below 200 ms among it."""
    by(b1, judge)


@pytest.mark.criterion("B1.throughput", experiment="B1", asr="ASR 2")
def test_one_shard_makes_its_thousand(b1: Performed, judge: Judge) -> None:
    """One shard makes 1,000 matches/min or more, the base from which ASR 2 scales."""
    judge(b1.trial.server.rate("me_matches_total", per=60, shard="a"), AtLeast(1000 * per_minute))
