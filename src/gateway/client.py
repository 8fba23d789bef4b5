"""Sends requests to shards, each at most once.

An order must never reach a shard twice, so nothing is sent again, whatever happened to the first attempt:
when a connection breaks after the request was written, nobody can tell whether the shard had read it.  Three
things could repeat a request behind our back, and each is off: redirects (a 307 repeats the POST) are passed
on as they came, aiohttp repeats idempotent methods only, and there is no proxy.

What is left of the classic trap is a false alarm: a shard closes a connection that idled for too long at the
very moment we reuse it, and the caller gets a 502 for an order that was never read.  So we close idle
connections well before any shard would; the shortest idle time of the usual servers is 5 s.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

CONNECT_TIMEOUT = 2.0
REQUEST_TIMEOUT = 5.0
IDLE_TIMEOUT = 2.0
CONNECTIONS_PER_SHARD = 256
"""Requests that can wait for one shard; further ones queue, within their 5 s, and no other shard notices."""

_LARGE = 2**20  # bytes; aiohttp wants a larger body as a stream, so that writing it does not hold up the loop
_HEADERS = {
    "Accept-Encoding": "identity"
}  # the answer is passed on as it comes, without what would say it is packed


class ShardUnavailableError(Exception):
    """The shard could not be reached, or the connection broke before its answer was complete."""


class ShardTimeoutError(Exception):
    """The shard took longer than it may, to accept a connection or to answer."""


class ShardClient:
    """One session with a pool of connections for each shard; used as an async context manager.

    Args:
        shards: base URL of each shard.
    """

    def __init__(self, shards: Mapping[str, str]) -> None:
        self._orders = {shard: URL(f"{base}/orders") for shard, base in shards.items()}
        self._seeds = {shard: URL(f"{base}/seed") for shard, base in shards.items()}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0, limit_per_host=CONNECTIONS_PER_SHARD, keepalive_timeout=IDLE_TIMEOUT
            ),
            # Not `connect`: that would count the wait for a place in the pool as well.
            timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT, sock_connect=CONNECT_TIMEOUT),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )

    async def __aenter__(self) -> Self:
        """Return the client; connections are made when they are needed."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        await self.close()

    async def close(self) -> None:
        """Close every connection; harmless if done twice."""
        await self._session.close()

    async def order(self, shard: str, body: bytes, content_type: str) -> tuple[int, bytes, str]:
        """Send one order; return the status, body and content type (may be empty) of the shard's answer.

        Raises:
            ShardUnavailableError: no connection, or it broke.
            ShardTimeoutError: no connection in 2 s, or no answer in 5 s.
        """
        return await self._post(self._orders[shard], body, content_type)

    async def seed(self, shard: str, body: bytes, content_type: str) -> tuple[int, bytes, str]:
        """Send seeds; everything else is as with :meth:`order`."""
        return await self._post(self._seeds[shard], body, content_type)

    async def _post(self, url: URL, body: bytes, content_type: str) -> tuple[int, bytes, str]:
        try:
            async with self._session.post(
                url,
                data=body if len(body) <= _LARGE else io.BytesIO(body),
                headers={**_HEADERS, "Content-Type": content_type, "Content-Length": str(len(body))},
                allow_redirects=False,
            ) as answer:
                return answer.status, await answer.read(), answer.headers.get("Content-Type", "")
        except TimeoutError as error:  # before ClientError: a connect timeout is both
            raise ShardTimeoutError(str(error)) from error
        except (aiohttp.ClientError, OSError) as error:
            raise ShardUnavailableError(str(error)) from error
