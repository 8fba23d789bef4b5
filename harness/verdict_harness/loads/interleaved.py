"""Blocks of two arms in turn (A B B A A B B A), in one load: what drifts meanwhile is in both.

An arm is whatever can be switched on and off while a load runs: a fault, a neighbor's load, another
version of a service. Arm A is the load as it always is, arm B the load with that. Each pair of blocks
needs one switch, for which the schedule leaves time that is not judged; a block begins when the switch has
taken hold, which is for the arm to say, and never by the clock alone.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, NamedTuple, TypeAlias

from ..record import Json
from ..samples import (
    FEWEST,
    LOOKS,
    Block,
    Empty,
    Estimate,
    NoValue,
    Partial,
    Ruling,
    Sample,
    against_itself,
    compare,
    exact,
    is_calm,
    rule,
)
from ..systems import Deployment
from .orders import Order
from .trial import Plan, Stage, Trial

Arm: TypeAlias = Literal["A", "B"]


class Held(NamedTuple):
    """A switch that has taken hold.

    Attributes:
        at: unix seconds of that.
        means: by which means it was made, where the report has to say so.
    """

    at: float
    means: str = ""


Switch: TypeAlias = Mapping[Arm, Callable[[], Held]]
"""For each arm, what makes it take over."""

_Take: TypeAlias = Callable[["Trial", "Judged"], "tuple[Block | NoValue, Block | NoValue]"]
_BEYOND = 1e6  # times: what was never answered is infinitely slower, of which no share can be shown
LEAST = 0.6  # share of its planned length that has to be left of a block once its switch has taken hold


@dataclass(frozen=True, slots=True)
class Span:
    """One block as planned: seconds from the beginning of the load."""

    arm: Arm
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Schedule:
    """When the blocks of one load are.

    Attributes:
        pairs: how many pairs of blocks.
        block: seconds of a block.
        switch: seconds that are left for one arm to give way to the other.
        settle: seconds at the beginning that belong to no block.

    >>> schedule = Schedule(pairs=2, block=10, switch=5, settle=4)
    >>> [(span.arm, span.start, span.end) for span in schedule.spans]
    [('A', 4, 14), ('B', 19, 29), ('B', 29, 39), ('A', 44, 54)]
    >>> schedule.seconds, list(schedule.switches())
    (54, [(14, 'B'), (39, 'A')])
    """

    pairs: int
    block: float
    switch: float
    settle: float = 5.0

    @property
    def spans(self) -> list[Span]:
        """The blocks in order: those at 2 n and 2 n + 1 are a pair."""
        arms = itertools.islice(itertools.cycle("ABBA"), 2 * self.pairs)
        spans: list[Span] = []
        now = self.settle
        for arm in arms:
            if spans and spans[-1].arm != arm:
                now += self.switch
            spans.append(Span("A" if arm == "A" else "B", now, now + self.block))
            now += self.block
        return spans

    @property
    def seconds(self) -> float:
        """How long the load lasts."""
        return self.spans[-1].end

    def switches(self) -> Iterator[tuple[float, Arm]]:
        """Yield when, in seconds from the beginning, which arm takes over."""
        for before, after in itertools.pairwise(self.spans):
            if before.arm != after.arm:
                yield before.end, after.arm


@dataclass
class Switching:
    """Switches arms while a load runs, and keeps when each took hold.

    Attributes:
        to: for each arm, what makes it take over.
        held: for each switch so far, by the second for which it was planned: the unix time at which it had
            taken hold.
        means: for each arm so far: by which means it took over last, where that was told.
    """

    to: Switch
    held: dict[str, float] = field(default_factory=dict)
    means: dict[str, str] = field(default_factory=dict)

    def actions(self, schedule: Schedule) -> list[tuple[float, Callable[[], None]]]:
        """Return what has to be done at which second of the load."""

        def action(at: float, arm: Arm) -> Callable[[], None]:
            def switch() -> None:
                held = self.to[arm]()
                self.held[f"{at:g}"] = held.at
                if held.means:
                    self.means[arm] = held.means

            return switch

        return [(at, action(at, arm)) for at, arm in schedule.switches()]

    def to_json(self) -> Json:
        """Return when switches took hold, and by which means arms took over, as it goes on record."""
        return {**self.held, **self.means}


@dataclass(frozen=True, slots=True)
class Judged:
    """A pair of blocks as it was made: unix seconds from and to, of arm A and of arm B."""

    a: tuple[float, float]
    b: tuple[float, float]


def judged(schedule: Schedule, began: float, held: Mapping[str, Any]) -> list[Judged]:
    """Return the pairs of blocks that came about.

    Args:
        schedule: as planned.
        began: unix seconds of the load's beginning.
        held: what :meth:`Switching.to_json` returned; of a switch that needs no waiting it may lack.

    Returns:
        Pairs in order; without those of which a switch left too little.
    """
    spans: list[tuple[float, float] | None] = []
    hold = began
    planned = {end: f"{end:g}" for end, _ in schedule.switches()}
    for before, span in zip([None, *schedule.spans], schedule.spans, strict=False):
        if before is not None and before.arm != span.arm:
            hold = float(held.get(planned[before.end], began + before.end + schedule.switch))
        start, end = max(began + span.start, hold), began + span.end
        spans.append((start, end) if end - start >= LEAST * schedule.block else None)
    arms = [span.arm for span in schedule.spans]
    pairs = []
    for n in range(0, len(spans), 2):
        one, other = spans[n], spans[n + 1]
        if one is not None and other is not None:
            pairs.append(Judged(one, other) if arms[n] == "A" else Judged(other, one))
    return pairs


Question: TypeAlias = Callable[[Trial, float, float], "Block | NoValue"]
"""Asked of a load and of a stretch of it, unix seconds: the latencies that one block had."""


def at_the_client(trial: Trial, start: float, end: float) -> Block | NoValue:
    """Return the latencies, from due to answered, of the orders that were due in a stretch of a load.

    One that was not accepted counts as infinitely slow.
    """
    return latencies(trial.name, trial.kept.orders.due(start, end))


def latencies(load: str, due: Sequence[Order]) -> Block | NoValue:
    """Return the latencies of those orders of a load that were due in a block, or that there were none."""
    if not due:
        return Empty(f"orders of {load} due in a block", "no order was due")
    return Block(tuple(sorted(order.hi for order in due)))


@dataclass
class Interleaved:
    """A comparison of two arms that is looked at several times, and ends as soon as it is decided.

    Attributes:
        stage: where loads are run.
        name: of the comparison; its loads are called after it.
        schedules: of each load that may be needed; after each it is looked at.
        load: makes a load, given its name and schedule.
        switch: given what is up, what makes each arm take over; ``None`` where the load does so itself, by
            the clock.
    """

    stage: Stage
    name: str
    schedules: Sequence[Schedule]
    load: Callable[[str, Schedule], Plan]
    switch: Callable[[Deployment], Switch] | None = None

    def change(self, what: str, ask: Question, p: float, limit: float) -> Sample:
        """Return by how much a quantile is higher in arm B than in arm A.

        Args:
            what: is asked, such as ``"client"``.
            ask: asks it of one block.
            p: which quantile, such as 0.99.
            limit: the change that is tolerated, as a share.
        """
        query = f"{what}: p{100 * p:g} in arm B{{}} against arm A"
        return self._compared(query, p, limit, lambda trial, pair: (ask(trial, *pair.a), ask(trial, *pair.b)))

    def beside(self, one: Question, other: Question, p: float, limit: float) -> Sample:
        """Return by how much a quantile of one is higher than that of another, at the same time, in arm B.

        Whatever the machine does, it does to both. In arm A they are alike, which says what can be told. What
        arm B does to the machine, a loop that spins say, it does to both, too: so where the one surely is
        slower than it was in arm A, by blocks in turn, that is what is returned.

        Args:
            one: asks what one block measured of that which arm B is about.
            other: asks the same of what arm B leaves alone.
            p: which quantile, such as 0.99.
            limit: the change that is tolerated, as a share.
        """
        query = f"p{100 * p:g} of what arm B is about{{}} against what it leaves alone"
        return self._compared(
            query,
            p,
            limit,
            lambda trial, pair: (other(trial, *pair.b), one(trial, *pair.b)),
            lambda trial, pair: (other(trial, *pair.a), one(trial, *pair.a)),
            lambda trial, pair: (one(trial, *pair.a), one(trial, *pair.b)),
        )

    def _compared(self, query: str, p: float, limit: float, *takes: _Take) -> Sample:
        """Run one load after the other until it is decided.

        Args:
            query: with a place for the means by which arm B took over.
            p: which quantile.
            limit: the change that is tolerated.
            takes: what is compared of a pair of blocks; and then, if that is of the same moments, what is
                alike and says what this machine can tell, and what is compared of blocks in turn.
        """
        looks = list(itertools.accumulate(one.pairs for one in self.schedules))
        made: list[list[tuple[Block, Block]]] = [[] for _ in takes]
        lacking: NoValue | None = None
        found: Sample = Partial(self.name, "no load was run", 0)
        for number, schedule in enumerate(self.schedules, 1):
            trial, spans, means = self._made(f"{self.name}-{number}", schedule)
            if trial.trouble:  # whatever was compared, it was not these two arms as they are meant
                return Partial(self.name, "; ".join(one.text for one in trial.trouble), len(made[0]))
            for span, (take, pairs) in itertools.product(spans, list(zip(takes, made, strict=True))):
                a, b = take(trial, span)
                if isinstance(a, Block) and isinstance(b, Block):
                    pairs.append((a, b))
                else:
                    lacking = a if isinstance(a, NoValue) else b  # type: ignore[assignment]
            if (few := min(map(len, made))) < FEWEST:
                found = lacking or Partial(self.name, f"{few} pairs of blocks came about", few)
                continue
            told = partial(change, p=p, limit=limit, at=trial.window.end, looks=looks)
            pairs, *others = made
            found = told(query.format(means and f", {means},"), pairs, alike=others[0] if others else ())
            if others and (in_turn := told(f"p{100 * p:g} in arm B against arm A", others[1])).lo > limit:
                found = in_turn
            if _decided(found, limit):
                break
        return found

    def _made(self, name: str, schedule: Schedule) -> tuple[Trial, list[Judged], str]:
        """Run one load; return it with the pairs that came about, and by which means arm B took over."""
        plan = self.load(name, schedule)
        switchings: list[Switching] = []

        def actions(deployment: Deployment) -> Sequence[tuple[float, Callable[[], None]]]:
            if self.switch is None:
                return plan.actions(deployment)
            switchings.append(Switching(self.switch(deployment)))
            return [*plan.actions(deployment), *switchings[0].actions(schedule)]

        try:
            trial = self.stage.trial(dataclasses.replace(plan, actions=actions))
        finally:
            for one in switchings:
                one.to["A"]()  # whatever happened, the system is left as it was found
        record: Any = self.stage.run.evidence.fact(
            f"switches of {name}", lambda: switchings[0].to_json() if switchings else {}
        )
        return trial, judged(schedule, trial.kept.orders.began, record), record.get("B", "")


def _decided(sample: Sample, limit: float) -> bool:
    return isinstance(sample, Estimate) and (sample.hi <= limit or sample.lo > limit)


def change(  # noqa: PLR0913 - what is asked, and how it is looked at
    query: str,
    pairs: Sequence[tuple[Block, Block]],
    p: float,
    *,
    limit: float,
    at: float,
    looks: Sequence[int] = LOOKS,
    alike: Sequence[tuple[Block, Block]] = (),
    counted: str = "orders",
) -> Estimate:
    """Return by how much a quantile is higher in arm B than in arm A, as a share: 0.1 is +10 %.

    Args:
        query: what is asked, in words.
        pairs: blocks of A and of B.
        p: such as 0.99.
        limit: the change that is tolerated, as a share: whether this machine can tell that one at all is
            part of the answer, and a machine that can't leaves the interval open.
        at: unix seconds of the end.
        looks: all numbers of pairs after which it is asked.
        alike: as many pairs of which both blocks are of arm A, made as those are; if there are none, arm A's
            even blocks are held against its odd ones.
        counted: what a block has many of.

    Raises:
        ValueError: fewer pairs than can carry an interval.
    """
    ratio = compare(pairs, p, looks=looks)
    itself = compare(alike, p, looks=looks) if alike else against_itself(pairs, p, looks=looks)
    ruling = rule(ratio, itself, 1 + limit)
    value = min(ratio.value, _BEYOND) - 1
    found = exact(query, value, at, n=ratio.n, counted=counted).widened(
        "chance",
        f"{ratio.pairs} pairs of blocks, B against A",
        lo=min(ratio.lo - 1, value),
        hi=max(ratio.hi - 1, value),
    )
    if _lost([a for a, _ in pairs], p):
        return found.widened(
            "missing",
            f"more than {1 - p:.3g} of what was compared with was never accepted",
            lo=-1.0,
            hi=math.inf,
            cure="a system that accepts what it is sent",
        )
    band = f"A against A: {itself.lo - 1:+.1%} to {itself.hi - 1:+.1%}"
    if ruling is Ruling.OPEN and not is_calm(itself, 1 + limit):
        return found.widened(
            "instrument",
            f"this machine can't tell {limit:+.0%} today ({band})",
            lo=-1.0,
            hi=math.inf,
            instrument="machine",
            cure="a quieter machine, or more pairs",
        )
    return found.widened("chance", band)


def _lost(blocks: Sequence[Block], p: float) -> bool:
    """Whether a quantile of all of them together is infinite: nothing is more than that, and so no change."""
    values = [value for block in blocks for value in block.values]
    return sum(map(math.isinf, values)) > (1 - p) * len(values) + 1e-9
