"""What a load's orders say of the system that bore them, each figure an interval.

Every order that was due is in the denominator: refused, unanswered and unsent
ones, too.  Where it is not known how long one would have taken, or whether it
would have been accepted, it counts at its best for the one bound and at its
worst for the other.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence

from ..samples import Empty, Estimate, Sample, Trouble, Windows, chance, exact
from .orders import FAILED, LATE, Fate, Order, Orders

#: Seconds that the parts of a load are long, at least: shorter ones are no sustained point.
PART = 30.0
#: Seconds by which not one order may be late: k6 stood still for as long.
STOOD = 1.0
#: Share of a load's orders that k6 may send late, or not at all, before it is another load.
SPARED = 0.005
_COUNTED = "orders"
_CURE = "a load that k6 sends on time"
_QUIET = "a machine that does not stand still"


def response(orders: Orders, quantile: float, start: float, end: float, *, name: str) -> Sample:
    """Return a quantile of the time from when an order was due to its answer, in seconds.

    Args:
        orders: of the load.
        quantile: from 0 to 1.
        start: unix seconds; orders that were due from then on.
        end: unix seconds; orders that were due before then.
        name: of the load.
    """
    return _quantile(orders.due(start, end), quantile, (start, end), _query(name, quantile))


def response_windows(
    orders: Orders, quantile: float, start: float, end: float, *, name: str, part: float = PART
) -> Sample:
    """Return what :func:`response` does, of the whole and of its consecutive parts.

    Args:
        orders: of the load.
        quantile: from 0 to 1.
        start: unix seconds.
        end: unix seconds.
        name: of the load.
        part: seconds that a part is long, at least.
    """
    query = _query(name, quantile)
    whole = _quantile(orders.due(start, end), quantile, (start, end), query)
    count = max(1, int((end - start) / part))
    cuts = [start + (end - start) * number / count for number in range(count + 1)]
    level = chance.family(count)
    parts = (
        _quantile(orders.due(one, other), quantile, (one, other), query, level)
        for one, other in itertools.pairwise(cuts)
    )
    if not isinstance(whole, Estimate):
        return whole
    return Windows(query, whole, tuple(one for one in parts if isinstance(one, Estimate)))


def errors(orders: Orders, start: float, end: float, *, name: str) -> Sample:
    """Return the share of the orders that were not accepted, 0 to 1."""
    query = f"orders of {name} that were not accepted, of all that were due"
    due = orders.due(start, end)
    if not due:
        return Empty(query, "no order was due")
    failed = sum(order.fate in FAILED for order in due)
    unsent = sum(order.fate is Fate.UNSENT for order in due)
    n, seconds = len(due), end - start
    found = exact(query, failed / n, end, n=n, seconds=seconds, counted=_COUNTED)
    if unsent:
        text = f"{unsent} of {n} orders were not sent by k6"
        found = found.widened("missing", text, hi=(failed + unsent) / n, instrument="k6", cure=_CURE)
    lo, hi = chance.share(failed, n).lo, chance.share(failed + unsent, n).hi
    return found.widened("chance", _sure(n), lo=lo, hi=hi)


def claimed(orders: Orders, *, name: str) -> Sample:
    """Return the share of the planned orders that were sent when they were due, 0 to 1.

    What the system kept from being sent is missing for certain; what k6 did not
    send, or sent late, may have been sent.
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
    return found.widened("instrument", text, hi=1 - kept / n, instrument="k6", cure=_CURE)


def is_spared(order: Order) -> bool:
    """Whether the system was spared an order when it was due, by k6 or by the machine."""
    return order.fate is Fate.UNSENT or order.late > LATE


def troubles(orders: Orders) -> list[Trouble]:
    """Return in what the load was not what it claims, through no fault of the system's."""
    if orders.planned is None:
        return []
    found = []
    n = len(orders.all)
    if n > orders.planned + 1:
        found.append(Trouble(f"{n} orders came, where {orders.planned} were planned", "k6", "ANY"))
    elif orders.early:
        text = f"{orders.early} of {orders.planned} orders were sent before they were due"
        found.append(Trouble(text, "k6", "ANY"))
    unsent = sum(order.fate is Fate.UNSENT for order in orders.all)
    late = [order.late for order in orders.all if order.late > LATE]
    if unsent + len(late) > SPARED * n or any(one > STOOD for one in late):
        said = [f"did not send {unsent} of {n} orders"] if unsent else []
        said += [f"sent {len(late)} up to {max(late):.1f} s late"] if late else []
        found.append(Trouble(f"k6 {' and '.join(said)}: the load was gentler than it claims", "k6", "PASS"))
    return found


def _quantile(
    due: Sequence[Order], quantile: float, span: tuple[float, float], query: str, level: float = chance.SURE
) -> Sample:
    if not due:
        return Empty(query, "no order was due")
    n, (start, end) = len(due), span
    place = max(1, math.ceil(quantile * n - 1e-9))
    waited, low, high = (
        sorted(getattr(order, what) for order in due) for what in ("waited", "lo", "hi")
    )
    found = exact(query, waited[place - 1], end, n=n, seconds=end - start, counted=_COUNTED)
    unknown = Counter(order.fate for order in due if order.fate is not Fate.ACCEPTED)
    if unknown:
        text = f"of {n} orders " + ", ".join(f"{count} {fate.value}" for fate, count in unknown.most_common())
        whose = "k6" if Fate.UNSENT in unknown else ""
        found = found.widened("missing", text, hi=high[place - 1], instrument=whose, cure="every order accepted")
    if low[place - 1] < waited[place - 1]:
        late = max(order.waited - order.lo for order in due)
        text = f"k6 or the machine was late, which may have cost an order up to {late:.2g} s"
        found = found.widened("instrument", text, lo=low[place - 1], instrument="machine", cure=_QUIET)
    below, above = chance.ranks(n, quantile, level)
    return found.widened(
        "chance",
        _sure(n, level),
        lo=low[below - 1] if below else 0.0,
        hi=math.inf if above is None else high[above - 1],
        least=chance.least(quantile, level),
    )


def _sure(n: int, level: float = chance.SURE) -> str:
    return f"{100 * level:.4g} % of {n} orders"


def _query(name: str, quantile: float) -> str:
    return f"p{quantile * 100:g} of {name}'s orders, from due to answered"
