"""p99 of matching over a part of a load, and how far chance alone may have moved it.

A p99 rests on the slowest hundredth: of the 510 orders of 30 s at 17/s, on five. If the orders of a part are
independent draws, the true p99 lies with a known likelihood between two quantiles beside it that depend on
nothing but their number. Those are asked of the histogram; docs/decisions/0006 says what follows.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from verdict_harness.loads import Trial
from verdict_harness.samples import NoValue, Quantity, Sample, Value, ms, percent
from verdict_harness.verdicts import Change, Judge, Verdict

DEVIATIONS = 1.645  # to either side: one true p99 in 20 lies beyond
FEWEST = 400  # orders: of fewer, the upper quantile lies beyond the slowest
SHORTEST = 12  # seconds
FINE, COARSE = 0.06, 0.25  # from one bound of the histogram to the next, relative, in there and outside
FINE_FROM, FINE_TO = 50e-6, 20e-3  # seconds


class Span(NamedTuple):
    """Seconds between which the true p99 lies, and the one that was measured."""

    low: float
    p99: float
    high: float


def match_p99(part: Trial, shard: str) -> Sample:
    """Return the p99 of matching of everything in the window, one number."""
    return _quantile(part, shard, 0.99)


def judge_change(  # noqa: PLR0913 - what is judged, and by what
    judge: Judge,
    before: Trial,
    during: Trial,
    shard: str,
    *,
    at_most: Quantity,
    below: Quantity = 200 * ms,
    otherwise: Verdict = Verdict.FAIL,
) -> None:
    """Judge how the p99 of matching of ``shard`` changed from one part of a load to another.

    A change nearer to its limit than chance and the histogram's buckets may have moved it is INCONCLUSIVE.

    Args:
        judge: records the finding.
        before: the part to compare with.
        during: the part to judge.
        shard: whose matching.
        at_most: change upwards that is tolerated, in percent.
        below: a limit besides, of ``during``.
        otherwise: the verdict where the change is too much.
    """
    one, other = span(before, shard), span(during, shard)
    too_few = [
        f"{which}: {why}" for which, why in (("before", one), ("during", other)) if isinstance(why, str)
    ]
    fine = 0.0
    if isinstance(one, Span) and isinstance(other, Span):
        fine = resolution(one, other, 1 + at_most.base)
    change = Change(
        match_p99(before, shard),
        at_most=at_most,
        below=below,
        resolution=Quantity(fine, ms),
        otherwise=Verdict.INCONCLUSIVE if too_few else otherwise,  # chance must not fail it; 200 ms still may
    )
    judge(match_p99(during, shard), change)
    if too_few:
        judge.demote(f"{'; '.join(too_few)} to tell {percent.of(at_most.base):g} %")


def resolution(before: Span, during: Span, factor: float) -> float:
    """Return how far ``during`` has to be from ``factor`` times ``before`` to be surely on that side of it.

    Of each, what counts is how far it may be off towards the other; two that are off by chance seldom are
    so at once, hence the root of the sum of squares.

    >>> quiet, restless = Span(1.0, 1.1, 1.2), Span(2.0, 4.0, 9.0)
    >>> round(resolution(restless, quiet, 1.1), 2), round(resolution(quiet, restless, 1.1), 2)
    (2.22, 2.02)
    """
    if during.p99 <= factor * before.p99:
        off = factor * (before.p99 - before.low), during.high - during.p99
    else:
        off = factor * (before.high - before.p99), during.p99 - during.low
    return math.hypot(*off, factor * _somewhere(before.p99), _somewhere(during.p99))


def _somewhere(quantile: float) -> float:
    """Return how far off a quantile is taken to be, since it may lie anywhere in its bucket."""
    return quantile * (FINE if FINE_FROM <= quantile <= FINE_TO else COARSE) / 4


def span(part: Trial, shard: str) -> Span | str:
    """Return where the true p99 of a part lies, or why that can't be said."""
    orders = part.growth(f'me_match_duration_seconds_count{{shard="{shard}"}}')
    if not isinstance(orders, Value):
        return orders.reason if isinstance(orders, NoValue) else "it is not one number"
    if orders.value < FEWEST:
        return f"{orders.value:g} orders are too few"
    aside = DEVIATIONS * math.sqrt(0.99 * 0.01 / orders.value)
    found = [_quantile(part, shard, 0.99 + side * aside) for side in (-1, 0, 1)]
    numbers = [one.value for one in found if isinstance(one, Value)]
    return Span(*numbers) if len(numbers) == len(found) else "quantiles beside the p99 are not known"


def _quantile(part: Trial, shard: str, quantile: float) -> Sample:
    # Two scrapes make a rate. Of a part too short to hold them, the seconds before it count too.
    seconds = max(SHORTEST, round(part.window.seconds))
    buckets = f'sum by (le) (rate(me_match_duration_seconds_bucket{{shard="{shard}"}}[{seconds}s]))'
    return part.final(f"histogram_quantile({quantile:.4f}, {buckets})")
