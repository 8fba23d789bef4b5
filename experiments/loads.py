"""The loads of the experiments: what k6/lib/profiles.json says of each, and how the harness runs it."""

from __future__ import annotations

import bisect
import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from verdict_harness.errors import Inconclusive
from verdict_harness.loads import Arrivals, Plan, Ramp, Trial
from verdict_harness.systems import Deployment, System

from .cluster import ROOT
from .exchange import GATEWAY, MULTI, SINGLE, SYMBOLS, shard_service

T = TypeVar("T")

PROFILES: Any = json.loads((ROOT / "k6" / "lib" / "profiles.json").read_text())
SETTLE = {"full": 30.0, "quick": 10.0}  # seconds at the beginning of a load that are not judged
SEED_PAUSE = 6.0  # seconds between the last seed and the first order: longer than from one scrape to the next

# What 60 % aggressive orders make: each executes against 1.99 resting orders on average
# (k6/lib/orderGenerator.js derives it), which is 1.19 matches for every order offered.
MATCHES_PER_ORDER = 0.6 * 1.99

AGGRESSIVE = 15000  # cents: an order for as much meets what was seeded (k6/lib/orderGenerator.js)

# A load that goes on with the books that another one has left, and whose.
SUCCESSORS = {"A2": "A1", "smoke": ""}

# Which load a system that is up has had last. Only the declared successor goes on with its books.
_last: WeakKeyDictionary[Deployment, str] = WeakKeyDictionary()


def of_profile(table: Mapping[str, T], profile: str) -> T:
    """Return what ``table`` has for a profile, or for the one that it is like where it says nothing of it.

    >>> of_profile({"full": 300, "quick": 40}, "burst"), of_profile({"full": 300, "burst": 1800}, "burst")
    (300, 1800)
    """
    return table[profile if profile in table else PROFILES["like"][profile]]


