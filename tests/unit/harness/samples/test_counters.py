"""What scrapes prove of a counter: births, failed scrapes, edges of a window."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verdict_harness.samples.answers import Track
from verdict_harness.samples.counters import Bound, Counter
from verdict_harness.samples.sample import Failed, NotANumber, Partial, Point, Stale
from verdict_harness.samples.scrapes import Scrape, Scrapes, scrapes
from verdict_harness.samples.window import Window

START = 1_700_000_000.0


def track(values, name="x_total", start=START):
    """Make a series with a sample every 5 s; None where there is none."""
    points = [Point(start + 5 * i, float(value)) for i, value in enumerate(values) if value is not None]
    return Track({"__name__": name}, tuple(points))


def counter(values, up=None, started=None):
    """Make a counter of a target that was up at all scrapes unless ``up`` says otherwise."""
    line = track([1] * len(values) if up is None else up, "up")
    return Counter(
        track(values),
        scrapes("engine", line, track(started, "process_start_time_seconds") if started else None, []),
    )


def growth(one, window=None):
    window = window or Window(START + 5, START + 5 * (len(one.scrapes.attempts) - 1))
    edges = one.scrapes.edges(window)
    assert one.trouble(*edges) is None
    return one.growth(*edges)


def test_it_grew_by_the_difference_of_the_scrapes_at_the_edges():
    assert growth(counter([0, 10, 20, 30, 40])) == Bound(30, 30)


def test_a_window_begins_and_ends_with_the_first_scrape_after_its_edge():
    """Nothing from before it counts, and its last seconds do."""
    one = counter([0, 10, 20, 30, 40])
    assert growth(one, Window(START + 6, START + 11)) == Bound(10, 10)


def test_what_is_missing_from_a_scrape_that_succeeded_stood_at_0():
    assert growth(counter([None, None, None, 30, 31])) == Bound(31, 31)


def test_what_is_born_after_the_window_did_not_grow_in_it():
    assert growth(counter([None, None, None, None, 9]), Window(START + 5, START + 15)) == Bound(0, 0)


def test_what_rests_on_a_scrape_that_failed_lies_between_those_around_it():
    assert growth(counter([0, None, 20, 30, 40], up=[1, 0, 1, 1, 1])) == Bound(20, 40)
    assert growth(counter([0, 10, 20, None, 40], up=[1, 1, 1, 0, 1]), Window(START + 5, START + 15)) == Bound(
        10, 30
    )


def test_a_failed_scrape_within_the_window_costs_nothing():
    assert growth(counter([0, 10, None, 30, 40], up=[1, 1, 0, 1, 1])) == Bound(30, 30)


def test_a_birth_after_failed_scrapes_is_bounded_by_the_last_that_succeeded():
    assert growth(counter([None, None, 30, 30], up=[1, 0, 1, 1])) == Bound(0, 30)
    assert growth(counter([None, None, 30, 30], up=[0, 0, 1, 1])) == Bound(0, 30)
    assert growth(counter([None, None, None, 30], up=[1, 1, 0, 1])) == Bound(30, 30)


def test_nothing_bounds_what_was_not_scraped_at_the_end():
    assert growth(counter([0, 10, 20, None], up=[1, 1, 1, 0])) == Bound(10, math.inf)


def test_a_scrape_that_never_came_is_one_that_failed():
    gap = counter([0, 10, None, None, 40, 50, 60], up=[1, 1, None, None, 1, 1, 1])
    assert gap.scrapes.edge(START + 8) == Scrape(START + 8, ok=False)
    assert growth(gap, Window(START + 8, START + 20)) == Bound(0, 30)


def test_without_up_an_absent_series_proves_nothing():
    one = Counter(track([None, None, 30, 31]), scrapes("a", None, None, [track([1, 1, 1, 1])]))
    assert not one.scrapes.proven
    assert growth(one) == Bound(1, 31)


@pytest.mark.parametrize(
    ("one", "kind", "said"),
    [
        (counter([0, 10, 5, 7]), Partial, "the counter was reset: 10 at"),
        (
            counter([0, 10, 20, 30], started=[7, 7, 9000, 9000]),
            Partial,
            "its process was started anew before",
        ),
        (counter([0, 10, None, 30]), Stale, "a scrape at 22:13:30Z succeeded and did not bring it"),
        (counter([0, 10, None, None]), Stale, "a scrape at 22:13:30Z succeeded and did not bring it"),
        (counter([-3, -2, -1, 0]), Failed, "-3 at 22:13:20Z, where a count is never negative"),
        (counter([0, math.nan, 3, 3]), NotANumber, "1 of 4 raw samples are no numbers (nan)"),
    ],
)
def test_what_has_no_growth_says_why(one, kind, said):
    trouble = one.trouble(*one.scrapes.edges(Window(START + 1, START + 14)))
    assert type(trouble) is kind
    assert said in trouble.reason


def test_a_restart_before_the_window_is_none_of_its_affair():
    one = counter([100, 110, 0, 5, 9], started=[7, 7, 9000, 9000, 9000])
    assert growth(one, Window(START + 10, START + 20)) == Bound(9, 9)


def test_of_a_process_that_restarted_since_absence_proves_nothing():
    one = counter([None, None, 30, 31], started=[7, 7, 9000, 9000])
    assert not one.at(one.scrapes.edge(START + 5)).exact


def test_a_start_that_is_computed_anew_for_each_scrape_is_no_restart():
    one = counter([0, 1, 2, 3], started=[7.0, 7.4, 6.9, 7.1])
    assert one.scrapes.restarts == ()


def test_failures_are_counted_and_holes_named():
    line = track([1, 0, 1, None, None, 1, 1], "up")
    said = scrapes("engine", line, None, []).failures(START, START + 30)
    assert said == "1 of 5 scrapes of engine failed, no scrape of engine between 22:13:30Z and 22:13:45Z"
    assert scrapes("engine", track([1] * 7, "up"), None, []).failures(START, START + 30) == ""


@given(
    st.lists(st.integers(0, 50), min_size=4, max_size=30),
    st.lists(st.booleans(), min_size=30, max_size=30),
    st.integers(0, 20),
    st.data(),
)
def test_the_bounds_hold_the_truth_whatever_fails(steps, oks, born, data):
    """Whichever scrapes fail, and whenever the series is born, its true growth lies within the bounds."""
    truth = [sum(steps[:i]) for i in range(len(steps) + 1)]
    born = min((i for i, value in enumerate(truth) if value), default=len(truth)) if born else 0
    up = [int(ok) for ok in oks[: len(truth)]]
    up += [1] * (len(truth) - len(up))
    seen = [value if ok and i >= born else None for i, (value, ok) in enumerate(zip(truth, up, strict=True))]
    first = data.draw(st.integers(0, len(truth) - 2))
    last = data.draw(st.integers(first + 1, len(truth) - 1))
    if all(value is None for value in seen):
        return
    one = counter(seen, up=up)
    lo, hi = growth(one, Window(START + 5 * first, START + 5 * last))
    assert lo <= truth[last] - truth[first] <= hi
    if up[first] and up[last]:
        assert lo == hi


def test_scrapes_are_those_from_first_to_last():
    all_ = Scrapes("a", tuple(Scrape(float(i), ok=True) for i in range(5)))
    assert [one.time for one in all_.within(1.0, 3.0)] == [1.0, 2.0, 3.0]
    assert (all_.interval, all_.last) == (1.0, 4.0)
