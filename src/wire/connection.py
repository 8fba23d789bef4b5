"""HTTP/1.1 with one client: time-outs, pipelining, and the one place where answers are written and counted.

What a client sends is looked at in slices, one in each turn of the event loop, so that a thousand pipelined
requests wait behind other clients' single ones.  While an answer is awaited nothing more is read.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Coroutine
from typing import Any, Protocol, cast

from .incoming import Incoming, Job, Refused, Store
from .message import Answer, Limits, status_line
from .site import Site

_NOT_ALLOWED = 405
_BODYLESS = {204, 304}
_log = logging.getLogger(__name__)


class Edge(Protocol):
    """What a service says of the requests that no handler of its own gets, and is told of all answers."""

    @property
    def site(self) -> Site:
        """What there is."""

    def refuse(self, status: int, reason: str) -> Answer:
        """Return an answer that says why a request is not taken, in this service's form."""

    def answered(self, answer: Answer, seconds: float) -> None:
        """Count an answer, whoever made it; ``seconds`` since the request had been read."""

    def unanswered(self, reason: str) -> None:
        """Count a request to which there can be no answer: ``broke_off``, ``unread`` or ``too_many``."""


class Host(Store, Protocol):
    """What a connection wants of its server."""

    edge: Edge
    limits: Limits
    loop: asyncio.AbstractEventLoop
    tasks: set[asyncio.Task[Any]]
    stopping: bool

    @property
    def full(self) -> bool:
        """Whether there are more clients than there may be."""

    def admit(self, connection: Connection) -> bool:
        """Look after a connection from now on; False if there are far too many."""

    def forget(self, connection: Connection) -> None:
        """Look after it no more."""


