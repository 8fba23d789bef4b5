"""What the system itself tells of a load once it is over: every event, and how deep it says its books are.

What the broker and Prometheus answer is kept with the load, so that it can be judged again with nothing
running.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from experiments.broker import TOPICS, Event, decoded, read
from experiments.exchange import BROKER, shard_service
from verdict_harness.errors import (
    EvidenceError,
    HarnessError,
    Inconclusive,
    ServiceDied,
    Unsupported,
    WaitTimeout,
)
from verdict_harness.loads import Stage
from verdict_harness.processes import Answer, Pending, ask, until, web
from verdict_harness.record import Json
from verdict_harness.systems import Deployment, System

from .oracle import PLACED, SEEDED, Account, audit

DRAIN = 20.0  # seconds that shards have to hand over what they have; where the broker was away, more
LOOK = 0.5  # seconds between two looks at that
GAUGES = (
    "me_event_backlog_orders",
    "me_orderbook_depth",
    "me_orderbook_price_levels",
    "me_process_resident_memory_bytes",
    "me_recovery_orders",
)


@dataclass(frozen=True)
class Ledger:
    """The events of a system, and its gauges once it had nothing left to send.

    Attributes:
        load: how the ids of the orders begin that are asked about.
        untold: why there are no events; empty if there are.
        partitions: how many each topic has.
        gauges: metric, shard and side (or nothing) to the value at the last scrape.
        file: where the events are; ``None`` if they could not be read.
        held: by shard: the bytes of memory that it held then, in the word of what runs it; without those of
            which nobody tells.
    """

    load: str
    untold: str
    partitions: Mapping[str, int]
    gauges: Mapping[tuple[str, str, str], float]
    file: Path | None
    held: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def events(self) -> dict[str, list[Event]]:
        """What each topic has.

        Raises:
            EvidenceError: what was read is gone, or damaged.
        """
        found: dict[str, list[Event]] = {topic: [] for topic in TOPICS}
        if self.file is None:
            return found
        try:
            with gzip.open(self.file, "rt", encoding="utf-8") as lines:
                for line in lines:
                    topic, event = decoded(line)
                    found[topic].append(event)
        except (OSError, EOFError, ValueError, LookupError) as error:
            raise EvidenceError(
                "a load's events can't be read", found=repr(error), where=str(self.file)
            ) from error
        return found

    @cached_property
    def accounts(self) -> dict[str, Account]:
        """What the oracle makes of the events of each shard."""
        return audit(self.events["orders"], self.events["matches"], self.load)

    @cached_property
    def placed(self) -> dict[tuple[str, str, int], Event]:
        """The load's own orders, each once."""
        return self._own("orders", PLACED, "orderId")

    @cached_property
    def seeded(self) -> dict[tuple[str, str, int], Event]:
        """Its seeds, those that took another order's place among them."""
        return self._own("orders", SEEDED, "orderId")

    @cached_property
    def matches(self) -> dict[tuple[str, str, int], Event]:
        """The executions of its orders."""
        return self._own("matches", "MATCH_EXECUTED", "takerOrderId")

    def _own(self, topic: str, kind: str, name: str) -> dict[tuple[str, str, int], Event]:
        return {
            (event["shard"], str(event.get("log")), event["sequence"]): event
            for event in self.events[topic]
            if event["type"] == kind and str(event[name]).startswith(self.load)
        }


