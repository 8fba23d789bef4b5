"""What every load is judged by, whatever its experiment: no experiment can lack one of these.

No latency is judged by the system's own stopwatch alone, no error by its own count, and no number is
believed of a load in which orders were lost, or of a load that was not what it claims.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import pytest

from verdict_harness.samples import Estimate, NoValue, Sample, exact, percent
from verdict_harness.verdicts import AtLeast, Below, Judge

from . import shards
from .conservation import judge_conservation
from .performed import FEWEST, Performed

BESIDE = 2  # processes with work besides the shards: the gateway and k6
OF_FEW = 5 * percent  # errors, where 300 orders are not to be had
AS_CLAIMED = 99 * percent

_Test = TypeVar("_Test", bound=Callable[..., None])


@dataclass(frozen=True)
class Standing:
    """One of them.

    Attributes:
        name: which; the criterion's id has it.
        ask: asks a load and judges what is found.
    """

    name: str
    ask: Callable[[Performed, Judge], None]

    def __call__(self, load: Performed, judge: Judge) -> None:
        """Judge ``load`` by it."""
        self.ask(load, judge)

    def __str__(self) -> str:
        return self.name


def client_latency(load: Performed, judge: Judge) -> None:
    """p99 from when an order was due to its answer is below 200 ms, all through the load."""
    judge(
        {label: view.trial.response_windows(view.p) for label, view in load.views.items()},
        Below(shards.LIMIT),
    )


def server_latency(load: Performed, judge: Judge) -> None:
    """p99 of matching, request received to result, is below 200 ms; never matched is infinitely slow."""
    budget = shards.BUDGET if load.workload.experiment == "A2" else None
    shards.matching(judge, load.views, load.groups, budget)


def errors(load: Performed, judge: Judge) -> None:
    """Fewer than 1 % of the orders that were due were not accepted, in the client's own word."""
    found = {label: view.trial.errors() for label, view in load.groups.items()}
    enough = all(one.n >= FEWEST for one in found.values() if isinstance(one, Estimate))
    judge(found, Below(shards.FEW_ERRORS if enough else OF_FEW))


def claimed(load: Performed, judge: Judge) -> None:
    """What was planned was sent when it was due, and what was taken from the books was laid there again."""
    judge({"orders": load.trial.claimed(), **_replenished(load)}, AtLeast(AS_CLAIMED))


def added(load: Performed, judge: Judge) -> None:
    """The gateway adds less than 5 ms at p99 to what a shard takes by itself."""
    behind = tuple(load.workload.seeds)
    p = min(view.p for view in load.groups.values())
    shards.adds(judge, load.trial, behind, p, crowded=load.cores < len(behind) + BESIDE)


STANDING = (
    Standing("client-p99", client_latency),
    Standing("match-p99", server_latency),
    Standing("errors", errors),
    Standing("conservation", judge_conservation),
    Standing("load", claimed),
)
GATEWAY = Standing("gateway", added)


def standing(
    experiment: str, asr: str = "", variant: str = "", *, gateway: bool = False
) -> Callable[[_Test], _Test]:
    """Make a test of a load, with the parameter ``by``, one criterion for each of :data:`STANDING`.

    Args:
        experiment: such as ``"A3"``.
        asr: the requirement that it is of.
        variant: end of the criteria's ids where there are several such loads, such as ``"-{a3}"``.
        gateway: whether the load goes through the gateway.
    """
    some = (*STANDING, GATEWAY) if gateway else STANDING
    marks = (
        pytest.mark.parametrize("by", some, ids=str),
        pytest.mark.criterion(f"{experiment}.{{by}}{variant}", experiment=experiment, asr=asr),
    )

    def mark(test: _Test) -> _Test:
        for one in marks:
            test = one(test)
        return test

    return mark


def _replenished(load: Performed) -> dict[str, Sample]:
    """Return of how many aggressive orders what they took was laid into the book again."""
    if load.ledger.untold:
        return {}
    laid = {event["orderId"] for event in load.ledger.seeded.values()}
    aggressive = [event for event in load.ledger.placed.values() if load.workload.takes(event)]
    if not aggressive:
        return {"replenished": NoValue("replenished orders", "no aggressive order was placed")}
    there = sum(load.workload.replenishment(event["orderId"]) in laid for event in aggressive)
    share = there / len(aggressive)
    return {
        "replenished": exact(
            "aggressive orders whose place was taken",
            share,
            load.trial.whole.end,
            n=len(aggressive),
            counted="orders",
        )
    }
