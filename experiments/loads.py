"""The loads of the experiments: what k6/lib/profiles.json says of each, and what has to be true of all.

A load is what it claims only if the orders that k6 had accepted are the orders that the engines counted,
and if the book it runs against stays as deep as it was seeded. Else every verdict on it is INCONCLUSIVE.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from harness.sample import NoValue, Sample, Series
from harness.system import Deployment, System
from harness.trial import Plan, Trial

from .exchange import GATEWAY, MULTI, ROOT, SINGLE, SYMBOLS, shard_service

PROFILES: Any = json.loads((ROOT / "k6" / "lib" / "profiles.json").read_text())
SETTLE = {"full": 30.0, "quick": 10.0}  # seconds at the beginning of a load that are not judged

# What 60 % aggressive orders make: each executes against 1.99 resting orders on average
# (k6/lib/orderGenerator.js derives it), which is 1.19 matches for every order offered.
MATCHES_PER_ORDER = 0.6 * 1.99

# The book's depth has a band: it loses what is taken and gains what is replenished, in lots exactly,
# in orders up to chance. Below it the load starves; above it somebody else is seeding.
SHALLOWEST, DEEPEST = 0.7, 1.3


@dataclass(frozen=True, slots=True)
class Workload:
    """One experiment's load, of one profile.

    Attributes:
        id: of the experiment, such as ``"A2"``.
        rates: offered orders/s at the beginning and at the end of each stage.
        lengths: seconds of each stage.
        seeds: shard to orders seeded a symbol.
    """

    id: str
    profile: str
    script: str
    target: str
    rates: tuple[tuple[float, float], ...]
    lengths: tuple[float, ...]
    seeds: dict[str, int]

    @classmethod
    def of(cls, experiment: str, profile: str) -> Workload:
        """Return the load of ``experiment`` as k6 will run it."""
        given = PROFILES["experiments"][experiment]
        per_second = given["arrivals"]["rate"] / given["arrivals"]["per_s"]
        rates, rate = [], per_second
        for stage in given["stages"]:
            reached = stage.get("to", rate)
            rates.append((rate, reached))
            rate = reached
        return cls(
            id=experiment,
            profile=profile,
            script=given["script"],
            target=given["target"],
            rates=tuple(rates),
            lengths=tuple(float(stage["length_s"][profile]) for stage in given["stages"]),
            seeds={shard: int(seed["depth"]) for shard, seed in given["seeds"].items()},
        )

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return sum(self.lengths)

    @property
    def iterations(self) -> int:
        """How many orders it offers: the area under its rate."""
        return int(sum((a + b) / 2 * t for (a, b), t in zip(self.rates, self.lengths, strict=True)))

    @property
    def system(self) -> System:
        """What it runs on: one shard alone, or three behind the gateway."""
        return SINGLE if self.target == "shard" else MULTI

    @property
    def shards(self) -> tuple[str, ...]:
        """The shards that get orders."""
        return tuple(self.seeds)

    def plan(self, run_id: str) -> Plan:
        """Return what the harness needs to run it."""

        def env(deployment: Deployment) -> dict[str, str]:
            where = (
                {"ME_SHARD_A_URL": deployment.endpoint(shard_service("a")).url}
                if self.target == "shard"
                else {"GATEWAY_URL": deployment.endpoint(GATEWAY).url}
            )
            return {**where, "PROFILE": self.profile, "RUN_ID": f"{run_id}-{self.id}"}

        return Plan(
            name=self.id,
            system=self.system,
            script=ROOT / "k6" / self.script,
            iterations=self.iterations,
            seconds=self.seconds,
            settle=min(SETTLE[self.profile], self.seconds / 2),
            env=env,
            tags={"name": "order"},
        )

    def suspicions(self, trial: Trial) -> Iterable[str]:
        """Say in what the load was not what it claims."""
        accepted, received = accepted_orders(trial), 0.0
        for shard in self.shards:
            got = trial.total(f'me_orders_received_total{{shard="{shard}"}}', series=2)
            if isinstance(got, NoValue):
                yield f"orders that shard {shard} received are not known: {got.reason}"
                return
            received += _number(got)
        if received != accepted:
            yield f"k6 had {accepted} orders accepted, and the engines counted {received:g}"
        for shard in self.shards:
            seeded = self.seeds[shard] * len(SYMBOLS[shard])
            yield from _depth(trial, shard, seeded)


def accepted_orders(trial: Trial) -> int:
    """How many orders of the whole load were accepted."""
    return trial.load.statuses.get("200", 0)


def _depth(trial: Trial, shard: str, seeded: int) -> Iterable[str]:
    depth = trial.over(f'me_orderbook_depth{{shard="{shard}",side="ask"}}')
    if not isinstance(depth, Series):
        why = depth.reason if isinstance(depth, NoValue) else "one number for a whole window"
        yield f"the depth of shard {shard}'s book is not known: {why}"
        return
    least, most = min(p.value for p in depth), max(p.value for p in depth)
    first = depth.points[0].value
    if least < SHALLOWEST * max(seeded, first):
        yield (
            f"shard {shard}'s book ran dry: {least:g} resting SELLs at the least, "
            f"of {seeded} seeded and {first:g} when the window began"
        )
    if most > DEEPEST * first:
        yield f"shard {shard}'s book grew from {first:g} to {most:g} resting SELLs: somebody else seeds it"


def _number(sample: Sample) -> float:
    if isinstance(sample, NoValue | Series):
        raise TypeError(f"not one number: {sample}")
    return sample.value
