"""All clients of one port."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from typing import Any

from .connection import Connection, Edge
from .listening import BACKLOG
from .message import Limits

_LOOK_SECONDS = 0.5
_ABRUPT = 256  # connections beyond the limit that are told so; further ones are just closed


class Server:
    """Answers on one socket, in the running loop.

    Args:
        edge: what answers.
        limits: what clients may ask for.

    Attributes:
        held: bytes of bodies that are here.
        stopping: whether each answer is its connection's last.
        tasks: handlers that run.
    """

    def __init__(self, edge: Edge, limits: Limits | None = None) -> None:
        self.edge = edge
        self.limits = limits or Limits()
        self.loop = asyncio.get_running_loop()
        self.held = 0
        self.stopping = False
        self.tasks: set[asyncio.Task[Any]] = set()
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._empty = asyncio.Event()

    @property
    def full(self) -> bool:
        """Whether there are more clients than there may be."""
        return len(self._connections) > self.limits.connections

    @property
    def connections(self) -> int:
        """How many clients there are."""
        return len(self._connections)

    def admit(self, connection: Connection) -> bool:
        """Look after a connection from now on; False if there are far too many."""
        if len(self._connections) >= self.limits.connections + _ABRUPT:
            return False
        self._connections.add(connection)
        return True

    def forget(self, connection: Connection) -> None:
        """Look after it no more."""
        self._connections.discard(connection)
        if not self._connections:
            self._empty.set()

    async def start(self, sock: socket.socket) -> None:
        """Accept clients on a socket that listens; it is the server's from now on."""
        self._server = await self.loop.create_server(lambda: Connection(self), sock=sock, backlog=BACKLOG)
        self._look()

    def _look(self) -> None:
        now = time.perf_counter()
        for connection in list(self._connections):
            connection.look(now)
        self._timer = self.loop.call_later(_LOOK_SECONDS, self._look)

    async def stop(self, patience: float) -> None:
        """Accept no more, close what is idle, let what is under way end with its answer.

        Args:
            patience: seconds after which the rest is cut off.
        """
        self.stopping = True
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.close_if_idle()
        if self._connections:
            self._empty.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), patience)
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for connection in list(self._connections):
            connection.abort()
        if self._timer is not None:
            self._timer.cancel()
