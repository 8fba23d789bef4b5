"""B4, hot symbol: 84 orders/s for five minutes, 80 % of them for one symbol of shard a.

ASR 2: a hot shard stays fast, and costs the others nothing.
"""

import pytest

from experiments.exchange import SYMBOLS
from verdict_harness.loads import Trial
from verdict_harness.samples import ms, percent
from verdict_harness.verdicts import Below, Judge, Within

pytestmark = [pytest.mark.asr2, pytest.mark.b4]

HOT, *OTHERS = SYMBOLS


@pytest.mark.criterion("B4.share", experiment="B4", asr="ASR 2")
def test_shard_a_is_hot(b4: Trial, judge: Judge) -> None:
    """Of the orders that the engines counted, 80 % reached shard a."""
    share = b4.ratio(f'me_orders_received_total{{shard="{HOT}"}}', "me_orders_received_total", series=(2, 6))
    judge(share, Within(80 * percent, 2 * percent))


@pytest.mark.criterion("B4.hot-p99", experiment="B4", asr="ASR 2")
def test_the_hot_shard_is_fast(b4: Trial, judge: Judge) -> None:
    """p99 of matching on the hot shard is below 200 ms all through the load."""
    judge(b4.over(f'me:match_duration_p99:30s{{shard="{HOT}"}}'), Below(200 * ms))


@pytest.mark.criterion("B4.other-p99", experiment="B4", asr="ASR 2")
def test_the_other_shards_are_fast(b4: Trial, judge: Judge) -> None:
    """p99 of matching on each other shard is below 200 ms all through the load."""
    judge(b4.each(f'me:match_duration_p99:30s{{shard!="{HOT}"}}', "shard", OTHERS), Below(200 * ms))


@pytest.mark.parametrize(("which", "shards"), [("hot", [HOT]), ("other", OTHERS)], ids=["hot", "other"])
@pytest.mark.criterion("B4.errors-{which}", experiment="B4", asr="ASR 2")
def test_orders_are_answered(b4: Trial, judge: Judge, which: str, shards: list[str]) -> None:
    """The gateway answers fewer than 1 % of the requests for a shard with an error."""
    bad, every = 'gw_requests_total{{shard="{}",status!="2xx"}}', 'gw_requests_total{{shard="{}"}}'
    errors = {
        f"{which} shard {one}": b4.ratio(bad.format(one), every.format(one), series=(2, 3)) for one in shards
    }
    judge(errors, Below(1 * percent))
