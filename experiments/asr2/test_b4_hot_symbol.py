"""B4, hot symbol: 84 orders/s for five minutes, 80 % of them for one symbol of shard a.

ASR 2: a hot shard stays fast, and costs the others nothing.
"""

import pytest

from experiments.exchange import SYMBOLS
from experiments.judging.performed import Performed
from experiments.judging.standing import Standing, standing
from verdict_harness.samples import Sample, exact, percent
from verdict_harness.verdicts import Judge, Within

pytestmark = [pytest.mark.asr2, pytest.mark.b4]

HOT = next(iter(SYMBOLS))


@standing("B4", "ASR 2", gateway=True)
def test_standing(b4: Performed, by: Standing, judge: Judge) -> None:
    """What every load is judged by holds of the hot shard, and of the others: p99 below 200 ms among it."""
    by(b4, judge)


@pytest.mark.criterion("B4.share", experiment="B4", asr="ASR 2")
def test_shard_a_is_hot(b4: Performed, judge: Judge) -> None:
    """Of the orders that were placed, 80 % are shard a's."""
    placed = [event["shard"] for event in b4.ledger.placed.values()]
    if placed:
        query = f"orders placed on shard {HOT}, of all"
        share: Sample = exact(query, placed.count(HOT) / len(placed), 0.0, n=len(placed), counted="orders")
    else:  # no events can be read: what the engines count, each up to a scrape of its own
        received = "me_orders_received_total"
        of, all_ = {"shard": HOT}, {"shard": tuple(SYMBOLS)}
        share = b4.trial.server.ratio(received, received, part_labels=of, of_labels=all_)
    judge(share, Within(80 * percent, 2 * percent))
