"""What became of every order of a load: when it was due, when it was answered, and by how much that is known.

Time counts from when an order was due, whatever the system did meanwhile.  k6
hands an order to a virtual user at once or drops it, so that one that began
late was delayed by k6 or by the machine, and one that was dropped on time, all
virtual users waiting for answers, by the system.
"""

from __future__ import annotations

import bisect
import enum
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .arrivals import Arrivals
from .raw import Iteration, Key, Raw, Request
from .stalls import STALL, Shadow, Stall, merged

#: Seconds by which k6 may begin an order late before its load is another one.
LATE = 0.25
_FEW = 5  # orders, of which one was begun on time
_DRIFT = 0.05  # seconds
_EARLY = 0.1  # seconds: a timer fires late and never early
_CUT_OFF = 0.001  # seconds to which the script knows when its scenario began
_WARMING = 0.5  # seconds that k6 may take from there to have its virtual users, before a ramp begins
_WAITING = 0.5  # share of the virtual users in work that must be waiting for an answer


class Fate(enum.Enum):
    """What became of an order."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNANSWERED = "not answered"
    CUT = "still not answered when the load ended"
    BUSY = "not sent because every virtual user waited for an answer"
    DEAD = "due after a service had died"
    UNSENT = "not sent by k6"


#: What is the system's own doing. An order that k6 did not send might have become anything.
FAILED = frozenset(Fate) - {Fate.ACCEPTED, Fate.UNSENT}


class Order(NamedTuple):
    """One order.

    Attributes:
        due: unix seconds when it was due.
        begun: unix seconds when k6 began it; ``None`` if it never did.
        fate: what became of it.
        waited: seconds from when it was due to its answer, or for how long there was none.
        lo: the least that the system itself can have taken: less where k6 or the machine stood still.
        hi: ``waited`` if it was accepted; else nobody knows how long that would have taken.
        id: what the script calls it.
    """

    due: float
    begun: float | None
    fate: Fate
    waited: float
    lo: float
    hi: float
    id: str = ""

    @property
    def late(self) -> float:
        """By how many seconds it began late, through no fault of the system's."""
        return 0.0 if self.begun is None else max(0.0, self.begun - self.due)


@dataclass(frozen=True, slots=True)
class Course:
    """How a load went, apart from its samples; times by the clock where k6 ran.

    Attributes:
        ended: unix seconds when k6 had ended.
        died: unix seconds when a service was seen to have died and the load was ended for it.
        full: whether k6 made as many virtual users as it may.
        stalls: when the machine stood still, from and to, unix seconds.
    """

    ended: float
    died: float | None = None
    full: bool = True
    stalls: Sequence[Stall] = ()


@dataclass(frozen=True, slots=True)
class Orders:
    """Every order of a load, by when it was due.

    Attributes:
        began: unix seconds when the load began.
        all: the orders.
        planned: how many were planned; ``None`` if nobody said.
        early: how many began before they were due.
        stalls: when k6 or the machine stood still, from and to, unix seconds.
    """

    began: float
    all: tuple[Order, ...]
    planned: int | None
    early: int = 0
    stalls: tuple[Stall, ...] = ()

    def due(self, start: float, end: float) -> list[Order]:
        """Return those that were due from ``start`` to before ``end``, unix seconds."""
        first = bisect.bisect_left(self.all, start, key=lambda order: order.due)
        return list(self.all[first : bisect.bisect_left(self.all, end, key=lambda order: order.due)])


def trace(raw: Raw, arrivals: Arrivals | None, course: Course) -> Orders:
    """Return what became of every order.

    Args:
        raw: k6's raw samples.
        arrivals: when orders are due; where nobody says, each was due when the script asked for its
            connection, and a load that k6 makes too slowly is not seen.
        course: how the load went apart from that.
    """
    made = _made(raw)
    scenarios = {one.key.scenario for one in raw.requests if one.key} or {
        one.key.scenario for one in raw.done
    }
    drops = sorted(one.at for one in raw.drops if one.scenario in scenarios or not scenarios)
    if arrivals is None:
        return _unscheduled(raw, drops, course, _Waiting(raw, ()))
    begun = _begun([one for one in raw.done if one.key.scenario in scenarios], made, raw.numbers)
    return _Schedule(raw, arrivals, course, made, begun, drops).orders()


def _made(raw: Raw) -> dict[Key, list[Request]]:
    """Return the load's requests by the iteration that made them, in order."""
    made: dict[Key, list[Request]] = defaultdict(list)
    for request in raw.requests:
        if request.key is not None:
            made[request.key].append(request)
    return made


