from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verdict_harness.samples.doubts import Doubt, Trouble
from verdict_harness.samples.estimate import Estimate, Windows, exact

ENDS = st.floats(allow_nan=False)
KINDS = st.sampled_from(["resolution", "chance", "missing", "instrument"])


def part(at, seconds=30.0):
    return exact("q", 0.1, at, n=510, seconds=seconds)


@given(st.floats(0, 1e6), st.lists(st.tuples(KINDS, ENDS, ENDS)))
def test_every_doubt_holds_what_those_before_it_left_open(value, doubts):
    estimate = exact("q", value, 0.0, n=1)
    for kind, lo, hi in doubts:
        wider = estimate.widened(
            kind, "why", lo=lo if lo < math.inf else None, hi=hi if hi > -math.inf else None
        )
        assert wider.lo <= estimate.lo <= value <= estimate.hi <= wider.hi
        assert (wider.doubts[-1].lo, wider.doubts[-1].hi) == wider.interval
        estimate = wider
    assert len(estimate.doubts) == len(doubts)


@given(st.floats(0, 1e6), st.lists(st.tuples(KINDS, ENDS, ENDS)), st.none() | st.floats(1, 9))
def test_an_estimate_survives_json_that_holds_no_infinity(value, doubts, seconds):
    estimate = exact("q", value, 0.0, n=3, seconds=seconds, counted="orders")
    for kind, lo, hi in doubts:
        estimate = estimate.widened(
            kind, "why", lo=min(lo, value), hi=max(hi, value), instrument="k6", least=299, cure="x"
        )
    assert Estimate.from_json(json.loads(json.dumps(estimate.to_json(), allow_nan=False))) == estimate


def test_windows_and_troubles_survive_json():
    windows = Windows("q", exact("q", 0.1, 60.0, n=1020, seconds=60.0), (part(30.0), part(60.0)))
    assert Windows.from_json(json.loads(json.dumps(windows.to_json()))) == windows
    trouble = Trouble("k6 was stopped for 3 s", "k6", "PASS")
    assert Trouble.from_json(json.loads(json.dumps(trouble.to_json()))) == trouble


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: exact("q", math.nan, 0.0, n=1), "no interval"),
        (lambda: exact("q", math.inf, 0.0, n=1), "no interval"),
        (lambda: exact("q", 1.0, 0.0, n=0), "rests on 0 observations"),
        (lambda: Estimate("q", math.nan, 0.0, 1.0, 1, 0.0), "not a number"),
        (lambda: Estimate("q", None, 2.0, 1.0, 1, 0.0), "no interval"),
        (lambda: Estimate("q", None, math.nan, 1.0, 1, 0.0), "no interval"),
        (lambda: Estimate("q", 1.0, 0.0, 2.0, 1, 0.0, (Doubt("chance", "", 0.0, 1.0),)), "the last doubt"),
        (
            lambda: Estimate(
                "q", 1.0, 0.0, 1.0, 1, 0.0, (Doubt("chance", "", 0.0, 2.0), Doubt("chance", "", 0.0, 1.0))
            ),
            "narrows",
        ),
        (lambda: Doubt("chance", "", 2.0, 1.0), "no interval"),
        (lambda: Doubt("mood", "", 1.0, 2.0), "no kind"),
        (lambda: Trouble("", "k6", "FAIL"), "against"),
        (lambda: Windows("q", part(60.0), (part(30.0), part(59.0))), "overlap"),
        (lambda: Windows("q", part(60.0), (part(60.0), part(30.0))), "overlap"),
        (lambda: Windows("q", part(60.0), (exact("q", 1.0, 9.0, n=1),)), "how long"),
    ],
)
def test_nothing_is_made_that_can_not_be(make, said):
    with pytest.raises(ValueError, match=said):
        make()


def test_an_estimate_has_no_default_number_of_observations():
    with pytest.raises(TypeError):
        exact("q", 1.0, at=0.0)
    with pytest.raises(TypeError):
        Estimate("q", 1.0, 1.0, 1.0)
