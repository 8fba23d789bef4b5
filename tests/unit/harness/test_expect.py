from __future__ import annotations

import pytest

from verdict_harness.errors import UsageError
from verdict_harness.samples import (
    Empty,
    Estimate,
    Failed,
    NotANumber,
    Partial,
    Point,
    Series,
    Several,
    Stale,
    Windows,
    count,
    exact,
    mebibytes,
    ms,
    number,
    per_minute,
    percent,
    ratio,
    seconds,
)
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

PASS, CONDITIONAL, INCONCLUSIVE, FAIL = Verdict


def value(base, n=5100):
    return exact("q", base, at=0.0, n=n)


def between(lo, hi, base=None, n=5100):
    return Estimate("q", (lo + hi) / 2 if base is None else base, lo, hi, n, 0.0)


def series(*values, step=5.0):
    return Series("q", tuple(Point(step * i, v) for i, v in enumerate(values)))


P99 = Below(200 * ms, conditional=50 * ms)
GC = Below(10 * ms, conditional=5 * ms)


# -- the rows of the contract's table, at their boundaries


@pytest.mark.parametrize(
    ("expectation", "base", "verdict"),
    [
        (P99, 0.0, PASS),
        (P99, 0.0499999, PASS),
        (P99, 0.05, CONDITIONAL),
        (P99, 0.1999999, CONDITIONAL),
        (P99, 0.2, FAIL),
        (P99, 0.2000001, FAIL),
        (Below(200 * ms), 0.1999999, PASS),
        (Below(200 * ms), 0.2, FAIL),
        (Below(1 * percent), 0.00999, PASS),
        (Below(1 * percent), 0.01, FAIL),
        (GC, 0.004999, PASS),
        (GC, 0.005, CONDITIONAL),
        (GC, 0.009999, CONDITIONAL),
        (GC, 0.01, FAIL),
        (Budget(2 * ms), 0.004, PASS),
        (Budget(2 * ms), 0.0040001, CONDITIONAL),
        (Budget(2 * ms), 0.006, CONDITIONAL),
        (Budget(2 * ms), 0.0060001, FAIL),
        (Budget(0.05 * ms), 0.0001, PASS),
        (Budget(0.05 * ms), 0.00015, CONDITIONAL),
        (Budget(0.05 * ms), 0.000151, FAIL),
        (AtLeast(4750 * per_minute), 4750.0, PASS),
        (AtLeast(4750 * per_minute), 4749.99, FAIL),
        (AtLeast(4500 * per_minute, conditional=4750 * per_minute), 4600.0, CONDITIONAL),
        (AtLeast(4500 * per_minute, conditional=4750 * per_minute), 4750.0, PASS),
        (Within(80 * percent, 2 * percent), 0.82, PASS),
        (Within(80 * percent, 2 * percent), 0.78, PASS),
        (Within(80 * percent, 2 * percent), 0.8201, FAIL),
        (Within(80 * percent, 2 * percent), 0.7799, FAIL),
        (Within(0 * count, 0 * count), 0.0, PASS),
        (Within(0 * count, 0 * count), 1.0, FAIL),
        (Change(value(0.010), below=200 * ms), 0.011, PASS),
        (Change(value(0.010), below=200 * ms), 0.01101, FAIL),
        (Change(value(0.010), below=200 * ms), 0.001, PASS),
        (Change(value(0.190), below=200 * ms), 0.1999, PASS),
        (Change(value(0.190), below=200 * ms), 0.2, FAIL),
    ],
)
def test_the_contracts_limits(expectation, base, verdict):
    assert expectation.judge(value(base)).verdict is verdict


def test_isolation_is_within_five_percent_both_ways_and_conditional_beyond():
    isolation = Change(value(0.010), 5 * percent, at_least=-5 * percent, otherwise=CONDITIONAL)
    verdicts = [isolation.judge(value(base)).verdict for base in (0.0095, 0.0105, 0.0094, 0.0106, 0.3)]
    assert verdicts == [PASS, PASS, CONDITIONAL, CONDITIONAL, CONDITIONAL]
    assert str(isolation) == "<= +5 % and >= -5 %"


