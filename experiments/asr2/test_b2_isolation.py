"""B2, isolation: what shard a's latency is while shard b has a load, against what it is while b has none.

ASR 2: within 5 %; more, or what can't be told from that, is CONDITIONAL and never a failure. In blocks, in
turn, in one load of its own.
"""

import pytest

from experiments import changes
from verdict_harness.loads import Stage, at_the_client
from verdict_harness.samples import percent
from verdict_harness.verdicts import Judge, Verdict, Within

pytestmark = [pytest.mark.asr2, pytest.mark.b2]

LIMIT = 0.05


@pytest.mark.criterion("B2.isolation", experiment="B2", asr="ASR 2")
def test_a_shard_does_not_notice_another(stage: Stage, judge: Judge) -> None:
    """p99 at the client of shard a's orders is within 5 % when shard b gets 100 orders/s besides."""
    found = changes.neighbor_busy(stage).change("client", at_the_client, 0.99, LIMIT)
    judge(found, Within(0 * percent, 100 * LIMIT * percent, otherwise=Verdict.CONDITIONAL))
