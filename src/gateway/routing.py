"""Decides which shard a request is for, and what the caller is told if that shard gives no answer."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

import orjson

from wire import Answer

from . import metrics
from .client import ShardClient
from .config import NO_SHARD
from .upstream import Reply, ShardTimeoutError, ShardUnavailableError

_MAX_SHOWN = 128  # characters of what the caller sent that come back in an error
_log = logging.getLogger(__name__)
_Send = Callable[[str, bytes, bytes], Awaitable[Reply]]


class BadOrderError(Exception):
    """No symbol can be read from an order."""


def symbol_of(body: bytes) -> str:
    """Return the symbol of an order; nothing else of it is looked at, that is the shard's business.

    Raises:
        BadOrderError: says what is wrong.

    >>> symbol_of(b'{"symbol": "TEST-ASSET-A", "quantity": "many"}')
    'TEST-ASSET-A'
    >>> symbol_of(b'[]')
    Traceback (most recent call last):
    gateway.routing.BadOrderError: Malformed order: expected a JSON object
    """
    try:
        order = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadOrderError(f"Malformed JSON: {error}") from error
    if not isinstance(order, dict):
        raise BadOrderError("Malformed order: expected a JSON object")
    symbol = order.get("symbol")
    if symbol is None:
        raise BadOrderError("Malformed order: no symbol")
    if not isinstance(symbol, str):
        raise BadOrderError("Malformed order: symbol is not a string")
    return symbol


def error(status: int, text: str, shard: str = NO_SHARD) -> Answer:
    """Return an answer of the gateway's own that says what is wrong.

    >>> error(502, "Shard unavailable: a", "a").body
    b'{"error":"Shard unavailable: a"}'
    """
    return Answer(status, orjson.dumps({"error": text}), label=shard)


class Router:
    """Sends requests to their shards and counts what came of it.

    Args:
        symbols: the shard that owns each symbol.
        shards: names of all shards.
        client: what reaches them.
        counts: where it is counted.
    """

    def __init__(
        self,
        symbols: Mapping[str, str],
        shards: Mapping[str, str],
        client: ShardClient,
        counts: metrics.Metrics,
    ) -> None:
        self._symbols = symbols
        self._shards = shards
        self._client = client
        self._counts = counts
        self._failing: set[str] = set()

    async def order(self, body: bytes, content_type: bytes) -> Answer:
        """Send an order to the shard that owns its symbol; return its answer unchanged, or an error."""
        try:
            symbol = symbol_of(body)
        except BadOrderError as bad:
            return error(400, str(bad))
        shard = self._symbols.get(symbol)
        if shard is None:
            self._counts.routing_error(metrics.UNKNOWN_SYMBOL)
            shown = symbol if len(symbol) <= _MAX_SHOWN else symbol[:_MAX_SHOWN] + "…"
            return error(400, f"Unknown symbol: {shown}")
        return await self._forward(self._client.order, shard, body, content_type)

    async def seed(self, shard: str, body: bytes, content_type: bytes) -> Answer:
        """Send seeds to a shard; return its answer unchanged, or an error."""
        if shard not in self._shards:
            return error(404, f"Unknown shard: {shard[:_MAX_SHOWN]}")
        return await self._forward(self._client.seed, shard, body, content_type)

    async def _forward(self, send: _Send, shard: str, body: bytes, content_type: bytes) -> Answer:
        try:
            status, replied, kind = await send(shard, body, content_type)
        except ShardTimeoutError as cause:
            self._counts.routing_error(metrics.TIMEOUT)
            self._failed(shard, cause)
            return error(504, f"Shard timeout: {shard}", shard)
        except ShardUnavailableError as cause:
            self._counts.routing_error(metrics.SHARD_UNAVAILABLE)
            self._failed(shard, cause)
            return error(502, f"Shard unavailable: {shard}", shard)
        if shard in self._failing:
            self._failing.discard(shard)
            _log.info("shard answers again", extra={"shard": shard})
        return Answer(status, replied, kind, shard)

    def _failed(self, shard: str, cause: Exception) -> None:
        if shard not in self._failing:  # once, not once a request: the summary says how many
            self._failing.add(shard)
            _log.warning("shard gives no answer", extra={"shard": shard, "cause": str(cause)})
