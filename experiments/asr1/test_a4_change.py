"""A4, change: what a shard's latency is while its broker is paused, against what it is when it is not.

ASR 1: at most 10 % more. Base and change one after the other would differ by as much on the same system:
so they come in turn, in blocks, in one load of its own at 340 orders/s; and on this machine there are two
shards, each with a broker of its own, so that what is compared is of the same moments.
"""

import pytest

from experiments import changes
from verdict_harness.loads import Stage
from verdict_harness.samples import percent
from verdict_harness.verdicts import Below, Judge

pytestmark = [pytest.mark.asr1, pytest.mark.a4]

LIMIT = 0.10


@pytest.mark.criterion("A4.change", experiment="A4", asr="ASR 1")
def test_a_shard_does_not_notice_its_broker(stage: Stage, judge: Judge) -> None:
    """p99 at the client, from when each order was due, is at most 10 % higher while the broker is paused."""
    judge(changes.without_broker(stage, 0.99, LIMIT), Below(100 * LIMIT * percent))