def keep(  # noqa: PLR0913 - what is read, of whom, and from when on
    stage: Stage,
    system: System,
    name: str,
    load: str,
    shards: Sequence[str],
    *,
    since: float,
    drain: float = DRAIN,
) -> Ledger:
    """Read what the system tells, once a run; on replay, from the run's folder.

    Args:
        stage: where the system is up.
        system: which.
        name: of what was done to it, such as ``"A2"``.
        load: how the ids of its orders begin.
        shards: those that took part.
        since: unix seconds after which nothing was done to it any more.
        drain: seconds that the shards have to send what they have.
    """
    run = stage.run

    def told(deployment: Deployment) -> Json:
        drained = _drained(deployment, shards, since, drain)
        known: dict[str, Any] = {
            "drained": drained,
            "gauges": gauges(deployment, shards),
            "held": _held(deployment, shards),
        }
        try:
            found = _read(deployment, run.backend)
        except HarnessError as error:
            return {**known, "untold": error.what if not error.found else f"{error.what}: {error.found}"}
        path = run.evidence.folder(f"loads/{name}") / "events.jsonl.gz"
        with gzip.open(path, "wt", encoding="utf-8", compresslevel=3) as file:
            for topic in TOPICS:
                for event in found[topic]["events"]:
                    file.write(json.dumps([topic, event], separators=(",", ":")) + "\n")
        return {**known, "untold": "", "partitions": {t: found[t]["partitions"] for t in TOPICS}}

    record: Any
    try:
        record = stage.observe(f"ledger of {name}", system, told)
    except ServiceDied as death:  # that is in the load's numbers, which stand
        record = {"gauges": [], "untold": death.what}
    known = {(metric, shard, side): value for metric, shard, side, value in record["gauges"]}
    file = None if record["untold"] else run.evidence.folder(f"loads/{name}") / "events.jsonl.gz"
    held = record.get("held", {})
    return Ledger(load, record["untold"], record.get("partitions", {}), known, file, held)


def _read(deployment: Deployment, backend: str) -> dict[str, Any]:
    try:
        address = deployment.endpoint(BROKER, "kafka").address
    except HarnessError as error:
        raise Inconclusive("no broker to read", found=str(error)) from error
    # an external broker is spoken to as the engine's users told it; ours is plain, whatever they have set
    return read(address, os.environ if backend == "external" else None)


def _drained(deployment: Deployment, shards: Sequence[str], since: float, seconds: float) -> float | None:
    """Wait until a scrape after ``since`` shows that the shards have nothing left to send.

    Returns:
        For how many seconds that took; ``None`` if it never came.
    """
    left = f'me_event_backlog_orders{{shard=~"{"|".join(shards)}"}}'
    query = f"{left} and timestamp({left}) > {since:.3f}"

    def nothing_left() -> bool:
        found = _ask(deployment, query)
        waiting = sum(value for _, value in found)
        if len(found) < len(shards) or waiting:
            raise Pending(f"{waiting:g} orders left, of {len(found)} shards")
        return True

    began = time.monotonic()
    try:
        until("the shards to send what they have", nothing_left, timeout=seconds, interval=LOOK)
    except WaitTimeout:
        return None
    return round(time.monotonic() - began, 1)


def gauges(deployment: Deployment, shards: Sequence[str]) -> list[list[Any]]:
    """Return what shards show now: metric, shard, side and value of each gauge."""
    names, some = "|".join(GAUGES), set(shards)
    found = []
    for labels, value in _ask(deployment, f'{{__name__=~"{names}"}}', patient=True):
        shard = labels.get("shard", "")
        if shard in some:
            found.append([labels["__name__"], shard, labels.get("side", ""), value])
    return sorted(found)


def _held(deployment: Deployment, shards: Sequence[str]) -> dict[str, float]:
    found = {}
    for shard in shards:
        with contextlib.suppress(Unsupported, ServiceDied):
            found[shard] = deployment.resident(shard_service(shard))
    return found


def _ask(deployment: Deployment, query: str, *, patient: bool = False) -> list[tuple[dict[str, str], float]]:
    """Ask Prometheus for what it has now.

    Raises:
        Pending: it did not answer; nothing at all if ``patient``.
    """
    try:
        with web.client(deployment.prometheus) as client:
            return ask("/api/v1/query", _values, params={"query": query}, timeout=10.0, client=client)
    except Pending:
        if patient:
            return []
        raise


def _values(answer: Answer) -> list[tuple[dict[str, str], float]]:
    return [(one["metric"], float(one["value"][1])) for one in answer.json()["data"]["result"]]
