"""Which of several systems each order of a load went to, where they got them in turn."""

from __future__ import annotations

import bisect
from collections.abc import Sequence

from verdict_harness.loads import Fate, Order, Orders, Trial, latencies
from verdict_harness.samples import Block, NoValue

from .loads import number_of


def shares(orders: Orders, count: int) -> tuple[Orders, ...]:
    """Return what each system got, and what it kept from being sent.

    Args:
        orders: of the load. k6 deals those that it sends, by their number, which those that it drops do not
            have: so it is the number in an order's id that tells, and not when it was due.
        count: of systems.

    Returns:
        For each its orders. One that was dropped because every virtual user waited for an answer belongs to
        the system that most of them waited for. One that k6 just did not send is anybody's: dealt in turn.
    """
    dealt: list[list[Order]] = [[] for _ in range(count)]
    for order in orders.all:
        if order.id:
            dealt[number_of(order.id) % count].append(order)
    under_way = [_UnderWay(share) for share in dealt]
    for place, order in enumerate(orders.all):
        if not order.id and order.fate is Fate.UNSENT:
            dealt[place % count].append(order)
        elif not order.id:
            waiting = [one.at(order.due) for one in under_way]
            dealt[waiting.index(max(waiting))].append(order)
    for share in dealt:
        share.sort(key=lambda order: order.due)
    return tuple(Orders(orders.began, tuple(share), None) for share in dealt)


class _UnderWay:
    def __init__(self, share: Sequence[Order]) -> None:
        self._due = sorted(order.due for order in share)
        self._ended = sorted(order.due + order.waited for order in share)

    def at(self, moment: float) -> int:
        """Return how many orders were due by then and had not ended."""
        return bisect.bisect_right(self._due, moment) - bisect.bisect_right(self._ended, moment)


class Dealt:
    """Asks for the latencies of what went to one of several systems; looks at each load's orders once."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._known: dict[str, tuple[Orders, ...]] = {}

    def of(self, trial: Trial, number: int) -> Orders:
        """Return the orders of a load that are a system's, by its number from 0."""
        if trial.name not in self._known:
            self._known[trial.name] = shares(trial.kept.orders, self._count)
        return self._known[trial.name][number]

    def waits(self, trial: Trial, start: float, end: float, number: int) -> Block | NoValue:
        """Return what clients of a system waited, of the orders that were due in a stretch of the load."""
        return latencies(trial.name, self.of(trial, number).due(start, end))
