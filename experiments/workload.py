"""What has to be true of every load for its numbers to be about what the experiment claims.

Each function yields in what a load was not what it claims, and by how much; nothing if it was. Whatever is
yielded makes every verdict that rests on the load INCONCLUSIVE.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence

from verdict_harness.loads import Trial
from verdict_harness.samples import Estimate, NoValue, Sample, Series

from .exchange import SYMBOLS

# What 60 % aggressive orders make: each executes against 1.99 resting orders on average
# (k6/lib/orderGenerator.js derives it), which is 1.19 matches for every order offered.
MATCHES_PER_ORDER = 0.6 * 1.99

# The book's depth has a band: it loses what is taken and gains what is replenished, in lots exactly,
# in orders up to chance. Below it the load starves; above it somebody else is seeding.
SHALLOWEST, DEEPEST = 0.7, 1.3

# An arrival rate may be an order early or late at either end of a stage, and no more.
OFF_RATE, OFF_ORDERS = 0.01, 2

# Matches per order: one makes 1.19 of them, give or take 1.2 (40 % make none, the rest 1 to some 20), so that
# the mean of n orders strays by 1.2 / sqrt(n). Four times that is no chance; less than 5 % is no starving.
SPREAD_PER_ORDER, NOT_CHANCE, UNSTEADY = 1.2, 4.0, 0.05
PART = 12.0  # seconds, at least: two scrapes that differ

Seeds = Mapping[str, tuple[int, int]]


def accepted_orders(trial: Trial) -> int:
    """How many orders of the whole load were accepted."""
    return trial.load.statuses.get("200", 0)


def throughput(part: Trial, *shards: str) -> Sample:
    """How many matches/min shards make together in the window."""
    return part.rate(f'me_matches_total{{shard=~"{"|".join(shards)}"}}', per=60, series=len(shards))


def offered(trial: Trial, orders: Sequence[float], lengths: Sequence[float]) -> Iterable[str]:
    """Each stage offers the orders that it is meant to."""
    ends = list(itertools.accumulate(lengths))
    for start, end, planned in zip([0.0, *ends], ends, orders, strict=False):
        begun = trial.load.begun[round(start) : round(end)]
        if abs(sum(begun) - planned) > max(OFF_ORDERS, OFF_RATE * planned):
            yield (
                f"from {start:g} to {end:g} s {sum(begun)} orders were offered, and not {planned:g} "
                f"({sum(begun) / planned - 1:+.1%})"
            )


def unique(trial: Trial) -> Iterable[str]:
    """Every order has an id, of its own."""
    load = trial.load
    if load.ids != load.requests:
        yield f"{load.requests - load.ids} of {load.requests} orders left no id in k6's samples"
    if load.repeated:
        yield f"{load.repeated} of {load.requests} orders had an id that was used before"


def received(trial: Trial, shards: Sequence[str]) -> Iterable[str]:
    """What k6 had accepted is what the engines counted, and of the rest they counted some at the most.

    An engine may take an order whose client has given up waiting; one that hangs is slow, and no impostor.
    """
    accepted, counted = accepted_orders(trial), 0.0
    for shard in shards:
        got = trial.total(f'me_orders_received_total{{shard="{shard}"}}', series=2)
        if not isinstance(got, Estimate):
            yield f"orders that shard {shard} received are not known: {_why(got)}"
            return
        counted += got.lo
    if not accepted <= counted <= trial.load.requests:
        rest = trial.load.requests - accepted
        yield f"k6 had {accepted} orders accepted (and {rest} not), and the engines counted {counted:g}"


def seeded(trial: Trial, seeds: Seeds) -> Iterable[str]:
    """Before the first order, the book holds what was seeded and nothing else."""
    for shard, (depth, levels) in seeds.items():
        many = len(SYMBOLS[shard])
        for metric, expected in (("depth", depth * many), ("price_levels", levels * many)):
            found = trial.at(f'me_orderbook_{metric}{{shard="{shard}",side="ask"}}', -0.5)
            if not isinstance(found, Estimate):
                yield f"{metric} of shard {shard}'s book before the load is not known: {_why(found)}"
            elif found.lo != expected:
                yield (f"{metric} of book {shard} was {found.lo:g} before the load, and not {expected}")


def deep(trial: Trial, seeds: Seeds) -> Iterable[str]:
    """The book stays as deep as it was seeded."""
    for shard, (depth, _) in seeds.items():
        planned = depth * len(SYMBOLS[shard])
        found = trial.over(f'me_orderbook_depth{{shard="{shard}",side="ask"}}')
        if not isinstance(found, Series):
            yield f"the depth of shard {shard}'s book is not known: {_why(found)}"
            continue
        least, most = min(p.value for p in found), max(p.value for p in found)
        first = found.points[0].value
        if least < SHALLOWEST * max(planned, first):
            yield (
                f"shard {shard}'s book ran dry: {least:g} resting SELLs at the least, "
                f"of {planned} seeded and {first:g} when the window began"
            )
        if most > DEEPEST * first:
            yield (
                f"shard {shard}'s book grew from {first:g} to {most:g} resting SELLs: somebody else seeds it"
            )


def steady(trial: Trial, shards: Sequence[str]) -> Iterable[str]:
    """As many matches come of an order in the last third of the load as in the first."""
    entire = trial.entire
    length = entire.window.seconds
    part = max(PART, length / 3)
    if 2 * part > length:
        return  # too short to have a first and a last part: the band of the depth has to do
    some = "|".join(shards)
    ratios, orders = [], []
    for start, end in ((0.0, part), (length - part, length)):
        piece = entire.part(start, end)
        made = piece.growth(f'me_matches_total{{shard=~"{some}"}}', series=len(shards))
        got = piece.growth(f'me_orders_received_total{{shard=~"{some}"}}', series=2 * len(shards))
        if not isinstance(made, Estimate) or not isinstance(got, Estimate) or not got.lo:
            yield f"matches per order are not known: {_why(got if isinstance(made, Estimate) else made)}"
            return
        ratios.append(made.lo / got.lo)
        orders.append(got.lo)
    chance = NOT_CHANCE * SPREAD_PER_ORDER * math.sqrt(sum(1 / n for n in orders))
    if abs(ratios[1] - ratios[0]) > max(UNSTEADY * MATCHES_PER_ORDER, chance):
        yield (
            f"matches per order went from {ratios[0]:.3g} in the first {part:.0f} s to {ratios[1]:.3g} "
            f"in the last ({ratios[1] / ratios[0] - 1:+.0%})"
        )


def _why(sample: Sample) -> str:
    return sample.reason if isinstance(sample, NoValue) else "it is not one number"