@dataclass(frozen=True, slots=True)
class Workload:
    """One experiment's load, of one profile.

    Attributes:
        id: unique in a run, such as ``"A2"`` or ``"A3-100"``.
        experiment: whose numbers it has.
        rates: offered orders/s at the beginning and at the end of each stage.
        lengths: seconds of each stage.
        seeds: shard to orders and price levels seeded a symbol.
        after: the load whose books it goes on with; ``None`` if it needs books that nothing has touched.
        hot: of so many orders in so many the hot shard's; ``None`` if all symbols are dealt alike.
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
    after: str | None = None
    hot: tuple[int, int] | None = None
    env: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, experiment: str, profile: str, variant: str = "") -> Workload:
        """Return the load of ``experiment`` as k6 will run it.

        Args:
            experiment: such as ``"A2"``.
            profile: ``"full"``, ``"quick"`` or ``"burst"``.
            variant: which of several runs of it, such as ``"kill"``; of A3, the depth; ``"single"`` of smoke
                is the one that goes straight to shard a.
        """
        given = PROFILES["experiments"][experiment]
        per_second = given["arrivals"]["rate"] / given["arrivals"]["per_s"]
        rates, rate = [], per_second
        for stage in given["stages"]:
            reached = stage.get("to", rate)
            rates.append((rate, reached))
            rate = reached
        seeds = {shard: (int(seed["depth"]), int(seed["levels"])) for shard, seed in given["seeds"].items()}
        name = f"{experiment}-{variant}" if variant else experiment
        target, env = given["target"], {}
        if variant == "single":
            # with a dash the ids of its orders would begin as those of smoke itself
            name = f"{experiment}_{variant}"
            target, seeds, env = "shard", {"a": seeds["a"]}, {"TARGET": "shard"}
        elif "depths" in given:
            levels = {str(one["depth"]): int(one["levels"]) for one in given["depths"]}[variant]
            seeds = {"a": (int(variant), levels)}
            env = {"A3_DEPTH": variant, "A3_LEVELS": str(levels)}
        return cls(
            id=name,
            experiment=experiment,
            profile=profile,
            script=given["script"],
            target=target,
            rates=tuple(rates),
            lengths=tuple(float(of_profile(stage["length_s"], profile)) for stage in given["stages"]),
            seeds=seeds,
            after=SUCCESSORS.get(experiment),
            hot=(given["hot"]["orders"], given["hot"]["of"]) if "hot" in given else None,
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
        return self.arrivals.planned

    @property
    def system(self) -> System:
        """What it runs on: one shard alone, or three behind the gateway."""
        return SINGLE if self.target == "shard" else MULTI

    def order_ids(self, run_id: str) -> str:
        """Return how the id of every order of it begins."""
        return f"{run_id}-{self.id}-"

    @property
    def settle(self) -> float:
        """Seconds at its beginning that are not judged."""
        return min(of_profile(SETTLE, self.profile), self.seconds / 4)

    @property
    def arrivals(self) -> Arrivals:
        """When each order is due."""
        ramps = tuple(
            Ramp(first, last, length) for (first, last), length in zip(self.rates, self.lengths, strict=True)
        )
        return Arrivals(ramps, ramping=len(ramps) > 1)

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """The shards that are judged together, by what they are called."""
        hot, *others = self.seeds
        return {"hot": (hot,), "other": tuple(others)} if self.hot else {one: (one,) for one in self.seeds}

    def share(self, shard: str) -> float:
        """Return which share of its orders are for a shard."""
        if self.hot is None:
            return 1 / len(self.seeds)
        hot, *others = self.seeds
        share = self.hot[0] / self.hot[1]
        return share if shard == hot else (1 - share) / len(others)

    def shard_of(self, number: int) -> str:
        """Return whose the order of that number is: symbols are dealt in turn (k6/lib/orderGenerator.js)."""
        shards = list(self.seeds)
        if self.hot is not None:
            orders, of = self.hot
            if number % of < orders:
                return shards[0]
            number, shards = number // of, shards[1:]
        symbols = [shard for shard in shards for _ in SYMBOLS[shard]]
        return symbols[number % len(symbols)]

    def resting(self, shard: str) -> int:
        """Return how many SELLs are to rest on a shard."""
        return self.seeds[shard][0] * len(SYMBOLS[shard])

    def takes(self, event: Mapping[str, Any]) -> bool:
        """Whether an order is one that takes from the book, whose place another is to take."""
        return bool(event["side"] == "BUY" and event["price"] >= AGGRESSIVE)

    def replenishment(self, order: str) -> str:
        """Return the id of what is to take the place of what an order took."""
        load, _, number = order.rpartition("-")
        return f"{load}-r{number}"

    def spans(self) -> list[tuple[str, float, float]]:
        """Return each stage that lasts: what it is called, and from and to which second it is."""
        ends = list(itertools.accumulate(self.lengths))
        return [
            (f"{first:g}/s" if first == last else f"{first:g}/s to {last:g}/s", start, end)
            for (first, last), start, end in zip(self.rates, [0.0, *ends], ends, strict=False)
            if end > start
        ]

    def orders_in(self, start: float, end: float) -> float:
        """Return how many orders are due from one second to another."""
        times = self.arrivals.times(range(self.iterations))
        return float(bisect.bisect_left(times, end) - bisect.bisect_left(times, start))

    def stages(self, trial: Trial) -> list[Trial]:
        """Return the trial of this load, asked about each stage alone."""
        return [trial.part(start, end) for _, start, end in self.spans()]

    def plan(self, run_id: str, *, empty: Callable[[Deployment], None] | None = None) -> Plan:
        """Return what the harness needs to run it.

        Args:
            run_id: begins the ids of its orders.
            empty: takes from the books whatever rests there, where no fresh system is to be had.
        """

        def env(deployment: Deployment) -> dict[str, str]:
            where = (
                {"ME_SHARD_A_URL": deployment.inside(shard_service("a")).url}
                if self.target == "shard"
                else {"GATEWAY_URL": deployment.inside(GATEWAY).url}
            )
            before = _last.get(deployment, "")
            if self.after and before != self.after:
                raise Inconclusive(
                    f"{self.id} goes on with the books that {self.after} has left",
                    expected=self.after,
                    found=before or "no load before it",
                )
            if self.after is None and empty is not None:
                empty(deployment)
            _last[deployment] = self.id
            told = {
                "PROFILE": self.profile,
                "RUN_ID": self.order_ids(run_id)[:-1],
                "SEED": str(int(not self.after)),
                # a scrape has to show the books where nobody else can tell how deep they were
                "SEED_PAUSE": f"{SEED_PAUSE if empty is not None else 0:g}",
            }
            return {**where, **told, **self.env}

        return Plan(
            name=self.id,
            system=self.system,
            script=ROOT / "k6" / self.script,
            iterations=self.iterations,
            seconds=self.seconds,
            settle=self.settle,
            env=env,
            tags={"name": "order"},
            arrivals=self.arrivals,
            accepted="orders_accepted",
            fresh=self.after is None and empty is None,
        )


def number_of(order: str) -> int:
    """Return which order of its load one is, from its id.

    >>> number_of("20261125T101010-ab12-A2-17")
    17
    """
    return int(order.rpartition("-")[2])