def _begun(
    done: Iterable[Iteration], made: Mapping[Key, Sequence[Request]], numbers: Mapping[Key, int]
) -> list[Iteration]:
    """Return every iteration of which something is known, in the order in which they began."""
    known = {one.key: one for one in done}
    for key, requests in made.items():
        if key not in known:  # it was cut off once its order was answered
            known[key] = Iteration(requests[0].asked, math.inf, key, numbers.get(key))
    numbered = all(one.number is not None for one in known.values())
    return sorted(known.values(), key=lambda one: (one.number or 0 if numbered else 0, one.begun))


class _Waiting:
    """How many requests, and how many iterations, were under way at a moment."""

    def __init__(self, raw: Raw, iterations: Iterable[Iteration]) -> None:
        iterations = list(iterations)
        self._asked, self._answered = (sorted(span[end] for span in raw.spans) for end in (0, 1))
        self._begun = sorted(one.begun for one in iterations)
        self._ended = sorted(one.ended for one in iterations)

    def all(self, at: float) -> bool:
        """Whether what was in work at that moment was waiting for answers, most of it at least."""
        requests = bisect.bisect_right(self._asked, at) - bisect.bisect_left(self._answered, at)
        iterations = bisect.bisect_right(self._begun, at) - bisect.bisect_left(self._ended, at)
        return requests > 0 and requests >= _WAITING * iterations

    def free(self, at: float) -> float:
        """When the first of them ended after that moment; infinite if none did."""
        later = bisect.bisect_right(self._ended, at)
        return self._ended[later] if later < len(self._ended) else math.inf


@dataclass
class _Slot:
    """One place in the schedule, and what took it: an iteration, a drop, or what left no trace."""

    at: float = math.nan
    iteration: Iteration | None = None
    dropped: bool = False
    cut: bool = False


class _Schedule:
    """A load whose schedule is known."""

    def __init__(  # noqa: PLR0913, PLR0917 - what a load leaves has that many parts
        self,
        raw: Raw,
        arrivals: Arrivals,
        course: Course,
        made: Mapping[Key, Sequence[Request]],
        begun: Sequence[Iteration],
        drops: Sequence[float],
    ) -> None:
        self._raw = raw
        self._course = course
        self._made = made
        self._planned = arrivals.planned
        self._waiting = _Waiting(raw, begun)
        slots = _merged(begun, drops)
        self._times = arrivals.times(range(max(len(slots), self._planned) + 1))
        self._began = self._start(slots, arrivals)
        self._slots = slots if _numbered(begun) else self._spread(slots)
        self._end = self._began + arrivals.seconds

    def orders(self) -> Orders:
        due = [self._began + time for time in self._times]
        slots = self._slots + [_Slot()] * (self._planned - len(self._slots))
        late = [
            (due[n], slot.at)
            for n, slot in enumerate(slots)
            if not math.isnan(slot.at) and slot.at - due[n] > STALL
        ]
        stalls = merged([*(span for span in self._course.stalls if span[1] - span[0] >= STALL), *late])
        shadow = Shadow(stalls)
        orders = [order for n, slot in enumerate(slots) for order in self._of(slot, due[n], shadow)]
        early = sum(1 for n, slot in enumerate(slots) if slot.at < due[n] - _EARLY)
        return Orders(
            self._began,
            tuple(sorted(orders, key=lambda order: order.due)),
            self._planned,
            early,
            tuple(stalls),
        )

    def _start(self, slots: Sequence[_Slot], arrivals: Arrivals) -> float:
        """Return when the load began: as the script says, or else by those of the first half at most.

        No order begins before it is due, so that the one that k6 delayed least tells best. A machine that is
        busy may have delayed all of the first seconds.
        """
        soon = max(_FEW, bisect.bisect_left(self._times, arrivals.seconds / 2))
        offs = [
            slot.at - due for slot, due in zip(slots, self._times, strict=False) if not math.isnan(slot.at)
        ]
        early = min(offs[:soon], default=self._course.ended - arrivals.seconds)
        # later ones tell better still, but those of a load that is too fast come earlier and earlier
        seen = max(min(offs, default=early), early - _DRIFT)
        if not self._raw.start:
            return seen
        latest = self._raw.start + (_WARMING if arrivals.ramping else _CUT_OFF)
        return min(max(seen, self._raw.start), latest)

    def _spread(self, slots: Sequence[_Slot]) -> list[_Slot]:
        """Leave out the places whose iterations left no trace, where no number says which they were."""
        missing = self._planned - len(slots)
        spread: list[_Slot] = []
        for slot in slots:
            while missing > 0 and slot.at >= self._began + self._times[len(spread) + 1]:
                spread.append(_Slot())
                missing -= 1
            spread.append(slot)
        return spread

    def _of(self, slot: _Slot, due: float, shadow: Shadow) -> list[Order]:
        if slot.dropped:
            return [self._of_drop(slot, due, shadow)]
        requests = self._made.get(slot.iteration.key, ()) if slot.iteration else ()
        if not requests:
            return [self._of_none(slot, due)]
        first, *others = requests
        begun = slot.iteration.begun if slot.iteration else first.asked
        # what else an iteration asks for is due when it asks
        return [
            answered(first, due, begun, shadow, self._raw),
            *(answered(one, one.asked, one.asked, shadow, self._raw) for one in others),
        ]

    def _of_drop(self, slot: _Slot, due: float, shadow: Shadow) -> Order:
        theirs = self._course.full and slot.at - due <= LATE and self._waiting.all(slot.at)
        if not theirs or shadow.over(due):
            return Order(due, None, Fate.UNSENT, 0.0, 0.0, math.inf)
        waited = max(0.0, min(self._waiting.free(slot.at), self._course.ended) - due)
        return Order(due, None, Fate.BUSY, waited, waited, math.inf)

    def _of_none(self, slot: _Slot, due: float) -> Order:
        died = self._course.died
        if died is not None and due >= died:
            waited = max(0.0, self._end - due)
            return Order(due, None, Fate.DEAD, waited, waited, math.inf)
        if slot.cut or (died is not None and slot.iteration is None):
            waited = max(0.0, (died or self._course.ended) - due)
            return Order(due, None, Fate.CUT, waited, waited, math.inf)
        return Order(due, None, Fate.UNSENT, 0.0, 0.0, math.inf)


