"""Conservation: what was offered is what came of it, order by order and fill by fill.

Everything that can be counted twice is: by k6, by the shards' counters, by what the broker has, and by the
oracle, which goes through the events once more. Each difference is a number that has to be 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from verdict_harness.samples import Estimate, Sample, count, exact
from verdict_harness.verdicts import Judge, Within

from .oracle import SIDES, Account
from .performed import Performed

NOTHING = Within(0 * count, 0 * count)
NO_BROKER = "no broker to read"

# What counts each order that a shard took, besides the events.
COUNTERS = (
    "me_orders_received_total",
    "me_match_duration_seconds_count",
    "me_wal_append_duration_seconds_count",
)


def judge_conservation(load: Performed, judge: Judge) -> None:
    """Judge that nothing was lost, invented or done otherwise than the orders ask for."""
    ledger = load.ledger
    if ledger.untold and not ledger.untold.startswith(NO_BROKER):
        judge.inconclusive(f"the events could not be read: {ledger.untold}")
        return
    accounts = _counters_alone(load) if ledger.untold else _accounts(load)
    # what differs is told in its own words, so that the verdict names it
    judge({_told(name, sample): sample for name, sample in accounts}, NOTHING)


def _told(name: str, sample: Sample) -> str:
    return f"{name}, {sample.query}" if isinstance(sample, Estimate) and sample.lo else name


def _accounts(load: Performed) -> Iterable[tuple[str, Sample]]:
    yield from _orders(load)
    ledger = load.ledger
    for shard in load.workload.seeds:
        account = ledger.accounts.get(shard, Account())
        placed = sum(event["shard"] == shard for event in ledger.placed.values())
        matched = sum(event["shard"] == shard for event in ledger.matches.values())
        yield (
            f"oracle of shard {shard}",
            _count(
                load, account.parted or f"{account.fills} fills are as they must be", bool(account.parted)
            ),
        )
        for counter in COUNTERS:
            grown = load.trial.totals.growth(counter, of=COUNTERS[0], shard=shard)
            yield f"{counter} of shard {shard}", _apart(load, grown, placed, "ORDER_PLACED")
        grown = load.trial.totals.growth("me_matches_total", of=COUNTERS[0], shard=shard)
        yield f"me_matches_total of shard {shard}", _apart(load, grown, matched, "MATCH_EXECUTED")
        for side in SIDES if not account.parted else ():  # from there on the oracle knows no book
            for gauge, right in (("depth", account.depth), ("price_levels", account.levels)):
                metric = f"me_orderbook_{gauge}"
                told = ledger.gauges.get((metric, shard, side))
                must = right.get(side, 0)
                text = f"{metric} ({side}) is {told}, and the orders make {must}"
                off = abs(must - told) if told is not None else 1
                yield f"{metric} ({side}) of shard {shard}", _count(load, text, off)
    yield from _backlog(load)


def _orders(load: Performed) -> Iterable[tuple[str, Sample]]:
    """Hold what k6 had accepted against the orders that have an event."""
    times = Counter(event["orderId"] for event in load.ledger.placed.values())
    lost = sorted(load.accepted - times.keys())
    yield "accepted", _count(load, f"accepted orders without ORDER_PLACED{_some(lost)}", len(lost))
    strange = sorted(times.keys() - load.accepted - load.undecided)
    yield "placed", _count(load, f"orders placed that were not accepted{_some(strange)}", len(strange))
    twice = sorted(order for order, often in times.items() if often > 1)
    yield "once", _count(load, f"orders placed more than once{_some(twice)}", len(twice))


def _counters_alone(load: Performed) -> Iterable[tuple[str, Sample]]:
    """Hold what k6 had accepted against counters, where there are no events to be read."""
    untold = f"events not checked, {NO_BROKER}"
    totals, shards = load.trial.totals, tuple(load.workload.seeds)
    least = len(load.accepted)
    most = least + len(load.undecided)
    for counter in COUNTERS:
        grown = totals.growth(counter, shard=shards)
        right = min(max(round(grown.lo), least), most) if isinstance(grown, Estimate) else least
        yield f"{counter} ({untold})", _apart(load, grown, right, "orders accepted")
    yield from _backlog(load)


def _backlog(load: Performed) -> Iterable[tuple[str, Sample]]:
    for shard in load.workload.seeds:
        left = load.ledger.gauges.get(("me_event_backlog_orders", shard, ""))
        if left is not None:  # a metric of our engine, which others may not have
            yield f"backlog of shard {shard}", _count(load, f"{left:g} records never sent", left)


def _some(orders: list[str]) -> str:
    return f": {', '.join(orders[:3])}{' …' if len(orders) > 3 else ''}" if orders else ""


def _count(load: Performed, text: str, off: float) -> Sample:
    return exact(text, float(off), load.trial.whole.end, n=max(1, len(load.orders)), counted="orders")


def _apart(load: Performed, found: Sample, right: int, what: str) -> Sample:
    """Return how far a count is from what it has to be."""
    if not isinstance(found, Estimate):
        return found
    text = f"{found.query} against {right} {what}"
    ends = [abs(found.lo - right), abs(found.hi - right)]
    least = 0.0 if found.lo <= right <= found.hi else min(ends)
    sample = exact(text, least, found.at, n=max(1, len(load.orders)), counted="orders")
    if max(ends) == least:
        return sample
    doubts = "; ".join(doubt.text for doubt in found.doubts)
    return sample.widened("missing", doubts, hi=max(ends), instrument=found.doubts[-1].instrument)
