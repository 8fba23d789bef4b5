"""Whether three shards sustain what ASR 2 asks of them: 2.7 times what one does, found out by one search.

Where there are fewer cores than shards, k6, the gateway and the broker, each shard gets the same small
share of a core in both deployments, so that it is the shards that are full and not the machine. Shares
hide what the shards have in common: so of the gateway and of the broker it is said at which rate they
would be full themselves.
"""

from __future__ import annotations

from verdict_harness.loads import SETTLE, Arm, Ask, Capacity, Claim, Plan, Stage, Trial
from verdict_harness.record import Run
from verdict_harness.samples import Estimate, NoValue
from verdict_harness.systems import Deployment

from . import constant
from .backlog import backlog
from .exchange import BROKER, GATEWAY, SYMBOLS, shard_service
from .figures import MATCHING

SHARDS = tuple(SYMBOLS)
FACTOR = 0.9 * len(SHARDS)
SPARE_CORES = 3  # for k6, the gateway and the broker
SHARE = 0.1  # of a core, to each shard where cores are few
START = 100.0  # orders/s, below what one shard sustains on that
MOST = 4000.0  # orders/s that k6 can offer


def claim(run: Run) -> Claim:
    """Return what is to be shown, as finely as the profile has time for."""
    if run.quick:
        width, short, long, trials = 1.05, 4.0, 8.0, 26
    else:
        width, short, long, trials = 1.02, 5.0, 20.0, 40
    return Claim(len(SHARDS), FACTOR, START, MOST, width, short, long, trials)


def p99(load: Trial, arm: Arm) -> Estimate | NoValue:
    """Return how long matching took; what was received and never matched was infinitely slow."""
    shards = SHARDS if arm is Arm.MANY else SHARDS[:1]
    return load.server.quantile(0.99, MATCHING, due="me_orders_received_total", shard=shards)


def behind(deployment: Deployment, arm: Arm) -> float:
    """Return of how many orders the events wait for the broker."""
    shards = SHARDS if arm is Arm.MANY else SHARDS[:1]
    return sum(backlog(deployment, shard) for shard in shards)


def search(stage: Stage) -> Capacity:
    """Return the search, not yet begun."""
    run = stage.run

    def load(name: str, ask: Ask) -> Plan:
        shards = SHARDS if ask.arm is Arm.MANY else SHARDS[:1]
        settle = SETTLE
        return constant.plan(
            name, run.run_id, rate=ask.rate, seconds=settle + ask.seconds, settle=settle, shards=shards
        )

    services = [shard_service(shard) for shard in SHARDS]
    return Capacity(
        stage=stage,
        name="B3-scaling",
        claim=claim(run),
        load=load,
        parts={Arm.ONE: services[:1], Arm.MANY: services},
        shared=[GATEWAY, BROKER],
        p99=p99,
        backlog=behind,
        share=SHARE if run.cores < len(SHARDS) + SPARE_CORES else None,
    )
