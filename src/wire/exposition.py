"""``GET /metrics`` on a port of its own, from a thread of its own: a scrape must not stall orders."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from typing import Self

import uvloop
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from .message import Answer, Limits, Request
from .server import Server
from .site import Route, Site

_TEXT = b"text/plain; charset=utf-8"
_PATIENCE = 1.0  # seconds for a scrape that is under way when the service ends


class Exposition:
    """Serves a registry until it is closed; used as a context manager.

    Args:
        registry: what there is to tell; it is asked in this thread.
        sock: listens already, and is closed at the end.
        health: makes the answer of ``/health``, for probes that know this port only.

    Attributes:
        answers: how many there were, by class of status.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        sock: socket.socket,
        health: Callable[[Request], Answer],
        limits: Limits | None = None,
    ) -> None:
        self._registry = registry
        self._socket = sock
        metrics = {b"GET": Route(self._metrics)}
        self.site = Site({b"/metrics": metrics, b"/": metrics, b"/health": {b"GET": Route(health)}})
        self.answers = {"2xx": 0, "4xx": 0, "5xx": 0}
        self._limits = limits or Limits(connections=64)
        self._ready = threading.Event()
        self._end: Callable[[], object] = lambda: None
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)

    def __enter__(self) -> Self:
        """Begin to serve."""
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving, and close the socket."""
        self._end()
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        loop, end = asyncio.get_running_loop(), asyncio.Event()
        self._end = lambda: loop.call_soon_threadsafe(end.set)
        server = Server(self, self._limits)
        try:
            await server.start(self._socket)
        finally:
            self._ready.set()
        await end.wait()
        await server.stop(_PATIENCE)

    def _metrics(self, request: Request) -> Answer:
        encode, content_type = choose_encoder((request.header(b"accept") or b"").decode("latin-1"))
        return Answer(200, encode(self._registry), content_type.encode())

    # What the server asks of an edge

    def refuse(self, status: int, reason: str) -> Answer:
        """Say why in a line of text."""
        return Answer(status, f"{reason}\n".encode(), _TEXT)

    def answered(self, answer: Answer, _seconds: float) -> None:
        """Count by class."""
        label = f"{answer.status // 100}xx"
        self.answers[label] = self.answers.get(label, 0) + 1

    def unanswered(self, reason: str) -> None:
        """Count nothing: whoever scrapes asks again."""