class Connection(asyncio.Protocol):
    """One client.

    Args:
        server: whose client it is.
    """

    def __init__(self, server: Host) -> None:
        self._server = server
        self._edge = server.edge
        self._transport: asyncio.Transport | None = None
        self._queue: deque[Job] = deque()
        self._current: Job | None = None
        self._incoming = Incoming(server.edge.site, server.limits, server, self._queue)
        self._unread = b""
        self._received = self._idle_since = time.perf_counter()
        self._stalled: float | None = None  # since when the client leaves answers unread
        self._lingers: float | None = None  # since when what it still sends is thrown away
        self._loss = "broke_off"  # why what is not answered when the connection ends was not
        self._deaf = False  # nothing more is taken from this client
        self._ended = False  # nothing more will come from it

    # The loop's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, or say that there are too many already."""
        self._transport = cast("asyncio.Transport", transport)
        if not self._server.admit(self):
            self._edge.unanswered("too_many")
            self._deaf = True
            self._transport.abort()
        elif self._server.full:
            self._refuse(Refused(503, "Too many connections"))

    def data_received(self, data: bytes) -> None:
        """Take what the client sent, or throw it away if no more is wanted."""
        if self._deaf:
            return
        self._received = time.perf_counter()
        if self._unread or self._blocked:
            self._put_off(data)
        else:
            self._take(data, self._received)

    def eof_received(self) -> bool:
        """Whether the connection stays open: only for answers that are still to come."""
        self._ended = True
        if self._arriving and not self._deaf:
            self._refuse(Refused(400, "The request broke off"))
        return self._waits

    def connection_lost(self, _error: Exception | None) -> None:
        """Count what was under way; a handler that runs goes on, since nobody can take its order back."""
        if self._arriving and not self._deaf:
            self._edge.unanswered("broke_off")
        for job in self._queue:
            if job.refused is None:
                self._edge.unanswered(self._loss)
        self._queue.clear()
        self._incoming.end()
        self._deaf = True
        self._unread = b""
        self._transport = None
        self._server.forget(self)

    def pause_writing(self) -> None:
        """Answer nothing more until the client has read what it got."""
        self._stalled = time.perf_counter()

    def resume_writing(self) -> None:
        """Go on."""
        self._stalled = None
        self._go_on()

    # The server's side

    def close_if_idle(self) -> None:
        """Close the connection if nothing is under way on it."""
        if self._lingers is not None:
            self.abort()
        elif self._transport is not None and not (self._waits or self._arriving):
            self._transport.close()

    def abort(self) -> None:
        """Close the connection whatever is under way."""
        if self._transport is not None:
            self._transport.abort()

    def look(self, now: float) -> None:
        """End what takes too long; the server calls it now and then."""
        transport, limits, since = self._transport, self._server.limits, now - self._incoming.since
        if transport is None:
            return
        if self._stalled is not None and now - self._stalled > limits.write_seconds:
            self._loss = "unread"
            transport.abort()
        elif self._lingers is not None and now - self._lingers > limits.linger_seconds:
            transport.abort()
        elif self._deaf or self._waits:
            pass  # what arrives next is not looked at before the answer
        elif self._incoming.in_head and since > limits.head_seconds:
            self._refuse(Refused(408, f"The request's head took longer than {limits.head_seconds:g} s"))
        elif self._incoming.in_body and since > limits.body_seconds:
            self._refuse(Refused(408, f"The request's body took longer than {limits.body_seconds:g} s"))
        elif not self._arriving and now - self._idle_since > limits.idle_seconds:
            transport.close()

    # Reading

    @property
    def _arriving(self) -> bool:
        return self._incoming.in_head or self._incoming.in_body

    @property
    def _waits(self) -> bool:
        return self._current is not None or bool(self._queue)

    @property
    def _blocked(self) -> bool:
        return self._current is not None or self._stalled is not None

    def _put_off(self, data: bytes) -> None:
        self._unread += data
        if self._transport is not None:
            self._transport.pause_reading()

    def _take(self, data: bytes, now: float) -> None:
        """Look at one slice; what is beyond it waits for the loop's next turn."""
        incoming = self._incoming
        step = incoming.step
        if len(data) > step:
            self._put_off(data[step:])
            data = data[:step]
        try:
            incoming.feed(data, now, self._received)
        except Refused as refusal:
            if not self._queue or self._queue[-1].keep:  # after a connection's last request anything may come
                self._refuse(refusal)
                return
        if self._queue:
            if not self._queue[-1].keep:
                self._deaf = True
            self._run()
        if incoming.expects and not self._waits and self._transport is not None:
            incoming.expects = False
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self._unread and not self._blocked and not self._deaf:
            self._server.loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        """Go on with what was put off, now that nothing is awaited any more."""
        if self._queue:
            self._run()
        if self._blocked:
            return
        data, self._unread = self._unread, b""
        if data and not self._deaf:
            self._take(data, time.perf_counter())
        transport = self._transport
        if not self._unread and transport is not None and not transport.is_closing():
            transport.resume_reading()

    def _refuse(self, refusal: Refused) -> None:
        """Read no more, and say why after the answers that are due before."""
        job = Job(keep=False)
        job.tail = True
        job.refusal = refusal
        job.refused = time.perf_counter()
        if self._incoming.in_body:
            job.request = self._incoming.job.request  # a HEAD request gets no body
        self._deaf = True
        self._unread = b""
        self._queue.append(job)
        self._run()

    # Answering

    def _run(self) -> None:
        """Answer what has arrived, one after the other, until something is to be awaited."""
        queue = self._queue
        while queue and not self._blocked:
            job = queue.popleft()
            made = self._made(job)
            if isinstance(made, Answer):
                self._answer(job, made)
            else:
                self._current = job
                task = self._server.loop.create_task(cast("Coroutine[Any, Any, Answer]", made))
                self._server.tasks.add(task)
                task.add_done_callback(self._done)

    def _made(self, job: Job) -> Answer | Awaitable[Answer]:
        if job.refusal is not None:
            answer = self._edge.refuse(job.refusal.status, job.refusal.reason)
            if job.refusal.status == _NOT_ALLOWED and job.request is not None:
                answer.headers += self._edge.site.allow(job.request.path)
            return answer
        assert job.route is not None  # noqa: S101 - what arrived has one or the other
        assert job.request is not None  # noqa: S101
        try:
            return job.route.handler(job.request)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
            return self._crashed(error)

    def _done(self, task: asyncio.Task[Answer]) -> None:
        self._server.tasks.discard(task)
        job, self._current = self._current, None
        assert job is not None  # noqa: S101
        if task.cancelled():
            answer = self._edge.refuse(503, "The service is stopping")
        else:
            error = task.exception()
            answer = task.result() if error is None else self._crashed(error)
        self._answer(job, answer)
        if self._queue or self._unread:
            self._go_on()

    def _crashed(self, error: BaseException) -> Answer:
        _log.error("a request crashed", exc_info=error)
        return self._edge.refuse(500, "Internal error")

    def _answer(self, job: Job, answer: Answer) -> None:
        """Write an answer and count it: the only place that does either."""
        request, since, now = job.request, job.refused, time.perf_counter()
        if since is None:
            assert request is not None  # noqa: S101 - what was not refused is a request
            since = request.received
        self._edge.answered(answer, now - since)
        if self._incoming.held and request is not None:
            self._incoming.release(len(request.body))
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        keep = job.keep and not self._server.stopping and not (self._ended and not self._queue)
        transport.write(_written(answer, job, keep=keep))
        self._idle_since = now
        if not keep:
            self._end(transport, now, tail=job.tail)

    def _end(self, transport: asyncio.Transport, now: float, *, tail: bool) -> None:
        self._deaf = True
        self._queue.clear()
        self._unread = b""
        if not tail or self._ended:
            transport.close()
            return
        self._lingers = now
        if transport.can_write_eof():
            transport.write_eof()
        transport.resume_reading()


def _written(answer: Answer, job: Job, *, keep: bool) -> bytes:
    body = answer.body
    head = status_line(answer.status)
    if answer.content_type:
        head += b"Content-Type: %b\r\n" % answer.content_type
    if answer.status in _BODYLESS:
        body = b""
    else:
        head += b"Content-Length: %d\r\n" % len(body)
    if not keep:
        head += b"Connection: close\r\n"
    elif job.persistent:
        head += b"Connection: keep-alive\r\n"
    if job.request is not None and job.request.method == b"HEAD":
        body = b""
    return b"%b%b\r\n%b" % (head, answer.headers, body)
