"""The one rule: what an interval says of a limit, whatever made it, and what would decide it."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verdict_harness.samples import (
    Asked,
    Estimate,
    Trouble,
    Unknown,
    Windows,
    bucket_quantile,
    count,
    exact,
    ms,
    per_minute,
    percent,
    quantile,
    ratio,
    ratio_of,
    share,
    windows,
)
from verdict_harness.verdicts import (
    AtLeast,
    Below,
    Budget,
    Change,
    Judge,
    Verdict,
    Within,
    together,
)

PASS, CONDITIONAL, INCONCLUSIVE, FAIL = Verdict
ASKED = Asked("p99", at=300.0, seconds=30.0, counted="orders")
FULL = Asked("p99", at=300.0, seconds=300.0, counted="orders")
EXPECTATIONS = st.sampled_from(
    [
        Below(200 * ms),
        Below(200 * ms, conditional=50 * ms),
        AtLeast(0.1 * ratio),
        AtLeast(0.1 * ratio, conditional=0.2 * ratio),
        Within(0.1 * ratio, 0.05 * ratio),
        Within(0.1 * ratio, 0 * ratio),
        Within(0.1 * ratio, 0.05 * ratio, otherwise=CONDITIONAL),
        Within(0.1 * ratio, 0.05 * ratio, otherwise=INCONCLUSIVE),
        Budget(50 * ms),
        Change(exact("q", 0.1, at=0.0, n=9), 10 * percent, at_least=-10 * percent),
        Change(exact("q", 0.1, at=0.0, n=9), 10 * percent, below=200 * ms, otherwise=CONDITIONAL),
    ]
)
PLACES = st.floats(0, 1)
ENDS = st.sampled_from([0.0, 0.05, 0.1, 0.11, 0.15, 0.2, 0.3]) | st.floats(0, 0.5)


def between(lo, hi, place=0.5, n=5100, **more):
    value = None if math.isinf(hi) else lo + place * (hi - lo)
    return Estimate("q", value, lo, hi, n, 0.0, **more)


@given(EXPECTATIONS, ENDS, ENDS, PLACES)
def test_what_is_concluded_holds_wherever_in_the_interval_the_number_lies(expectation, a, b, place):
    lo, hi = sorted((a, b))
    verdict = expectation.judge(between(lo, hi)).verdict
    there = expectation.judge(exact("q", min(hi, lo + place * (hi - lo)), at=0.0, n=5100)).verdict
    if verdict is CONDITIONAL:
        assert there in {PASS, CONDITIONAL}
    elif verdict is not INCONCLUSIVE:
        assert there is verdict


@given(EXPECTATIONS, ENDS, ENDS)
def test_what_both_ends_and_all_between_agree_on_is_concluded(expectation, a, b):
    lo, hi = sorted((a, b))
    steps = [exact("q", lo + (hi - lo) * i / 64, at=0.0, n=5100) for i in range(65)]
    verdicts = {expectation.judge(step).verdict for step in steps}
    if len(verdicts) == 1 and not isinstance(
        expectation, Within | Change
    ):  # a point may hide between two steps
        assert expectation.judge(between(lo, hi)).verdict is verdicts.pop()


@given(EXPECTATIONS, ENDS, ENDS, ENDS, ENDS)
def test_more_doubt_never_decides(expectation, a, b, c, d):
    lo, low, high, hi = sorted((a, b, c, d))
    inner, outer = expectation.judge(between(low, high)).verdict, expectation.judge(between(lo, hi)).verdict
    assert outer is INCONCLUSIVE or inner is outer or {inner, outer} == {PASS, CONDITIONAL}


@given(EXPECTATIONS, st.floats(0, 0.5))
def test_a_number_beyond_all_that_is_known_never_passes_what_is_to_be_low(expectation, lo):
    finding = expectation.judge(between(lo, math.inf))
    if isinstance(expectation, Below | Budget | Within | Change):
        assert finding.verdict is not PASS
    assert finding.reason
    assert finding.interval[1] == math.inf


@given(EXPECTATIONS, ENDS, ENDS)
def test_an_open_verdict_names_a_doubt_and_what_would_decide(expectation, a, b):
    lo, hi = sorted((a, b))
    sample = exact("q", (lo + hi) / 2, at=0.0, n=510).widened("missing", "some are gone", lo=lo, hi=hi)
    finding = expectation.judge(sample)
    open_ = (
        finding.verdict is INCONCLUSIVE
        and expectation.judge(exact("q", lo, 0.0, n=1)).verdict is not INCONCLUSIVE
    )
    if open_:
        assert "some are gone" in finding.doubt.text
        assert finding.decides
        assert finding.sentence == f"{finding.reason}; {finding.doubt.text}; {finding.decides} would decide"
        assert finding.besides == ()


# -- what was seen


def test_a_limit_between_two_edges_is_decided_by_an_edge_there():
    """Buckets of 20 and 50 ms, every request below 33 ms."""
    found = Below(40 * ms).judge(bucket_quantile(FULL, 0.99, [(0.02, 4000), (0.05, 5100), (math.inf, 5100)]))
    assert (found.verdict, round(found.value, 2)) == (INCONCLUSIVE, 48.61)
    assert (found.doubt.kind, found.decides) == ("resolution", "a bucket edge at 40 ms")
    finer = [(0.02, 4000), (0.04, 5100), (0.05, 5100), (math.inf, 5100)]
    assert Below(40 * ms).judge(bucket_quantile(FULL, 0.99, finer)).verdict is PASS
    slower = [(0.02, 4000), (0.04, 4000), (0.05, 5100), (math.inf, 5100)]
    assert Below(40 * ms).judge(bucket_quantile(FULL, 0.99, slower)).verdict is FAIL


def test_a_largest_bucket_below_the_limit_never_passes():
    """Every request takes 600 ms, the last edge is 100 ms."""
    beyond = bucket_quantile(FULL, 0.99, [(0.1, 0), (math.inf, 5100)])
    found = Below(200 * ms).judge(beyond)
    assert (found.verdict, found.value, found.interval) == (INCONCLUSIVE, None, (100.0, math.inf))
    assert found.decides == "a bucket edge at 200 ms"
    assert Below(100 * ms).judge(beyond).verdict is FAIL
    change = Change(beyond, below=200 * ms).judge(beyond)
    assert (change.verdict, change.interval) == (INCONCLUSIVE, (-100.0, math.inf))


def test_a_p99_of_one_request_is_none():
    found = Below(200 * ms).judge(quantile(ASKED, 0.99, [0.004]))
    assert found.verdict is INCONCLUSIVE
    assert found.decides == "298 more orders, 8940 s at this rate,"


def test_nothing_missing_of_nothing_is_no_pass():
    assert Below(1 * percent).judge(share(ASKED, 0, 0)).verdict is INCONCLUSIVE
    few, enough = share(ASKED, 0, 298), share(ASKED, 0, 299)
    assert [Below(1 * percent).judge(each).verdict for each in (few, enough)] == [INCONCLUSIVE, PASS]


def test_too_few_matches_by_chance_are_not_too_few():
    """1.073 of 510 orders, where the limit is 1.075 and the deviation of one order's matches 1.2."""
    by_chance = ratio_of(FULL, [(547, 510)], n=510, deviation=1.196)
    found = AtLeast(1.075 * ratio).judge(by_chance)
    assert found.verdict is INCONCLUSIVE
    assert found.doubt.kind == "chance"
    plenty = ratio_of(FULL, [(6089, 5100)], n=5100, deviation=1.196)
    assert AtLeast(1.075 * ratio).judge(plenty).verdict is PASS
    starved = ratio_of(FULL, [(4080, 5100)], n=5100, deviation=1.196)
    assert AtLeast(1.075 * ratio).judge(starved).verdict is FAIL


