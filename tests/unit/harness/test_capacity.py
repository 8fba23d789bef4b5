"""Every path of the search for whether many sustain so many times what one does."""

import dataclasses
import functools
import itertools
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verdict_harness.loads.capacity import (
    AGAINST,
    FOR,
    Arm,
    Ask,
    Claim,
    Conclusion,
    Outcome,
    Pair,
    Ruling,
    Trial,
    step,
)

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
        able = {1: one, CLAIM.parts: many}.get(len(ask.parts), len(ask.parts) * one)
        within = ask.rate <= able
        return Trial(ask, Outcome.SUSTAINED if within else Outcome.EXCEEDED, "" if within else "p99", full)

    return judge


def noisy(factor, *, noise, drift=0.0, seed=0, one=300.0):
    """A part that varies from trial to trial, on a machine that drifts; many are as weak as their weakest."""
    draw, pace = random.Random(seed), [0.0]

    def judge(ask, number):
        pace[0] += draw.gauss(0, drift)
        weakest = min(draw.gauss(0, noise) for _ in range(1 if ask.arm is Arm.ONE else CLAIM.parts))
        able = one * math.exp(pace[0] + weakest)
        return capacities(able, factor * able)(ask, number)

    return judge


@pytest.mark.parametrize("factor", [2.9, 3.0, 5.0])
def test_enough_holds(factor):
    found, trials = searched(capacities(300, 300 * factor))
    assert found.ruling is Ruling.HOLDS
    assert found.lo == CLAIM.factor
    assert all(pair.many for pair in found.pairs[-5:])
    assert all(300 < pair.rate <= 300 * CLAIM.width * 1.001 for pair in found.pairs[-5:])
    assert "the other way round in 0" in found.reason
    assert len(trials) < 30


@pytest.mark.parametrize("factor", [1.0, 2.0, 2.5])
def test_too_little_fails(factor):
    found, _ = searched(capacities(300, 300 * factor))
    assert found.ruling is Ruling.FAILS
    assert found.hi == CLAIM.factor
    assert found.reason.startswith("one sustained ")
    assert "3 did not sustain 2.7 times that in 7 of" in found.reason


def test_what_lies_just_between_two_rates_is_open_with_the_interval():
    found, trials = searched(capacities(300, 300 * 2.7))
    assert found.ruling is Ruling.OPEN
    assert found.lo < 2.7 < found.hi
    assert found.hi / found.lo < CLAIM.stride**4
    assert len(found.pairs) == 16, "after that too few are left to decide it"
    assert "did not decide it: 0 for it, 0 against it" in found.reason
    assert trials[-1].ask.seconds == LONG


@pytest.mark.parametrize("one", [7.0, 31.0, 99.0, 101.0, 1000.0])
def test_the_rate_is_found_wherever_it_is(one):
    found, _ = searched(capacities(one, 3 * one))
    assert one < found.pairs[-1].rate <= one * CLAIM.width * 1.001
    assert found.ruling is Ruling.HOLDS


def test_short_trials_are_of_one_and_long_ones_in_pairs_that_take_turns():
    _, trials = searched(capacities(300, 900))
    short = [t.ask for t in trials if t.ask.seconds == SHORT]
    long = [t.ask for t in trials if t.ask.seconds == LONG and len(t.ask.parts) != 2]
    assert {ask.arm for ask in short} == {Arm.ONE}
    assert [ask.arm.value for ask in long[:8]] == [
        *["one", "many", "many", "one"],
        *["one", "many", "many", "one"],
    ]
    ones = [ask.parts for ask in long if ask.arm is Arm.ONE]
    assert ones[:4] == [(0,), (1,), (2,), (0,)], "books fill up alike"
    for first, second in zip(long[::2], long[1::2], strict=True):
        one, many = sorted((first, second), key=lambda ask: ask.rate)
        assert many.rate == pytest.approx(CLAIM.factor * one.rate)
        assert many.parts == (0, 1, 2)