# -- what a finding says


def test_a_finding_says_it_all_in_the_limits_unit():
    finding = P99.judge(value(0.120))
    assert (finding.value, finding.unit, finding.limit) == (120.0, "ms", "< 200 ms")
    assert (finding.query, finding.samples) == ("q", 5100)
    assert finding.reason == "120 ms is below 200 ms, but not below 50 ms"


def test_a_series_is_as_good_as_its_worst_point_and_says_when_that_was():
    finding = P99.judge(series(0.01, 0.25, 0.03))
    assert (finding.verdict, finding.value, finding.samples) == (FAIL, 250.0, 3)
    assert finding.reason == "at 00:00:05Z, the worst of 3 points, 250 ms is not below 200 ms"
    low = AtLeast(10 * count).judge(series(20, 12, 30))
    assert (low.verdict, low.value) == (PASS, 12.0)
    far = Within(80 * percent, 2 * percent).judge(series(0.81, 0.75, 0.83))
    assert (far.verdict, far.value) == (FAIL, 75.0)


@pytest.mark.parametrize(
    ("expectation", "text"),
    [
        (P99, "< 200 ms"),
        (Below(1 * percent), "< 1 %"),
        (Budget(0.05 * ms), "<= 2 x 0.05 ms"),
        (AtLeast(4750 * per_minute), ">= 4750 /min"),
        (Within(3 * count, 0 * count), "= 3"),
        (Change(value(1.0), below=200 * ms), "<= +10 % and < 200 ms"),
        (NotGrowing(), "no growth > 2 %, nor > 10 % in all"),
    ],
)
def test_limits_as_people_read_them(expectation, text):
    assert str(expectation) == text
    assert expectation.judge(value(1.0)).limit == text


ALL = [
    P99,
    AtLeast(1 * count),
    AtLeast(1 * count, hold=10, tolerate=5),
    Within(1 * count, 9 * count),
    Budget(9 * ms),
    Change(value(1.0), 900 * percent),
    NotGrowing(),
]


@pytest.mark.parametrize("kind", [Empty, Stale, NotANumber, Several, Partial, Failed])
@pytest.mark.parametrize("expectation", ALL, ids=lambda expectation: type(expectation).__name__)
def test_what_is_no_value_is_inconclusive_with_its_reason(expectation, kind):
    finding = expectation.judge(kind("q", "target b was down", 7))
    assert (finding.verdict, finding.value, finding.samples) == (INCONCLUSIVE, None, 7)
    assert finding.reason == f"{kind.__name__}: target b was down"
    assert finding.limit == str(expectation)
    assert finding.query == "q"


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_no_sample_with_a_number_can_be_made_of_what_is_none(bad):
    with pytest.raises(ValueError, match="no interval"):
        value(bad)
    with pytest.raises(ValueError, match="not numbers"):
        series(1.0, bad)
    with pytest.raises(ValueError, match="without points"):
        series()
    with pytest.raises(ValueError, match="rests on 0"):
        value(1.0, n=0)
    assert isinstance(number("q", bad, at=0.0, n=1), NotANumber)
    assert isinstance(number("q", 0.0, at=0.0, n=0), Empty)
    with pytest.raises(TypeError):
        number("q", 0.0, at=0.0)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Below(float("nan") * ms),
        lambda: Below(float("inf") * ms),
        lambda: Below(-1 * ms),
        lambda: Below(50 * ms, conditional=200 * ms),
        lambda: AtLeast(5 * count, conditional=4 * count),
        lambda: AtLeast(5 * count, tolerate=30),
        lambda: AtLeast(5 * count, hold=0),
        lambda: AtLeast(5 * count, hold=float("nan")),
        lambda: Budget(5 * ms, 3, 2),
        lambda: Within(5 * ms, float("nan") * ms),
        lambda: Change(value(1.0), float("inf") * percent),
        lambda: Change(value(1.0), at_least=5 * percent),
        lambda: NotGrowing(0 * percent),
        lambda: NotGrowing(fewest=3),
    ],
)
def test_limits_that_everything_or_nothing_would_meet_are_refused(make):
    with pytest.raises(UsageError):
        make()


