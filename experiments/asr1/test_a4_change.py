"""A4, once more: matching does not notice that the broker is gone, to within 10 %."""

import pytest

from experiments.latency import judge_change
from experiments.outage import Outage
from verdict_harness.samples import ms, percent
from verdict_harness.verdicts import Judge

pytestmark = [pytest.mark.asr1, pytest.mark.a4]


@pytest.mark.criterion("A4.change-{a4}", experiment="A4", asr="ASR 1")
def test_matching_does_not_notice(a4: Outage, judge: Judge) -> None:
    """p99 of matching while the broker is gone is at most 10 % above that before, and below 200 ms."""
    judge_change(judge, a4.before, a4.during, "a", at_most=10 * percent, below=200 * ms)
