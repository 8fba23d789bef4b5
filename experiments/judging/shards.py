"""What is judged by the system's own metrics alone, of the experiments' loads and of those of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from experiments.figures import MATCHES, MATCHING, RECEIVED, STAGES
from experiments.loads import MATCHES_PER_ORDER
from verdict_harness.loads import ServerSide
from verdict_harness.samples import (
    Estimate,
    NoValue,
    Partial,
    Quantity,
    Rule,
    Sample,
    Series,
    exact,
    ms,
    per_minute,
    percent,
    ratio,
)
from verdict_harness.verdicts import AtLeast, Below, Budget, Expectation, Judge, NotGrowing, Verdict, Within

from .ledger import Ledger
from .memory import besides_its_book, descriptors, disowned
from .performed import SCRAPE, View

ROUTING = "gw_request_duration_seconds"
RULE, TOTAL = "me:match_duration_p99:30s", "me:matches_per_minute:total"
LIMIT = 200 * ms
BUDGET = 50 * ms  # ASR 1's own load has it besides the limit
ADDED = 5 * ms  # what the gateway may add
FEW_ERRORS = 1 * percent
GC_MEMORY = 15.0  # seconds for which the gauge remembers its maximum
FED = 0.8  # of the matches that the mix implies on average: with less, orders found nothing to match

# of each stage of an order's way, its metric and what is planned for it at p99
BUDGETS = {
    "validation": (STAGES["validation"], 2 * ms),
    "insertion": (STAGES["orderbook insertion"], 0.05 * ms),
    "matching": (STAGES["matching algorithm"], 5 * ms),
    "wal": (STAGES["WAL append"], 20 * ms),
    "publish": (STAGES["event publish"], 0.5 * ms),
}


def matching(
    judge: Judge,
    views: Mapping[str, View[ServerSide]],
    groups: Mapping[str, View[ServerSide]],
    budget: Quantity | None = None,
) -> None:
    """Judge that p99 of matching is below 200 ms; what was never matched is infinitely slow.

    Args:
        judge: takes what is found.
        views: the parts that are judged by themselves.
        groups: all of it, by the shards that are judged by themselves.
        budget: CONDITIONAL from there.
    """
    found: dict[str, Sample] = {
        label: view.trial.server.windows(view.p, MATCHING, shard=view.shards) for label, view in views.items()
    }
    rules: list[Rule] = []
    for label, view in groups.items():
        # to the load's end nothing is under way any more: what is missing there was never matched
        found[f"{label} and whether matched".strip()] = view.trial.server.quantile(
            view.p, MATCHING, due=RECEIVED, shard=view.shards
        )
        rules += [view.trial.rule(RULE, shard=shard) for shard in view.shards]
    judge(found, Below(LIMIT, conditional=budget), load=rules)


def adds(judge: Judge, load: ServerSide, shards: tuple[str, ...], p: float, *, crowded: bool) -> None:
    """Judge that the gateway adds less than 5 ms to what a shard takes by itself.

    It adds at most all that it takes. At the least, what takes so much longer than nearly every order takes
    on its shard is its own doing.

    Args:
        judge: takes what is found.
        load: the load.
        shards: behind the gateway.
        p: the quantile that as few orders as there are can tell.
        crowded: whether processes may have had to share cores: they wait for each other then, which says
            nothing of how the gateway is built.
    """
    server = load.server
    aside = (1 - p) / 2  # of the orders, so many may be slow on the shard, and so many more in all
    most = server.quantile(p, ROUTING, shard=shards)
    some = server.quantile(p - aside, ROUTING, shard=shards)
    own = server.quantile(p + aside, MATCHING, shard=shards)
    limit: Expectation = Within(0 * ms, ADDED, otherwise=Verdict.INCONCLUSIVE) if crowded else Below(ADDED)
    for one in (most, some, own):
        if isinstance(one, NoValue):
            judge(one, limit)
            return
    assert isinstance(most, Estimate)
    assert isinstance(some, Estimate)
    assert isinstance(own, Estimate)
    least = max(0.0, some.lo - own.hi)
    value = min(most.hi, max(least, (most.value or 0.0) - (own.value or 0.0)))
    query = f"p{100 * p:g} of what {ROUTING} has beyond {MATCHING}"
    sample = exact(query, value, most.at, n=most.n, seconds=most.seconds, counted=most.counted)
    text = "the two are known by their buckets, and not order by order"
    judge(sample.widened("resolution", text, lo=least, hi=most.hi), limit)


def refused(judge: Judge, load: ServerSide, shards: tuple[str, ...]) -> None:
    """Judge that fewer than 1 % of the orders were not accepted, by what shards say of what reached them.

    That can show that there were more, and never that there were fewer.
    """
    found: Sample = load.server.ratio("me_orders_rejected_total", RECEIVED, shard=shards)
    if isinstance(found, Estimate):
        at_least, shown = (one / (1 + one) for one in (found.lo, found.value or 0.0))
        text = "what reached no shard, or was never answered, is in no series"
        found = exact(
            "orders refused, of all", shown, found.at, n=found.n, seconds=found.seconds, counted=found.counted
        )
        found = found.widened("missing", text, lo=at_least, hi=1.0, cure="the client's own word")
    judge(found, Below(FEW_ERRORS))


def pauses(judge: Judge, load: ServerSide, shard: str) -> None:
    """Judge that the longest pause for garbage collection is below 5 ms; 10 ms and more is a failure.

    Each pause is counted, too, by how long it took: where one counted was longer than the gauge ever tells,
    it is the gauge that is wrong.
    """
    server = load.server
    most = server.gauge_max("me_gc_pause_max_seconds", shard=shard)
    longest = server.quantile(1.0, "me_gc_pause_seconds", shard=shard)
    if isinstance(most, Estimate):
        # it remembers, too, what was before the window: at the least there is what can be of the window alone
        own = server.gauge_max("me_gc_pause_max_seconds", remembers=GC_MEMORY, shard=shard)
        least = own.lo if isinstance(own, Estimate) else 0.0
        most = most.widened("resolution", f"it remembers {GC_MEMORY:g} s", lo=least)
        if isinstance(longest, Estimate) and longest.lo > most.hi:
            text = f"a pause as long was counted, and the gauge says {(most.value or 0.0) * 1000:.3g} ms"
            counted = exact(
                longest.query, longest.lo, longest.at, n=longest.n, seconds=longest.seconds, counted="pauses"
            )
            most = counted.widened("resolution", text, lo=longest.lo, hi=longest.hi)
    judge(most, Below(10 * ms, conditional=5 * ms))


def budget(judge: Judge, load: ServerSide, shard: str, stage: str) -> None:
    """Judge that p99 of a stage of an order is within twice its budget, and at most thrice."""
    metric, planned = BUDGETS[stage]
    judge({stage: load.server.quantile(0.99, metric, shard=shard)}, Budget(planned))


def fed(judge: Judge, load: ServerSide, shard: str) -> None:
    """Judge that orders find what to match: as the mix implies, 1.19 matches for every order."""
    judge(load.server.ratio(MATCHES, RECEIVED, shard=shard), AtLeast(FED * MATCHES_PER_ORDER * ratio))


def sustained(judge: Judge, load: ServerSide, shards: tuple[str, ...], *, quick: bool) -> None:
    """Judge that shards make 4,750 matches/min for four minutes on end, and never less for more than 30 s.

    A quick load is too short for four minutes: there it has to hold to the end, less a scrape at either end.
    """
    made = load.server.rates(MATCHES, per=60, shard=shards)
    hold = int(load.window.seconds - 2 * SCRAPE) if quick else 240
    judge(made, AtLeast(4750 * per_minute, hold=hold, tolerate=30), load=load.rule(TOTAL))


def memory(judge: Judge, load: ServerSide, shards: tuple[str, ...], ledger: Ledger | None = None) -> None:
    """Judge that no shard holds ever more through a load, but for the orders in its book.

    40 % of the orders rest for good, so some growth of its memory is the load's own: 1 KiB is allowed for
    each. Descriptors are judged where a shard tells them, which the criteria don't ask of it.

    Args:
        judge: takes what is found.
        load: the load.
        shards: which.
        ledger: what was told once the load was over: a gauge of memory that differs from what the process
            held then is not believed. ``None`` if nobody asked.
    """
    found: dict[str, Sample] = {}
    for shard in shards:
        found[shard] = held = besides_its_book(load.server, shard)
        if ledger is not None and isinstance(held, Series) and (why := disowned(ledger, shard)):
            found[shard] = Partial(held.query, why, held.samples)
        open_ones = descriptors(load.server, shard)
        if isinstance(open_ones, Series):
            found[f"{shard}, descriptors"] = open_ones
    judge(found, NotGrowing())


def continuous(judge: Judge, load: ServerSide, shards: Sequence[str]) -> None:
    """Judge that p99 of matching is below 200 ms on each shard in any 15 s: a spike would show."""
    judge(
        {shard: load.server.windows(0.99, MATCHING, every=15, shard=shard) for shard in shards}, Below(LIMIT)
    )
