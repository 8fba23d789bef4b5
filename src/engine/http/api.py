"""The engine's HTTP: what is asked, what is answered.  All decisions are the shard's."""

from __future__ import annotations

import logging
from typing import Any

import orjson
from sanic import HTTPResponse, Request, Sanic
from sanic.config import Config as SanicConfig
from sanic.exceptions import SanicException

from ..orders import Rejected
from ..shard import Shard

log = logging.getLogger(__name__)

MAX_REQUEST = 64 << 20
"""Bytes in the largest body, far above the 40,000 orders of the largest seed."""


def answer_order(shard: Shard, body: bytes) -> tuple[int, dict[str, Any]]:
    """Take one order; return status and answer of ``POST /orders``."""
    try:
        order = shard.accept(body)
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
    try:
        return 200, {"seeded": await shard.seed(body)}
    except Rejected as refusal:
        return refusal.status, _refusal(refusal)


def answer_health(shard: Shard) -> tuple[int, dict[str, Any]]:
    """Return status and answer of ``GET /health``."""
    if shard.ready:
        return 200, {"status": "UP", "shardId": shard.config.shard_id}
    return 503, {"status": "DOWN", "shardId": shard.config.shard_id}


def create_app(shard: Shard) -> Sanic[SanicConfig, Any]:
    """Return the application; it has no listeners of its own, so it starts and stops nothing."""
    app: Sanic[SanicConfig, Any] = Sanic("engine", configure_logging=False)
    app.config.update(
        {
            "ACCESS_LOG": False,
            "FALLBACK_ERROR_FORMAT": "json",
            "GRACEFUL_SHUTDOWN_TIMEOUT": 1.0,
            "MOTD": False,
            "REQUEST_MAX_SIZE": MAX_REQUEST,
        }
    )

    @app.post("/orders")
    async def orders(request: Request) -> HTTPResponse:
        return _respond(*answer_order(shard, request.body))

    @app.post("/seed")
    async def seed(request: Request) -> HTTPResponse:
        return _respond(*await answer_seed(shard, request.body))

    @app.get("/health")
    async def health(_request: Request) -> HTTPResponse:
        return _respond(*answer_health(shard))

    @app.exception(Exception)
    async def failed(request: Request, error: Exception) -> HTTPResponse:
        if isinstance(error, SanicException):
            return _respond(error.status_code, {"error": str(error)})
        log.error("a request failed", exc_info=error, extra={"path": request.path})
        return _respond(500, {"error": "Internal error"})

    return app


def _refusal(refusal: Rejected) -> dict[str, Any]:
    answer = {"status": "REJECTED", "reason": refusal.reason}
    if refusal.order_id is not None:
        answer["orderId"] = refusal.order_id
    return answer


def _respond(status: int, answer: dict[str, Any]) -> HTTPResponse:
    return HTTPResponse(orjson.dumps(answer), status, content_type="application/json")
