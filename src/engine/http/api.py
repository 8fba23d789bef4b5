"""The engine's HTTP: what is asked, what is answered.  All decisions are the shard's."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any

import orjson
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from wire import Answer, Request, Route, Site

from ..orders import Rejected
from ..shard import MAX_ORDER, Shard

MAX_SEED = 16 << 20
"""Bytes in the largest seed: three times the 40,000 orders of the deepest books of an experiment."""

MAX_SEED_FIELDS = 500_000
"""Fields in the largest seed, told by its commas: decoding is not interrupted, so nothing absurd is begun."""


def answer_order(shard: Shard, body: bytes, received: float | None = None) -> tuple[int, dict[str, Any]]:
    """Take one order, read at ``received``; return status and answer of ``POST /orders``."""
    try:
        order = shard.accept(body, received)
    except Rejected as refusal:
        return refusal.status, _refusal(refusal)
    return 200, {
        "status": "ACCEPTED",
        "orderId": order.order_id,
        "shardId": shard.config.shard_id,
        "timestamp": order.accepted,
    }


async def answer_seed(shard: Shard, body: bytes) -> tuple[int, dict[str, Any]]:
    """Rest many orders; return status and answer of ``POST /seed``."""
    if body.count(b",") > MAX_SEED_FIELDS:
        return 413, {"status": "REJECTED", "reason": f"The body has more than {MAX_SEED_FIELDS} fields"}
    try:
        return 200, {"seeded": await shard.seed(body)}
    except Rejected as refusal:
        return refusal.status, _refusal(refusal)


def answer_health(shard: Shard) -> tuple[int, dict[str, Any]]:
    """Return status and answer of ``GET /health``."""
    if shard.ready:
        answer: dict[str, Any] = {"status": "UP", "shardId": shard.config.shard_id}
        # Orders are taken all the same, so it is up; a field that is there only when somebody has to act.
        if problems := shard.publisher.problems():
            answer["problems"] = problems
        return 200, answer
    return 503, {"status": "DOWN", "shardId": shard.config.shard_id}


class Api:
    """What :mod:`wire` asks of a service: handlers, refusals in our form, and a count of all answers.

    Args:
        shard: what decides.
    """

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._answers = {"2xx": 0, "4xx": 0, "5xx": 0}
        self._unanswered = {"broke_off": 0, "unread": 0, "too_many": 0}
        self.site = Site(
            {
                b"/orders": {b"POST": Route(self._order, MAX_ORDER)},
                b"/seed": {b"POST": Route(self._seed, MAX_SEED)},
                b"/health": {b"GET": Route(self.health)},
            }
        )

    def _order(self, request: Request) -> Answer:
        return _answer(*answer_order(self._shard, request.body, request.received))

    def _seed(self, request: Request) -> Coroutine[Any, Any, Answer]:
        async def seed() -> Answer:
            return _answer(*await answer_seed(self._shard, request.body))

        return seed()

    def health(self, _request: Request) -> Answer:
        """``GET /health``, on both ports."""
        return _answer(*answer_health(self._shard))

    def refuse(self, status: int, reason: str) -> Answer:
        """Say why a request is not taken, in the form of all our refusals."""
        return _answer(status, {"status": "REJECTED", "reason": reason})

    def answered(self, answer: Answer, _seconds: float) -> None:
        """Count an answer, whoever made it."""
        self._answers[f"{answer.status // 100}xx"] += 1

    def unanswered(self, reason: str) -> None:
        """Count a request to which there can be no answer."""
        self._unanswered[reason] += 1

    def expose(self, connections: Callable[[], int], scrapes: Mapping[str, int]) -> None:
        """Have it all told with the shard's metrics.

        Args:
            connections: clients that are connected.
            scrapes: answers on the port of metrics, by class of status.
        """

        def families(shard: str) -> Iterator[Metric]:
            for name, text, label, counts in (
                ("me_http_answers_total", "Answers, by class of status.", "status", self._answers),
                (
                    "me_http_unanswered_total",
                    "Requests without an answer: the client broke off, read no answers, or was one too many.",
                    "reason",
                    self._unanswered,
                ),
                (
                    "me_metrics_answers_total",
                    "Answers on the port of metrics, by class of status.",
                    "status",
                    scrapes,
                ),
            ):
                counter = CounterMetricFamily(name, text, labels=["shard", label])
                for value, count in dict(counts).items():
                    counter.add_metric([shard, value], count)
                yield counter
            gauge = GaugeMetricFamily("me_http_connections", "Clients that are connected.", labels=["shard"])
            gauge.add_metric([shard], connections())
            yield gauge

        self._shard.metrics.others.append(families)


def _refusal(refusal: Rejected) -> dict[str, Any]:
    answer = {"status": "REJECTED", "reason": refusal.reason}
    if refusal.order_id is not None:
        answer["orderId"] = refusal.order_id
    return answer


def _answer(status: int, answer: dict[str, Any]) -> Answer:
    return Answer(status, orjson.dumps(answer))
