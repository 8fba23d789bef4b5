"""Conservation, on accounts that were made by hand: each way to lose or invent something is a difference."""

from types import SimpleNamespace

import pytest

from experiments.judging.conservation import judge_conservation
from experiments.judging.ledger import Ledger
from experiments.loads import Workload
from verdict_harness.loads import Fate
from verdict_harness.samples import exact
from verdict_harness.verdicts import Judge, Verdict

LOAD = "run-A2-"


def order(sequence, name, side, price, *, kind="ORDER_PLACED"):
    return {
        "type": kind,
        "orderId": name,
        "symbol": "TEST-ASSET-A",
        "side": side,
        "orderType": "LIMIT",
        "price": price,
        "quantity": 10,
        "shard": "a",
        "log": "l",
        "sequence": sequence,
        "key": "TEST-ASSET-A",
    }


class Totals:
    """What the shard's counters say of the whole load."""

    def __init__(self, counts):
        self.counts = counts

    def growth(self, counter, **_):
        return exact(counter, float(self.counts[counter]), at=0.0, n=2, counted="orders")


def load(*, times=(1,), fates=(Fate.ACCEPTED, Fate.ACCEPTED), price=15000, counts=None, depth=1, left=0):
    """One seed, one order that takes it, and one that rests; all as it must be unless told otherwise."""
    placed = [order(2, f"{LOAD}0", "BUY", 15050), order(3, f"{LOAD}1", "BUY", 14000)]
    placed += [order(4 + n, f"{LOAD}1", "BUY", 14000) for n in range(times[0] - 1)]
    orders = [order(1, f"{LOAD}s", "SELL", 15000, kind="ORDER_SEEDED"), *placed]
    match = {
        "type": "MATCH_EXECUTED",
        "takerOrderId": f"{LOAD}0",
        "makerOrderId": f"{LOAD}s",
        "takerSequence": 2,
        "makerSequence": 1,
        "symbol": "TEST-ASSET-A",
        "executionPrice": price,
        "executionQuantity": 10,
        "takerSide": "BUY",
        "shard": "a",
        "log": "l",
        "sequence": 1,
    }
    gauges = {
        ("me_orderbook_depth", "a", "bid"): depth,
        ("me_orderbook_depth", "a", "ask"): 0,
        ("me_orderbook_price_levels", "a", "bid"): 1,
        ("me_orderbook_price_levels", "a", "ask"): 0,
        ("me_event_backlog_orders", "a", ""): left,
    }
    ledger = Ledger(LOAD, "", {}, gauges, None)
    ledger.__dict__["events"] = {"orders": orders, "matches": [match]}
    all_ = [SimpleNamespace(id=f"{LOAD}{n}", fate=fate) for n, fate in enumerate(fates)]
    sound = {
        "me_orders_received_total": len(placed),
        "me_match_duration_seconds_count": len(placed),
        "me_wal_append_duration_seconds_count": len(placed),
        "me_matches_total": 1,
    }
    accepted = {one.id for one in all_ if one.fate is Fate.ACCEPTED}
    undecided = {one.id for one in all_ if one.fate is Fate.UNANSWERED}
    trial = SimpleNamespace(totals=Totals({**sound, **(counts or {})}), whole=SimpleNamespace(end=0.0))
    return SimpleNamespace(
        workload=Workload.of("A2", "quick"),
        ledger=ledger,
        orders=all_,
        accepted=accepted,
        undecided=undecided,
        trial=trial,
    )


def judged(**given):
    judge = Judge()
    judge_conservation(load(**given), judge)
    (finding,) = judge.findings
    return finding


def test_what_is_whole_passes():
    assert judged().verdict is Verdict.PASS


def test_an_order_that_was_not_answered_may_be_there_or_not():
    assert judged(fates=(Fate.ACCEPTED, Fate.UNANSWERED)).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"times": (2,), "depth": 2}, "placed more than once"),
        ({"fates": (Fate.ACCEPTED,) * 3}, "without ORDER_PLACED"),
        ({"fates": (Fate.ACCEPTED, Fate.REFUSED)}, "that were not accepted"),
        ({"price": 1}, "executionPrice is 1 and must be 15000"),
        ({"counts": {"me_orders_received_total": 3}}, "me_orders_received_total"),
        ({"counts": {"me_match_duration_seconds_count": 1}}, "me_match_duration_seconds_count"),
        ({"counts": {"me_wal_append_duration_seconds_count": 0}}, "me_wal_append_duration_seconds_count"),
        ({"counts": {"me_matches_total": 2}}, "me_matches_total"),
        ({"depth": 3}, "me_orderbook_depth"),
        ({"left": 7}, "backlog"),
    ],
)
def test_each_difference_fails_and_is_named(given, said):
    found = judged(**given)
    assert found.verdict is Verdict.FAIL
    assert said in found.reason
