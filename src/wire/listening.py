"""Ports: one rule for what ``HOST`` means, at every port of every service.

An address is listened on as it is, and ``::`` means every address of both families.  A name stands for the
first address that it has, and for its first IPv4 address if it has any.
"""

from __future__ import annotations

import contextlib
import errno
import resource
import socket

BACKLOG = 1024
"""Connections that wait to be accepted."""

_FILES = 65536  # one for each connection; the usual 1024 is soon used up
_NO_SUCH_FAMILY = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}


class ListenError(Exception):
    """An address can't be had: the message is a sentence, after ``HTTP_PORT`` or whatever it is for."""


def bind(host: str, port: int, name: str = "port") -> socket.socket:
    """Take a port, early, so that a conflict shows before long work; nobody can connect yet.

    Args:
        host: what to listen on; ``::`` is both families, or IPv4 alone on a machine that knows no other.
        port: 0 takes any that is free.
        name: what this port is called, in errors.

    Raises:
        ListenError: says which address, and why not.
    """
    try:
        family, _, _, _, address = min(
            socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE),
            key=lambda found: found[0] != socket.AF_INET,
        )
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ListenError(f"{name}: HOST {host} can't be used: {reason}") from error
    try:
        return _bound(family, address, both=host == "::")
    except OSError as error:
        if host == "::" and error.errno in _NO_SUCH_FAMILY:
            return bind("0.0.0.0", port, name)  # noqa: S104 - what was asked for, less what there is not
        reason = error.strerror or str(error)
        raise ListenError(f"{name}: can't listen on {host} port {port}: {reason}") from error


def _bound(family: int, address: tuple[object, ...], *, both: bool) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # Said either way: what is left unsaid, each system decides by itself.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not both)
        sock.bind(address)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def listen(sock: socket.socket, name: str = "port") -> int:
    """Let clients connect; return the port.

    Raises:
        ListenError: somebody else was faster.
    """
    port = int(sock.getsockname()[1])
    try:
        sock.listen(BACKLOG)
    except OSError as error:
        host = sock.getsockname()[0]
        raise ListenError(f"{name}: can't listen on {host} port {port}: {error.strerror}") from error
    return port


def raise_file_limit() -> None:
    """Allow this process as many open files as it may have, 65,536 at most."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # some systems say less than they mean
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