def test_what_chance_leaves_open_more_observations_decide():
    found = AtLeast(1.1 * ratio).judge(ratio_of(ASKED, [(587, 510)], n=510, deviation=1.2))
    assert found.verdict is INCONCLUSIVE
    assert found.decides == "about 990 more orders, 58 s at this rate,"
    at_the_limit = AtLeast(1.151 * ratio).judge(ratio_of(ASKED, [(587, 510)], n=510, deviation=1.2))
    assert at_the_limit.decides == "far more orders than that load has, so near to the limit,"


def test_what_would_leave_it_open_when_the_first_doubt_is_gone_is_named_too():
    """0 of 15 orders, and 53 more that k6 did not send: 35 more orders alone would decide nothing."""
    gone = Unknown.times(53, "53 orders were not sent", hi=1.0, instrument="k6", cure="a k6 that sends all")
    found = Below(15 * percent).judge(share(ASKED, 0, 15, [gone]))
    assert found.verdict is INCONCLUSIVE
    assert (found.doubt.kind, [one.text for one in found.besides]) == ("chance", ["53 orders were not sent"])
    assert found.sentence.endswith(" would decide; besides, 53 orders were not sent")
    few = Unknown.times(1, "1 order was not sent", hi=1.0, instrument="k6", cure="a k6 that sends all")
    found = Below(15 * percent).judge(share(ASKED, 0, 15, [few]))
    assert (found.doubt.kind, found.besides) == ("chance", ())


