"""A1, warm-up: 500 orders/min on shard a for two minutes. What it measures is discarded.

It is judged only for having been what it claims, because A2 rests on a system that is warm.
"""

import pytest

from verdict_harness.loads import Trial
from verdict_harness.samples import count
from verdict_harness.verdicts import Judge, Within

pytestmark = [pytest.mark.asr1, pytest.mark.a1]


@pytest.mark.criterion("A1.warm-up", experiment="A1", asr="ASR 1")
def test_the_shard_was_warmed_up(a1: Trial, judge: Judge) -> None:
    """Every order of the warm-up is offered and answered."""
    judge(a1.client("answered"), Within((a1.load.offered or 0) * count, 1 * count))
