"""Performs the search of :mod:`.capacity`: each trial is a load on the system that is up, and on record."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import HarnessError
from ..figures import duration, quantity
from ..processes import progress
from ..samples import Estimate, NoValue, exact
from ..systems import Deployment
from ..verdicts import Listing, Mark
from . import sustained
from .capacity import Arm, Ask, Claim, Conclusion, Outcome, Ruling, Trial, step
from .trial import Plan, Stage
from .trial import Trial as Done

SETTLE = 3.0  # seconds at the beginning of a trial that are not judged


@dataclass(frozen=True, slots=True)
class Demand:
    """What a shared part needs of a core for each order.

    Attributes:
        service: its name.
        seconds: of CPU an order.
        parts: how many parts with a whole core each would fill it.
        orders: how many that was seen of.
    """

    service: str
    seconds: float
    parts: float
    orders: int

    @property
    def most(self) -> float:
        """Orders/s at which it fills a core of its own."""
        return 1 / self.seconds


@dataclass
class Capacity:
    """Whether many parts sustain so many times what one does, found out by loading them.

    Attributes:
        stage: where loads are run.
        name: of the search; each trial's load is called after it.
        claim: what is to be shown.
        load: makes the load of a trial, given its name and what is asked for; it lasts ``SETTLE`` seconds
            longer than that.
        parts: the services that many are; one is each of them in turn.
        shared: services that both use.
        shares: cores that each part may use at the most, the same in both; none: a whole one. Of several the
            first is taken, and the next instead, from the beginning, where the machine is crowded on the
            first trial of many, whatever came out of it.
        p99: asks the parts' own metrics for a load's 99th percentile, in seconds; ``None`` if they have none.
        yields: asks the parts' own metrics what they made of a load's orders, a minute, such as matches;
            ``None`` if that says nothing.
        made: what that is called.
        backlog: reads how much waits to be handed on by one part or by many; ``None`` if nothing ever does.
        trials: what was found so far, with the share that is taken.
        before: what was found with those that were not.
        ended: unix seconds of the last one's end.
        orders: how many were due in all of them.
        demands: what shared parts need; known at the end.
    """

    stage: Stage
    name: str
    claim: Claim
    load: Callable[[str, Ask], Plan]
    parts: Sequence[str]
    shared: Sequence[str] = ()
    shares: Sequence[float] = ()
    p99: Callable[[Done, Ask], Estimate | NoValue] | None = None
    yields: Callable[[Done, Ask], Estimate | NoValue] | None = None
    made: str = "yield/min"
    backlog: Callable[[Deployment, Ask], float] | None = None
    trials: list[Trial] = field(default_factory=list)
    before: list[Trial] = field(default_factory=list)
    ended: float = 0.0
    orders: int = 0
    demands: tuple[Demand, ...] = ()

    def conclude(self) -> Conclusion:
        """Load until it is decided; return what came out.

        Raises:
            Unsupported: the backend can't share out the CPU, or tell what was used of it.
        """
        spent: list[tuple[Trial, sustained.Used | None, int]] = []
        while isinstance(asked := step(self.claim, self.trials), Ask):
            number = len(self.before) + len(self.trials) + 1
            progress.say(f"{self.name}: trial {number}, {asked.rate:.0f}/s on {asked.on}: {asked.why}")
            trial, used, orders = self._try(f"{self.name}-{number}", asked)
            what = f" ({trial.broke})" if trial.broke else ""
            progress.say(f"{self.name}: {asked.rate:.0f}/s on {asked.on} {trial.outcome.value}{what}")
            self.trials.append(trial)
            spent.append((trial, used, orders))
            if used is not None and self._crowds(used):
                self._begin_again(used)
                spent.clear()
        self.demands = _demands(spent, self.parts, self.shared)
        return asked

    @property
    def share(self) -> float | None:
        """Cores that each part may use at the most; ``None``: a whole one."""
        return self.shares[0] if self.shares else None

    def _crowds(self, used: sustained.Used) -> bool:
        """Whether this was the first trial of many, the machine was crowded, and there is a smaller share.

        What came out of it is not asked: to begin again until the claim holds would be a wrong PASS.
        """
        arms = [trial.ask.arm for trial in self.trials]
        first = arms.count(Arm.MANY) == 1 and arms[-1] is Arm.MANY
        return first and used.busy > sustained.CROWDED and len(self.shares) > 1

    def _begin_again(self, used: sustained.Used) -> None:
        """Take the next smaller share after a trial of many, and begin where one part may sustain as much."""
        large, *smaller = self.shares
        progress.say(
            f"{self.name}: the machine was {used.busy:.0%} busy; again, with {smaller[0]:g} of a core for "
            f"each of {len(self.parts)} instead of {large:g}"
        )
        start = self.trials[-1].ask.rate / self.claim.factor * smaller[0] / large
        self.claim = dataclasses.replace(self.claim, start=start)
        self.before += self.trials
        self.trials, self.shares, self.orders = [], smaller, 0

    def factor(self) -> Estimate:
        """Return how many times what one part sustains many sustain, as far as that is known."""
        found = self.conclude()
        counted = max(1, self.orders)
        estimate = exact(
            f"{self.name}: the rate that {self.claim.parts} sustain, by what one does",
            max(0.0, min(self.claim.factor, found.hi)),
            self.ended,
            n=counted,
            counted="orders",
        )
        if found.ruling is Ruling.FAILS:  # at the limit itself they did not
            lower = self.claim.factor * (1 - 1e-6)
            estimate = exact(estimate.query, lower, self.ended, n=counted, counted="orders")
        return estimate.widened(
            "chance" if found.ruling is not Ruling.OPEN else "instrument",
            found.reason,
            lo=found.lo,
            hi=min(found.hi, estimate.hi) if found.ruling is Ruling.FAILS else found.hi,
            instrument="" if found.ruling is not Ruling.OPEN else "machine",
            cure="" if found.ruling is not Ruling.OPEN else "a quieter machine, or more cores",
        )

    def listing(self) -> Listing:
        """Return every trial so far, and a drawing of them: rates as many times as parts were loaded.

        Those that were made with another share are not among them: their rates are not to be compared.
        """
        columns = ("on", "orders/s", "for", "", "what broke first", "p99 at the client", self.made, "CPU")
        rows, marks = [], []
        for trial in self.trials:
            ask, parts = trial.ask, len(trial.ask.parts)
            times = self.claim.times(parts)
            waited = None if trial.p99 is None else 1000 * trial.p99
            full = None if trial.full is None else 100 * trial.full
            row = [ask.on, quantity(ask.rate, ""), duration(ask.seconds), trial.outcome.value, trial.broke]
            row += [quantity(waited, "ms"), quantity(trial.yielded, ""), quantity(full, "% of its share")]
            rows.append(tuple(row))
            if trial.p99 is not None and trial.outcome is not Outcome.VOID:
                series = "one" if parts == 1 else f"{parts}, at {times:g} times"
                met = trial.outcome is Outcome.SUSTAINED
                marks.append(Mark(series, ask.rate / times, trial.p99 * 1000, met))
        marks.sort(key=lambda mark: mark.series != "one")
        return Listing(
            f"{self.name}: {len(rows)} trials",
            columns,
            tuple(rows),
            "orders/s for one",
            "p99, ms",
            tuple(marks),
        )

    def _try(self, name: str, ask: Ask) -> tuple[Trial, sustained.Used | None, int]:
        meters: list[sustained.Meter] = []
        plan = self.load(name, ask)

        def actions(deployment: Deployment) -> Sequence[tuple[float, Callable[[], None]]]:
            for service in self.parts:
                deployment.share(service, self.share or 0.0)
            behind = functools.partial(self.backlog, deployment, ask) if self.backlog else None
            meters.append(sustained.Meter(deployment, [*self.parts, *self.shared], behind))
            return [*plan.actions(deployment), *meters[0].actions(SETTLE, SETTLE + ask.seconds - 0.3)]

        try:
            done = self.stage.trial(dataclasses.replace(plan, actions=actions))
        finally:
            if meters:
                for service in self.parts:
                    _lift(meters[0].deployment, service)
        record: Any = self.stage.run.evidence.fact(f"CPU of {name}", lambda: meters[0].readings)
        orders = done.kept.orders
        span = orders.began + SETTLE, orders.began + SETTLE + ask.seconds
        due = orders.due(*span)
        self.ended = span[1]
        self.orders += len(due)
        used = sustained.used(record)
        trial = sustained.judge(
            ask,
            due,
            span,
            trouble="; ".join(one.text for one in done.load.trouble),
            spent=used,
            share=self.share,
            parts=[self.parts[number] for number in ask.parts],
            inside=self._inside(done, ask, record),
        )
        made = self.yields(done, ask) if self.yields is not None and done.load.requests else None
        yielded = made.value if isinstance(made, Estimate) else None
        return dataclasses.replace(trial, yielded=yielded), used, len(due)

    def _inside(self, done: Done, ask: Ask, record: Sequence[Mapping[str, Any]]) -> sustained.Inside | None:
        if self.p99 is None or not done.load.requests:
            return None
        first, last = (record[0], record[-1]) if len(record) > 1 else ({}, {})
        return sustained.Inside(self.p99(done, ask), (first.get("backlog"), last.get("backlog")))


def _lift(deployment: Deployment, service: str) -> None:
    try:
        deployment.share(service, 0.0)
    except HarnessError:  # it died, which the load has told
        return


def _demands(
    spent: Sequence[tuple[Trial, sustained.Used | None, int]],
    parts: Sequence[str],
    shared: Sequence[str],
) -> tuple[Demand, ...]:
    """Return what the shared parts need, by the trials in which many parts were loaded."""
    seen = [
        (used, orders)
        for trial, used, orders in spent
        if used is not None and trial.ask.arm is Arm.MANY and trial.outcome is not Outcome.VOID
    ]
    total = sum(orders for _, orders in seen)
    if not total:
        return ()

    def each(services: Sequence[str]) -> float:
        return sum(used.cores[name] * used.seconds for used, _ in seen for name in services) / total

    part = each(parts)
    found = ((service, each([service])) for service in shared)
    return tuple(Demand(service, need, part / need, total) for service, need in found if need > 0)


__all__ = ["SETTLE", "Capacity", "Claim", "Conclusion", "Demand", "Ruling"]
