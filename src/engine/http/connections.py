"""The clients' connections, so that a stop can end them."""

from __future__ import annotations

from typing import Any, ClassVar

from sanic.server.protocols.http_protocol import HttpProtocol


class Connection(HttpProtocol):
    """A client's connection, findable: Sanic keeps the set of them to itself."""

    known: ClassVar[set[Any]] = set()

    def connection_made(self, transport: Any) -> None:
        """Take the set."""
        super().connection_made(transport)  # type: ignore[no-untyped-call]
        Connection.known = self.connections


def close_idle() -> None:
    """Close every connection on which nothing is under way."""
    for connection in list(Connection.known):
        connection.close_if_idle()


def abort_all() -> None:
    """Close every connection, whatever is under way."""
    for connection in list(Connection.known):
        connection.abort()