def test_two_are_shown_and_not_judged():
    found, trials = searched(capacities(300, 900))
    (two,) = found.between
    assert two is trials[-1]
    assert (two.ask.parts, two.outcome) == ((0, 1), Outcome.SUSTAINED)
    assert two.ask.rate == pytest.approx(1.8 * found.pairs[-1].rate)
    spoiled, _ = searched(
        lambda ask, n: Outcome.VOID if len(ask.parts) == 2 else capacities(300, 900)(ask, n)
    )
    assert spoiled.ruling is Ruling.HOLDS
    assert spoiled.between[0].outcome is Outcome.VOID


def test_the_top_load_that_is_sustained_bounds_nothing():
    found, trials = searched(capacities(1e9, 1e9))
    assert found.ruling is Ruling.OPEN
    assert found.reason == "one sustains 3000/s, and no more can be offered"
    assert max(t.ask.rate for t in trials) == CLAIM.most


def test_many_that_would_need_more_than_can_be_offered_are_open():
    found, trials = searched(capacities(1500, 1e9))
    assert found.ruling is Ruling.OPEN
    assert "no more can be offered" in found.reason
    assert max(t.ask.rate for t in trials) <= CLAIM.most


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


def test_a_trial_that_broke_for_another_reason_is_made_again():
    spoiled = itertools.count()

    def judge(ask, number):
        trial = capacities(300, 900)(ask, number)
        if ask.seconds == LONG and trial.outcome is Outcome.EXCEEDED and next(spoiled) % 2 == 0:
            return Trial(ask, trial.outcome, trial.broke, 0.7)
        return trial

    found, trials = searched(judge)
    assert found.ruling is Ruling.HOLDS
    assert sum(t.full == 0.7 for t in trials) == len(found.pairs)


def test_many_that_broke_without_being_full_have_something_in_common_and_fail():
    def judge(ask, number):
        trial = capacities(300, 450)(ask, number)
        return Trial(ask, trial.outcome, trial.broke, 1.0 if ask.arm is Arm.ONE else 0.4)

    assert searched(judge)[0].ruling is Ruling.FAILS


def test_a_few_pairs_the_other_way_only_take_longer():
    spoiled = itertools.count()

    def judge(ask, number):
        trial = capacities(300, 900)(ask, number)
        if ask.seconds == LONG and ask.arm is Arm.MANY and next(spoiled) == 1:
            return Trial(ask, Outcome.EXCEEDED, "a neighbour")
        return trial

    found, _ = searched(judge)
    assert found.ruling is Ruling.HOLDS
    assert 5 < len(found.pairs) < 9, "the spoiled pair moved the rate and told nothing"


def test_many_that_perhaps_the_machine_broke_fail_no_claim_and_hold_none():
    def crowded(ask, number, *, factor=2.4):
        trial = capacities(300, factor * 300)(ask, number)
        return dataclasses.replace(trial, crowded=ask.arm is Arm.MANY and not trial.sustained)

    found, _ = searched(crowded)
    assert found.ruling is Ruling.OPEN
    assert "against it (13 of them perhaps by the machine's fault)" in found.reason
    assert len(found.pairs) == 14 < CLAIM.pairs, "no further pair could decide it"
    assert found.hi == math.inf, "what the machine broke bounds nothing"
    assert searched(functools.partial(crowded, factor=3.0))[0].ruling is Ruling.HOLDS

    doubtful = [2.6 if pair % 2 else 3.0 for pair in range(40)]
    many = itertools.count()

    def sometimes(ask, number):
        return crowded(ask, number, factor=doubtful[next(many)] if ask.arm is Arm.MANY else 3.0)

    found, _ = searched(sometimes)
    assert found.ruling is not Ruling.HOLDS, "as many spoke against it"


def test_void_trials_are_made_again_and_then_given_up():
    seen = itertools.count()
    again, _ = searched(lambda ask, n: Outcome.VOID if next(seen) < 2 else capacities(300, 900)(ask, n))
    assert again.ruling is Ruling.HOLDS
    found, trials = searched(lambda ask, _n: Trial(ask, Outcome.VOID, "k6 was short of virtual users"))
    assert found.ruling is Ruling.OPEN
    assert found.reason == "3 trials at 100/s on one came to nothing: k6 was short of virtual users"
    assert len(trials) == 3


def test_many_that_only_the_generator_keeps_from_it_are_open():
    def judge(ask, number):
        if ask.arm is Arm.MANY:
            return Trial(ask, Outcome.VOID, "the machine was 93 % busy")
        return capacities(300, 900)(ask, number)

    found, _ = searched(judge)
    assert found.ruling is Ruling.OPEN
    assert "on 3 came to nothing: the machine was 93 % busy" in found.reason