def test_dimensions_do_not_mix():
    for make in (
        lambda: Below(200 * ms, conditional=1 * percent),
        lambda: Within(80 * percent, 2 * ms),
        lambda: Change(value(1.0), 200 * ms),
        lambda: NotGrowing(5 * mebibytes),
    ):
        with pytest.raises(TypeError, match="cannot compare"):
            make()
    assert Below(1 * seconds, conditional=50 * ms).judge(value(0.07)).verdict is CONDITIONAL
    assert Within(0.8 * ratio, 2 * percent).judge(value(0.81)).verdict is PASS


# -- AtLeast, held

HELD = AtLeast(4750 * per_minute, hold=240, tolerate=30)


def minutes(*parts):
    """A series every 5 s from (seconds, value) parts."""
    return series(*(v for length, v in parts for _ in range(round(length / 5))))


@pytest.mark.parametrize(
    ("samples", "verdict", "shown"),
    [
        (minutes((275, 5000)), PASS, 5000),
        (minutes((245, 4750)), PASS, 4750),
        (minutes((25, 0), (245, 4800)), PASS, 4800),
        (minutes((30, 0), (245, 4800)), PASS, 4800),
        (minutes((35, 0), (245, 4800)), FAIL, 0),
        (minutes((245, 4800), (35, 4000)), FAIL, 4000),
        (minutes((120, 5000), (5, 4700), (150, 5000)), FAIL, 4700),
        (minutes((275, 4749)), FAIL, 4749),
        (minutes((235, 5000)), INCONCLUSIVE, 5000),
        (minutes((120, 5000)), INCONCLUSIVE, 5000),
        (minutes((120, 5000), (35, 4000)), FAIL, 4000),
        (minutes((25, 4000)), INCONCLUSIVE, 4000),
    ],
)
def test_held_for_four_minutes_and_not_below_for_more_than_thirty_seconds(samples, verdict, shown):
    finding = HELD.judge(samples)
    assert (finding.verdict, finding.value) == (verdict, shown), finding.reason
    assert finding.unit == "/min"


def test_windows_that_all_lack_a_value_hold_nothing():
    finding = HELD.judge(Windows("rate", exact("rate", 100.0, at=300.0, n=9), ()))
    assert (finding.verdict, finding.reason) == (INCONCLUSIVE, "none of its windows has a value")
    finding = HELD.judge(exact("rate", 100.0, at=300.0, n=9))
    assert finding.verdict is INCONCLUSIVE
    assert "windows of it are needed" in finding.reason


def test_the_reasons_of_a_hold():
    assert HELD.judge(minutes((30, 4100), (245, 4800))).reason == (
        "4800 /min, held for 240 s, reaches 4750 /min; lowest 4100 /min in the 5 s to 00:00:05Z"
    )
    assert HELD.judge(minutes((35, 4100), (245, 4800))).reason == (
        "less than 4750 /min for 35 s around 00:00:05Z, down to 4100 /min"
    )
    short = HELD.judge(minutes((120, 4800)))
    assert short.reason == (
        "120 s can't show what was held for 240 s; lowest 4800 /min in the 5 s to 00:00:05Z"
    )
    assert short.decides == "120 s more"
    assert str(HELD) == ">= 4750 /min for 240 s, and not less for > 30 s"


def test_one_number_was_not_held_and_a_shorter_hold_is_the_callers_word():
    assert HELD.judge(value(9000.0)).verdict is INCONCLUSIVE
    assert AtLeast(4750 * per_minute, hold=60, tolerate=30).judge(minutes((70, 4800))).verdict is PASS


def test_without_tolerance_a_single_point_below_is_a_fail():
    held = AtLeast(10 * count, hold=10)
    assert held.judge(series(10, 10, 10, 9)).verdict is FAIL
    assert held.judge(series(10, 10, 10)).verdict is PASS


