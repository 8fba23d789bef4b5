"""What is asked of a load's orders: of all of them, of some, and of parts of its time."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from verdict_harness.loads.client import ClientSide
from verdict_harness.loads.orders import Fate, Order, Orders
from verdict_harness.loads.response import Stretch, claimed, response_windows
from verdict_harness.samples import Empty, Estimate, Window, Windows

BEGAN, RATE, COUNT = 1000.0, 10, 800


def order(n: int) -> Order:
    """Shard a answers at once and b after a second; every tenth of b is refused, and one was never sent."""
    due, shard = BEGAN + n / RATE, "ab"[n % 2]
    if n == 401:
        return Order(due, None, Fate.UNSENT, 0.0, 0.0, math.inf)
    waited = 0.01 if shard == "a" else 1.0
    fate = Fate.REFUSED if n % 20 == 1 else Fate.ACCEPTED
    return Order(
        due, due, fate, waited, waited, waited if fate is Fate.ACCEPTED else math.inf, f"{shard}-{n}"
    )


ORDERS = Orders(BEGAN, tuple(order(n) for n in range(COUNT)), COUNT)


def side(start: float = BEGAN, end: float = BEGAN + 80, ended: float = BEGAN + 80) -> ClientSide:
    found = ClientSide()
    found.load = SimpleNamespace(name="L", window=Window(BEGAN, ended))
    found.kept = SimpleNamespace(orders=ORDERS)
    found.window = Window(start, end)
    return found


def test_some_orders_are_asked_about_alone_and_under_a_name_of_their_own() -> None:
    whole = side()
    a = whole.only("for shard a", lambda one: one.id.startswith("a"))
    b = whole.only("for shard b", lambda one: one.id.startswith("b"))
    assert (a.response(0.5).value, b.response(0.5).value) == (pytest.approx(0.01), pytest.approx(1.0))
    assert a.response(0.5).n == 400
    assert b.response(0.5).n == 399, "one that was never sent has no id"
    assert a.errors().hi < 0.02
    assert b.errors().lo > 0.07
    assert "L for shard a" in a.errors().query
    assert "L for shard b" in b.response(0.99).query
    assert "shard" not in whole.errors().query
    assert whole.errors().n == COUNT, "whoever asked about all goes on to"


def test_some_of_none_is_nothing_and_no_zero() -> None:
    none = side().only("for shard z", lambda one: one.id.startswith("z"))
    for found in (none.response(0.99), none.errors(), none.response_windows(0.99)):
        assert isinstance(found, Empty)
        assert "L for shard z" in found.query


def test_to_the_end_of_the_load_nothing_is_too_late_and_to_that_of_a_part_it_is() -> None:
    assert side(end=BEGAN + 79.9).errors().n == COUNT - 1
    ended = BEGAN + 60
    assert side(end=ended, ended=ended).errors().n == COUNT, "due later, and never answered"
    part = side(BEGAN + 10, BEGAN + 20)
    assert part.errors().n == 100


def test_an_order_is_of_one_part_and_no_part_is_too_short() -> None:
    stretch = Stretch.of("L", ORDERS, BEGAN, math.inf)
    for seconds, count in ((30.0, 2), (26.0, 3), (80.0, 1), (100.0, 1), (0.5, 159)):
        parts = stretch.parts(seconds)
        assert len(parts) == count
        assert [one for part in parts for one in part.orders] == list(stretch.orders)
        assert all(part.seconds == pytest.approx(stretch.seconds / count) for part in parts)
        assert count == 1 or parts[0].seconds >= seconds
        for part in parts[:-1]:
            assert all(part.at - part.seconds - 1e-6 <= one.due < part.at for one in part.orders)
        assert parts[-1].at == stretch.at


def test_an_order_on_the_border_is_of_the_later_part() -> None:
    stretch = Stretch("L", ORDERS.all, 80.0, BEGAN + 80)
    first, second = stretch.parts(30.0)
    assert (len(first.orders), second.orders[0].due) == (400, BEGAN + 40)


def test_what_was_slow_for_a_while_is_seen_in_its_part() -> None:
    slow = [
        one._replace(waited=3.0, lo=3.0, hi=3.0) if BEGAN + 50 <= one.due < BEGAN + 60 else one
        for one in (order(n) for n in range(0, COUNT, 2))
    ]
    found = response_windows(Stretch.of("L", Orders(BEGAN, tuple(slow), None), BEGAN, math.inf), 0.9)
    assert isinstance(found, Windows)
    first, second = found.parts
    assert (first.value, second.value) == (pytest.approx(0.01), pytest.approx(3.0))
    assert found.whole.value == pytest.approx(3.0)
    assert isinstance(side().response_windows(0.5, 40.0), Windows)


def test_what_was_sent_when_it_was_due() -> None:
    found = side().claimed()
    assert isinstance(found, Estimate)
    assert (found.lo, found.hi) == (pytest.approx(1 - 1 / COUNT), 1.0)
    assert found.value == pytest.approx(1 - 1 / COUNT)


def test_of_a_load_without_orders_nothing_is_claimed() -> None:
    found = claimed("L", Orders(BEGAN, (), 0))
    assert isinstance(found, Empty)
    assert found.reason == "no order was due"
