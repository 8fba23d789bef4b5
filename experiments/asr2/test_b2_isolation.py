"""B2, isolation: a shard does not notice that the load on another one rises."""

import pytest

from experiments.exchange import SYMBOLS
from experiments.latency import judge_change
from experiments.loads import Workload
from verdict_harness.loads import Trial
from verdict_harness.record import Run
from verdict_harness.samples import percent
from verdict_harness.verdicts import Judge, Verdict

pytestmark = [pytest.mark.asr2, pytest.mark.b2]


@pytest.mark.criterion("B2.isolation", experiment="B2", asr="ASR 2", fail_counts_as=Verdict.CONDITIONAL)
def test_a_shard_does_not_notice_another(isolation: Trial, judge: Judge, run: Run) -> None:
    """p99 of shard a at a steady 28 orders/s is within 5 % when shard b goes from 0 to 56 orders/s.

    A load of its own: in B2 no load rises, and in B3 shard a's does too. Shards that have to share cores are
    slower for that, which says nothing of how they are built: there, more than 5 % is INCONCLUSIVE.
    """
    alone, together = Workload.of("isolation", run.profile).stages(isolation)
    crowded = run.cores < 2 * len(SYMBOLS)
    otherwise = Verdict.INCONCLUSIVE if crowded else Verdict.FAIL
    judge_change(judge, alone, together, "a", at_most=5 * percent, otherwise=otherwise)
