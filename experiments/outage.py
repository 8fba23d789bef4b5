"""A load during which the broker is taken away and given back, and what became of its events."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx

from verdict_harness.errors import Inconclusive, WaitTimeout
from verdict_harness.loads import Stage, Trial, requests
from verdict_harness.processes import Pending, until
from verdict_harness.record import Json, Run
from verdict_harness.samples import Estimate, NoValue
from verdict_harness.systems import Deployment, Fault

from .broker import read_orders
from .exchange import BROKER
from .loads import PROFILES, Workload

UNDER_WAY = 4.0  # seconds in which what was under way when the broker went may still be acknowledged
LEAST = 0.8  # of its planned length; to inject it takes seconds, and the load does not wait
DRAIN = 120.0  # seconds that the shard has to hand over what it kept, once the broker answers again

Breaking = Callable[[Deployment, str], Fault]


class Outage:
    """One such load. It carries a verdict only if the outage was seen by others than who made it.

    Attributes:
        trial: the load.
        fault: what was done to the broker, and when, as on record, and for how long it was ``planned``.
        trouble: every reason why nothing may be concluded from it.
    """

    def __init__(self, trial: Trial, fault: dict[str, Any]) -> None:
        self.trial = trial
        self.fault = fault
        self.trouble = trial.trouble + (tuple(self._doubts()) if trial.load.requests else ())

    @property
    def name(self) -> str:
        """The load's name."""
        return self.trial.name

    @property
    def before(self) -> Trial:
        """The judged part of the load before the outage."""
        return self.trial.part(0, self._at("injected"))

    @property
    def during(self) -> Trial:
        """The part of the load without a broker."""
        return self.trial.part(self._at("injected"), self._at("healed"))

    def _at(self, what: str) -> float:
        """Return how many seconds into the load that was."""
        if what not in self.fault:
            raise Inconclusive("the broker was never gone", expected=f"a fault that was {what}", found="none")
        began: float = self.trial.began
        return float(self.fault[what]) - began

    def _doubts(self) -> Sequence[str]:
        if not {"bit", "healing", "healed"} <= self.fault.keys():
            return ["the broker was never gone: no fault bit"]
        planned = self.fault.get("planned", 0.0)
        gone = min(self.fault["healing"], self.trial.window.end) - self.fault["injected"]
        if gone < LEAST * planned:
            return [f"the broker was gone for {gone:.0f} s of the load, and was to be for {planned:.0f} s"]
        # Errors prove a moment without it; that no event gets through proves that it was gone all the while.
        errors = self.during.growth("me_event_publish_errors_total")
        silent = self.trial.part(self._at("injected") + UNDER_WAY, self._at("healing"))
        sent = silent.growth("me_events_published_total", series=2)
        if isinstance(errors, Estimate) and isinstance(sent, Estimate):
            if not sent.lo:
                return []
            noticed = f"{errors.lo:g}" if errors.lo else "no"
            return [
                f"the shard did not miss the broker: {noticed} publish errors, and {sent.lo:g} events sent"
            ]
        unknown = errors if isinstance(errors, NoValue) else sent
        return [f"whether the shard missed the broker is not known: {getattr(unknown, 'reason', '')}"]


def perform(stage: Stage, fault: str, breaking: Breaking) -> Outage:
    """Run A4's load, take the broker away at its minute, and give it back whatever happens.

    Args:
        stage: where it is run.
        fault: the outage in one word; names the load.
        breaking: makes the fault.

    Raises:
        FaultError: the broker did not come back.
    """
    run = stage.run
    workload = Workload.of("A4", run.profile, fault)
    planned = PROFILES["experiments"]["A4"]["outage"]
    after, lasting = float(planned["start_s"][run.profile]), float(planned["length_s"][run.profile])
    made: list[Fault] = []

    with ExitStack() as always:

        def actions(deployment: Deployment) -> Sequence[tuple[float, Callable[[], None]]]:
            made.append(always.enter_context(breaking(deployment, BROKER).armed()))
            begin, end = made[0].schedule(after=after, lasting=lasting)
            # What is to last to the load's end is ended after it.
            return (begin, end) if after + lasting < workload.seconds else (begin,)

        def end() -> Json:
            for one in made:
                one.heal()
            return {**made[0].to_json(), "planned": lasting} if made else {}

        plan = dataclasses.replace(workload.plan(run.run_id), actions=actions)
        trial = stage.trial(plan, workload.suspicions)
        record: Any = run.evidence.fact(f"outage of {workload.id}", end)
    return Outage(trial, record)


def aftermath(stage: Stage, outage: Outage) -> Any:
    """Return what an independent consumer finds of the load's events once the shard has sent all it has.

    Returns:
        ``drained``: seconds after which nothing was left, ``None`` if that was never; ``accepted``: orders
        that k6 had accepted; ``missing``: those of them without an ORDER_PLACED, the first few named in
        ``examples``; ``orders``, ``matches``: different events of the load's orders.

    Raises:
        FaultError: the broker did not come back.
    """
    workload = Workload.of("A4", stage.run.profile, outage.name.removeprefix("A4-"))

    def ask(deployment: Deployment) -> Json:
        drained = _drained(deployment, float(outage.fault["answered"]))
        accepted = _accepted(stage.run, outage.name)
        address = deployment.endpoint(BROKER, "kafka").address
        found = read_orders(address, workload.order_ids(stage.run.run_id))
        missing = sorted(accepted - found["placed"])
        return {
            "drained": drained,
            "accepted": len(accepted),
            "missing": len(missing),
            "examples": missing[:5],
            "orders": found["orders"],
            "matches": found["matches"],
        }

    return stage.observe(f"aftermath of {outage.name}", workload.system, ask)


def _accepted(run: Run, load: str) -> set[str]:
    path: Path = run.evidence.folder(f"loads/{load}")
    return {request.id for request in requests(path, {"name": "order"}) if request.status == 200}


def _drained(deployment: Deployment, since: float) -> float | None:
    """Wait until the shard has nothing left to send, as a scrape after ``since`` shows."""
    left = "me_event_backlog_orders"
    query = f"sum({left} and timestamp({left}) > {since:.3f})"

    def nothing_left() -> bool:
        try:
            answer = httpx.get(
                f"{deployment.prometheus}/api/v1/query", params={"query": query}, timeout=5, trust_env=False
            )
            result = answer.json()["data"]["result"]
        except (httpx.HTTPError, ValueError, LookupError) as error:
            raise Pending(f"Prometheus: {error!r}") from None
        if not result or float(result[0]["value"][1]):
            raise Pending(f"{result[0]['value'][1]} orders left" if result else "no scrape since")
        return True

    began = time.monotonic()
    try:
        until("the shard to send what it kept", nothing_left, timeout=DRAIN, interval=1.0)
    except WaitTimeout:
        return None  # what did not arrive in that time is missing, and the consumer will say so
    return round(time.monotonic() - began, 1)
