"""p99 of matching over a part of a load, and how far chance alone may have moved it.

A p99 rests on the slowest hundredth: of the 510 orders of 30 s at 17/s, on five. If the orders of a part are
independent draws, the true p99 lies with a known likelihood between two quantiles beside it that depend on
nothing but their number. Those are asked of the histogram; docs/decisions/0006 says what follows.
"""

from __future__ import annotations

from verdict_harness.loads import Trial
from verdict_harness.samples import Estimate, NoValue, Quantity, Sample, exact, least, ms, ranks
from verdict_harness.verdicts import Change, Judge, Verdict

P = 0.99
SHORTEST = 12  # seconds
FINE, COARSE = 0.06, 0.25  # from one bound of the histogram to the next, relative, in there and outside
FINE_FROM, FINE_TO = 50e-6, 20e-3  # seconds


def match_p99(part: Trial, shard: str) -> Sample:
    """Return the p99 of matching of everything in the window, one number."""
    return _quantile(part, shard, P)


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
    change = Change(bounded(before, shard), at_most=at_most, below=below, otherwise=otherwise)
    judge(bounded(during, shard), change)


def bounded(part: Trial, shard: str) -> Sample:
    """Return the p99 of a part with the bounds that the histogram's buckets and chance leave it."""
    orders = part.growth(f'me_match_duration_seconds_count{{shard="{shard}"}}')
    p99 = match_p99(part, shard)
    for one in (orders, p99):
        if not isinstance(one, Estimate) or one.value is None:
            return one if isinstance(one, NoValue) else NoValue(one.query, "it is not one number")
    assert isinstance(orders, Estimate)
    assert isinstance(p99, Estimate)
    assert p99.value is not None
    n = round(orders.lo)
    if n < 1:
        return NoValue(p99.query, "no orders were matched")
    aside = p99.value * (FINE if FINE_FROM <= p99.value <= FINE_TO else COARSE) / 4
    lo, hi = ranks(n, P)
    low = _quantile(part, shard, max(0.0, lo - 0.5) / n)
    high = _quantile(part, shard, (hi - 0.5) / n) if hi else None
    estimate = exact(
        p99.query, p99.value, p99.at, n=n, seconds=part.window.seconds, counted="orders"
    ).widened(
        "resolution", "a p99 may lie anywhere in its bucket", lo=p99.value - aside, hi=p99.value + aside
    )
    return estimate.widened(
        "chance",
        f"chance, at 95 %: p99 of {n} orders",
        lo=low.lo if isinstance(low, Estimate) else 0.0,
        hi=high.hi if isinstance(high, Estimate) else float("inf"),
        least=least(P),
    )


def _quantile(part: Trial, shard: str, quantile: float) -> Sample:
    # Two scrapes make a rate. Of a part too short to hold them, the seconds before it count too.
    seconds = max(SHORTEST, round(part.window.seconds))
    buckets = f'sum by (le) (rate(me_match_duration_seconds_bucket{{shard="{shard}"}}[{seconds}s]))'
    return part.final(f"histogram_quantile({quantile:.4f}, {buckets})")
