"""What has to hold of every expectation, whatever the numbers."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from verdict_harness.errors import UsageError
from verdict_harness.samples import (
    Empty,
    NoValue,
    Point,
    Series,
    Window,
    Windows,
    count,
    exact,
    ms,
    number,
    percent,
)
from verdict_harness.samples.answers import Track
from verdict_harness.samples.gauges import course
from verdict_harness.samples.scrapes import Scrape, Scrapes
from verdict_harness.verdicts import (
    AtLeast,
    Below,
    Budget,
    Change,
    NotGrowing,
    Verdict,
    Within,
    together,
)

MET = {Verdict.PASS, Verdict.CONDITIONAL}
BAD = st.sampled_from([math.nan, math.inf, -math.inf])
NUMBERS = st.floats(0, 1e6)
ANY = st.floats(allow_nan=True, allow_infinity=True)

HIGHER_IS_WORSE = st.sampled_from(
    [
        Below(200 * ms),
        Below(200 * ms, conditional=50 * ms),
        Budget(5 * ms),
        Budget(0.05 * ms),
        Change(exact("q", 0.1, at=0.0, n=9), below=200 * ms),
        Change(exact("q", 0.1, at=0.0, n=9)),
        Change(exact("q", 0.0, at=0.0, n=9), below=200 * ms),
    ]
)
LOWER_IS_WORSE = st.sampled_from(
    [
        AtLeast(100 * count),
        AtLeast(100 * count, conditional=200 * count),
        AtLeast(100 * count, hold=20, tolerate=10),
        AtLeast(100 * count, conditional=200 * count, hold=20),
    ]
)
EVERY = st.one_of(
    HIGHER_IS_WORSE,
    LOWER_IS_WORSE,
    st.sampled_from([Within(1 * count, 5 * count), Within(1 * count, 1e9 * count), NotGrowing()]),
)


def series(values):
    return Series("q", tuple(Point(5.0 * i, value) for i, value in enumerate(values)))


@given(EVERY, st.lists(ANY, min_size=13, max_size=13), st.sampled_from([*range(1, 11), None]))
def test_a_window_with_a_gap_or_what_is_no_number_never_passes(expectation, values, missing):
    """Two scrapes that failed in a row are a gap; what was between two that came may be told by them."""
    lost = {missing, missing + 1} if missing else set()
    kept = {i: value for i, value in enumerate(values) if i not in lost}
    track = Track({}, tuple(Point(5.0 * i, value) for i, value in kept.items()))
    attempts = tuple(Scrape(5.0 * i, i not in lost) for i in range(13))
    sample = course("q", track, Scrapes("t", attempts), Window(0.0, 60.0))
    if missing or not all(map(math.isfinite, kept.values())):
        assert isinstance(sample, NoValue)
        assert expectation.judge(sample).verdict is Verdict.INCONCLUSIVE
    else:
        assert isinstance(sample, Series)


@given(EVERY, BAD, st.integers(-3, 0), NUMBERS)
def test_one_number_that_is_none_or_rests_on_nothing_never_passes(expectation, bad, samples, fine):
    for sample in (number("q", bad, at=0.0, n=9), number("q", fine, at=0.0, n=samples)):
        assert expectation.judge(sample).verdict is Verdict.INCONCLUSIVE


@given(BAD, NUMBERS)
def test_a_baseline_that_is_none_never_passes(bad, value):
    baseline = number("q", bad, at=0.0, n=9)
    assert Change(baseline).judge(exact("q", value, at=0.0, n=9)).verdict is Verdict.INCONCLUSIVE


@given(BAD | st.floats(max_value=-1e-300), st.sampled_from([Below, AtLeast, Budget]))
def test_a_limit_that_is_none_is_refused(bad, kind):
    try:
        kind(bad * count)
    except UsageError:
        return
    raise AssertionError("a limit that nothing, or everything, meets was taken")


@given(EVERY, st.lists(NUMBERS, min_size=1, max_size=60))
def test_every_verdict_has_a_finite_value_or_none_and_says_why(expectation, values):
    for sample in (series(values), exact("q", values[0], at=0.0, n=9)):
        finding = expectation.judge(sample)
        assert finding.reason
        assert finding.limit == str(expectation)
        assert finding.value is None or math.isfinite(finding.value)
        assert finding.verdict not in MET or finding.value is not None
        assert finding.samples >= 1


@given(HIGHER_IS_WORSE, NUMBERS, NUMBERS)
def test_a_higher_value_never_does_better(expectation, a, b):
    low, high = (expectation.judge(exact("q", value, at=0.0, n=9)) for value in sorted((a, b)))
    assert low.verdict <= high.verdict


@given(LOWER_IS_WORSE, NUMBERS, NUMBERS)
def test_a_lower_value_never_does_better(expectation, a, b):
    low, high = (expectation.judge(exact("q", value, at=0.0, n=9)) for value in sorted((a, b)))
    assert high.verdict <= low.verdict


@given(HIGHER_IS_WORSE, st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=30))
def test_a_series_that_is_nowhere_lower_never_does_better(expectation, pairs):
    low, high = series([min(pair) for pair in pairs]), series([max(pair) for pair in pairs])
    assert expectation.judge(low).verdict <= expectation.judge(high).verdict


@given(LOWER_IS_WORSE, st.lists(st.tuples(st.integers(0, 250), st.integers(0, 250)), min_size=1, max_size=30))
def test_a_series_that_is_nowhere_higher_never_does_better(expectation, pairs):
    low, high = series([min(pair) for pair in pairs]), series([max(pair) for pair in pairs])
    assert expectation.judge(high).verdict <= expectation.judge(low).verdict


@given(st.lists(st.floats(0.05, 0.3), min_size=1, max_size=40))
def test_a_series_is_judged_as_its_worst_point_is_alone(values):
    expectation = Below(200 * ms, conditional=100 * ms)
    together_, alone = (
        expectation.judge(series(values)),
        expectation.judge(exact("q", max(values), at=0.0, n=9)),
    )
    assert (together_.verdict, together_.value) == (alone.verdict, alone.value)


@given(st.lists(st.integers(0, 1), min_size=2, max_size=60), st.integers(1, 20), st.integers(0, 10))
def test_what_is_said_to_be_held_was_held(bits, hold, dip):
    """Against a plain reading of the sentence: a run of so long, and no dip of longer."""
    runs = [run for run in "".join(map(str, bits)).split("0") if run]
    dips = [run for run in "".join(map(str, bits)).split("1") if run]
    held = any(len(run) >= hold for run in runs)
    dipped = any(len(run) > dip for run in dips)
    parts = tuple(exact("q", bit, 5.0 * i, n=9, seconds=5.0) for i, bit in enumerate(bits, start=1))
    whole = exact("q", sum(bits) / len(bits), 5.0 * len(bits), n=9)
    expectation = AtLeast(1 * count, hold=5.0 * hold, tolerate=5.0 * dip)
    verdict = expectation.judge(Windows("q", whole, parts)).verdict
    assert expectation.judge(series(bits)).verdict is verdict, "a point stands for the time to the next"
    if dipped:
        assert verdict is Verdict.FAIL
    elif len(bits) < hold:
        assert verdict is Verdict.INCONCLUSIVE
    else:
        assert verdict is (Verdict.PASS if held else Verdict.FAIL)


@given(st.lists(st.floats(100, 102), min_size=16, max_size=80), st.floats(36, 1e4))
def test_a_steady_leak_is_found_whatever_the_noise(noise, leak):
    leaking = [level + leak * i / len(noise) for i, level in enumerate(noise)]
    assert NotGrowing().judge(series(leaking)).verdict is Verdict.FAIL


@given(st.lists(st.floats(100, 101.9), min_size=12, max_size=80), st.floats(1e-3, 1e9))
def test_noise_within_the_limit_is_never_called_growth_in_whatever_unit(noise, scale):
    assert NotGrowing().judge(series([scale * level for level in noise])).verdict is not Verdict.FAIL


@given(st.dictionaries(st.text(max_size=3), NUMBERS, max_size=5), NUMBERS)
def test_one_more_sample_never_makes_the_whole_better(values, extra):
    expectation = Below(200 * ms, conditional=50 * ms)
    samples = {name: exact("q", value, at=0.0, n=9) for name, value in values.items()}
    before = together(expectation, samples).verdict
    more = together(expectation, samples | {"extra": exact("q", extra, at=0.0, n=9)}).verdict
    empty = together(expectation, samples | {"extra": Empty("q", "none")}).verdict
    assert empty >= Verdict.INCONCLUSIVE
    assert not samples or more >= before


@given(st.floats(1e-6, 1e3), st.floats(0.5, 2))
def test_rounding_decides_nothing(limit, factor):
    """A value computed in another order than the limit is still at the limit."""
    same = limit * factor / factor
    assert Below(limit * count).judge(exact("q", same, at=0.0, n=9)).verdict is Verdict.FAIL
    assert AtLeast(limit * count).judge(exact("q", same, at=0.0, n=9)).verdict is Verdict.PASS
    change = Change(exact("q", limit, at=0.0, n=9), 0 * percent)
    assert change.judge(exact("q", same, at=0.0, n=9)).verdict is Verdict.PASS
