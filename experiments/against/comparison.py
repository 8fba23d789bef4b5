"""Versions beside each other, orders to each in turn: what a client waits, and what CPU an order takes.

Three are up: the working tree's, and the other one twice. What the machine does meanwhile it does to all of
them, and how far the other one is from itself says what can be told at all.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from experiments import constant
from experiments.dealt import Dealt
from experiments.exchange import GATEWAY, Version, beside, shard_service
from experiments.loads import of_profile
from verdict_harness.loads import Meter, Orders, Plan, Stage, Trial, change
from verdict_harness.samples import Block, NoValue, Partial, Sample
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
        self._meters: list[Meter] = []
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
            meter = Meter(deployment, [one.name(part) for one in self._versions for part in PARTS])
            self._meters.append(meter)
            return [(SETTLE + number * SPAN, meter.read) for number in range(self._spans + 1)]

        return dataclasses.replace(plan, actions=actions)

    def _compared(self, trial: Trial) -> dict[str, Sample]:
        record: Any = self._stage.run.evidence.fact(
            f"CPU of {trial.name}", lambda: self._meters[0].readings if self._meters else []
        )
        first = trial.kept.orders.began + SETTLE
        due = [first + number * SPAN for number in range(self._spans + 1)]
        if why := _amiss(trial, record, due):
            return dict.fromkeys([*CLIENT, *PARTS], Partial("against", why, 0))
        dealt, count = Dealt(len(self._versions)), range(len(self._versions))
        waits = [[dealt.waits(trial, *span, number) for number in count] for span in itertools.pairwise(due)]
        samples: dict[str, Sample] = {
            name: self._change(f"{name} at the client", waits, p, trial, "orders")
            for name, p in CLIENT.items()
        }
        for part in PARTS:
            spent = [
                [self._spent(part, dealt.of(trial, number), number, *two) for number in count]
                for two in itertools.pairwise(record)
            ]
            # a span has one figure of each, of which the middle one is compared
            samples[part] = self._change(f"CPU of {part} an order", spent, 0.5, trial, "spans")
        return samples

    def _change(
        self, what: str, spans: Sequence[Sequence[Block | NoValue]], p: float, trial: Trial, counted: str
    ) -> Sample:
        lacking = next((one for span in spans for one in span if isinstance(one, NoValue)), None)
        if lacking is not None:
            return lacking
        blocks = [[one for one in span if isinstance(one, Block)] for span in spans]
        return change(
            f"{what}: p{100 * p:g} in this version against the other",
            [(before, here) for here, before, _ in blocks],
            p,
            limit=LIMIT,
            at=trial.window.end,
            looks=(len(spans),),
            alike=[(before, again) for _, before, again in blocks],
            counted=counted,
        )

    def _spent(self, part: str, orders: Orders, number: int, first: Any, last: Any) -> Block:
        """Return the CPU that an order took of a part of a version: seconds; infinite if it got none."""
        name = self._versions[number].name(part)
        sent = sum(order.begun is not None for order in orders.due(first["at"], last["at"]))
        return Block(((last["used"][name] - first["used"][name]) / sent if sent else math.inf,))


def _amiss(trial: Trial, record: Sequence[Any], due: Sequence[float]) -> str:
    """Return why whatever was compared, it was not these versions as they are meant; empty if it was."""
    if trial.trouble:
        return "; ".join(one.text for one in trial.trouble)
    times = [one["at"] for one in record]
    if len(times) < len(due) or any(
        abs(at - planned) > _NEAR for at, planned in zip(times, due, strict=False)
    ):
        return "what was used of the CPU was not read in time"
    return ""
