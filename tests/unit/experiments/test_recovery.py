"""What a shard that was killed must have, on events that were made by hand."""

import pytest

from experiments.judging.ledger import Ledger
from experiments.judging.recovery import Gone, Recovery, judge_recovery
from verdict_harness.verdicts import Judge, Verdict

OWN = "run-A2-recovery-"


def order(sequence, name, side, price, log="l"):
    return {
        "type": "ORDER_PLACED",
        "orderId": f"{OWN}{name}",
        "symbol": "TEST-ASSET-A",
        "side": side,
        "orderType": "LIMIT" if price else "MARKET",
        "price": price,
        "quantity": 10,
        "shard": "a",
        "log": log,
        "sequence": sequence,
    }


def judged(*, replayed=1.0, before=0.0, depth=0.0, acknowledged=("0", "sweep"), maker=1):
    """One order rests, the shard is killed, comes back, and a market order takes all that it has."""
    match = {
        "type": "MATCH_EXECUTED",
        "takerOrderId": f"{OWN}sweep",
        "makerOrderId": f"{OWN}0",
        "takerSequence": 2,
        "makerSequence": maker,
        "symbol": "TEST-ASSET-A",
        "executionPrice": 14000,
        "executionQuantity": 10,
        "takerSide": "SELL",
        "shard": "a",
        "log": "another",
        "sequence": 1,
    }
    gauges = {("me_orderbook_depth", "a", side): depth for side in ("bid", "ask")}
    gauges[("me_recovery_orders", "a", "")] = replayed
    told = Ledger(OWN, "", {}, gauges, None)
    told.__dict__["events"] = {
        "orders": [order(1, "0", "BUY", 14000), order(2, "sweep", "SELL", None, "another")],
        "matches": [match],
    }
    judge = Judge()
    judge_recovery(judge, Recovery("a", tuple(f"{OWN}{one}" for one in acknowledged), 1, before, told, 0.0))
    (finding,) = judge.findings
    return finding


def test_a_shard_that_has_all_it_had():
    assert judged().verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"acknowledged": ("0", "1", "sweep")}, "acknowledged"),
        ({"maker": 7}, "oracle"),
        ({"depth": 3.0}, "depth"),
        ({"replayed": 5.0}, "replayed"),
    ],
)
def test_a_shard_that_has_not(given, said):
    found = judged(**given)
    assert found.verdict is Verdict.FAIL
    assert found.reason.startswith(said)


def test_a_kill_that_nobody_else_saw():
    assert judged(replayed=0.0).verdict is Verdict.INCONCLUSIVE
    assert judged(replayed=0.0, depth=None).verdict is Verdict.INCONCLUSIVE, "absent is not gone"


@pytest.mark.parametrize("given", [{"depth": 3.0}, {"acknowledged": ("0", "1", "sweep")}, {"maker": 7}])
def test_what_is_gone_is_gone_from_whichever_process(given):
    """A shard that removes its log when it starts replays nothing, as if it had never been killed."""
    found = judged(replayed=0.0, **given)
    assert found.verdict is Verdict.FAIL
    assert "replayed" not in found.reason


def test_a_shard_that_does_not_come_back():
    judge = Judge()
    judge_recovery(judge, Gone("a", "no answer", 0.0))
    assert judge.findings[0].verdict is Verdict.FAIL
    assert "did not come back: no answer" in judge.findings[0].reason
