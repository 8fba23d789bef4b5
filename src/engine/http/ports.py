"""The two ports: taken early, listened on late, and a mistake in them said by name."""

from __future__ import annotations

import socket

import wire

from ..errors import BindError


def bind(host: str, port: int, name: str) -> socket.socket:
    """Take a port early, so that a conflict shows before a long replay; nobody can connect yet.

    Raises:
        BindError: it can't be had; ``name`` is the variable that says which.
    """
    try:
        return wire.bind(host, port, name)
    except wire.ListenError as error:
        raise BindError(str(error)) from error


def listen(sock: socket.socket, name: str) -> int:
    """Let clients connect; return the port.

    Raises:
        BindError: somebody else was faster.
    """
    try:
        return wire.listen(sock, name)
    except wire.ListenError as error:
        raise BindError(str(error)) from error
