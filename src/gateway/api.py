"""The gateway over HTTP."""

from __future__ import annotations

import asyncio
import gc
import logging
from typing import Any

from sanic import HTTPResponse, Request, Sanic
from sanic.exceptions import SanicException
from sanic.http import Http

from .client import REQUEST_TIMEOUT, ShardClient
from .config import Config
from .metrics import Metrics
from .routing import JSON, Answer, Router, error

SUMMARY_INTERVAL = 10.0
"""Seconds between two summaries in the log."""

_log = logging.getLogger(__name__)
_Sanic = Sanic[Any, Any]


class Gateway:
    """The handlers, and what lives and ends with the server.

    Args:
        config: which shards there are and what they own.
        counts: where requests are counted.
    """

    def __init__(self, config: Config, counts: Metrics) -> None:
        self._config = config
        self._counts = counts
        self._client: ShardClient | None = None
        self._router: Router | None = None
        self._summary: asyncio.Task[None] | None = None
        self._stopping = False

    async def started(self, _app: _Sanic) -> None:
        """Make what needs the event loop; the shards need not be up."""
        self._client = ShardClient(self._config.shards)
        self._router = Router(self._config.symbols, self._config.shards, self._client, self._counts)
        self._summary = asyncio.create_task(self._summaries())
        gc.collect()
        gc.freeze()  # what is here now stays: no collection needs to walk it again

    async def stopping(self, _app: _Sanic) -> None:
        """End each connection with its next answer: Sanic closes only those that are idle at this moment."""
        self._stopping = True

    async def stopped(self, _app: _Sanic) -> None:
        """Close what :meth:`started` made, after the last answer."""
        if self._summary is not None:
            self._summary.cancel()
        if self._client is not None:
            await self._client.close()
        self._log_summary()

    async def order(self, request: Request) -> HTTPResponse:
        """``POST /orders``."""
        assert self._router is not None  # noqa: S101 - made before the server listens
        return self._respond(request, await self._router.order(request.body, _content_type(request)))

    async def seed(self, request: Request, shard: str) -> HTTPResponse:
        """``POST /seed/{shard}``."""
        assert self._router is not None  # noqa: S101 - made before the server listens
        return self._respond(request, await self._router.seed(shard, request.body, _content_type(request)))

    async def health(self, request: Request) -> HTTPResponse:
        """``GET /health``: the gateway's own; a shard that is down does not make it unhealthy."""
        return self._respond(request, Answer(200, b'{"status":"UP","component":"edge-gateway"}', JSON))

    async def refused(self, request: Request, exception: SanicException) -> HTTPResponse:
        """Answer what no handler takes (path, method, size, broken HTTP) in the form of all our errors."""
        return self._respond(request, error(exception.status_code, str(exception)))

    async def crashed(self, request: Request, exception: Exception) -> HTTPResponse:
        """Answer a mistake of ours without showing it."""
        _log.error("a request crashed", exc_info=exception)
        return self._respond(request, error(500, "Internal error"))

    def _respond(self, request: Request, answer: Answer) -> HTTPResponse:
        if self._stopping and isinstance(request.stream, Http):
            request.stream.keep_alive = False
        # Sanic writes a missing content type as "None".
        content_type = answer.content_type or "application/octet-stream"
        return HTTPResponse(answer.body, answer.status, content_type=content_type)

    async def _summaries(self) -> None:
        while True:
            await asyncio.sleep(SUMMARY_INTERVAL)
            self._log_summary()

    def _log_summary(self) -> None:
        shards = {
            shard: {"requests": t.requests, "errors": t.errors, "slowest_ms": round(t.slowest * 1000, 2)}
            for shard, t in self._counts.take_tallies().items()
        }
        _log.info("summary", extra={"shards": shards})


def _content_type(request: Request) -> str:
    return str(request.headers.get("content-type", JSON))


def create_app(config: Config, counts: Metrics) -> _Sanic:
    """Return the application, ready to be served.

    Args:
        config: which shards there are and what they own.
        counts: where requests are counted.
    """
    app: _Sanic = Sanic("edge-gateway", configure_logging=False)
    app.config.ACCESS_LOG = False
    app.config.MOTD = False
    # A request in flight ends within its time limit; nothing has to be waited for longer than that.
    app.config.GRACEFUL_SHUTDOWN_TIMEOUT = REQUEST_TIMEOUT + 1
    gateway = Gateway(config, counts)
    app.before_server_start(gateway.started)
    app.before_server_stop(gateway.stopping)
    app.after_server_stop(gateway.stopped)
    app.add_route(gateway.order, "/orders", methods=["POST"])
    app.add_route(gateway.seed, "/seed/<shard:str>", methods=["POST"])
    app.add_route(gateway.health, "/health", methods=["GET"])
    app.error_handler.add(SanicException, gateway.refused)
    app.error_handler.add(Exception, gateway.crashed)
    return app
