"""Whether a system sustained a constant rate: by its orders, and by what its parts used of the CPU.

A rate is sustained if the orders were offered as planned, nearly all of them accepted, if those under way
neither grew nor were more than a latency of 0.2 s makes of them (Little's law), if what the parts have to
hand on does not pile up, and if the 99th percentile, from when each was due and by the parts' own metrics,
is below that. Where the generator or the machine was what broke, or the parts' metrics are not known, the
trial is void: it says nothing.
"""

from __future__ import annotations

import bisect
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psutil

from ..processes import Pending
from ..samples import Estimate, NoValue
from ..systems import Deployment
from .capacity import FULL, Arm, Ask, Outcome, Trial
from .orders import Fate, Order

LATENCY = 0.2  # seconds, at the 99th percentile and on average
ACCEPTED = 0.99  # share of what was offered, at least
GROWTH = 0.01  # of the rate: how many orders/s may pile up
PILE = 0.5  # seconds' worth of orders by which what waits to be handed on may differ from look to look
BUSY = 0.85  # share of the machine's CPU beyond which it is the machine that is measured
#: Share beyond which it may be: of many parts that all had their whole share, and broke, nobody knows whose
#: fault that was. Parts that wait for each other have not had theirs, and one alone crowds no machine.
CROWDED = 0.72
UNSENT = 0.005  # share of the orders that k6 may send late or not at all
_STEP = 0.25  # seconds between two looks at how many orders are under way


@dataclass
class Meter:
    """Reads what the services of a deployment, and the machine, have used of the CPU.

    Attributes:
        deployment: what is up.
        services: which of them.
        backlog: reads how much waits to be handed on, if anything ever does; raises
            :class:`~verdict_harness.processes.Pending` where that can't be read.
        readings: what was read, in order of time.
    """

    deployment: Deployment
    services: Sequence[str]
    backlog: Callable[[], float] | None = None
    readings: list[dict[str, Any]] = field(default_factory=list)

    def read(self) -> None:
        """Take a reading."""
        times = psutil.cpu_times()
        idle = times.idle + getattr(times, "iowait", 0.0)
        self.readings.append(
            {
                "at": time.time(),
                "used": {service: self.deployment.used(service) for service in self.services},
                "idle": idle,
                "cores": psutil.cpu_count() or 1,
                "backlog": self._behind(),
            }
        )

    def _behind(self) -> float | None:
        if self.backlog is None:
            return 0.0
        try:
            return self.backlog()
        except Pending:
            return None

    def actions(self, start: float, end: float) -> list[tuple[float, Callable[[], None]]]:
        """Return what is to be done when in a load: a reading at either end of its judged part."""
        return [(start, self.read), (end, self.read)]


@dataclass(frozen=True, slots=True)
class Used:
    """What was used between two readings.

    Attributes:
        cores: by service: how many cores, on average.
        busy: share of the machine's CPU that was in use, 0 to 1.
        seconds: between the two.
    """

    cores: Mapping[str, float]
    busy: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Inside:
    """What the parts' own metrics say of a trial.

    Attributes:
        p99: of their latency, in seconds; what was received and never handled has to be in it.
        backlog: how much waited to be handed on by all of them, at both ends of the judged part, and each
            ``None`` where it could not be read.
    """

    p99: Estimate | NoValue
    backlog: tuple[float | None, float | None] = (0.0, 0.0)

    @property
    def unknown(self) -> str:
        """Why less is known than a trial that is sustained has to show; empty if it is enough."""
        if isinstance(self.p99, NoValue):
            return f"the p99 at the server is not known: {self.p99.reason}"
        for doubt in self.p99.doubts:
            if doubt.kind in {"missing", "instrument"} and doubt.hi >= LATENCY:
                return f"the p99 at the server is not known: {doubt.text}"
        return "the backlog could not be read" if None in self.backlog else ""

    def broke(self, rate: float) -> str:
        """Return what broke, as people would name it, as far as it is known; empty if nothing did."""
        if isinstance(self.p99, Estimate):
            p99 = self.p99.lo if self.p99.value is None else self.p99.value
            if p99 >= LATENCY:
                return f"p99 at the server was {p99 * 1000:.0f} ms"
        first, last = self.backlog
        if first is not None and last is not None and last - first > rate * PILE:
            return f"the backlog grew from {first:.0f} to {last:.0f}"
        return ""


