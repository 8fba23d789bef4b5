"""Which of several systems an order went to, and whose those are that were never sent."""

import math
from types import SimpleNamespace

from experiments.dealt import Dealt, shares
from verdict_harness.loads import Fate, Order, Orders

BEGAN = 1000.0


def order(due, *, number=None, fate=Fate.ACCEPTED, waited=0.01):
    sent = BEGAN + due if number is not None else None
    hi = waited if fate is Fate.ACCEPTED else math.inf
    return Order(BEGAN + due, sent, fate, waited, waited, hi, "" if number is None else f"r-L-{number}")


def dues(share):
    return [round(one.due - BEGAN, 6) for one in share.all]


def test_after_one_that_was_dropped_each_order_still_belongs_to_where_it_went():
    """k6 does not count those that it drops: the order due in the fifth place is number 3."""
    sent = [order(place, number=number) for number, place in enumerate([0, 1, 2, 4, 5, 6])]
    orders = Orders(BEGAN, tuple(sorted([*sent, order(3, fate=Fate.UNSENT)], key=lambda one: one.due)), None)
    even, odd = shares(orders, 2)
    assert [one.id for one in even.all if one.id] == ["r-L-0", "r-L-2", "r-L-4"]
    assert [one.id for one in odd.all] == ["r-L-1", "", "r-L-3", "r-L-5"]
    assert sum(map(len, (even.all, odd.all))) == 7, "and what k6 did not send is in one of them"


def test_what_was_dropped_belongs_to_the_system_that_was_waited_for():
    """Odd orders hang for a minute; even ones are answered at once, and suffer from that all the same."""
    sent = [order(n / 10, number=n, waited=60.0 if n % 2 else 0.01) for n in range(20)]
    dropped = [order(2 + n / 10, fate=Fate.BUSY, waited=1.0) for n in range(20)]
    even, odd = shares(Orders(BEGAN, (*sent, *dropped), None), 2)
    assert {one.fate for one in even.all} == {Fate.ACCEPTED}
    assert dues(odd)[10:] == [2 + n / 10 for n in range(20)]
    assert {one.hi for one in odd.all[10:]} == {math.inf}


def test_a_block_has_what_went_to_one_system_and_a_load_is_looked_at_once():
    asked = []

    class Kept:
        @property
        def orders(self):
            asked.append(self)
            return Orders(BEGAN, tuple(order(n, number=n, waited=0.1 * (n + 1)) for n in range(6)), None)

    trial, dealt = SimpleNamespace(name="L", kept=Kept()), Dealt(3)
    found = [dealt.waits(trial, BEGAN, BEGAN + 6, number).values for number in range(3)]
    assert found == [(0.1, 0.4), (0.2, 0.5), (0.1 * 3, 0.1 * 6)]
    assert dealt.waits(trial, BEGAN + 0.5, BEGAN + 1, 1).reason == "no order was due"
    assert len(asked) == 1
