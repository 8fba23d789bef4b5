"""Whether three shards sustain what ASR 2 asks of them: 2.7 times what one does, found out by one search.

Where there are fewer cores than shards, k6, the gateway and the broker, each shard gets the same small
share of a core in both deployments, so that it is the shards that are full and not the machine. Shares
hide what the shards have in common: so of the gateway and of the broker it is said at which rate they
would be full themselves.
"""

from __future__ import annotations

from verdict_harness.loads import SETTLE, Ask, Capacity, Claim, Plan, Stage, Trial
from verdict_harness.record import Run
from verdict_harness.samples import Estimate, NoValue, Server
from verdict_harness.systems import Deployment
from verdict_harness.verdicts import Finding, Verdict

from . import constant
from .backlog import backlog
from .exchange import BROKER, GATEWAY, SYMBOLS, shard_service
from .figures import MATCHING

SHARDS = tuple(SYMBOLS)
FACTOR = 0.9 * len(SHARDS)
SPARE_CORES = 3  # for k6, the gateway and the broker
#: Of a core, to each shard where cores are few. The smaller, the fewer orders make a p99, and the more of it
#: goes to what a shard does without any; the larger, the less is left for k6 and the gateway.
SHARES = (0.085, 0.07)
START = 200.0  # orders/s, near what one shard sustains on that
MOST = 4000.0  # orders/s that k6 can offer
SCRAPED = 5.0  # seconds from one scrape to the next


def claim(run: Run) -> Claim:
    """Return what is to be shown, with as many and as long trials as the profile has time for."""
    short, long, pairs = (4.0, 8.0, 14) if run.quick else (5.0, 20.0, 20)
    return Claim(len(SHARDS), FACTOR, START, MOST, short=short, long=long, pairs=pairs)


def shards(ask: Ask) -> tuple[str, ...]:
    """Return whose symbols the orders of a trial are for."""
    return tuple(SHARDS[number] for number in ask.parts)


def p99(load: Trial, ask: Ask) -> Estimate | NoValue:
    """Return how long matching took; what was received and never matched was infinitely slow."""
    return _server(load, ask).quantile(0.99, MATCHING, due="me_orders_received_total", shard=shards(ask))


def matches(load: Trial, ask: Ask) -> Estimate | NoValue:
    """Return how many matches a minute were made."""
    return _server(load, ask).rate("me_matches_total", per=60, shard=shards(ask))


def _server(load: Trial, ask: Ask) -> Server:
    """Return what is asked about the part of a trial that is judged.

    A trial shorter than from one scrape to the next may have none in it: of such a one, which only searches,
    the settling time is asked about, too.
    """
    return load.server if ask.seconds > SCRAPED else load.totals


def behind(deployment: Deployment, ask: Ask) -> float:
    """Return of how many orders the events wait for the broker."""
    return sum(backlog(deployment, shard) for shard in shards(ask))


def hidden(search: Capacity) -> Finding | None:
    """Return what shares of a core keep from being seen; ``None`` where each shard has a core.

    A shard with a small share is full long before a lock, or whatever else shards wait for without using the
    CPU, lets no more through. Nothing of that is known beyond the rate that all of them sustained.
    """
    if search.share is None:
        return None
    tried = [trial for trial in search.trials if len(trial.ask.parts) == len(SHARDS) and trial.sustained]
    most = max((trial.ask.rate for trial in tried), default=0.0)
    return Finding(
        Verdict.CONDITIONAL,
        value=most,
        unit="/s",
        limit=f"what {len(SHARDS)} shards with a core each take",
        query="orders that all shards sustained",
        samples=search.orders,
        reason=(
            f"each shard had {search.share:g} of a core: what they wait for without using the CPU, a lock, "
            f"is not known beyond {most:.0f}/s; {len(SHARDS) + SPARE_CORES} cores would tell"
        ),
        counted="orders",
    )


def search(stage: Stage) -> Capacity:
    """Return the search, not yet begun."""
    run = stage.run

    def load(name: str, ask: Ask) -> Plan:
        seconds = SETTLE + ask.seconds
        return constant.plan(
            name, run.run_id, rate=ask.rate, seconds=seconds, settle=SETTLE, shards=shards(ask)
        )

    return Capacity(
        stage=stage,
        name="B3-scaling",
        claim=claim(run),
        load=load,
        parts=[shard_service(shard) for shard in SHARDS],
        shared=[GATEWAY, BROKER],
        p99=p99,
        yields=matches,
        made="matches/min",
        backlog=behind,
        shares=SHARES if run.cores < len(SHARDS) + SPARE_CORES else (),
    )
