"""Sends requests to shards, each at most once.

An order must never reach a shard twice, so nothing is sent again, whatever happened to the first attempt:
when a connection breaks after the request was written, nobody can tell whether the shard had read it.
Redirects are passed on as they came, since a 307 that is followed repeats the POST, and there is no proxy.

What is left of the classic trap is a false alarm: a shard closes a connection that idled for too long at the
very moment we reuse it, and the caller gets a 502 for an order that was never read.  So we close idle
connections well before any shard would; the shortest idle time of the usual servers is 5 s.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from .upstream import Pool, Reply

CONNECT_TIMEOUT = 2.0
REQUEST_TIMEOUT = 5.0
IDLE_TIMEOUT = 2.0
CONNECTIONS_PER_SHARD = 256
"""Requests that can wait for one shard; further ones queue, within their 5 s, and no other shard notices."""


class ShardClient:
    """A pool of connections for each shard; used as an async context manager.

    Args:
        shards: base URL of each shard.
    """

    def __init__(self, shards: Mapping[str, str]) -> None:
        addresses = {shard: urlsplit(base) for shard, base in shards.items()}
        self._pools = {
            shard: Pool(
                address,
                size=CONNECTIONS_PER_SHARD,
                connect_timeout=CONNECT_TIMEOUT,
                request_timeout=REQUEST_TIMEOUT,
                idle_timeout=IDLE_TIMEOUT,
            )
            for shard, address in addresses.items()
        }
        self._orders = {shard: _head(b"/orders", address.netloc) for shard, address in addresses.items()}
        self._seeds = {shard: _head(b"/seed", address.netloc) for shard, address in addresses.items()}

    async def __aenter__(self) -> Self:
        """Return the client; connections are made when they are needed."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        self.close()

    def close(self) -> None:
        """Close every connection; harmless if done twice."""
        for pool in self._pools.values():
            pool.close()

    async def order(self, shard: str, body: bytes, content_type: bytes) -> Reply:
        """Send one order; return the status, body and content type (may be empty) of the shard's answer.

        Raises:
            ShardUnavailableError: no connection, or it broke.
            ShardTimeoutError: no connection in 2 s, or no answer in 5 s.
        """
        return await self._pools[shard].exchange(self._orders[shard] % (content_type, len(body)), body)

    async def seed(self, shard: str, body: bytes, content_type: bytes) -> Reply:
        """Send seeds; everything else is as with :meth:`order`."""
        return await self._pools[shard].exchange(self._seeds[shard] % (content_type, len(body)), body)


def _head(path: bytes, address: str) -> bytes:
    host = address.encode("idna").replace(b"%", b"%%")  # a link-local IPv6 address has one
    return b"POST %b HTTP/1.1\r\nHost: %b\r\nContent-Type: %%b\r\nContent-Length: %%d\r\n\r\n" % (path, host)
