"""Recovery: a shard is killed with -9, comes back, and is what the orders have made of it.

Orders come up to the kill, so that what was acknowledged in its last moment has to be there, too. Afterwards
each side of each book meets an order for all of it: what trades then, in which order, is the whole book, and
the oracle knows what it must be.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from experiments.books import place, sweep
from experiments.exchange import SYMBOLS, shard_service
from verdict_harness.loads import Stage
from verdict_harness.record import Json
from verdict_harness.samples import Sample, count, exact
from verdict_harness.systems import Deployment, chaos
from verdict_harness.verdicts import AtLeast, Judge, Within

from . import ledger
from .oracle import Account
from .performed import Performed

LAST = 60  # orders up to the kill
PRICE = 14000  # cents: they rest below all that others bid
STARTED, REPLAYED = "process_start_time_seconds", "me_recovery_orders"


@dataclass(frozen=True)
class Recovery:
    """What came of a shard that was killed.

    Attributes:
        shard: which.
        acknowledged: ids of the orders that were accepted after the load.
        before: gauges of the shard before the kill, those by which a process is known among them.
        told: what the shard told once it was back.
        at: unix seconds when that was.
    """

    shard: str
    acknowledged: tuple[str, ...]
    before: Mapping[str, float]
    told: ledger.Ledger
    at: float


def recovery(stage: Stage, load: Performed, shard: str) -> Recovery:
    """Kill a shard once its load is over and judged, start it again, and ask it for all that it has.

    Raises:
        FaultError: the kill did not bite, or it did not come back.
        Unsupported: the backend can't kill.
    """
    name = f"{load.name}-recovery"
    own = f"{stage.run.run_id}-{name}-"

    def ask(deployment: Deployment) -> Json:
        url = deployment.endpoint(shard_service(shard)).url
        before = {
            metric: value
            for metric, of, _, value in ledger.gauges(deployment, [shard])
            if metric in {STARTED, REPLAYED} and of == shard
        }
        acknowledged = []
        with httpx.Client(timeout=10, trust_env=False) as http:
            for number in range(LAST):
                order = _order(f"{own}{number}", SYMBOLS[shard][number % len(SYMBOLS[shard])])
                place(http, url, order)
                acknowledged.append(order["orderId"])
            fault = chaos.kill(deployment, shard_service(shard))
            with fault:
                pass
        url = deployment.endpoint(shard_service(shard)).url
        acknowledged += sweep(url, [shard], f"{own}sweep")
        return {"before": before, "acknowledged": acknowledged, "at": time.time(), "fault": fault.to_json()}

    record: Any = stage.observe(f"recovery of {load.name}", load.workload.system, ask)
    told = ledger.keep(stage, load.workload.system, name, own, [shard], since=record["at"])
    return Recovery(shard, tuple(record["acknowledged"]), record["before"], told, record["at"])


def judge_recovery(judge: Judge, back: Recovery) -> None:
    """Judge that it was another process, and that it has all that the former one had promised."""
    told, shard = back.told, back.shard
    if told.untold:
        judge.inconclusive(f"the events could not be read: {told.untold}")
        return
    account = told.accounts.get(shard, Account())
    started = told.gauges.get((STARTED, shard, ""), 0.0) - back.before.get(STARTED, 0.0)
    replayed = told.gauges.get((REPLAYED, shard, ""), 0.0)
    judge(
        {
            "another process": _sample(back, f"seconds from one {STARTED} to the other", max(0.0, started)),
            "replayed": _sample(back, f"{REPLAYED} of shard {shard}", replayed),
        },
        AtLeast(0.001 * count),
    )
    placed = {event["orderId"] for event in told.placed.values()}
    lost = [order for order in back.acknowledged if order not in placed]
    off: dict[str, Sample] = {
        "acknowledged": _sample(
            back, f"acknowledged orders that are gone: {', '.join(lost[:3]) or 'none'}", len(lost)
        ),
        "oracle": _sample(
            back,
            account.parted
            or f"{account.fills} fills, those of the whole book among them, are as they must be",
            float(bool(account.parted)),
        ),
    }
    for side, must in account.depth.items():
        has = told.gauges.get(("me_orderbook_depth", shard, side))
        text = f"me_orderbook_depth ({side}) is {has}, and the orders make {must}"
        off[f"depth {side}"] = _sample(back, text, abs(must - has) if has is not None else 1)
    judge(off, Within(0 * count, 0 * count))


def _sample(back: Recovery, text: str, value: float) -> Sample:
    return exact(text, float(value), back.at, n=max(1, len(back.acknowledged)), counted="orders")


def _order(name: str, symbol: str) -> dict[str, Any]:
    return {
        "orderId": name,
        "symbol": symbol,
        "side": "BUY",
        "type": "LIMIT",
        "price": PRICE,
        "quantity": 10,
        "timestamp": round(time.time() * 1000),
    }
