"""Every path of the search for whether many sustain so many times what one does."""

import itertools
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verdict_harness.loads.capacity import Arm, Ask, Claim, Conclusion, Outcome, Ruling, Trial, step

CLAIM = Claim(parts=3, factor=2.7, start=100.0, most=3000.0)
LONG, SHORT = CLAIM.long, CLAIM.short


def searched(judge, claim=CLAIM, limit=300):
    """Run a search whose trials ``judge(ask, number)`` decides; return what came out and all trials."""
    trials = []
    for number in itertools.count():
        asked = step(claim, trials)
        if isinstance(asked, Conclusion):
            return asked, trials
        assert number < limit, "a search without end"
        found = judge(asked, number)
        trials.append(found if isinstance(found, Trial) else Trial(asked, found, full=1.0))
    raise AssertionError


def capacities(one, many, full=1.0):
    def judge(ask, _number):
        within = ask.rate <= (one if ask.arm is Arm.ONE else many)
        return Trial(ask, Outcome.SUSTAINED if within else Outcome.EXCEEDED, "" if within else "p99", full)

    return judge


@pytest.mark.parametrize("factor", [2.76, 2.9, 3.0, 5.0])
def test_enough_holds(factor):
    found, trials = searched(capacities(300, 300 * factor))
    assert found.ruling is Ruling.HOLDS
    assert 300 < found.exceeded <= 300 * CLAIM.width * 1.001
    assert found.lo == CLAIM.factor
    assert trials[-1].ask.arm is Arm.ONE, "drift is looked for at the end"
    assert sum(t.ask.rate == found.exceeded and t.ask.seconds == LONG for t in trials) == 3


@pytest.mark.parametrize("factor", [1.0, 2.0, 2.6])
def test_too_little_fails_and_says_what_broke(factor):
    found, _ = searched(capacities(300, 300 * factor))
    assert found.ruling is Ruling.FAILS
    assert found.hi == CLAIM.factor
    assert found.reason.endswith("p99")


def test_between_the_two_is_open_with_the_interval():
    found, _ = searched(capacities(300, 300 * 2.69))
    assert found.ruling is Ruling.OPEN
    assert found.lo < 2.69 < found.hi
    assert found.hi / found.lo < CLAIM.width**2 * 1.001


@pytest.mark.parametrize("one", [7.0, 31.0, 99.0, 101.0, 1000.0])
def test_capacity_is_found_wherever_it_is(one):
    found, _ = searched(capacities(one, 3 * one))
    assert found.sustained <= one < found.exceeded <= one * CLAIM.width * 1.001
    assert found.ruling is Ruling.HOLDS


def test_the_top_load_that_is_sustained_bounds_nothing():
    found, trials = searched(capacities(1e9, 1e9))
    assert found.ruling is Ruling.OPEN
    assert found.reason == "one sustains 3000/s, and no more can be offered"
    assert max(t.ask.rate for t in trials) == CLAIM.most


def test_only_the_top_load_failing_is_a_bound_like_any_other():
    found, _ = searched(capacities(2999, 3 * 2999))
    assert found.ruling is Ruling.HOLDS
    assert found.exceeded == CLAIM.most


def test_one_that_sustains_nothing():
    found, _ = searched(capacities(0.5, 3))
    assert found.ruling is Ruling.OPEN
    assert "does not even sustain" in found.reason


@pytest.mark.parametrize(("full", "said"), [(0.5, "it had used 50% of its CPU"), (None, "is not known")])
def test_something_else_that_broke_at_one_is_no_denominator(full, said):
    found, trials = searched(capacities(300, 900, full))
    assert found.ruling is Ruling.OPEN
    assert said in found.reason
    assert all(t.ask.arm is Arm.ONE for t in trials), "many are not even tried"


def test_one_long_trial_that_was_not_full_is_enough_to_doubt():
    long = itertools.count()

    def judge(ask, number):
        trial = capacities(300, 900)(ask, number)
        first = ask.seconds == LONG and trial.outcome is Outcome.EXCEEDED and next(long) == 0
        return Trial(ask, trial.outcome, trial.broke, 0.7 if first else 1.0)

    assert searched(judge)[0].ruling is Ruling.OPEN