def test_what_bounds_nothing_hides_no_doubt_after_it():
    gone = Unknown.times(9, "9 orders were not sent", instrument="k6", cure="a k6 that sends all")
    found = Below(9000 * ms).judge(quantile(ASKED, 0.9, [], [gone]))
    assert found.doubt.kind == "chance"
    assert "besides, 9 orders were not sent" in found.sentence


def slow_orders(share_, seed, seconds=300, rate=17):
    rng = random.Random(seed)
    parts = []
    for end in range(30, seconds + 1, 30):
        values = [0.6 if rng.random() < share_ else 0.004 for _ in range(30 * rate)]
        parts.append((float(end), values))
    return parts


def of_parts(parts):
    def ask(part, level):
        return quantile(Asked("p99", at=part[0], seconds=30.0, level=level), 0.99, part[1])

    whole = quantile(FULL, 0.99, [value for _, values in parts for value in values])
    return windows(whole, parts, ask)


def test_the_worst_of_many_small_p99s_is_no_p99():
    """0.5 % of the orders are slow, so that the p99 is met twice over: never a FAIL, nearly always a PASS."""
    found = [Below(200 * ms).judge(of_parts(slow_orders(0.005, seed))).verdict for seed in range(40)]
    assert FAIL not in found
    assert found.count(PASS) >= 38


def test_a_stretch_that_surely_breaks_the_limit_does_so_for_the_whole():
    """26 orders of 30 s of 300 take 5 s: 0.5 % of all, which the p99 of the whole does not show."""
    parts = slow_orders(0.0, 1)
    few = [(end, [5.0] * 26 + values[26:] if end == 150.0 else values) for end, values in parts]
    found = Below(200 * ms).judge(of_parts(few))
    assert found.verdict is FAIL
    assert "in the 30 s to 00:02:30Z: 5000 ms" in found.reason
    assert Below(200 * ms).judge(of_parts(few).whole).verdict is PASS


def test_a_scrape_that_failed_saves_nothing():
    """54 of 55 stretches at 5 s, of one nothing is known."""
    lost = Unknown.times(90, "1 of 55 scrapes of me-shard-a failed", instrument="scrapes of me-shard-a")
    found = Below(200 * ms).judge(quantile(FULL, 0.99, [5.0] * 4860, [lost]))
    assert found.verdict is FAIL
    quick = Below(200 * ms).judge(quantile(FULL, 0.99, [0.004] * 4860, [lost]))
    assert quick.verdict is INCONCLUSIVE
    assert quick.doubt.instrument == "scrapes of me-shard-a"


# -- held


