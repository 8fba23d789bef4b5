"""Recovery: a shard is killed with -9, comes back, and is what the orders have made of it.

Orders come up to the kill, so that what was acknowledged in its last moment has to be there, too. Afterwards
each side of each book meets an order for all of it: what trades then, in which order, is the whole book, and
the oracle knows what it must be.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from experiments.books import place, sweep
from experiments.exchange import SYMBOLS, shard_service
from verdict_harness.errors import FaultError
from verdict_harness.loads import Stage
from verdict_harness.processes import web
from verdict_harness.record import Json
from verdict_harness.samples import Sample, count, exact
from verdict_harness.systems import Deployment, chaos
from verdict_harness.verdicts import Judge, Within

from . import ledger
from .oracle import Account
from .performed import Performed

LAST = 60  # orders up to the kill
PRICE = 14000  # cents: they rest below all that others bid
REPLAYED = "me_recovery_orders"


@dataclass(frozen=True)
class Recovery:
    """What came of a shard that was killed.

    Attributes:
        shard: which.
        acknowledged: ids of the orders that were accepted after the load.
        sweeps: how many of them met the books once it was back.
        before: how many orders the process before had replayed; ``None`` if it does not say.
        told: what the shard told once it was back.
        at: unix seconds when that was.
    """

    shard: str
    acknowledged: tuple[str, ...]
    sweeps: int
    before: float | None
    told: ledger.Ledger
    at: float


@dataclass(frozen=True)
class Gone:
    """A shard that was killed and did not come back.

    Attributes:
        shard: which.
        why: what was seen of it instead.
        at: unix seconds when that was.
    """

    shard: str
    why: str
    at: float


def recovery(stage: Stage, load: Performed, shard: str) -> Recovery | Gone:
    """Kill a shard once its load is over and judged, start it again, and ask it for all that it has.

    Raises:
        FaultError: the kill did not bite.
        Unsupported: the backend can't kill.
    """
    name = f"{load.name}-recovery"
    own = f"{stage.run.run_id}-{name}-"

    def ask(deployment: Deployment) -> Json:
        url = deployment.endpoint(shard_service(shard)).url
        shown = ledger.gauges(deployment, [shard])
        before = next((value for metric, *_, value in shown if metric == REPLAYED), None)
        acknowledged = []
        with web.client(url, timeout=10) as http:
            for number in range(LAST):
                order = _order(f"{own}{number}", SYMBOLS[shard][number % len(SYMBOLS[shard])])
                place(http, url, order)
                acknowledged.append(order["orderId"])
            fault = chaos.kill(deployment, shard_service(shard))
            fault.inject()
        try:
            fault.heal()
        except FaultError as error:
            # it was well before: that it does not come back is its own doing
            return {"gone": error.found or error.what, "at": time.time(), "fault": fault.to_json()}
        url = deployment.endpoint(shard_service(shard)).url
        swept = sweep(url, [shard], f"{own}sweep")
        return {
            "before": before,
            "acknowledged": [*acknowledged, *swept],
            "sweeps": len(swept),
            "at": time.time(),
            "fault": fault.to_json(),
        }

    record: Any = stage.observe(f"recovery of {load.name}", load.workload.system, ask)
    if "gone" in record:
        return Gone(shard, record["gone"], record["at"])
    told = ledger.keep(stage, load.workload.system, name, own, [shard], since=record["at"])
    return Recovery(
        shard, tuple(record["acknowledged"]), record["sweeps"], record["before"], told, record["at"]
    )


def judge_recovery(judge: Judge, back: Recovery | Gone) -> None:
    """Judge that it was another process, and that it has all that the former one had promised."""
    if isinstance(back, Gone):
        text = f"shard {back.shard} did not come back: {back.why}"
        judge({text: exact(text, 1.0, back.at, n=1, counted="shards")}, Within(0 * count, 0 * count))
        return
    told, shard = back.told, back.shard
    if told.untold:
        judge.inconclusive(f"the events could not be read: {told.untold}")
        return
    account = told.accounts.get(shard, Account())
    # of all records, the last ones are the orders that met the books once it was back
    records = account.placed + account.seeded - back.sweeps
    replayed = told.gauges.get((REPLAYED, shard, ""))
    text = f"{REPLAYED} of shard {shard} is {replayed} after {back.before} before, and its log had {records}"
    placed = {event["orderId"] for event in told.placed.values()}
    lost = [order for order in back.acknowledged if order not in placed]
    off: dict[str, tuple[str, float]] = {
        "acknowledged": (f"acknowledged orders that are gone: {', '.join(lost[:3]) or 'none'}", len(lost)),
        "oracle": (
            account.parted
            or f"{account.fills} fills, those of the whole book among them, are as they must be",
            bool(account.parted),
        ),
    }
    bitten = replayed is not None and replayed != back.before
    for side, must in account.depth.items():
        has = told.gauges.get(("me_orderbook_depth", shard, side))
        much = abs(must - has) if has is not None else float(bitten)
        off[f"depth {side}"] = f"me_orderbook_depth ({side}) is {has}, and the orders make {must}", much
    if replayed is not None and bitten:
        off["replayed"] = text, abs(records - replayed)
    elif not any(much for _, much in off.values()):
        # all is there, as it would be in the former process; what is gone is gone in either
        judge.inconclusive(f"nothing shows that another process has come: {text}")
        return
    judge({key: _sample(back, *one) for key, one in off.items()}, Within(0 * count, 0 * count))


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
