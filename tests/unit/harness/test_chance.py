"""The arithmetic of chance: against exact sums, and by simulation."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verdict_harness.samples import chance


def exactly(k, n, p):
    """The binomial distribution in fractions, with no rounding at all."""
    p = Fraction(p)
    return float(sum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1)))


@given(st.integers(1, 60), st.integers(0, 60), st.floats(0.001, 0.999))
def test_the_binomial_distribution(n, k, p):
    k = min(k, n)
    assert chance.binomial(k, n, p) == pytest.approx(exactly(k, n, p), rel=1e-9, abs=1e-12)


def test_the_binomial_distribution_where_it_is_certain():
    assert [chance.binomial(k, 5, 0.3) for k in (-1, 5, 6)] == [0.0, 1.0, 1.0]
    assert [chance.binomial(k, 5, p) for p in (0.0, 1.0) for k in (0, 4)] == [1.0, 1.0, 0.0, 0.0]


@given(st.integers(1, 3000), st.sampled_from([0.5, 0.95, 0.99, 0.999]), st.sampled_from([0.9, 0.95, 0.995]))
def test_ranks_are_the_nearest_that_hold_at_their_level(n, p, level):
    lo, hi = chance.ranks(n, p, level)

    def lower(rank):  # it is at or below the quantile if so many are
        return 1 - chance.binomial(rank - 1, n, p)

    def upper(rank):
        return chance.binomial(rank - 1, n, p)

    assert lo == 0 or lower(lo) >= level - 1e-9
    assert lower(lo + 1) < level + 1e-9
    if hi is None:
        assert n < chance.least(p, level)
    else:
        assert hi <= n
        assert upper(hi) >= level - 1e-9
        assert upper(hi - 1) < level + 1e-9


def test_a_p99_takes_299_observations_to_be_bounded_from_above():
    assert chance.ranks(298, 0.99).hi is None
    assert chance.ranks(299, 0.99).hi == 299
    assert chance.least(0.99) == 299


@given(st.integers(1, 400), st.integers(0, 400))
def test_shares_are_bounded_as_clopper_and_pearson_do(n, hits):
    hits = min(hits, n)
    lo, hi = chance.share(hits, n)
    assert 0 <= lo <= hits / n <= hi <= 1
    if hits:
        assert chance.binomial(hits - 1, n, lo) == pytest.approx(0.95, abs=1e-6)
    if hits < n:
        assert chance.binomial(hits, n, hi) == pytest.approx(0.05, abs=1e-6)


@pytest.mark.parametrize(
    ("freedom", "level", "known"),
    [
        (1, 0.95, 6.3138),
        (2, 0.95, 2.9200),
        (5, 0.95, 2.0150),
        (19, 0.95, 1.7291),
        (30, 0.975, 2.0423),
        (4, 0.995, 4.6041),
        (120, 0.95, 1.6577),
    ],
)
def test_students_distribution_as_it_is_tabulated(freedom, level, known):
    assert chance.student(freedom, level) == pytest.approx(known, abs=6e-5)


@given(st.lists(st.tuples(st.floats(0, 1e3), st.floats(0.1, 1e3)), min_size=2, max_size=90))
def test_a_ratio_lies_within_its_bounds(pairs):
    lo, hi = chance.ratio(pairs)
    assert lo - 1e-9 <= sum(a for a, _ in pairs) / sum(b for _, b in pairs) <= hi + 1e-9


def test_one_stretch_shows_no_spread():
    assert chance.ratio([(5, 4)]) == (-math.inf, math.inf)
    assert chance.ratio([(0, 0), (0, 0)]) == (-math.inf, math.inf)


@given(st.lists(st.floats(-1e3, 1e3), min_size=5, max_size=80), st.floats(0.01, 10), st.floats(0.1, 10))
def test_a_slope_is_as_steep_as_its_points_are_high(levels, steeper, step):
    points = [(step * i, level) for i, level in enumerate(levels)]
    plain = chance.slope(points)
    assert plain.lo <= plain.slope <= plain.hi
    higher = chance.slope([(at, 5 + steeper * level) for at, level in points])
    assert higher == pytest.approx([steeper * end for end in plain], abs=1e-6)
    mirrored = chance.slope([(at, -level) for at, level in points])
    assert mirrored == pytest.approx((-plain.slope, -plain.hi, -plain.lo), abs=1e-9)


def test_few_points_have_no_slope():
    assert [chance.slope([(i, i) for i in range(n)]) for n in range(4)] == [None] * 4
    assert chance.slope([(i, i) for i in range(4)]).slope == 1


def test_a_spike_makes_no_slope():
    flat = [(i, 100.0 + (50 if i == 30 else 0)) for i in range(54)]
    assert chance.slope(flat) == (0.0, 0.0, 0.0)


def test_a_family_of_one_is_one():
    assert chance.family(1) == chance.family(0) == pytest.approx(chance.SURE)
    assert chance.family(117) == pytest.approx(1 - 0.05 / 117)


# -- coverage: tools/simulate_bounds.py has more of it, and prints the table of docs/decisions/0010


@pytest.mark.parametrize(
    ("draw", "true"),
    [
        (lambda rng: rng.lognormvariate(0, 0.5), math.exp(0.5 * NormalDist().inv_cdf(0.99))),
        (lambda rng: rng.paretovariate(2), 0.01 ** (-1 / 2)),
        (lambda rng: rng.paretovariate(5), 0.01 ** (-1 / 5)),
    ],
    ids=["log-normal", "Pareto 2", "Pareto 5"],
)
def test_bounds_of_a_p99_hold_as_often_as_they_say(draw, true):
    """Within 2 points of 95 %, and three deviations of the simulation itself."""
    rng, n, loads = random.Random(7), 2550, 300
    ranks = chance.ranks(n, 0.99)
    held = [0, 0]
    for _ in range(loads):
        values = sorted(draw(rng) for _ in range(n))
        held[0] += values[ranks.lo - 1] <= true
        held[1] += values[ranks.hi - 1] >= true
    for each in held:
        assert each / loads == pytest.approx(0.95, abs=0.02 + 3 * math.sqrt(0.95 * 0.05 / loads))


@pytest.mark.parametrize("n", [299, 510, 2550, 5100, 22680])
def test_bounds_of_a_p99_hold_exactly_so_often(n):
    """Whatever the distribution, it is the binomial's: ranks are whole, so it is never less than 95 %."""
    ranks = chance.ranks(n, 0.99)
    for held in (1 - chance.binomial(ranks.lo - 1, n, 0.99), chance.binomial(ranks.hi - 1, n, 0.99)):
        assert 0.95 <= held <= 0.97
