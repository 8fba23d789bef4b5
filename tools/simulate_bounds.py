"""How often the harness's bounds hold: simulated, for distributions as they were measured here.

``python tools/simulate_bounds.py`` prints the table of docs/decisions/0010; each figure is the share of the
simulated loads in which the true value lay on the right side of the bound, in percent (nominally 95).
"""

from __future__ import annotations

import itertools
import math
import random
import statistics
import sys
from collections.abc import Callable, Iterator

from verdict_harness.samples import Asked, chance, quantile
from verdict_harness.verdicts.quotient import quotient

P = 0.99
ASKED = Asked("p99", at=0.0)
AGGRESSIVE, FURTHER = 0.6, 0.5  # likelihoods: of a first match, and of one more after each


def log_normal(random: random.Random) -> float:
    """Response times as of a quiet service: deviation 0.5 in logarithms."""
    return random.lognormvariate(0, 0.5)


def pareto(alpha: float) -> Callable[[random.Random], float]:
    """Response times with a long tail: the longer, the smaller ``alpha``."""
    return lambda random: random.paretovariate(alpha)


DRAWS: dict[str, tuple[Callable[[random.Random], float], float]] = {
    "log-normal 0.5": (log_normal, math.exp(0.5 * statistics.NormalDist().inv_cdf(P))),
    "Pareto 5": (pareto(5), 0.01 ** (-1 / 5)),
    "Pareto 3": (pareto(3), 0.01 ** (-1 / 3)),
    "Pareto 2": (pareto(2), 0.01 ** (-1 / 2)),
}


def stalled(random: random.Random, seconds: int, every: float, rate: float = 17.0) -> Iterator[float]:
    """Response times of a load that now and then waits for a stall of 1 to 3 s to end."""
    begin = random.expovariate(1 / every)
    end = begin + random.uniform(1, 3)
    for order in range(int(seconds * rate)):
        due = order / rate
        while due > end:
            begin = end + random.expovariate(1 / every)
            end = begin + random.uniform(1, 3)
        yield 0.001 * log_normal(random) + (end - due if due >= begin else 0.0)


def covered(
    seed: int, loads: int, bounds: Callable[[random.Random], tuple[float, float]], true: float
) -> tuple[float, float]:
    """Return in which share of the loads the lower and the upper bound held."""
    rng = random.Random(seed)
    below = above = 0
    for _ in range(loads):
        lo, hi = bounds(rng)
        below += lo <= true
        above += hi >= true
    return below / loads, above / loads


def p99_of(draw: Callable[[random.Random], float], n: int) -> Callable[[random.Random], tuple[float, float]]:
    """Return bounds of the p99 of ``n`` independent draws."""

    def bounds(rng: random.Random) -> tuple[float, float]:
        values = sorted(draw(rng) for _ in range(n))
        lo, hi = chance.ranks(n, P)
        return values[lo - 1] if lo else -math.inf, values[hi - 1] if hi else math.inf

    return bounds


def p99_of_stalled(seconds: int, every: float) -> Callable[[random.Random], tuple[float, float]]:
    """Return bounds of the p99 of a load with stalls."""

    def bounds(rng: random.Random) -> tuple[float, float]:
        values = sorted(stalled(rng, seconds, every))
        lo, hi = chance.ranks(len(values), P)
        return values[lo - 1], values[(hi or len(values)) - 1]

    return bounds


def change_of(
    draw: Callable[[random.Random], float], n: int
) -> Callable[[random.Random], tuple[float, float]]:
    """Return bounds of how many times the p99 of one load goes into that of another of the same kind."""

    def bounds(rng: random.Random) -> tuple[float, float]:
        before, after = (quantile(ASKED, P, [draw(rng) for _ in range(n)]) for _ in range(2))
        return quotient(before, after).interval  # type: ignore[arg-type]

    return bounds


def matches(rng: random.Random) -> int:
    """Matches of one order: 60 % are aggressive and fill one maker or more."""
    made = 0
    if rng.random() < AGGRESSIVE:
        made = 1
        while rng.random() < FURTHER:
            made += 1
    return made


def ratio_of(stretches: int, each: int = 85) -> Callable[[random.Random], tuple[float, float]]:
    """Return bounds of the matches per order."""

    def bounds(rng: random.Random) -> tuple[float, float]:
        return chance.ratio([(sum(matches(rng) for _ in range(each)), each) for _ in range(stretches)])

    return bounds


def slope_of(points: int, follows: float) -> Callable[[random.Random], tuple[float, float]]:
    """Return bounds of the slope of points about a level, each of which follows the one before so much."""

    def bounds(rng: random.Random) -> tuple[float, float]:
        level, marks = 0.0, []
        for at in range(points):
            level = follows * level + rng.gauss(0, 1)
            marks.append((float(at), level))
        line = chance.slope(marks)
        return (line.lo, line.hi) if line else (-math.inf, math.inf)

    return bounds


def main() -> None:
    """Print the table."""
    loads = int(sys.argv[1]) if len(sys.argv) > 1 else 2000

    def row(what: str, n: str, found: tuple[float, float]) -> None:
        print(f"| {what} | {n} | {100 * found[0]:.1f} | {100 * found[1]:.1f} |", flush=True)

    print("| quantity | observations | lower bound held | upper bound held |\n|---|---|---|---|")
    for n in (510, 5100):
        for name, (draw, true) in DRAWS.items():
            row(f"p99, {name}", str(n), covered(1, loads, p99_of(draw, n), true))
    for every in (30.0, 100.0, 300.0):
        long = sorted(
            itertools.chain.from_iterable(stalled(random.Random(seed), 3000, every) for seed in range(10))
        )
        true = long[math.ceil(P * len(long)) - 1]
        row(
            f"p99, stalls of 1 to 3 s every {every:g} s",
            "5100",
            covered(2, loads, p99_of_stalled(300, every), true),
        )
    for name in ("log-normal 0.5", "Pareto 2"):
        row(f"change of a p99, {name}", "2 x 2040", covered(3, loads, change_of(DRAWS[name][0], 2040), 1.0))
    for stretches in (6, 54):
        row("matches per order", str(85 * stretches), covered(4, loads, ratio_of(stretches), 1.2))
    for follows in (0.0, 0.5, 0.9):
        row(
            f"slope, each point {follows:g} of the one before",
            "54 points",
            covered(5, loads, slope_of(54, follows), 0.0),
        )


if __name__ == "__main__":
    main()
