"""B3, scaling: three shards make three times what one makes."""

import pytest

from experiments.exchange import SYMBOLS
from experiments.judging.performed import Performed
from experiments.latency import throughput
from verdict_harness.verdicts import Judge, Scaling

pytestmark = [pytest.mark.asr2, pytest.mark.b3]


@pytest.mark.criterion("B3.scaling", experiment="B3", asr="ASR 2")
def test_throughput_scales(b1: Performed, b3: Performed, judge: Judge) -> None:
    """Three shards make 2.7 times the matches of one, or more.

    Too little is a failure. Enough is no proof: at offered rates of 84/s and 17/s it shows that three shards
    keep up with five times what one was asked for, and not what one could have done (docs/decisions/0007).
    """
    peak = b3.workload.stages(b3.trial)[-1]
    judge(throughput(peak, *SYMBOLS), Scaling(throughput(b1.trial, "a"), parts=3))
    judge.demote("both figures are what was offered, and not the most that one shard or three sustain")
