"""The two ports: taken early, listened on late, and a mistake in them said by name."""

from __future__ import annotations

import socket
from contextlib import ExitStack

from prometheus_client import CollectorRegistry, start_http_server

from ..errors import BindError

_BACKLOG = 1024


def bind(host: str, port: int) -> socket.socket:
    """Take the port early, so that a conflict shows before a long replay; nobody can connect yet."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise BindError(f"HOST {host} can't be used: {error.strerror}") from error
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise BindError(f"HTTP_PORT {port} on {host} can't be bound: {error.strerror}") from error
    return sock


def listen(sock: socket.socket) -> None:
    """Let clients connect."""
    try:
        sock.listen(_BACKLOG)
    except OSError as error:
        raise BindError(
            f"HTTP_PORT {sock.getsockname()[1]} can't be listened on: {error.strerror}"
        ) from error


def serve_metrics(registry: CollectorRegistry, host: str, port: int, stack: ExitStack) -> int:
    """Serve ``/metrics`` from a thread of its own: a scrape must not stall orders."""
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise BindError(f"METRICS_PORT {port} can't be bound: {error.strerror}") from error
    stack.callback(thread.join)
    stack.callback(server.server_close)
    stack.callback(server.shutdown)
    return int(server.server_address[1])
