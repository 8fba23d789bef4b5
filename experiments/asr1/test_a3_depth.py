"""A3, depth of the book: 17 orders/s on shard a for three minutes at each of three depths, on a fresh book.

ASR 1 must hold however many orders rest: 100, 1,000 and 10,000 a symbol, which the gauges
prove before the load.
"""

import pytest

from experiments.latency import match_p99
from verdict_harness.loads import Trial
from verdict_harness.samples import ms, percent
from verdict_harness.verdicts import Below, Judge

pytestmark = [pytest.mark.asr1, pytest.mark.a3]


@pytest.mark.criterion("A3.match-p99-{a3}", experiment="A3", asr="ASR 1")
def test_matching_is_fast_at_this_depth(a3: Trial, judge: Judge) -> None:
    """p99 of matching is below 200 ms all through the load at this depth."""
    judge(a3.over('me:match_duration_p99:30s{shard="a"}'), Below(200 * ms))


@pytest.mark.criterion("A3.errors-{a3}", experiment="A3", asr="ASR 1")
def test_orders_are_answered(a3: Trial, judge: Judge) -> None:
    """Fewer than 1 % of the orders fail at this depth."""
    judge(a3.client("failed"), Below(1 * percent))


@pytest.mark.criterion("A3.against-depth", experiment="A3", asr="ASR 1")
def test_latency_against_depth(a3_all: dict[int, Trial], judge: Judge) -> None:
    """p99 of matching over the whole window, one number a depth, is below 200 ms at all of them."""
    judge({f"{depth} orders a symbol": match_p99(a3, "a") for depth, a3 in a3_all.items()}, Below(200 * ms))
