"""Small changes of latency, told from chance by blocks in turn: a broker or a neighbor on and off."""

from __future__ import annotations

import time
from functools import partial

from verdict_harness.loads import Held, Interleaved, Plan, Schedule, Stage, Switch, at_the_client
from verdict_harness.processes import Pending, until
from verdict_harness.samples import Sample
from verdict_harness.systems import Deployment, Fault, chaos

from . import constant
from .backlog import backlog
from .dealt import Dealt
from .exchange import BROKER, TWIN, shard_service, twins
from .loads import of_profile

RATE = {"full": 340, "quick": 400}  # orders/s: plenty for a p99, and below a third of a shard's core
TWINS = {"full": 480, "quick": 560}  # orders/s where two shards share them
BESIDE, NEIGHBOR = 200, 100  # orders/s through the gateway, which with k6 has to fit beside three shards
UNDER_WAY = 4.0  # seconds in which what was under way when the broker went may still be acknowledged
BATCHED = 0.2  # seconds' worth of orders that may be on their way to a broker which keeps up
#: Seconds that are not judged once the broker has all that was kept for it. Blocks right after an outage were
#: slower or faster than those before the next by 14 to 33 %, on a machine with nothing else to do: so much
#: that no change of 10 % could be told.
CALM = 3.0
DRAIN = 60.0  # seconds that the shard has to hand over what it kept, once the broker is back
SCALED = {"kube": 30.0}  # seconds of a switch where a pause ends the broker's pod, and another comes for it


def schedules(*, quick: bool, switch: float | None = None, pairs: int = 6) -> list[Schedule]:
    """Return what is run until it is decided: it is looked at after 6, 12 and 24 pairs of blocks.

    Args:
        quick: whether it is looked at but once, after short blocks.
        switch: seconds for one arm to give way to the other; ``None`` for what freezing takes at most.
        pairs: of blocks in a quick run.
    """
    if quick:
        return [Schedule(pairs, block=7.0, switch=switch or 5.0)]
    return [Schedule(many, block=20.0, switch=switch or 6.0) for many in (6, 6, 12)]


def without_broker(stage: Stage, p: float, limit: float) -> Sample:
    """Return by how much a quantile of what a shard's clients wait is higher while its broker is paused.

    Where two shards with a broker each can be had, it is held against the other's at the same time; elsewhere
    against its own when the broker is there.
    """
    comparison = broker_gone(stage)
    if not _twins(stage):
        return comparison.change("client", at_the_client, p, limit)
    dealt = Dealt(2)
    return comparison.beside(partial(dealt.waits, number=0), partial(dealt.waits, number=1), p, limit)


def _twins(stage: Stage) -> bool:
    return stage.run.backend == "local"


def broker_gone(stage: Stage) -> Interleaved:
    """Return the comparison of a shard whose broker is paused with one whose broker is not."""
    shard = shard_service("a")
    beside = (twins(), (shard, TWIN.name(shard))) if _twins(stage) else None

    def load(name: str, schedule: Schedule) -> Plan:
        return constant.plan(
            name,
            stage.run.run_id,
            rate=of_profile(TWINS if beside else RATE, stage.run.profile),
            seconds=schedule.seconds,
            settle=schedule.settle,
            target="shard",
            beside=beside,
        )

    # two shards differ from each other by chance twice over, so that it takes more to tell
    planned = schedules(quick=stage.run.quick, switch=SCALED.get(stage.run.backend), pairs=8 if beside else 6)
    return Interleaved(stage, "A4-change", planned, load, _broker)


def neighbor_busy(stage: Stage) -> Interleaved:
    """Return the comparison of shard a while shard b has a load with the same while it has none."""

    def load(name: str, schedule: Schedule) -> Plan:
        on = [span for span in schedule.spans if span.arm == "B"]
        # the neighbor's load begins with the switch, so that a block has it from its beginning
        spans = [
            f"{one.start - schedule.switch:g}-{other.end:g}"
            for one, other in zip(on[::2], on[1::2], strict=True)
        ]
        env = {"NEIGHBOR": str(NEIGHBOR), "NEIGHBOR_ON": ",".join(spans)}
        return constant.plan(
            name,
            stage.run.run_id,
            rate=BESIDE,
            seconds=schedule.seconds,
            settle=schedule.settle,
            env=env,
        )

    return Interleaved(stage, "B2-isolation", schedules(quick=stage.run.quick), load)


def _broker(deployment: Deployment) -> Switch:
    """Return how the broker goes, and how it comes back; each returns when that had taken hold."""

    away: list[Fault] = []

    def gone() -> Held:
        began = time.time()
        away.append(chaos.pause(deployment, BROKER))
        away[-1].inject()  # and see that it bit: a broker that never went would be a change of nothing
        return Held(max(time.time(), began + UNDER_WAY), away[-1].to_json()["means"])

    def back() -> Held:
        while away:
            away.pop().heal()
        until("shard a to hand over what it kept", lambda: _drained(deployment), timeout=DRAIN)
        return Held(time.time() + CALM)

    return {"A": back, "B": gone}


def _drained(deployment: Deployment) -> bool:
    behind = backlog(deployment, "a")
    # what is under way between two batches is no backlog
    if behind > RATE["full"] * BATCHED:
        raise Pending(f"{behind:.0f} orders behind")
    return True