def test_a_budget_is_held_too():
    held = AtLeast(10 * count, conditional=12 * count, hold=10)
    assert held.judge(series(11, 11, 11)).verdict is CONDITIONAL
    assert held.judge(series(10, 12, 12, 12)).verdict is PASS


# -- Change


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (NotANumber("q", "the answer is nan"), "before: NotANumber: the answer is nan"),
        (value(0.0), "before: 0 ms, of which no change can be told"),
        (value(-1.0), "before: -1000 ms, of which no change can be told"),
        (series(1.0, 2.0), "a series was given"),
    ],
)
def test_nothing_is_compared_with_a_baseline_that_is_none(before, said):
    change = Change(before, below=200 * ms)
    finding = change.judge(value(0.001))
    assert (finding.verdict, finding.value) == (INCONCLUSIVE, None)
    assert said in finding.reason


def test_a_breach_needs_no_baseline():
    finding = Change(Empty("q", "no such series"), below=200 * ms).judge(value(0.3))
    assert (finding.verdict, finding.reason) == (FAIL, "300 ms is not below 200 ms")


def test_a_change_rests_on_the_fewer_samples():
    assert Change(value(1.0, n=40)).judge(value(1.0)).samples == 40
    assert Change(value(1.0)).judge(value(1.0, n=40)).samples == 40


# -- NotGrowing

MIB = 2**20


def memory(at):
    return Series("rss", tuple(Point(5.0 * i, at(i / 53) * MIB) for i in range(54)))


@pytest.mark.parametrize(
    ("at", "verdict", "said"),
    [
        (lambda _: 100, PASS, "0 % along the trend of the last three quarters, and +0 % in all"),
        (lambda t: 100 - 20 * t, PASS, "in all"),
        (lambda t: 100 + 5 * min(t, 0.24) / 0.24, PASS, "in all"),
        (lambda t: 100 + 1.5 * t, PASS, "in all"),
        (lambda t: 100 + (60 if 0.6 < t < 0.65 else 0), PASS, "in all"),
        (lambda t: 100 + 200 * min(t, 0.24) / 0.24, INCONCLUSIVE, "+200 % in all: it rose and then rested"),
        (lambda t: 100 + 30 * min(t, 0.45) / 0.45, INCONCLUSIVE, "whether it grows can't be told"),
        (lambda t: 100 + 30 * (t * 8 % 1), INCONCLUSIVE, "whether it grows can't be told"),
        (lambda t: 100 + 10 * t, FAIL, "from quarter to quarter, lowest points too"),
        (lambda t: 100 + 10 * int(t * 10), FAIL, "lowest points too"),
        (lambda t: 100 + 60 * t + 30 * (t * 8 % 1), FAIL, "lowest points too"),
        (lambda t: 100 + 10 * t * t, FAIL, "lowest points too"),
        (lambda t: 130 if t > 0.7 else 100, INCONCLUSIVE, ""),
        (lambda t: 100 + 60 * (1 - 2 ** (-5 * t)), INCONCLUSIVE, "ever more slowly"),
        (lambda t: 100 + 30 * min(1, max(0, (t - 0.32) / 0.3)), INCONCLUSIVE, "not from quarter to quarter"),
        (lambda t: 100 + 10 * t**6, INCONCLUSIVE, "nearly all of it in the last quarter"),
        (lambda t: 50 if t in {30 / 53, 45 / 53} else 100 + 20 * t, INCONCLUSIVE, "too restless"),
        (lambda _: 0, INCONCLUSIVE, "no growth in percent"),
    ],
)
def test_what_grows(at, verdict, said):
    finding = NotGrowing().judge(memory(at))
    assert finding.verdict is verdict, finding
    assert said in finding.reason
    assert (finding.decides == "a longer load") == (verdict is INCONCLUSIVE and finding.value is not None)


