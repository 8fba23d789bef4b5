"""Between which edges a quantile lies, by counts alone."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verdict_harness.samples.answers import Track
from verdict_harness.samples.buckets import Census, Histogram, edge_of
from verdict_harness.samples.counters import Bound, Counter
from verdict_harness.samples.sample import Point
from verdict_harness.samples.scrapes import scrapes
from verdict_harness.samples.window import Window

START = 1_700_000_000.0
EDGES = (0.02, 0.05, 0.1, math.inf)


def counter(values, up=None):
    """Make a counter with a sample every 5 s, None where there is none."""

    def track(of):
        return Track({}, tuple(Point(START + 5 * i, float(v)) for i, v in enumerate(of) if v is not None))

    return Counter(track(values), scrapes("engine", track(up or [1] * len(values)), None, []))


def census(*counts, maybe=()):
    return Census(EDGES, tuple(map(float, counts)), tuple(map(float, maybe or [0] * len(EDGES))))


def plain(one, p):
    """Bracket by the sample's own quantile: the resolution, and no chance."""
    return one.bracket(lambda k, n: k >= p * n, lambda k, n: k < p * n)


def test_a_quantile_lies_between_the_edges_of_its_bucket():
    assert plain(census(980, 1000, 1000, 1000), 0.99) == Bound(0.02, 0.05)
    assert plain(census(1000, 1000, 1000, 1000), 0.99) == Bound(0.0, 0.02)


def test_beyond_the_last_finite_edge_nothing_bounds_it():
    assert plain(census(0, 0, 0, 1000), 0.99) == Bound(0.1, math.inf)
    assert census(0, 0, 0, 1000).interpolated(0.99) is None


def test_an_interpolated_number_is_for_showing():
    assert census(0, 1000, 1000, 1000).interpolated(0.99) == pytest.approx(0.0497)
    assert census(1000, 1000, 1000, 1000).interpolated(0.5) == pytest.approx(0.01)


def test_what_may_have_been_made_counts_at_its_best_and_at_its_worst():
    slow = census(1000, 1000, 1000, 1000, maybe=[0, 0, 0, 50])
    assert plain(slow, 0.99) == Bound(0.0, math.inf)
    fast = census(0, 0, 1000, 1000, maybe=[10, 10, 10, 10])
    assert plain(fast, 0.99) == Bound(0.05, 0.1)
    unbounded = census(0, 0, 1000, 1000, maybe=[math.inf] * 4)
    assert plain(unbounded, 0.99) == Bound(0.0, math.inf)


def histogram(rows, up=None):
    """Make a histogram of rows of cumulative counts, a row a scrape."""
    columns = zip(*rows, strict=True)
    return Histogram(
        {edge: counter(list(column), up=up) for edge, column in zip(EDGES, columns, strict=True)}
    )


def counted(one, window=None):
    made = one.counters[math.inf].scrapes
    edges = made.edges(window or Window(START + 5, START + 5 * (len(made.attempts) - 1)))
    assert one.trouble(*edges) is None
    return one.census(*edges)


def test_a_histogram_counts_what_came_between_the_edges_of_the_window():
    """Slow ones of the settling time are not in it, and those of the last seconds are."""
    one = histogram([(0, 0, 0, 0), (10, 10, 90, 90), (20, 20, 100, 100), (30, 30, 110, 140)])
    assert counted(one) == census(20, 20, 20, 50)


def test_a_failed_scrape_at_an_edge_leaves_open_what_was_around_it():
    one = histogram([(0, 0, 0, 0), (None,) * 4, (20, 20, 20, 25), (30, 30, 30, 35)], up=[1, 0, 1, 1])
    assert counted(one) == census(10, 10, 10, 10, maybe=[20, 20, 20, 25])


def test_a_histogram_that_is_born_with_its_first_observation():
    one = histogram([(None,) * 4, (None,) * 4, (5, 5, 5, 6), (6, 6, 6, 7)])
    assert counted(one) == census(6, 6, 6, 7)


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (histogram([(0, 0, 0, 0), (0, 0, 0, 0), (9, 90, 10, 90)]), "its buckets contradict each other"),
        (histogram([(0, 0, 0, 0), (5, 5, 5, 5), (4, 5, 6, 7)]), "the counter was reset"),
        (histogram([(None, 0, 0, 0), (0, 0, 0, 0), (4, 5, 6, 7)]), "its buckets did not come together"),
        (Histogram({0.1: counter([0, 1, 2])}), 'no bucket le="+Inf"'),
        (Histogram({-1.0: counter([0, 1, 2]), math.inf: counter([0, 1, 2])}), "below 0"),
    ],
)
def test_counts_that_can_not_be_are_none(one, said):
    made = next(iter(one.counters.values())).scrapes
    assert said in one.trouble(*made.edges(Window(START + 4, START + 10))).reason


def test_buckets_that_are_out_of_step_by_a_race_are_taken_as_they_must_have_been():
    one = histogram([(0, 0, 0, 0), (10, 11, 10, 11), (5000, 5001, 5003, 5002)])
    assert counted(one) == census(4990, 4990, 4993, 4993)


def test_an_edge_is_a_number():
    assert [edge_of(text) for text in ("0.1", "+Inf", "", None, "NaN")] == [0.1, math.inf, None, None, None]


@given(
    st.lists(st.floats(0.001, 0.3), min_size=1, max_size=200),
    st.lists(st.floats(0.001, 0.3), max_size=20),
    st.sets(st.integers(0, 19)),
    st.sampled_from([0.5, 0.9, 0.99]),
)
def test_the_bracket_holds_the_quantile_whichever_of_the_doubtful_were_made(sure, doubtful, made, p):
    def up_to(values):
        return tuple(float(sum(value <= edge for value in values)) for edge in EDGES)

    everything = sorted(sure + [value for i, value in enumerate(doubtful) if i in made])
    quantile = everything[math.ceil(p * len(everything) - 1e-9) - 1]
    lo, hi = plain(Census(EDGES, up_to(sure), up_to(doubtful)), p)
    assert lo < quantile <= hi
