"""The loads of the experiments: what k6/lib/profiles.json says of each, and how the harness runs it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from verdict_harness.loads import Arrivals, Plan, Ramp, Trial
from verdict_harness.systems import Deployment, System

from . import workload
from .cluster import ROOT
from .exchange import GATEWAY, MULTI, SINGLE, shard_service

PROFILES: Any = json.loads((ROOT / "k6" / "lib" / "profiles.json").read_text())
SETTLE = {"full": 30.0, "quick": 10.0}  # seconds at the beginning of a load that are not judged
SEED_PAUSE = 6.0  # seconds between the last seed and the first order: longer than from one scrape to the next

# What was seeded on a system that is up. A load finds its books as the one before left them, as deep as it
# was seeded; where it asks for the same, seeding again would make them twice as deep as it claims.
_seeded: WeakKeyDictionary[Deployment, dict[str, tuple[int, int]]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Workload:
    """One experiment's load, of one profile.

    Attributes:
        id: unique in a run, such as ``"A2"`` or ``"A3-100"``.
        experiment: whose numbers it has.
        rates: offered orders/s at the beginning and at the end of each stage.
        lengths: seconds of each stage.
        seeds: shard to orders and price levels seeded a symbol.
        fresh: whether it needs books that nothing has touched, and proves that it had them.
        env: further variables for the script.
    """

    id: str
    experiment: str
    profile: str
    script: str
    target: str
    rates: tuple[tuple[float, float], ...]
    lengths: tuple[float, ...]
    seeds: dict[str, tuple[int, int]]
    fresh: bool = False
    env: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, experiment: str, profile: str, variant: str = "") -> Workload:
        """Return the load of ``experiment`` as k6 will run it.

        Args:
            experiment: such as ``"A2"``.
            profile: ``"full"`` or ``"quick"``.
            variant: which of several runs of it, such as ``"kill"``; of A3, the depth.
        """
        given = PROFILES["experiments"][experiment]
        per_second = given["arrivals"]["rate"] / given["arrivals"]["per_s"]
        rates, rate = [], per_second
        for stage in given["stages"]:
            reached = stage.get("to", rate)
            rates.append((rate, reached))
            rate = reached
        seeds = {shard: (int(seed["depth"]), int(seed["levels"])) for shard, seed in given["seeds"].items()}
        env = {}
        if "depths" in given:
            levels = {str(one["depth"]): int(one["levels"]) for one in given["depths"]}[variant]
            seeds = {"a": (int(variant), levels)}
            env = {"A3_DEPTH": variant, "A3_LEVELS": str(levels), "SEED_PAUSE": f"{SEED_PAUSE:g}"}
        return cls(
            id=f"{experiment}-{variant}" if variant else experiment,
            experiment=experiment,
            profile=profile,
            script=given["script"],
            target=given["target"],
            rates=tuple(rates),
            lengths=tuple(float(stage["length_s"][profile]) for stage in given["stages"]),
            seeds=seeds,
            fresh="depths" in given,
            env=env,
        )

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return sum(self.lengths)

    @property
    def orders(self) -> tuple[float, ...]:
        """How many orders each stage offers: the area under its rate."""
        return tuple((a + b) / 2 * t for (a, b), t in zip(self.rates, self.lengths, strict=True))

    @property
    def iterations(self) -> int:
        """How many orders it offers."""
        return int(sum(self.orders))

    @property
    def system(self) -> System:
        """What it runs on: one shard alone, or three behind the gateway."""
        return SINGLE if self.target == "shard" else MULTI

    def order_ids(self, run_id: str) -> str:
        """Return how the id of every order of it begins."""
        return f"{run_id}-{self.id}-"

    def stages(self, trial: Trial) -> list[Trial]:
        """Return the trial of this load, asked about each stage alone."""
        ends = list(itertools.accumulate(self.lengths))
        return [trial.part(start, end) for start, end in itertools.pairwise([0.0, *ends]) if end > start]

    def plan(self, run_id: str) -> Plan:
        """Return what the harness needs to run it."""

        def env(deployment: Deployment) -> dict[str, str]:
            where = (
                {"ME_SHARD_A_URL": deployment.inside(shard_service("a")).url}
                if self.target == "shard"
                else {"GATEWAY_URL": deployment.inside(GATEWAY).url}
            )
            there = _seeded.get(deployment) == self.seeds
            _seeded[deployment] = self.seeds
            told = {
                "PROFILE": self.profile,
                "RUN_ID": self.order_ids(run_id)[:-1],
                "SEED": str(int(not there)),
            }
            return {**where, **told, **self.env}

        return Plan(
            name=self.id,
            system=self.system,
            script=ROOT / "k6" / self.script,
            iterations=self.iterations,
            arrivals=Arrivals(
                tuple(
                    Ramp(*rates, length)
                    for rates, length in zip(self.rates, self.lengths, strict=True)
                    if length
                ),
                ramping=len(self.lengths) > 1,
            ),
            accepted="orders_accepted",
            seconds=self.seconds,
            settle=min(SETTLE[self.profile], self.seconds / 2),
            env=env,
            tags={"name": "order"},
            fresh=self.fresh,
        )

    def suspicions(self, trial: Trial) -> Iterable[str]:
        """Say in what the load was not what it claims, and by how much."""
        yield from workload.unique(trial)
        yield from workload.received(trial, tuple(self.seeds))
        if self.fresh:
            yield from workload.seeded(trial, self.seeds)
        yield from workload.deep(trial, self.seeds)
        yield from workload.steady(trial, tuple(self.seeds))