def test_a_bound_that_two_of_three_overturn_moves_up():
    def judge(ask, number):  # short trials exaggerate: one seems to sustain 290 only
        return capacities(300 if ask.seconds == LONG else 290, 900)(ask, number)

    found, trials = searched(judge)
    assert found.ruling is Ruling.HOLDS
    assert found.exceeded > 300
    assert any(
        t.ask.seconds == LONG and t.outcome is Outcome.SUSTAINED and t.ask.arm is Arm.ONE for t in trials
    )


def drifting(late):
    """A part that does not sustain 300, but for what ``late`` says of trials at its bound at the end."""
    many, said = [], iter(late)

    def judge(ask, number):
        if ask.arm is Arm.MANY:
            many.append(ask.rate)
        elif many and ask.rate * CLAIM.factor == pytest.approx(many[-1]):
            return Trial(ask, next(said, Outcome.EXCEEDED), "p99", 1.0)
        return capacities(300, 930)(ask, number)

    return judge


def test_one_late_trial_that_turns_out_the_other_way_is_asked_again():
    for late in ([Outcome.EXCEEDED], [Outcome.SUSTAINED, Outcome.EXCEEDED, Outcome.EXCEEDED]):
        found, trials = searched(drifting(late))
        assert found.ruling is Ruling.HOLDS
        assert sum(t.ask.rate == found.exceeded and t.ask.seconds == LONG for t in trials) == 2 + len(late)


def test_two_late_trials_that_turn_out_the_other_way_move_the_bound():
    first, _ = searched(drifting([]))
    found, _ = searched(drifting([Outcome.SUSTAINED] * 2))
    assert found.ruling is Ruling.HOLDS
    assert found.exceeded > first.exceeded * 1.01


def test_a_search_ends_when_its_trials_are_used_up():
    few = Claim(parts=3, factor=2.7, start=100.0, most=3000.0, trials=9)
    found, trials = searched(capacities(300, 900), few)
    assert (found.ruling, found.reason, len(trials)) == (Ruling.OPEN, "9 trials did not decide it", 9)


def test_one_that_gets_better_all_the_time_is_open():
    found, _ = searched(lambda ask, n: capacities(300 if ask.seconds == SHORT else 3000, 9000)(ask, n))
    assert found.ruling is Ruling.OPEN
    assert "that it had not before" in found.reason


def test_a_single_noisy_trial_decides_nothing():
    spoiled = itertools.count()

    def judge(ask, number):
        trial = capacities(300, 900)(ask, number)
        if ask.arm is Arm.MANY and next(spoiled) == 0:
            return Trial(ask, Outcome.EXCEEDED, "a neighbour")
        return trial

    found, trials = searched(judge)
    assert found.ruling is Ruling.HOLDS
    assert sum(t.ask.arm is Arm.MANY for t in trials) == 3


def test_void_trials_are_made_again_and_then_given_up():
    seen = itertools.count()
    assert (
        searched(lambda ask, n: Outcome.VOID if next(seen) < 2 else capacities(300, 900)(ask, n))[0].ruling
        is Ruling.HOLDS
    )
    found, trials = searched(lambda ask, _n: Trial(ask, Outcome.VOID, "k6 was short of virtual users"))
    assert found.ruling is Ruling.OPEN
    assert found.reason == "3 trials at 100/s on one came to nothing: k6 was short of virtual users"
    assert len(trials) == 3


def test_many_that_only_the_generator_keeps_from_it_are_open():
    def judge(ask, number):
        if ask.arm is Arm.MANY:
            return Trial(ask, Outcome.VOID, "the machine was 93 % busy")
        return capacities(300, 900)(ask, number)

    assert searched(judge)[0].ruling is Ruling.OPEN


def test_drift_moves_the_bound_and_many_are_tried_again():
    faster = []

    def judge(ask, number):
        if ask.arm is Arm.MANY:
            faster.append(ask.rate)
        one = 306.1 if faster else 300
        return capacities(one, 3 * one)(ask, number)

    found, _ = searched(judge)
    assert found.ruling is Ruling.HOLDS
    assert found.exceeded > 306.1, "what one sustains by now is no upper bound"
    assert len({round(rate) for rate in faster}) > 1


def test_the_lower_bound_is_confirmed_before_it_fails_anything():
    def judge(ask, number):  # as soon as many were tried, one sustains a little less than it had seemed to
        return capacities(300 if ask.seconds == SHORT else 291, 291 * 2.6)(ask, number)

    found, trials = searched(judge)
    assert found.ruling is Ruling.FAILS
    assert found.sustained <= 291
    assert (
        sum(t.ask.arm is Arm.ONE and t.ask.seconds == LONG and t.outcome is Outcome.SUSTAINED for t in trials)
        >= 2
    )


