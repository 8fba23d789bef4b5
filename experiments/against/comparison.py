"""Versions beside each other, orders to each in turn: what a client waits, and what CPU an order takes.

Three are up: the working tree's, and the other one twice. What the machine does meanwhile it does to all of
them, and how far the other one is from itself says what can be told at all.
"""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from experiments import constant
from experiments.exchange import GATEWAY, Version, beside, shard_service
from experiments.loads import of_profile
from verdict_harness.loads import Plan, Stage, Trial, change
from verdict_harness.samples import Block, Partial, Sample
from verdict_harness.systems import Deployment

LIMIT = 0.10  # share by which a figure may be higher than before
PARTS = (shard_service("a"), GATEWAY)
CLIENT = {"p50": 0.5, "p99": 0.99}
RATE = 390  # orders/s, to all: 130 each
SETTLE = 8.0  # seconds that are not judged
SPAN = 7.0  # seconds of a span, in which all are compared
SPANS = {"full": 40, "quick": 12}
SPARE = 2.0  # seconds after the last: at a load's end k6 has other things to do
_NEAR = 0.5  # seconds by which a reading may be late


class Comparison:
    """The working tree's version against another one.

    Attributes:
        samples: by how much each figure is higher in the working tree's version, as a share.
    """

    def __init__(self, stage: Stage, before: Path) -> None:
        self._stage = stage
        self._versions = (Version(), Version("-before", before), Version("-again", before))
        self._spans = of_profile(SPANS, stage.run.profile)
        self._readings: list[Any] = []
        self.samples: dict[str, Sample] = self._compared(stage.trial(self._load("against")))

    def _load(self, name: str) -> Plan:
        plan = constant.plan(
            name,
            self._stage.run.run_id,
            rate=RATE,
            seconds=SETTLE + self._spans * SPAN + SPARE,
            settle=SETTLE,
            beside=(beside(*self._versions), [one.name(GATEWAY) for one in self._versions]),
        )

        def actions(deployment: Deployment) -> Sequence[tuple[float, Callable[[], None]]]:
            names = [one.name(part) for one in self._versions for part in PARTS]

            def read() -> None:
                self._readings.append([time.time(), {name: deployment.used(name) for name in names}])

            return [(SETTLE + number * SPAN, read) for number in range(self._spans + 1)]

        return dataclasses.replace(plan, actions=actions)

    def _compared(self, trial: Trial) -> dict[str, Sample]:
        names = [*CLIENT, *PARTS]
        if trial.trouble:  # whatever was compared, it was not these versions as they are meant
            why = "; ".join(one.text for one in trial.trouble)
            return {name: Partial("against", why, 0) for name in names}
        record: Any = self._stage.run.evidence.fact(f"CPU of {trial.name}", lambda: self._readings)
        began = trial.kept.orders.began
        due = [began + SETTLE + number * SPAN for number in range(self._spans + 1)]
        if len(record) < len(due) or any(
            abs(one[0] - at) > _NEAR for one, at in zip(record, due, strict=False)
        ):
            return {
                name: Partial("against", "what was used of the CPU was not read in time", 0) for name in names
            }
        waits = [tuple(self._waits(trial, *span)) for span in itertools.pairwise(due)]
        samples: dict[str, Sample] = {
            name: self._change(f"{name} at the client", waits, p, trial, "orders")
            for name, p in CLIENT.items()
        }
        for part in PARTS:
            spent = [tuple(self._spent(part, trial, *two)) for two in itertools.pairwise(record)]
            # a span has one figure of each, of which the middle one is compared
            samples[part] = self._change(f"CPU of {part} an order", spent, 0.5, trial, "spans")
        return samples

    def _change(
        self, what: str, spans: Sequence[tuple[Block, ...]], p: float, trial: Trial, counted: str
    ) -> Sample:
        return change(
            f"{what}: p{100 * p:g} in this version against the other",
            [(before, here) for here, before, _ in spans],
            p,
            limit=LIMIT,
            at=trial.window.end,
            looks=(len(spans),),
            alike=[(before, again) for _, before, again in spans],
            counted=counted,
        )

    def _waits(self, trial: Trial, start: float, end: float) -> Iterator[Block]:
        """Yield what clients of each version waited, from when each order was due."""
        for number in range(len(self._versions)):
            asked = constant.dealt(number, len(self._versions), RATE)(trial, start, end)
            assert isinstance(asked, Block)  # a span without orders has no CPU to be divided by them, either
            yield asked

    def _spent(self, part: str, trial: Trial, first: Any, last: Any) -> Iterator[Block]:
        """Yield the CPU that an order took of a part of each version: seconds."""
        orders = len(trial.kept.orders.due(first[0], last[0])) / len(self._versions)
        for one in self._versions:
            name = one.name(part)
            yield Block(((last[1][name] - first[1][name]) / orders,))
