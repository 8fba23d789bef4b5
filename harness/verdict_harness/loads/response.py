"""What a load's orders say of the system that bore them, each figure an interval.

Every order that was due is in the denominator: refused, unanswered and unsent
ones, too.  Where it is not known how long one would have taken, or whether it
would have been accepted, it counts at its best for the one bound and at its
worst for the other.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..samples import (
    Asked,
    Empty,
    Estimate,
    NoValue,
    Span,
    Trouble,
    Unknown,
    Windows,
    exact,
    percent,
    quantile,
    share,
    windows,
)
from .orders import FAILED, LATE, Fate, Order, Orders

#: Seconds that the parts of a load are long, at least: what lasts less is no sustained point.
PART = 30.0
#: Seconds by which not one order may be late: k6 stood still for as long.
STOOD = 1.0
#: Share of a load's orders that k6 may send late, or not at all, before it is another load.
SPARED = 0.005
#: Share of the planned orders by which there may be more: k6's last ticks, at hundreds a second.
MORE = 0.001

SURE = 0.95

_COUNTED = "orders"
_ON_TIME = "a k6 that sends every order when it is due"
_QUIET = "a machine that does not stand still"


class Stretch(NamedTuple):
    """Orders that are asked about.

    Attributes:
        name: of the load.
        orders: those that were due in it.
        seconds: how long it is.
        at: unix seconds of its end.
    """

    name: str
    orders: Sequence[Order]
    seconds: float
    at: float

    @classmethod
    def of(cls, name: str, orders: Orders, start: float, end: float) -> Stretch:
        """Return what was due from ``start`` to before ``end``, unix seconds; the end may be infinite."""
        due = orders.due(start, end)
        at = min(end, due[-1].due if due else start)
        return cls(name, due, max(0.0, at - start), at)

    def parts(self, seconds: float) -> list[Stretch]:
        """Return its consecutive parts, all of a length and none shorter than ``seconds``."""
        count = max(1, int(self.seconds / seconds))
        start = self.at - self.seconds
        ends = [start + self.seconds * number / count for number in range(1, count)]
        found, left = [], list(self.orders)
        for end in [*ends, math.inf]:
            here = list(itertools.takewhile(lambda order, end=end: order.due < end, left))  # type: ignore[misc]
            found.append(Stretch(self.name, here, self.seconds / count, min(end, self.at)))
            left = left[len(here) :]
        return found


def response(stretch: Stretch, p: float, level: float = SURE) -> Estimate | Empty:
    """Return the ``p``-quantile of the time from when an order was due to its answer, in seconds.

    Args:
        stretch: the orders.
        p: such as 0.99.
        level: of each bound.
    """
    query = f"p{100 * p:g} of {stretch.name}'s orders, from due to answered"
    known = [order.waited for order in stretch.orders if order.lo == order.hi]
    asked = Asked(query, stretch.at, stretch.seconds, _COUNTED, level=level)
    return quantile(asked, p, known, list(_unknown(stretch.orders)))


def response_windows(stretch: Stretch, p: float, part: float = PART) -> Windows | NoValue:
    """Return what :func:`response` does, of the whole and of its consecutive parts of ``part`` seconds."""
    whole = response(stretch, p)
    return windows(whole, stretch.parts(part), lambda each, level: response(each, p, level))


def errors(stretch: Stretch) -> Estimate | Empty:
    """Return the share of the orders that were not accepted, 0 to 1."""
    query = f"orders of {stretch.name} that were not accepted, of all that were due"
    asked = Asked(query, stretch.at, stretch.seconds, _COUNTED, percent)
    failed = sum(order.fate in FAILED for order in stretch.orders)
    unsent = sum(order.fate is Fate.UNSENT for order in stretch.orders)
    unknown = Unknown.times(
        unsent, f"{unsent} orders were {Fate.UNSENT.value}", hi=1.0, instrument="k6", cure=_ON_TIME
    )
    return share(asked, failed, len(stretch.orders) - unsent, [unknown] if unsent else [])


def claimed(name: str, orders: Orders) -> Estimate | Empty:
    """Return the share of the planned orders that were sent when they were due, 0 to 1.

    What the system kept from being sent is missing for certain; what k6 did not
    send, or sent late, might have been sent.
    """
    query = f"orders of {name} that were sent when they were due, of all that were planned"
    if not orders.all:
        return Empty(query, "no order was due")
    n = len(orders.all)
    kept = sum(order.fate in {Fate.BUSY, Fate.DEAD} for order in orders.all)
    spared = sum(is_spared(order) for order in orders.all)
    end = orders.all[-1].due
    found = exact(query, 1 - (kept + spared) / n, end, n=n, seconds=end - orders.began, counted=_COUNTED)
    if not spared:
        return found
    text = f"k6 sent {spared} of {n} orders late, or not at all"
    return found.widened("instrument", text, hi=1 - kept / n, instrument="k6", cure=_ON_TIME)


def is_spared(order: Order) -> bool:
    """Whether the system was spared an order when it was due, by k6 or by the machine."""
    return order.fate is Fate.UNSENT or order.late > LATE


def troubles(orders: Orders) -> list[Trouble]:
    """Return in what the load was not what it claims, through no fault of the system's."""
    if orders.planned is None:
        return []
    found = []
    n = len(orders.all)
    if n > orders.planned + max(1.0, MORE * orders.planned):
        found.append(Trouble(f"{n} orders came, where {orders.planned} were planned", "k6", "ANY"))
    elif orders.early:
        text = f"{orders.early} of {orders.planned} orders were sent before they were due"
        found.append(Trouble(text, "k6", "ANY"))
    unsent = sum(order.fate is Fate.UNSENT for order in orders.all)
    late = [order.late for order in orders.all if order.late > LATE]
    if unsent + len(late) > SPARED * n or any(one > STOOD for one in late):
        said = [f"did not send {unsent} of {n} orders"] if unsent else []
        said += [f"sent {len(late)} of {n} orders up to {max(late):.1f} s late"] if late else []
        text = f"k6 {' and '.join(said)}: the load was gentler than it claims"
        found.append(Trouble(text, "k6", "PASS"))
    return found


def _unknown(orders: Sequence[Order]) -> Iterator[Unknown]:
    """Return the orders that are known up to bounds only, by what leaves them there."""
    groups: dict[Fate, list[Span]] = defaultdict(list)
    for order in orders:
        if order.lo < order.hi:
            groups[order.fate].append(Span(order.lo, order.hi))
    for fate, spans in groups.items():
        if fate is Fate.ACCEPTED:
            text = f"k6 or the machine was late, which may have delayed {len(spans)} orders"
            yield Unknown(text, tuple(spans), "instrument", "machine", _QUIET)
        elif fate is Fate.UNSENT:
            yield Unknown(f"{len(spans)} orders were {fate.value}", tuple(spans), "missing", "k6", _ON_TIME)
        else:
            yield Unknown(f"{len(spans)} orders were {fate.value}", tuple(spans))