def test_growth_is_shown_in_percent_of_the_second_quarter():
    finding = NotGrowing().judge(memory(lambda t: 100 + 80 * t))
    assert finding.value == pytest.approx(80 * 0.75 / (100 + 80 * 0.38) * 100, rel=0.06)
    assert (finding.unit, finding.samples) == ("%", 54)


def test_too_few_points_show_no_trend():
    assert NotGrowing().judge(value(1.0)).verdict is INCONCLUSIVE
    finding = NotGrowing().judge(series(*range(1, 12)))
    assert (finding.verdict, finding.reason) == (INCONCLUSIVE, "11 points show no trend; 12 are needed")


# -- several samples


def test_together_is_as_good_as_the_worst_and_names_it():
    finding = together(P99, {"a": value(0.01), "b": value(0.3), "c": Empty("q", "no such series")})
    assert (finding.verdict, finding.value) == (FAIL, 300.0)
    assert finding.reason == "b: 300 ms is not below 200 ms (a: PASS, c: INCONCLUSIVE)"


def test_of_equal_verdicts_the_worse_value_speaks():
    assert together(P99, {"a": value(0.02), "b": value(0.04), "c": value(0.03)}).value == 40.0
    assert together(AtLeast(1 * count), {"a": value(5.0), "b": value(4.0)}).value == 4.0
    off = together(Within(80 * percent, 9 * percent), {"a": value(0.81), "b": value(0.75), "c": value(0.84)})
    assert off.value == 75.0


@pytest.mark.parametrize(
    ("expectation", "worse", "better"),
    [
        (Change(value(0.010)), 0.0109, 0.005),
        (Change(value(0.010), 10 * percent, at_least=-10 * percent), 0.0092, 0.0105),
    ],
)
def test_together_the_worse_of_two_comparisons_speaks(expectation, worse, better):
    for order in ((worse, better), (better, worse)):
        finding = together(expectation, dict(zip("ab", map(value, order), strict=True)))
        assert finding.verdict is PASS
        assert finding.value == expectation.judge(value(worse)).value
        assert finding.reason.startswith("ab"[order.index(worse)])


def test_of_two_that_do_not_grow_the_one_that_grows_more_speaks():
    growths = {"a": memory(lambda t: 100 + 0.5 * t), "b": memory(lambda t: 100 + 1.5 * t)}
    finding = together(NotGrowing(), growths)
    assert (finding.verdict, finding.value) == (PASS, NotGrowing().judge(growths["b"]).value)
    assert finding.reason.startswith("b")


def test_together_with_a_missing_one_is_inconclusive_and_of_none_too():
    missing = together(P99, {"a": value(0.01), "b": Empty("q", "no such series")})
    assert (missing.verdict, missing.reason) == (INCONCLUSIVE, "b: Empty: no such series (a: PASS)")
    assert together(P99, {}).verdict is INCONCLUSIVE


def test_of_several_the_one_that_grew_or_changed_most_speaks():
    grew = together(NotGrowing(), {"a": memory(lambda t: 100 + 10 * t), "b": memory(lambda t: 100 + 40 * t)})
    assert grew.reason.startswith("b: ")
    change = Change(value(0.010), at_most=10 * percent)
    assert together(change, {"a": value(0.0101), "b": value(0.0105)}).reason.startswith("b: ")
    both = Change(value(0.010), at_most=5 * percent, at_least=-5 * percent)
    assert together(both, {"a": value(0.0102), "b": value(0.0097)}).reason.startswith("b: ")


def test_windows_that_none_has_a_value_hold_nothing():
    nothing = Windows("q", exact("q", 9000.0, at=0.0, n=9), ())
    finding = HELD.judge(nothing)
    assert (finding.verdict, finding.reason) == (INCONCLUSIVE, "none of its windows has a value")


def test_what_has_no_value_of_its_own_needs_more_of_the_same():
    bounded = Estimate("q", None, 0.1, 0.3, 500, 0.0).widened("chance", "99 % of 500 orders", lo=0.1, hi=0.3)
    finding = P99.judge(bounded)
    assert finding.verdict is INCONCLUSIVE
    assert finding.decides.startswith("more ")