def test_a_machine_that_gets_slower_all_the_time_costs_no_verdict():
    def judge(ask, number):
        one = 300 * 0.985**number
        return capacities(one, 3 * one)(ask, number)

    found, _ = searched(judge)
    assert found.ruling is Ruling.HOLDS
    assert found.pairs[-1].rate < found.pairs[0].rate


def test_the_same_trials_lead_to_the_same_end():
    found, trials = searched(capacities(300, 740))
    assert step(CLAIM, trials) == found
    asked = [step(CLAIM, trials[:n]) for n in range(len(trials))]
    assert asked == [t.ask for t in trials]


@settings(max_examples=30, deadline=None)
@given(one=st.floats(20, 900), factor=st.floats(1.0, 4.0), noise=st.floats(0.0, 0.1), seed=st.integers(0, 99))
def test_every_search_ends_and_rests_on_its_own_rules(one, factor, noise, seed):
    found, trials = searched(noisy(factor, noise=noise, seed=seed, one=one))
    assert len(found.pairs) <= CLAIM.pairs
    ayes = found.pairs.count
    votes = sum(p.many and not p.one for p in found.pairs), sum(p.one and not p.many for p in found.pairs)
    if found.ruling is Ruling.HOLDS:
        assert any(votes[0] == enough and votes[1] <= but for enough, but in FOR)
    if found.ruling is Ruling.FAILS:
        assert any(votes[1] == enough and votes[0] <= but for enough, but in AGAINST)
    if found.ruling is Ruling.OPEN:
        assert found.lo < CLAIM.factor < found.hi, "what pairs did not decide is open"
    for pair in found.pairs:
        assert ayes(Pair(pair.rate, pair.one, pair.many)) >= 1
        assert any(math.isclose(t.ask.rate, CLAIM.factor * pair.rate) for t in trials)


def chance(rule):
    """How likely signs that are as often plus as minus fulfil a rule, looked at after each."""

    @functools.cache
    def of(plus, minus):
        if any(plus >= enough and minus <= but for enough, but in rule):
            return 1.0
        if minus > max(but for _, but in rule):
            return 0.0
        return (of(plus + 1, minus) + of(plus, minus + 1)) / 2

    return of(0, 0)


def test_what_is_enough_is_what_chance_makes_of_one_search_in_twenty():
    assert chance(FOR) == pytest.approx(0.0483, abs=1e-4)
    assert chance(AGAINST) == pytest.approx(0.0156, abs=2e-3)


def share(factor, ruling, runs=100, **blur):
    """How often a search comes to a ruling."""
    quick = Claim(parts=3, factor=2.7, start=100.0, most=4000.0, pairs=12)
    found = [searched(noisy(factor, seed=seed, **blur), quick)[0].ruling for seed in range(runs)]
    return found.count(ruling) / runs


@pytest.mark.parametrize("drift", [0.0, 0.02])
def test_the_error_of_either_side_is_small(drift):
    for noise in (0.02, 0.05):
        assert share(2.7, Ruling.HOLDS, noise=noise, drift=drift) <= 0.05
        assert share(3.0, Ruling.FAILS, noise=noise, drift=drift) <= 0.02
    assert share(3.0, Ruling.HOLDS, noise=0.02, drift=drift) >= 0.95
    assert share(2.4, Ruling.FAILS, noise=0.02, drift=drift) >= 0.9


@pytest.mark.parametrize(
    "off",
    [
        {"parts": 1},
        {"factor": 4.0},
        {"start": 0.0},
        {"width": 1.0},
        {"most": 10.0},
        {"stride": 1.0},
        {"pairs": 0},
    ],
)
def test_a_claim_that_makes_no_sense_is_refused(off):
    with pytest.raises(ValueError, match="can't be searched for"):
        Claim(**{"parts": 3, "factor": 2.7, "start": 100.0, "most": 3000.0, **off})


def test_the_first_trial_is_short_and_on_one():
    assert step(CLAIM, []) == Ask((0,), 100.0, SHORT, "looking for a rate that one does not sustain")
