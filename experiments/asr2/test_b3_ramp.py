"""B3, ramp: from 17 to 84 orders/s over the 12 symbols of three shards, in ten minutes.

ASR 2: throughput follows the load that is offered, and latency stays below 200 ms, at the joints too.
"""

import pytest

from experiments.exchange import SYMBOLS
from experiments.judging import shards
from experiments.judging.performed import Performed
from experiments.judging.standing import Standing, standing
from verdict_harness.verdicts import Judge

pytestmark = [pytest.mark.asr2, pytest.mark.b3]


@standing("B3", "ASR 2", gateway=True)
def test_standing(b3: Performed, by: Standing, judge: Judge) -> None:
    """What every load is judged by holds in each stage of the ramp: p99 below 200 ms among it."""
    by(b3, judge)


@pytest.mark.criterion("B3.continuity", experiment="B3", asr="ASR 2")
def test_no_joint_shows(b3: Performed, judge: Judge) -> None:
    """p99 of matching is below 200 ms on each shard all through the ramp, in any 15 s: a spike would show."""
    shards.continuous(judge, b3.trial, tuple(SYMBOLS))
