"""A load during which the broker is taken away and given back, and what became of its events."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from typing import Any

from verdict_harness.errors import Inconclusive
from verdict_harness.loads import Stage, Trial
from verdict_harness.record import Json
from verdict_harness.samples import Estimate, NoValue, Trouble
from verdict_harness.systems import Deployment, Fault

from .exchange import BROKER
from .judging.ledger import Ledger
from .judging.perform import plan, read
from .judging.performed import SCRAPE, Performed, View
from .loads import PROFILES, Workload, of_profile

UNDER_WAY = 4.0  # seconds in which what was under way when the broker went may still be acknowledged
RECEIVED = "me_orders_received_total"
SHORTEST = 4.0  # seconds that a part before or after has to last to be judged
LEAST = 0.8  # of its planned length; to inject it takes seconds, and the load does not wait
DRAIN = 120.0  # seconds that the shard has to hand over what it kept, once the broker answers again

Breaking = Callable[[Deployment, str], Fault]


class Outage(Performed):
    """One such load. It carries a verdict only if the outage was seen by others than who made it.

    Attributes:
        fault: what was done to the broker, by which means and when, as on record, and for how long it was
            ``planned``.
    """

    def __init__(self, workload: Workload, trial: Trial, ledger: Ledger, fault: dict[str, Any]) -> None:
        self.fault = fault
        super().__init__(workload, trial, ledger)
        doubts = self._doubts() if trial.load.requests else ()
        self.trouble += tuple(Trouble(text, "the fault") for text in doubts)

    @property
    def before(self) -> Trial:
        """The judged part of the load before the outage."""
        return self.trial.part(0, self._at("injected"))

    @property
    def during(self) -> Trial:
        """The part of the load without a broker."""
        return self.trial.part(self._at("injected"), self._at("healed"))

    def _views(self) -> Iterable[tuple[str, View[Trial]]]:
        if "bit" not in self.fault:
            yield from super()._views()
            return
        gone, back = self._at("injected"), self._at("healed")
        judged, end = self.trial.window.start - self.trial.began, self.workload.seconds
        # the report shows it by this label: not every backend has the same means
        during = ", ".join(filter(None, ("during", self.fault.get("means", ""))))
        for label, start, stop in (("before", judged, gone), (during, gone, back), ("after", back, end)):
            if stop - start >= SHORTEST:
                yield label, self.view(self.trial.part(start, stop), self.workload.orders_in(start, stop))

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
        errors = self.during.server.growth("me_event_publish_errors_total", of=RECEIVED, shard="a")
        silent = self.trial.part(self._at("injected") + UNDER_WAY, self._at("healing") - SCRAPE)
        sent = silent.server.growth("me_events_published_total", of=RECEIVED, shard="a")
        if isinstance(errors, Estimate) and isinstance(sent, Estimate):
            if not sent.lo:
                return []
            noticed = f"{errors.lo:g}" if errors.lo else "no"
            return [
                f"the shard did not miss the broker: {noticed} publish errors, and {sent.lo:g} events sent"
            ]
        unknown = errors if isinstance(errors, NoValue) else sent
        return [f"whether the shard missed the broker is not known: {getattr(unknown, 'reason', '')}"]


def outage(stage: Stage, fault: str, breaking: Breaking) -> Outage:
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
    after, lasting = (float(of_profile(planned[one], run.profile)) for one in ("start_s", "length_s"))
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

        trial = stage.trial(dataclasses.replace(plan(stage, workload), actions=actions))
        record: Any = run.evidence.fact(f"outage of {workload.id}", end)
    # what the shard kept while the broker was gone is sent only now
    return Outage(workload, trial, read(stage, workload, trial, drain=DRAIN), record)