RATE = AtLeast(4750 * per_minute, hold=240, tolerate=30)


def rates(*parts):
    """Windows of (seconds, lo, hi)."""
    at, made = 0.0, []
    for seconds, lo, hi in parts:
        at += seconds
        one = exact("rate", (lo + hi) / 2, at, n=2520, seconds=seconds, counted="orders")
        made.append(one.widened("chance", "restless", lo=lo, hi=hi) if lo < hi else one)
    return Windows("rate", exact("rate", 5000, at, n=25200, seconds=at), tuple(made))


@pytest.mark.parametrize(
    ("parts", "verdict"),
    [
        ([(30, 4800, 5200)] * 9, PASS),
        ([(30, 4700, 5200)] * 9, INCONCLUSIVE),
        ([(30, 4000, 4700)] * 9, FAIL),
        ([(30, 4000, 4700), *[(30, 4800, 5200)] * 8], PASS),
        ([(30, 4000, 4700)] * 2 + [(30, 4800, 5200)] * 8, FAIL),
        ([(30, 4000, 4800)] * 2 + [(30, 4800, 5200)] * 8, INCONCLUSIVE),
        ([(30, 4800, 5200)] * 4 + [(30, 4000, 4700)] + [(30, 4800, 5200)] * 4, FAIL),
        ([(30, 4800, 5200)] * 7, INCONCLUSIVE),
    ],
)
def test_a_rate_is_held_by_windows_that_surely_reach_it(parts, verdict):
    found = RATE.judge(rates(*parts))
    assert found.verdict is verdict, found
    assert bool(found.decides) == (verdict is INCONCLUSIVE)


def test_a_window_of_which_nothing_is_known_breaks_what_was_held():
    whole = rates(*[(30, 4800, 5200)] * 10)
    gap = Windows(whole.query, whole.whole, whole.parts[:4] + whole.parts[5:])
    assert RATE.judge(whole).verdict is PASS
    assert RATE.judge(gap).verdict is INCONCLUSIVE


# -- troubles of a load, and several samples


class Load:
    name = "A2"

    def __init__(self, *trouble):
        self.trouble = trouble


GENTLE = Trouble("at a third of the rate", "k6", "PASS")
FOREIGN = Trouble("samples of another run", "k6", "ANY")


@pytest.mark.parametrize(
    ("seconds", "trouble", "verdict"),
    [
        (0.1, GENTLE, INCONCLUSIVE),
        (0.3, GENTLE, FAIL),
        (0.1, FOREIGN, INCONCLUSIVE),
        (0.3, FOREIGN, INCONCLUSIVE),
    ],
)
def test_a_gentle_load_saves_no_failure_and_a_foreign_one_proves_none(seconds, trouble, verdict):
    judge = Judge()
    judge.loads = (Load(trouble),)
    found = judge(exact("p99", seconds, at=0.0, n=5100), Below(200 * ms))
    assert found.verdict is verdict
    if verdict is INCONCLUSIVE:
        assert (found.doubt.text, found.doubt.instrument) == (f"A2: {trouble.text}", "k6")
    assert found.value == pytest.approx(1000 * seconds)


def test_of_several_the_one_that_nothing_bounds_speaks():
    sure, beyond = exact("q", 0.3, at=0.0, n=9), between(0.25, math.inf)
    assert together(Below(200 * ms), {"a": sure, "b": beyond}).reason.startswith("b: at least 250 ms")


def test_an_edge_is_no_place_for_a_time_to_be():
    edges = between(0.1, 0.2, continuous=True), between(0.2, 0.5, continuous=True)
    assert [Below(200 * ms).judge(each).verdict for each in edges] == [PASS, FAIL]
    assert [Budget(100 * ms).judge(each).verdict for each in edges] == [PASS, INCONCLUSIVE]
    counted = between(0, 1)
    assert Below(1 * count).judge(counted).verdict is INCONCLUSIVE
    assert Within(0 * count, 0 * count).judge(counted).verdict is INCONCLUSIVE
