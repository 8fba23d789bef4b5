"""Ports that nobody else on this machine has, or will be given while we hold them.

Asking the kernel for a free port and closing it again leaves a gap in which
two runs get the same one.  So a port is ours by an exclusive lock on a file in
a directory that all runs on the machine share; a bind then shows that no
stranger listens there.  The kernel drops the lock when the last process that
has the file open ends, however it ends: a guard keeps it for its child.

Ports below the ephemeral range are used, since any outgoing connection may
take one of those at any time.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import random
import socket
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from ..errors import HarnessError

# Not the temporary directory: TMPDIR differs from one user, or one session, to the next.
_DIRECTORY = Path("/tmp/verdict-harness-ports")  # noqa: S108 - its files are empty and only ever locked
_FIRST, _LAST = (
    20_000,
    29_999,
)  # above what servers like to use by default, below NodePorts and ephemeral ports
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


class Ports:
    """A set of reserved ports; a context manager, leaving it releases them.

    Args:
        directory: what all who must not meet share.
    """

    def __init__(self, directory: Path = _DIRECTORY) -> None:
        self._directory = directory
        self._held: dict[int, int] = {}

    def reserve(self, wished: int = 0) -> int:
        """Return a port that is free, and ours until :meth:`release`.

        Args:
            wished: the one to return if it is free.

        Raises:
            HarnessError: none is left.
        """
        ephemeral = _ephemeral()
        candidates = [port for port in range(_FIRST, _LAST + 1) if port not in ephemeral]
        candidates = candidates or list(range(_FIRST, _LAST + 1))
        random.shuffle(candidates)  # two runs that start at once rarely try the same one
        for port in [wished, *candidates] if wished else candidates:
            if port in self._held:
                continue
            descriptor = self._lock(port)
            if descriptor is None:
                continue
            if _free(port):
                self._held[port] = descriptor
                return port
            self._unlock(port, descriptor)
        raise HarnessError(
            "no free port is left",
            expected=f"one of {_FIRST} to {_LAST} that nobody listens on and no other run holds",
            found="none",
            where=str(self._directory),
            todo="end what else runs here; look at what listens with ss -ltn",
        )

    def descriptor(self, port: int) -> int:
        """Return the open file that holds ``port``: whoever inherits it keeps the reservation alive."""
        return self._held[port]

    def release(self) -> None:
        """Give all ports back; for when nothing uses them any more, as the files go too."""
        while self._held:
            port, descriptor = self._held.popitem()
            self._unlock(port, descriptor)
        with contextlib.suppress(OSError):  # others' files are in it
            self._directory.rmdir()

    def keep(self) -> None:
        """Close our files and leave them: the ports belong to whoever inherited them."""
        while self._held:
            os.close(self._held.popitem()[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def tidy(self, ports: Iterable[int]) -> None:
        """Remove the files of ``ports`` whose last holder has ended."""
        for port in ports:
            if (descriptor := self._lock(port)) is not None:
                self._unlock(port, descriptor)
        self.release()

    def _lock(self, port: int) -> int | None:
        path = self._directory / str(port)
        descriptor = self._open(path)
        if descriptor is None:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its holder may have removed the file between our open and our lock: then this locks nothing.
            if path.stat().st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        except OSError:
            pass
        os.close(descriptor)
        return None

    def _open(self, path: Path) -> int | None:
        while True:
            with contextlib.suppress(FileExistsError):
                self._directory.mkdir(parents=True)
                # it is another user's, or another run has removed it just now, empty as it was
                with contextlib.suppress(PermissionError, FileNotFoundError):
                    self._directory.chmod(0o1777)  # for other users of this machine, too
            try:
                # reading is enough for a lock, also on a file of another user
                return os.open(path, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
            except FileNotFoundError:
                continue  # another run removed the empty directory just now
            except PermissionError:
                try:
                    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
                except OSError:
                    return None

    def _unlock(self, port: int, descriptor: int) -> None:
        # Removed while still locked; see _lock for whoever opened it before.
        with contextlib.suppress(OSError):
            (self._directory / str(port)).unlink()
        os.close(descriptor)


def _free(port: int) -> bool:
    """Whether nobody has ``port``, on loopback or everywhere; without SO_REUSEADDR its recent past counts."""
    for family, host in (
        (socket.AF_INET, "127.0.0.1"),
        (socket.AF_INET, ""),  # every address
        (socket.AF_INET6, "::"),
    ):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.bind((host, port))
        except OSError as error:
            if family == socket.AF_INET6 and error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                continue  # a machine without IPv6
            return False
    return True


def _ephemeral() -> range:
    try:
        low, high = map(int, _EPHEMERAL.read_text().split())
    except (OSError, ValueError):
        return range(49_152, 65_536)  # what IANA says, and macOS does
    return range(low, high + 1)
