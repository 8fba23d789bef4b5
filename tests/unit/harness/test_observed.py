"""Estimates of what was observed: every number that it may be lies within."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verdict_harness.samples import (
    Asked,
    Empty,
    Estimate,
    NotANumber,
    Partial,
    Span,
    Unknown,
    bucket_quantile,
    exact,
    family,
    quantile,
    rate,
    ratio_of,
    share,
    windows,
)

ASKED = Asked("p99", at=60.0, seconds=30.0, counted="orders")
EDGES = [0.01, 0.05, 0.1, 0.5, math.inf]
VALUES = st.lists(st.floats(0.001, 2.0), min_size=1, max_size=400)


def buckets(values):
    return [(edge, sum(value <= edge for value in values)) for edge in EDGES]


def rank(values, p):
    return sorted(values)[max(1, math.ceil(round(p * len(values), 6))) - 1]


@given(VALUES, st.sampled_from([0.5, 0.9, 0.99]))
def test_a_quantile_of_values_is_one_of_them_and_bounded_by_two(values, p):
    found = quantile(ASKED, p, values)
    assert found.value == rank(values, p)
    assert found.lo <= found.value <= found.hi
    assert found.lo in {*values, -math.inf}
    assert found.hi in {*values, math.inf}
    assert (found.n, found.at, found.seconds, found.counted) == (len(values), 60.0, 30.0, "orders")


@given(VALUES, st.sampled_from([0.5, 0.9, 0.99]))
def test_buckets_know_no_more_than_values_and_never_anything_else(values, p):
    known, coarse = quantile(ASKED, p, values), bucket_quantile(ASKED, p, buckets(values))
    assert coarse.lo <= known.lo
    assert known.hi <= coarse.hi
    resolution = coarse.doubts[0]
    assert resolution.kind == "resolution"
    assert resolution.lo <= rank(values, p) <= resolution.hi
    assert {resolution.lo, resolution.hi} <= {0.0, *EDGES}
    assert coarse.value is None or resolution.lo <= coarse.value <= resolution.hi


@given(
    VALUES,
    st.lists(st.tuples(st.floats(0, 2), st.floats(0, 2)), max_size=30),
    st.lists(st.floats(0, 1), min_size=30, max_size=30),
    st.booleans(),
)
def test_wherever_the_unknown_lie_their_quantile_is_within(values, pairs, places, bucketed):
    spans = [Span(min(pair), max(pair)) for pair in pairs]
    lost = Unknown("lost", tuple(spans[::2]))
    slow = Unknown("slow", tuple(spans[1::2]), instrument="k6", cure="no stall")
    truth = [span.lo + place * (span.hi - span.lo) for span, place in zip(spans, places, strict=False)]
    if bucketed:
        found = bucket_quantile(ASKED, 0.9, buckets(values), [lost, slow])
    else:
        found = quantile(ASKED, 0.9, values, [lost, slow])
    known = quantile(ASKED, 0.9, [*values, *truth])
    assert found.n == known.n
    assert found.lo <= known.lo + 1e-12
    assert known.hi <= found.hi + 1e-12
    assert [doubt.text for doubt in found.doubts if doubt.kind == "missing"] == [
        group.text for group in (lost, slow) if group.spans
    ]


def test_what_was_never_answered_makes_a_p99_slow_at_its_best():
    hang = Unknown.times(100, "100 orders were never answered", lo=7.5)
    found = quantile(ASKED, 0.99, [0.004] * 2200, [hang])
    assert found.interval == (7.5, math.inf)
    assert found.value == 7.5


def test_one_dropped_order_of_many_decides_nothing():
    values = [0.001 + i * 1e-6 for i in range(25_200)]
    whole, dropped = quantile(ASKED, 0.99, values), Unknown.times(1, "1 order was dropped")
    lacking = quantile(ASKED, 0.99, values[:-1], [dropped])
    assert lacking.lo >= whole.lo - 2e-6
    assert lacking.hi <= whole.hi + 2e-6


def test_an_order_that_the_machine_delayed_may_have_been_faster_and_not_slower():
    stalled = Unknown("the machine stood still", tuple(Span(0.0, 0.9) for _ in range(50)), "instrument")
    found = quantile(ASKED, 0.99, [0.004] * 950, [stalled])
    assert (found.value, found.interval) == (0.9, (0.004, 0.9))


def test_a_p99_beyond_the_last_edge_has_no_value_and_no_upper_bound():
    found = bucket_quantile(ASKED, 0.99, [(0.1, 0), (math.inf, 5100)])
    assert (found.value, found.interval) == (None, (0.1, math.inf))
    assert found.doubts[0].text == "no bucket has an edge beyond 100 ms"


def test_a_quantile_in_the_first_bucket_may_be_as_low_as_nothing():
    assert bucket_quantile(ASKED, 0.99, [(0.1, 5100), (math.inf, 5100)]).interval == (0.0, 0.1)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ([], "up to infinity"),
        ([(0.1, 5)], "up to infinity"),
        ([(0.1, 5), (math.inf, 4)], "hold one another"),
        ([(0.1, -1), (math.inf, 4)], "hold one another"),
        ([(0.2, 1), (0.1, 2), (math.inf, 4)], "hold one another"),
        ([(0.1, 1), (0.1, 2), (math.inf, 4)], "hold one another"),
    ],
)
def test_buckets_that_can_not_be_are_no_value(wrong, said):
    found = bucket_quantile(ASKED, 0.99, wrong)
    assert isinstance(found, Partial)
    assert said in found.reason


def test_nothing_observed_is_no_value():
    nothing = [
        quantile(ASKED, 0.99, []),
        bucket_quantile(ASKED, 0.99, [(0.1, 0), (math.inf, 0)]),
        share(ASKED, 0, 0),
        ratio_of(ASKED, [(0, 0)], n=0),
        ratio_of(ASKED, [], n=9),
        rate(ASKED, [], n=0),
    ]
    for each in nothing:
        assert isinstance(each, Empty)
        assert each.reason == "no orders"
    assert isinstance(ratio_of(ASKED, [(3, 0)], n=3), NotANumber)


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 20), st.integers(0, 20))
def test_a_share_holds_whatever_the_unknown_were(hits, misses, lost, bad):
    of, bad = hits + misses, min(bad, lost)
    if not of + lost:
        return
    found = share(ASKED, hits, of, [Unknown.times(lost, "lost")])
    truth = share(ASKED, hits + bad, of + lost)
    assert found.n == truth.n
    assert found.lo <= truth.lo + 1e-9
    assert truth.hi <= found.hi + 1e-9


def test_a_share_of_which_nothing_is_known():
    found = share(ASKED, 0, 0, [Unknown.times(5, "nobody knows")])
    assert (found.value, found.interval, found.n) == (None, (0.0, 1.0), 5)


def test_a_rate_of_nothing_in_spite_of_orders_is_known_to_be_nothing():
    found = rate(ASKED, [(0, 5)] * 6, n=510, per=60)
    assert (found.value, found.interval, found.n) == (0.0, (0.0, 0.0), 510)


def test_parts_are_at_the_level_of_the_family_and_those_without_a_value_are_left_out():
    levels = []

    def ask(part, level):
        levels.append(level)
        return exact("q", 1.0, part, n=1, seconds=30.0) if part else Empty("q", "no orders")

    whole = exact("q", 1.0, 90.0, n=3)
    found = windows(whole, [30.0, 0.0, 90.0], ask)
    assert levels == [family(3)] * 3
    assert [part.at for part in found.parts] == [30.0, 90.0]
    assert windows(Empty("q", "none"), [30.0], ask) == Empty("q", "none")


@given(st.integers(1, 400), st.sampled_from([0.95, 0.995]))
def test_a_higher_level_is_never_narrower(n, level):
    values = [0.001 * i for i in range(n)]
    narrow = quantile(ASKED, 0.9, values)
    wide = quantile(Asked("p99", at=60.0, level=level), 0.9, values)
    assert isinstance(narrow, Estimate)
    assert wide.lo <= narrow.lo
    assert narrow.hi <= wide.hi