def test_the_same_trials_lead_to_the_same_end():
    found, trials = searched(capacities(300, 830))
    assert step(CLAIM, trials) == found
    asked = [step(CLAIM, trials[:n]) for n in range(len(trials))]
    assert asked == [t.ask for t in trials]


@settings(max_examples=30, deadline=None)
@given(one=st.floats(20, 900), factor=st.floats(1.0, 4.0), noise=st.floats(0.0, 0.1), seed=st.integers(0, 99))
def test_every_search_ends_and_rests_on_its_own_rules(one, factor, noise, seed):
    draw = random.Random(seed)

    def judge(ask, number):
        blurred = 1 + draw.gauss(0, noise)
        return capacities(one * blurred, one * factor * blurred)(ask, number)

    found, trials = searched(judge)
    many = [t for t in trials if t.ask.arm is Arm.MANY]
    if found.ruling is Ruling.HOLDS:
        at = [t for t in many if math.isclose(t.ask.rate, CLAIM.factor * found.exceeded)]
        assert sum(t.outcome is Outcome.SUSTAINED for t in at) == 2
        assert noise > 0.001 or factor > CLAIM.factor
    if found.ruling is Ruling.FAILS:
        at = [t for t in many if math.isclose(t.ask.rate, CLAIM.factor * found.sustained)]
        assert sum(t.outcome is Outcome.EXCEEDED for t in at) == 2
        assert noise > 0.001 or factor < CLAIM.factor * CLAIM.width


def wrong(factor, ruling, noise=0.02, runs=120):
    """How often a search says what is not so."""
    found = []
    for seed in range(runs):
        draw = random.Random(seed)
        found.append(
            searched(
                lambda ask, n, d=draw: capacities(
                    *(c * (1 + d.gauss(0, noise)) for c in (300, 300 * factor))
                )(ask, n)
            )[0].ruling
        )
    return sum(one is ruling for one in found) / runs


def test_the_error_of_either_side_is_small():
    assert wrong(2.55, Ruling.HOLDS) <= 0.01
    assert wrong(3.0, Ruling.FAILS) <= 0.01
    assert wrong(3.0, Ruling.HOLDS) >= 0.95


@pytest.mark.parametrize(
    "off", [{"parts": 1}, {"factor": 4.0}, {"start": 0.0}, {"width": 1.0}, {"most": 10.0}]
)
def test_a_claim_that_makes_no_sense_is_refused(off):
    with pytest.raises(ValueError, match="can't be searched for"):
        Claim(**{"parts": 3, "factor": 2.7, "start": 100.0, "most": 3000.0, **off})


def test_the_first_trial_is_short_and_on_one():
    assert step(CLAIM, []) == Ask(Arm.ONE, 100.0, SHORT, "looking for a rate that one does not sustain")


def by_length(short, long, many=Outcome.EXCEEDED):
    """What short trials say of a rate of one, and what long ones do."""

    def judge(ask, _number):
        found = many if ask.arm is Arm.MANY else (short if ask.seconds == SHORT else long)(ask.rate)
        return Trial(ask, found, "" if found is Outcome.SUSTAINED else "p99", 1.0)

    return judge


def test_the_top_load_that_long_trials_show_to_be_sustained_bounds_nothing():
    def short(rate):
        return Outcome.EXCEEDED if rate >= CLAIM.most else Outcome.SUSTAINED

    found, trials = searched(by_length(short, lambda _rate: Outcome.SUSTAINED))
    assert found.ruling is Ruling.OPEN
    assert found.reason == "one sustains 3000/s, and no more can be offered"
    assert trials[-1].ask.seconds == LONG


def test_a_rate_that_one_no_longer_sustains_is_no_ground_for_a_verdict():
    def short(rate):
        return Outcome.SUSTAINED if rate <= 300 else Outcome.EXCEEDED

    found, _ = searched(by_length(short, lambda _rate: Outcome.EXCEEDED))
    assert found.ruling is Ruling.OPEN
    assert found.reason.startswith("one no longer sustains even ")
    assert found.sustained is None
    assert found.exceeded > 300
