"""The clients' connections: when their bytes were read, and how a stop ends them."""

from __future__ import annotations

import time
from typing import Any, ClassVar

from sanic import Request
from sanic.server.protocols.http_protocol import HttpProtocol


class Connection(HttpProtocol):
    """A client's connection, findable: Sanic keeps the set of them to itself.

    Attributes:
        read: ``time.perf_counter()`` when bytes of the client were read last.
    """

    __slots__ = ("read",)

    known: ClassVar[set[Any]] = set()

    def connection_made(self, transport: Any) -> None:
        """Take the set."""
        super().connection_made(transport)  # type: ignore[no-untyped-call]
        Connection.known = self.connections

    def data_received(self, data: bytes) -> None:
        """Take bytes that were read."""
        self.read = time.perf_counter()
        super().data_received(data)


def read_at(request: Request) -> float | None:
    """Return when the last bytes of a request were read; None if it has no connection.

    Clients that send the next request before they have the answer to this one
    get the time of that one.
    """
    return getattr(getattr(request.stream, "protocol", None), "read", None)


def close_idle() -> None:
    """Close every connection on which nothing is under way."""
    for connection in list(Connection.known):
        connection.close_if_idle()


def abort_all() -> None:
    """Close every connection, whatever is under way."""
    for connection in list(Connection.known):
        connection.abort()
