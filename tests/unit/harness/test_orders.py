"""When orders are due, and what became of each, from samples that are made up."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verdict_harness.loads import Arrivals, Fate, Ramp
from verdict_harness.loads.orders import Course, Orders, trace
from verdict_harness.loads.raw import Drop, Iteration, Key, Raw, Request
from verdict_harness.loads.response import Stretch, claimed, errors, response, troubles
from verdict_harness.samples import Empty, Estimate

BEGAN, RATE, PLANNED = 1000.0, 10, 400
ARRIVALS = Arrivals.constant(RATE, PLANNED / RATE)
COURSE = Course(ended=BEGAN + PLANNED / RATE + 1)
ramps = st.lists(
    st.builds(Ramp, st.floats(1, 90), st.floats(1, 90), st.floats(0.5, 60)), min_size=1, max_size=4
)


@given(ramps)
def test_as_many_are_due_by_then_as_the_area_under_the_rate_says(given: list[Ramp]) -> None:
    arrivals = Arrivals(tuple(given), ramping=True)
    times = arrivals.times(range(arrivals.planned))
    assert all(a < b for a, b in itertools.pairwise(times))
    assert all(0 < time <= arrivals.seconds + 1e-6 for time in times)
    for index, time in enumerate(times):
        area = left = 0.0
        for ramp in given:
            here = min(max(0.0, time - left), ramp.seconds)
            area += here * (ramp.first + (ramp.last - ramp.first) * here / ramp.seconds / 2)
            left += ramp.seconds
        assert area == pytest.approx(index + 1, abs=1e-4)


def made(*, late: dict[int, float] | None = None, dropped: set[int] | None = None, took: float = 0.01) -> Raw:
    """A load of 400 orders at 10/s, each answered after ``took`` seconds."""
    raw, late, dropped = Raw(start=BEGAN), late or {}, dropped or set()
    number = itertools.count()
    for index in range(PLANNED):
        due = BEGAN + index / RATE
        begun = due + late.get(index, 0.0002)
        if index in dropped:
            raw.drops.append(Drop(begun, "s"))
            continue
        key, ended = Key("s", str(index), "0"), begun + took
        raw.done.append(Iteration(begun, ended, key, next(number)))
        raw.requests.append(Request(round(ended, 3), took * 1000, 200, f"r-{index}", 0.0, key, ended, True))
        raw.spans.append((begun, ended))
    return raw


def quantile(orders: Orders, p: float) -> Estimate:
    found = response(Stretch.of("L", orders, 0.0, math.inf), p)
    assert isinstance(found, Estimate)
    return found


def test_every_order_in_its_place() -> None:
    orders = trace(made(dropped={7, 8, 200}), ARRIVALS, COURSE)
    assert len(orders.all) == PLANNED
    assert [order.due for order in orders.all] == pytest.approx([BEGAN + n / RATE for n in range(PLANNED)])
    assert [n for n, order in enumerate(orders.all) if order.begun is None] == [7, 8, 200]
    assert all(order.id in {f"r-{n}", ""} for n, order in enumerate(orders.all))


def test_dropped_with_every_virtual_user_waiting_is_the_systems() -> None:
    raw = made(dropped=set(range(100, 150)), took=20.0)
    orders = trace(raw, ARRIVALS, COURSE)
    assert [order.fate for order in orders.all].count(Fate.BUSY) == 50
    found = errors(Stretch.of("L", orders, 0.0, math.inf))
    assert isinstance(found, Estimate)
    assert found.lo > 0.09
    assert [trouble for trouble in troubles(orders) if trouble.against == "ANY"] == []


def test_dropped_with_virtual_users_to_be_had_is_nobodys() -> None:
    orders = trace(made(dropped={100}, took=20.0), ARRIVALS, Course(COURSE.ended, full=False))
    assert orders.all[100].fate is Fate.UNSENT
    assert (orders.all[100].lo, orders.all[100].hi) == (0.0, math.inf)


def test_late_is_k6s() -> None:
    stopped = {index: 3.0 - (index - 100) / RATE for index in range(100, 130)}
    orders = trace(made(late=stopped), ARRIVALS, COURSE)
    assert quantile(orders, 0.99).hi > 2.5
    assert quantile(orders, 0.99).lo < 0.02
    (trouble,) = troubles(orders)
    assert trouble.against == "PASS"
    found = claimed("L", orders)
    assert isinstance(found, Estimate)
    assert (found.lo, found.hi) == (pytest.approx(1 - 28 / 400, abs=0.003), 1.0)


def test_without_a_word_of_when_it_began_a_beginning_that_is_late_is_late_and_the_rest_is_not_early() -> None:
    raw = made(late=dict.fromkeys(range(30), 0.3))
    raw.start = 0.0
    orders = trace(raw, ARRIVALS, COURSE)
    assert orders.began == pytest.approx(BEGAN, abs=0.01)
    assert orders.early == 0
    assert [order.late for order in orders.all[:31:30]] == pytest.approx([0.3, 0.0], abs=0.001)


@pytest.mark.parametrize("faster", [1.02, 1.1])
def test_without_a_word_of_when_it_began_a_load_that_is_too_fast_is_early(faster: float) -> None:
    raw = made(late={index: index / RATE / faster - index / RATE for index in range(PLANNED)})
    raw.start = 0.0
    orders = trace(raw, ARRIVALS, COURSE)
    assert orders.early > 0
    assert "ANY" in {trouble.against for trouble in troubles(orders)}


def test_a_stall_of_the_machine_widens_downwards_only() -> None:
    still = [(BEGAN + 10, BEGAN + 11)]
    orders = trace(made(took=0.5), ARRIVALS, Course(COURSE.ended, stalls=still))
    touched = [order for order in orders.all if order.lo < order.waited - 0.001]
    # those due in it, for as long again after it, and those under way when it began
    assert (touched[0].due, touched[-1].due) == (
        pytest.approx(BEGAN + 9.5, abs=0.11),
        pytest.approx(BEGAN + 11.9),
    )
    assert all(order.hi == pytest.approx(0.5, abs=0.001) for order in orders.all)


def test_one_order_of_many_that_k6_did_not_send_decides_nothing() -> None:
    orders = trace(made(dropped={300}), ARRIVALS, COURSE)
    assert orders.all[300].fate is Fate.UNSENT
    assert quantile(orders, 0.95).hi < 0.02
    assert troubles(orders) == []


def test_one_that_began_and_left_no_trace_was_cut_off() -> None:
    raw = made()
    gone = 123
    del raw.done[gone], raw.requests[gone], raw.spans[gone]
    orders = trace(raw, ARRIVALS, COURSE)
    cut = orders.all[gone]
    assert len(orders.all) == PLANNED
    assert cut.fate is Fate.CUT
    assert cut.due == pytest.approx(BEGAN + gone / RATE)
    assert (cut.waited, cut.hi) == (pytest.approx(COURSE.ended - cut.due), math.inf), "as long as it was seen"
    assert [n for n, order in enumerate(orders.all) if order.fate is not Fate.ACCEPTED] == [gone]


@given(st.floats(0.5, 60.0), st.integers(0, PLANNED))
def test_parts_of_a_stretch_are_all_of_it(seconds: float, orders: int) -> None:
    whole = Stretch.of("L", trace(made(), ARRIVALS, COURSE), BEGAN, BEGAN + orders / RATE)
    parts = whole.parts(seconds)
    assert [order for part in parts for order in part.orders] == list(whole.orders)
    assert sum(part.seconds for part in parts) == pytest.approx(whole.seconds)
    assert all(part.seconds >= min(seconds, whole.seconds) - 1e-9 for part in parts)
    assert all(part.at <= whole.at for part in parts)


def test_of_no_orders_nothing_is_claimed() -> None:
    found = claimed("L", Orders(BEGAN, (), None, 0, ()))
    assert isinstance(found, Empty)
    assert found.reason == "no order was due"


@pytest.mark.parametrize("died", [None, BEGAN + 31])
def test_an_order_that_was_begun_and_left_no_trace_was_never_answered(died: float | None) -> None:
    """The script's own numbers tell which: those of dropped ones are none."""
    raw = made(dropped={7})
    (lost,) = [one for one in raw.done if one.number == 299]
    raw.done.remove(lost)
    raw.requests = [one for one in raw.requests if one.key != lost.key]
    orders = trace(raw, ARRIVALS, Course(COURSE.ended, died=died))
    assert len(orders.all) == PLANNED
    assert [n for n, order in enumerate(orders.all) if order.fate is Fate.CUT] == [300]
    cut = orders.all[300]
    assert cut.due == pytest.approx(BEGAN + 30)
    assert cut.waited == cut.lo == pytest.approx((died or COURSE.ended) - cut.due)
    assert cut.hi == math.inf
    found = errors(Stretch.of("L", orders, cut.due, cut.due + 0.05))
    assert isinstance(found, Estimate)
    assert (found.value, found.n) == (1.0, 1)