def used(readings: Sequence[Mapping[str, Any]]) -> Used | None:
    """Return what was used from the first to the last of some readings; ``None`` of fewer than two.

    >>> first = {"at": 0.0, "used": {"a": 1.0}, "idle": 10.0, "cores": 2}
    >>> used([first, {"at": 10.0, "used": {"a": 2.0}, "idle": 20.0, "cores": 2}])
    Used(cores={'a': 0.1}, busy=0.5, seconds=10.0)
    """
    if len(readings) < 2:  # noqa: PLR2004 - a difference is between two
        return None
    first, last = readings[0], readings[-1]
    seconds = last["at"] - first["at"]
    if seconds <= 0:
        return None
    cores = {name: (last["used"][name] - before) / seconds for name, before in first["used"].items()}
    busy = 1 - (last["idle"] - first["idle"]) / (seconds * first["cores"])
    return Used(cores, min(1.0, max(0.0, busy)), seconds)


def judge(  # noqa: PLR0913 - each is one thing that a trial leaves
    ask: Ask,
    orders: Sequence[Order],
    span: tuple[float, float],
    *,
    trouble: str = "",
    spent: Used | None = None,
    share: float | None = None,
    parts: Sequence[str] = (),
    inside: Inside | None = None,
) -> Trial:
    """Return what a trial showed.

    Args:
        ask: what was asked for.
        orders: those that were due in the judged part.
        span: its beginning and end, unix seconds.
        trouble: why the load was not what it claims, through no fault of the system's.
        spent: what was used of the CPU; ``None`` if that is not known.
        share: cores that each part may use at the most; ``None`` if it may use one.
        parts: the services that are loaded.
        inside: what the parts' own metrics say; ``None`` if they have none.
    """
    limit = 1.0 if share is None else share
    full = None if spent is None else max((spent.cores[part] / limit for part in parts), default=None)
    p99 = _p99(orders)
    if void := _void(orders, trouble, spent):
        return Trial(ask, Outcome.VOID, void, full, p99)
    broke = _broke(ask.rate, orders, span, p99)
    if not broke and inside is not None:
        broke = inside.broke(ask.rate)
        if not broke and inside.unknown:
            return Trial(ask, Outcome.VOID, inside.unknown, full, p99)
    if not broke:
        return Trial(ask, Outcome.SUSTAINED, "", full, p99)
    if spent is not None and _crowded(ask, spent, parts, limit):
        broke += f", while all had their share and the machine was {spent.busy:.0%} busy"
        return Trial(ask, Outcome.EXCEEDED, broke, full, p99, crowded=True)
    return Trial(ask, Outcome.EXCEEDED, broke, full, p99)


def _crowded(ask: Ask, spent: Used, parts: Sequence[str], limit: float) -> bool:
    full = all(spent.cores[part] >= FULL * limit for part in parts)
    return ask.arm is Arm.MANY and full and spent.busy > CROWDED


def _p99(orders: Sequence[Order]) -> float | None:
    waited = sorted(order.waited for order in orders)
    return waited[max(0, math.ceil(0.99 * len(waited) - 1e-9) - 1)] if waited else None


def _void(orders: Sequence[Order], trouble: str, spent: Used | None) -> str:
    if not orders:
        return trouble or "no order was due"
    spared = sum(order.fate is Fate.UNSENT for order in orders)
    if spared > UNSENT * len(orders):
        return f"k6 did not send {spared} of {len(orders)} orders"
    if spent is not None and spent.busy > BUSY:
        return f"the machine was {spent.busy:.0%} busy"
    return trouble


def _broke(rate: float, orders: Sequence[Order], span: tuple[float, float], p99: float | None) -> str:
    """Return what broke first, as people would name it; empty if nothing did."""
    lost = sum(order.fate is not Fate.ACCEPTED for order in orders)
    if lost > (1 - ACCEPTED) * len(orders):
        return f"{lost} of {len(orders)} orders were not accepted in time"
    if p99 is not None and p99 >= LATENCY:
        return f"p99 at the client was {p99 * 1000:.0f} ms"
    looks, under_way = _under_way(orders, *span)
    if under_way and under_way[-1] > rate * LATENCY:
        return f"{under_way[-1]} orders were under way at the end"
    if (slope := _slope(looks, under_way)) > GROWTH * rate:
        return f"orders under way grew by {slope:.1f}/s"
    return ""


def _under_way(orders: Sequence[Order], start: float, end: float) -> tuple[list[float], list[int]]:
    """Return how many orders were due and not answered, at looks a quarter of a second apart."""
    due = sorted(order.due for order in orders)
    answered = sorted(order.due + order.waited for order in orders)
    looks = [start + _STEP * n for n in range(int((end - start) / _STEP) + 1)]
    return looks, [bisect.bisect_right(due, at) - bisect.bisect_right(answered, at) for at in looks]


def _slope(times: Sequence[float], values: Sequence[float]) -> float:
    """Return by how much a value grows in a second, by least squares; 0 of one alone."""
    n = len(times)
    middle, mean = sum(times) / n, sum(values) / n
    spread = sum((at - middle) ** 2 for at in times)
    pairs = zip(times, values, strict=True)
    return sum((at - middle) * (value - mean) for at, value in pairs) / spread if spread else 0.0
