"""Where the histograms' buckets end: the edges that users rely on, and finer ones between them."""

from __future__ import annotations

from collections.abc import Iterable

_TEN = (1, 1.25, 1.6, 2, 2.5, 3.15, 4, 5, 6.3, 8)  # steps of a decade, a quarter apart
_FORTY = (
    *(1, 1.06, 1.12, 1.18, 1.25, 1.32, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 2, 2.12, 2.24, 2.36, 2.5, 2.65, 2.8, 3),
    *(3.15, 3.35, 3.55, 3.75, 4, 4.25, 4.5, 4.75, 5, 5.3, 5.6, 6, 6.3, 6.7, 7.1, 7.5, 8, 8.5, 9, 9.5),
)  # 6 % apart; both are the preferred numbers of ISO 3


def grid(steps: Iterable[float], low: float, high: float, *exact: float) -> tuple[float, ...]:
    """Return the bounds from ``low`` to ``high`` that have ``steps`` to a decade, and ``exact`` ones.

    >>> grid(_TEN, 1e-3, 5e-3, 3e-3)
    (0.001, 0.00125, 0.0016, 0.002, 0.0025, 0.003, 0.00315, 0.004, 0.005)
    """
    # Through text, so that a bound is the same number as the literal in a query.
    every = {float(f"{step}e{power}") for power in range(-7, 2) for step in steps}
    return tuple(sorted({bound for bound in every if low <= bound <= high} | set(exact)))


def coarse(low: float, high: float, *exact: float) -> tuple[float, ...]:
    """Return bounds with five to a decade, and ``exact`` ones."""
    return grid((1, 1.5, 2.5, 4, 6.5), low, high, *exact)


# Where p99 lives, a change of 10 % must show. More buckets cost a scrape more, and an observation nothing.
MATCH_BUCKETS = grid(_TEN, 20e-6, 1.0, *grid(_FORTY, 50e-6, 20e-3))

STAGE = (0.0001, 0.0005, 0.001, 0.005, 0.01)
VALIDATION_BUCKETS = coarse(1e-6, 10e-3, *STAGE, 2e-3, 4e-3, 6e-3)
INSERTION_BUCKETS = coarse(1e-6, 10e-3, *STAGE, 50e-6, 100e-6, 150e-6)
MATCHING_BUCKETS = coarse(1e-6, 50e-3, *STAGE, 0.05, 5e-3, 10e-3, 15e-3)
WAL_BUCKETS = coarse(2.5e-6, 0.1, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 20e-3, 40e-3, 60e-3)
PUBLISH_BUCKETS = coarse(1e-6, 10e-3, *STAGE, 1e-3, 1.5e-3)
SYNC_BUCKETS = coarse(100e-6, 10.0)
GC_BUCKETS = coarse(10e-6, 0.1, 0.005, 0.01, 0.25, 0.5, 1.0)
LAG_BUCKETS = coarse(100e-6, 10.0, 0.005, 0.05, 0.2, 0.5)
WAIT_BUCKETS = coarse(10e-6, 1.0, 0.05, 0.2, 0.5)
