"""The figures of the exchange: what people look for in a report of a load, whatever is judged of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple, TypeAlias

from verdict_harness.loads import Figure, Figures, ServerSide, Trial, figures_of
from verdict_harness.samples import (
    Estimate,
    NoValue,
    Unit,
    count,
    mebibytes,
    ms,
    per_minute,
    per_second,
    percent,
    us,
)

MATCHES, RECEIVED = "me_matches_total", "me_orders_received_total"
MATCHING = "me_match_duration_seconds"
STAGES = {
    "validation": "me_order_validation_duration_seconds",
    "orderbook insertion": "me_orderbook_insertion_duration_seconds",
    "matching algorithm": "me_matching_algorithm_duration_seconds",
    "WAL append": "me_wal_append_duration_seconds",
    "event publish": "me_event_publish_duration_seconds",
}
PAUSES, LONGEST = "me_gc_pause_seconds_count", "me_gc_pause_max_seconds"
MEMORY, CPU = "me_process_resident_memory_bytes", "me_process_cpu_seconds_total"
RING = "me_ringbuffer_utilization_ratio"
METRICS = (
    *(MATCHES, RECEIVED, f"{MATCHING}_bucket", PAUSES, LONGEST, MEMORY, CPU, RING),
    *(f"{stage}_{part}" for stage in STAGES.values() for part in ("sum", "count")),
)
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}

Shards: TypeAlias = str | tuple[str, ...]


class Row(NamedTuple):
    """What is asked of each shard.

    Attributes:
        name: of the figure.
        unit: that it is shown in.
        ask: asks a load of one shard, or of several together.
        together: whether it is a figure of all of them together, too.
    """

    name: str
    unit: Unit
    ask: Callable[[ServerSide, Shards], Estimate | NoValue]
    together: bool = False


def of_load(trial: Trial, shards: Sequence[str]) -> Figures:
    """Return the figures of a load that was run on these shards."""
    return figures_of(trial.name, trial, [*of_client(), *of_shards(shards)], METRICS)


def of_client() -> Iterator[Figure[Trial]]:
    """Yield what the client waited for an answer, from when each order was due."""
    for name, p in QUANTILES.items():
        yield Figure(f"client response {name}", "", ms, partial(_response, p))


def of_shards(shards: Sequence[str]) -> Iterator[Figure[ServerSide]]:
    """Yield what the shards say of themselves."""
    for row in _rows():
        if row.together:
            yield Figure(row.name, "", row.unit, partial(_ask, row, tuple(shards)))
        for shard in shards:
            yield Figure(row.name, f"shard {shard}", row.unit, partial(_ask, row, shard))


def _ask(row: Row, shards: Shards, load: ServerSide) -> Estimate | NoValue:
    return row.ask(load, shards)


def _response(p: float, load: Trial) -> Estimate | NoValue:
    return load.response(p)


def _rate(counter: str, per: float, load: ServerSide, shards: Shards) -> Estimate | NoValue:
    """Return a rate; of several shards the sum of theirs, each between the scrapes of its own target."""
    if isinstance(shards, str):
        return load.server.rate(counter, per=per, shard=shards)
    each = {shard: load.server.rate(counter, per=per, shard=shard) for shard in shards}
    for shard, one in each.items():
        if isinstance(one, NoValue):
            return replace(one, reason=f"shard {shard}: {one.reason}")
    known = [one for one in each.values() if isinstance(one, Estimate)]
    return replace(
        known[0],
        query=" + ".join(one.query for one in known),
        value=sum(one.value or 0.0 for one in known),
        lo=sum(one.lo for one in known),
        hi=sum(one.hi for one in known),
        n=sum(one.n for one in known),
        doubts=(),
    )


def _quantile(p: float, load: ServerSide, shard: Shards) -> Estimate | NoValue:
    return load.server.quantile(p, MATCHING, shard=shard)


def _mean(histogram: str, load: ServerSide, shard: Shards) -> Estimate | NoValue:
    return load.server.ratio(f"{histogram}_sum", f"{histogram}_count", shard=shard)


def _rows() -> Iterator[Row]:
    yield Row("matches/min", per_minute, partial(_rate, MATCHES, 60.0), True)
    yield Row("orders/s", per_second, partial(_rate, RECEIVED, 1.0), True)
    for name, p in QUANTILES.items():
        yield Row(f"matching latency {name}", ms, partial(_quantile, p))
    yield Row("orders accepted", count, lambda load, of: load.totals.growth(RECEIVED, shard=of), True)
    yield Row(
        "matches executed",
        count,
        lambda load, of: load.totals.growth(MATCHES, of=RECEIVED, shard=of),
        True,
    )
    for name, stage in STAGES.items():
        yield Row(f"{name} mean", us, partial(_mean, stage))
    yield Row("longest GC pause", ms, lambda load, of: load.server.gauge_max(LONGEST, shard=of))
    yield Row("GC pauses", count, lambda load, of: load.server.growth(PAUSES, of=RECEIVED, shard=of))
    yield Row("heap (resident)", mebibytes, lambda load, of: load.server.gauge_max(MEMORY, shard=of))
    yield Row("CPU of one core", percent, lambda load, of: load.server.rate(CPU, shard=of))
    yield Row("ring utilisation", percent, lambda load, of: load.server.gauge_max(RING, shard=of))
