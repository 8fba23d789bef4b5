"""B1, baseline: 17 orders/s on shard a for three minutes: what one shard alone does.

The other experiments of ASR 2 are compared with it.
"""

import pytest

from verdict_harness.loads import Trial
from verdict_harness.samples import ms, per_minute, percent
from verdict_harness.verdicts import AtLeast, Below, Judge

pytestmark = [pytest.mark.asr2, pytest.mark.b1]


@pytest.mark.criterion("B1.match-p99", experiment="B1", asr="ASR 2")
def test_one_shard_is_fast(b1: Trial, judge: Judge) -> None:
    """p99 of matching on the single shard is below 200 ms all through the load."""
    judge(b1.over('me:match_duration_p99:30s{shard="a"}'), Below(200 * ms))


@pytest.mark.criterion("B1.throughput", experiment="B1", asr="ASR 2")
def test_one_shard_makes_its_thousand(b1: Trial, judge: Judge) -> None:
    """One shard makes 1,000 matches/min or more, the base from which ASR 2 scales."""
    judge(b1.rate('me_matches_total{shard="a"}', per=60), AtLeast(1000 * per_minute))


@pytest.mark.criterion("B1.errors", experiment="B1", asr="ASR 2")
def test_orders_are_answered(b1: Trial, judge: Judge) -> None:
    """Fewer than 1 % of the orders fail."""
    judge(b1.client("failed"), Below(1 * percent))