def answered(request: Request, due: float, begun: float, shadow: Shadow, raw: Raw) -> Order:
    """Return the order that was due, begun and asked for so."""
    waited = max(0.0, (request.exact or request.ended) - due)
    if not request.status:
        fate = Fate.UNANSWERED
    elif _accepted(request, raw):
        fate = Fate.ACCEPTED
    else:
        fate = Fate.REFUSED
    lo = shadow.lightened(due, waited, late=max(0.0, begun - due))
    return Order(due, begun, fate, waited, lo, waited if fate is Fate.ACCEPTED else math.inf, request.id)


def _accepted(request: Request, raw: Raw) -> bool:
    """Whether an order was accepted, by the script's own word if it gives one."""
    if raw.word:
        return request.key in raw.accepted
    return request.succeeded if request.expected is None else request.expected


def _numbered(begun: Iterable[Iteration]) -> bool:
    return all(one.number is not None for one in begun)


def _merged(begun: Sequence[Iteration], drops: Sequence[float]) -> list[_Slot]:
    """Return what took the places of the schedule, one after the other.

    k6 goes through them in order and never takes one twice; its number of an
    iteration does not count the dropped ones.
    """
    slots: list[_Slot] = []
    number, left, numbered = 0, list(reversed(drops)), _numbered(begun)
    for iteration in begun:
        while left and left[-1] < iteration.begun:
            slots.append(_Slot(left.pop(), dropped=True))
        while numbered and iteration.number is not None and number < iteration.number:
            slots.append(_Slot(cut=True))  # it began, and left no trace of its end
            number += 1
        slots.append(_Slot(iteration.begun, iteration))
        number += 1
    return slots + [_Slot(at, dropped=True) for at in reversed(left)]


def _unscheduled(raw: Raw, drops: Iterable[float], course: Course, waiting: _Waiting) -> Orders:
    """A load of whose schedule nothing is known."""
    stalls = merged([span for span in course.stalls if span[1] - span[0] >= STALL])
    shadow = Shadow(stalls)
    orders = [answered(one, one.asked, one.asked, shadow, raw) for one in raw.requests]
    for at in drops:
        fate = Fate.BUSY if course.full and waiting.all(at) else Fate.UNSENT
        orders.append(Order(at, None, fate, 0.0, 0.0, math.inf))
    began = min((order.due for order in orders), default=course.ended)
    return Orders(began, tuple(sorted(orders, key=lambda order: order.due)), None, 0, tuple(stalls))
