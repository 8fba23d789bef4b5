"""A4, broker degraded: 17 orders/s on shard a while the broker is paused, and once more while it is dead.

ASR 1 must hold without a broker, and no event may be lost for it: latencies are judged before, during and
after, and conservation once the broker is back. Another than who took the broker away has to have seen that
it was gone: a client that gets no answer, and the shard, of which no event gets through.
"""

import pytest

from experiments.judging.standing import Standing, standing
from experiments.outage import Outage
from verdict_harness.verdicts import Judge

pytestmark = [pytest.mark.asr1, pytest.mark.a4]


@standing("A4", "ASR 1", "-{a4}")
def test_standing(a4: Outage, by: Standing, judge: Judge) -> None:
    """What every load is judged by holds before, during and after the outage; every event arrives."""
    by(a4, judge)
