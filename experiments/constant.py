"""Loads of one constant rate, for searches and comparisons: what k6/constant-rate.js is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from weakref import WeakKeyDictionary

from verdict_harness.loads import Arrivals, Plan
from verdict_harness.systems import Deployment, System

from .cluster import ROOT
from .exchange import GATEWAY, MULTI, SINGLE, shard_service

# Books are seeded by the first load on a system. The next ones find them as deep: each order that takes is
# followed by one that replaces what it took.
_seeded: WeakKeyDictionary[Deployment, set[str]] = WeakKeyDictionary()


def plan(  # noqa: PLR0913 - each is one thing that a load is
    name: str,
    run_id: str,
    *,
    rate: float,
    seconds: float,
    settle: float,
    shards: Sequence[str] = ("a",),
    target: str = "gateway",
    env: Mapping[str, str] | None = None,
    beside: tuple[System, Sequence[str]] | None = None,
) -> Plan:
    """Return a load of one constant rate.

    Args:
        name: unique in a run.
        run_id: of the run.
        rate: orders/s, rounded to whole ones.
        seconds: how long, rounded up to whole ones.
        settle: seconds at the beginning that are not judged.
        shards: whose symbols the orders are for.
        target: ``"shard"``: straight to shard a, which then is all there is; or ``"gateway"``.
        env: further variables for the script.
        beside: a system in which there are several of them, and their names: orders go to each in turn.
    """
    whole, orders = int(-(-seconds // 1)), max(1, round(rate))

    def variables(deployment: Deployment) -> dict[str, str]:
        seeded = _seeded.setdefault(deployment, set())
        wanted = {*shards, "b"} if env and "NEIGHBOR" in env else set(shards)
        there = wanted <= seeded
        seeded |= wanted
        variable, service = (
            ("ME_SHARD_A_URL", shard_service("a")) if target == "shard" else ("GATEWAY_URL", GATEWAY)
        )
        first, *others = (deployment.inside(name).url for name in (beside[1] if beside else [service]))
        where = {variable: first, **({"OTHERS": ",".join(others)} if others else {})}
        return {
            **where,
            "TARGET": target,
            "LOADED": ",".join(shards),
            "RATE": str(orders),
            "SECONDS": str(whole),
            "RUN_ID": f"{run_id}-{name}",
            "SEED": str(int(not there)),
            **(env or {}),
        }

    arrivals = Arrivals.constant(orders, whole)
    return Plan(
        name=name,
        system=beside[0] if beside else SINGLE if target == "shard" else MULTI,
        script=ROOT / "k6" / "constant-rate.js",
        iterations=arrivals.planned,
        seconds=float(whole),
        settle=settle,
        env=variables,
        tags={"name": "order", "scenario": "constant"},  # the neighbor's iterations are no part of it
        arrivals=arrivals,
        accepted="orders_accepted",
        recorded=False,
    )
