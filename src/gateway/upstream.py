"""Connections to one shard, on httptools' parser, kept and used again; each carries one request at a time.

Nothing here sends a request twice: it is written once, to one connection, and whatever happens to that
connection is the request's outcome.  A connection on which anything came that was not asked for, or that was
given up before its answer was complete, is closed and never used again, so no order can get another's answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import deque
from typing import Any, NamedTuple, cast
from urllib.parse import SplitResult

import httptools

_MAX_ANSWER = 1 << 20  # bytes; a shard's answers have a few hundred
_SWITCHING = 101


class ShardUnavailableError(Exception):
    """The shard could not be reached, or the connection broke before its answer was complete."""


class ShardTimeoutError(Exception):
    """The shard took longer than it may, to accept a connection or to answer."""


class Reply(NamedTuple):
    """What a shard answered."""

    status: int
    body: bytes
    content_type: bytes


class Upstream(asyncio.Protocol):
    """One connection.

    Args:
        pool: where it goes when it is free.

    Attributes:
        idle_since: the loop's time at which it was used last.
    """

    def __init__(self, pool: Pool) -> None:
        self.idle_since = 0.0
        self._pool = pool
        self._transport: asyncio.Transport | None = None
        self._parser: Any = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[Reply] | None = None
        self._begin()

    def _begin(self) -> None:
        self._status = 0
        self._content_type = b""
        self._body: list[bytes] = []
        self._size = 0
        self._framed = self._complete = False
        self._keep = True

    @property
    def usable(self) -> bool:
        """Whether a request can be sent."""
        transport = self._transport
        return self._answer is None and transport is not None and not transport.is_closing()

    def send(self, head: bytes, body: bytes) -> asyncio.Future[Reply]:
        """Write a request; return what will be its answer, or the exception of there being none."""
        assert self._transport is not None  # noqa: S101 - only what is usable is sent on
        self._answer = self._pool.loop.create_future()
        self._transport.write(head + body)
        return self._answer

    def expire(self) -> None:
        """Give the request up."""
        self._fail(ShardTimeoutError("no answer in time"))

    def close(self) -> None:
        """Close the connection, whatever is under way."""
        if self._transport is not None:
            self._transport.abort()

    # The loop's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be usable."""
        self._transport = cast("asyncio.Transport", transport)
        self._pool.made(self)

    def data_received(self, data: bytes) -> None:
        """Take what the shard says, if it was asked."""
        if self._answer is None:
            self.close()
            return
        broken = self._parse(data)
        if not self._complete:
            if broken is not None:
                self._fail(ShardUnavailableError(f"the answer can't be read: {broken}"))
            return
        self._keep = self._keep and broken is None
        self._finish()

    def _parse(self, data: bytes) -> Exception | None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            return error.__context__ if isinstance(error.__context__, ShardUnavailableError) else error
        return None

    def eof_received(self) -> None:
        """Close; an answer whose length was not told ends so."""
        if self._status and not self._framed:
            self._keep = False
            self._finish()

    def connection_lost(self, error: Exception | None) -> None:
        """Fail what was under way."""
        self._parser = None  # it holds on to us
        self._fail(ShardUnavailableError(f"the connection broke: {error or 'closed by the shard'}"))
        self._transport = None
        self._pool.lost(self)

    # The parser's side

    def on_message_begin(self) -> None:
        """Begin an answer; a second one to the same request is none."""
        if self._complete:
            raise ShardUnavailableError("more than one answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep what is passed on or tells the body's end."""
        key = name.lower()
        if key == b"content-type":
            self._content_type = value
        elif key in {b"content-length", b"transfer-encoding"}:
            self._framed = True

    def on_headers_complete(self) -> None:
        """Keep the status, and whether the connection stays."""
        status = self._parser.get_status_code()
        if status == _SWITCHING:
            raise ShardUnavailableError("another protocol")
        if status >= 200:  # noqa: PLR2004 - before it come interim ones
            self._status = status
            self._keep = self._parser.should_keep_alive()

    def on_body(self, part: bytes) -> None:
        """Keep a part of the body."""
        self._size += len(part)
        if self._size > _MAX_ANSWER:
            raise ShardUnavailableError(f"an answer of more than {_MAX_ANSWER} bytes")
        self._body.append(part)

    def on_message_complete(self) -> None:
        """Be complete, unless that was an interim answer."""
        if self._status:
            self._complete = True
        else:
            self._begin()

    # The end of a request

    def _finish(self) -> None:
        answer, self._answer = self._answer, None
        reply = Reply(self._status, b"".join(self._body), self._content_type)
        keep = self._keep
        self._begin()
        transport = self._transport
        if not keep or transport is None or transport.get_write_buffer_size():
            self.close()  # in the last case the shard has answered before it had read everything
        elif answer is None or answer.done():
            self.close()  # nobody waits any more: this was not to be
        else:
            self.idle_since = self._pool.loop.time()
            self._pool.free(self)
        if answer is not None and not answer.done():
            answer.set_result(reply)

    def _fail(self, error: Exception) -> None:
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_exception(error)
        self.close()


class Pool:
    """The connections to one shard.

    Args:
        address: base URL of the shard.
        size: connections at a time; what needs a further one waits.
        connect_timeout: seconds for a connection to be made.
        request_timeout: seconds for everything: the wait for a connection, making it, and the answer.
        idle_timeout: seconds after which a connection that was not used is closed.
    """

    def __init__(
        self,
        address: SplitResult,
        *,
        size: int,
        connect_timeout: float,
        request_timeout: float,
        idle_timeout: float,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self._address = address
        self._tls = ssl.create_default_context() if address.scheme == "https" else None
        self._size = size
        self._connect_timeout = connect_timeout
        self._request_timeout = request_timeout
        self._idle_timeout = idle_timeout
        self._every: set[Upstream] = set()
        self._connecting = 0
        self._idle: list[Upstream] = []  # the last one used is the next: the others may then be closed
        self._waiting: deque[asyncio.Future[Upstream | None]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    async def exchange(self, head: bytes, body: bytes) -> Reply:
        """Send a request, at most once, and return its answer.

        Raises:
            ShardUnavailableError: no connection, or it broke.
            ShardTimeoutError: no connection in time, or no answer.
        """
        loop = self.loop
        deadline = loop.time() + self._request_timeout
        connection = self._take() or await self._get(deadline)
        answer = connection.send(head, body)
        timer = loop.call_at(deadline, connection.expire)
        try:
            return await answer
        finally:
            timer.cancel()
            if answer.cancelled():
                connection.close()

    def close(self) -> None:
        """Close every connection; harmless if done twice."""
        for connection in list(self._every):
            connection.close()
        if self._timer is not None:
            self._timer.cancel()

    def made(self, connection: Upstream) -> None:
        """Count a connection."""
        self._every.add(connection)

    def free(self, connection: Upstream) -> None:
        """Have a connection used again."""
        if self._offer(connection):
            return
        self._idle.append(connection)
        if self._timer is None:
            self._timer = self.loop.call_later(self._idle_timeout, self._close_idle)

    def lost(self, connection: Upstream) -> None:
        """Forget a connection."""
        self._every.discard(connection)
        with contextlib.suppress(ValueError):
            self._idle.remove(connection)
        self._offer(None)

    def _take(self) -> Upstream | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable and self.loop.time() - connection.idle_since < self._idle_timeout:
                return connection
            connection.close()
        return None

    async def _get(self, deadline: float) -> Upstream:
        """Make a connection, or wait until there is one or may be one more."""
        again = False
        while len(self._every) + self._connecting >= self._size:
            turn: asyncio.Future[Upstream | None] = self.loop.create_future()
            if again:  # another request was faster, and shall not be so twice
                self._waiting.appendleft(turn)
            else:
                self._waiting.append(turn)
            try:
                async with asyncio.timeout_at(deadline):
                    connection = await turn
            except BaseException as error:
                with contextlib.suppress(ValueError):
                    self._waiting.remove(turn)
                if turn.done() and not turn.cancelled():
                    self._offer(turn.result())
                if isinstance(error, TimeoutError):
                    raise ShardTimeoutError("no connection was free in time") from error
                raise
            if connection is not None and connection.usable:
                return connection
            again = True
        return await self._connect(deadline)

    async def _connect(self, deadline: float) -> Upstream:
        loop, url = self.loop, self._address
        self._connecting += 1
        try:
            async with asyncio.timeout_at(min(deadline, loop.time() + self._connect_timeout)):
                _, connection = await loop.create_connection(
                    lambda: Upstream(self),
                    str(url.hostname),
                    url.port or (443 if self._tls else 80),
                    ssl=self._tls,
                )
        except TimeoutError as error:
            raise ShardTimeoutError("no connection in time") from error
        except OSError as error:
            raise ShardUnavailableError(str(error)) from error
        else:
            if connection.usable:
                return connection
            raise ShardUnavailableError("the connection broke: closed by the shard")
        finally:
            self._connecting -= 1
            if len(self._every) + self._connecting < self._size:
                self._offer(None)

    def _offer(self, connection: Upstream | None) -> bool:
        """Give a connection, or the room for one, to who waits longest; False if nobody does."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(connection)
                return True
        return False

    def _close_idle(self) -> None:
        self._timer = None
        now = self.loop.time()
        for connection in list(self._idle):
            if now - connection.idle_since >= self._idle_timeout:
                connection.close()
        if self._idle:
            self._timer = self.loop.call_later(self._idle_timeout, self._close_idle)
