"""A client's requests as they arrive, on httptools' parser: all that can be too much is counted here."""

from __future__ import annotations

from collections import deque
from typing import Any, Protocol

import httptools

from .message import Limits, Request
from .site import Route, Site, path_of

SLICE = 4096
"""Bytes that are looked at in one turn of the event loop, beside those of a body: some 16 orders."""

_CHUNKED_SLICE = 16384  # as above, inside a body whose length is not known before
_CHUNK_FRAMES = 128 << 10  # bytes that lengths and ends of chunks may take beside a body
_SMALL = 4096  # bytes of a body that is worth reading to keep the connection, though nobody takes it
_NOT_FOUND = 404


class Refused(Exception):  # noqa: N818 - said to the client, no error of ours
    """A request that is not read any further.

    Args:
        status: of HTTP.
        reason: what the client is told.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Job:
    """A request that waits for its answer, or an answer that waits for those before it.

    Attributes:
        keep: whether the client may use its connection again.
        persistent: whether it is to be told so, as HTTP/1.0 wants.
        tail: whether it may still be sending what nobody reads.
        request: None if not even its head could be read.
        route: what answers it.
        refusal: what is said without any handler.
        refused: when that was decided, before the request was whole.
    """

    __slots__ = ("keep", "persistent", "refusal", "refused", "request", "route", "tail")

    def __init__(self, *, keep: bool) -> None:
        self.keep = keep
        self.persistent = False
        self.tail = False
        self.request: Request | None = None
        self.route: Route | None = None
        self.refusal: Refused | None = None
        self.refused: float | None = None


class Store(Protocol):
    """Where the bodies of all clients are counted."""

    held: int


class Incoming:
    """One client's requests.

    Args:
        site: what there is.
        limits: how much of anything a client may send.
        store: counts the bytes of all bodies.
        arrived: gets each request that is whole.

    Attributes:
        in_head: whether a request has begun, and its head has not ended.
        in_body: whether a head has ended, and its body has not.
        since: when that began, by the clock of whoever feeds.
        held: bytes of bodies that this client has in the store.
        job: the last request whose head was whole.
        expects: whether the client waits to be told that it may send the body.
    """

    def __init__(self, site: Site, limits: Limits, store: Store, arrived: deque[Job]) -> None:
        self._site = site
        self._limits = limits
        self._store = store
        self._arrived = arrived
        self._parser: Any = httptools.HttpRequestParser(self)
        self.in_head = self.in_body = self.expects = False
        self.since = 0.0
        self.held = 0
        self.job = Job(keep=True)
        self._turn = self._received = 0.0
        self._method = self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._raw = self._chunks = 0
        self._body: list[bytes] = []
        self._body_size = self._body_left = self._body_limit = 0
        self._chunked = self._upgrade = False

    @property
    def step(self) -> int:
        """Bytes that may be fed in this turn of the loop."""
        return (_CHUNKED_SLICE if self._chunked else SLICE) + self._body_left

    def feed(self, data: bytes, now: float, received: float) -> None:
        """Take what the client sent; requests that are now whole have arrived.

        Args:
            data: :attr:`step` bytes at most.
            now: the time.
            received: when ``data`` was read from the socket.

        Raises:
            Refused: with what is wrong; nothing may be fed after that.
        """
        self._turn, self._received = now, received
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._without_upgrade(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError as error:
            cause = error.__context__
            if isinstance(cause, Refused):
                raise cause from None
            raise Refused(400, f"Malformed HTTP: {error}") from None
        self._raw += len(data)
        # What the parser skips without telling: spaces in heads, extensions of chunks.
        if self.in_head and self._raw > self._limits.head + SLICE:
            raise self._large_head()
        if self.in_body and self._chunked and self._raw > self._body_limit + _CHUNK_FRAMES:
            raise Refused(413, "The body's chunks have more around them than in them")

    def end(self) -> None:
        """Let go of everything."""
        self._parser = None  # it holds on to us
        self._body = []
        self.in_head = self.in_body = False
        self.release(self.held)

    def release(self, size: int) -> None:
        """Take bytes out of the store."""
        size = min(size, self.held)
        self.held -= size
        self._store.held -= size

    def _without_upgrade(self, rest: bytes) -> None:
        """Begin again as if another protocol had not been offered, which any server may do.

        The parser takes what follows the head for the other protocol's.
        """
        self._upgrade = False
        self._parser = httptools.HttpRequestParser(self)
        dropped = {b"upgrade", b"connection", b"http2-settings"}
        lines = [b"%b %b HTTP/1.1" % (self._method, self._target)]
        lines += [b"%b: %b" % header for header in self._headers if header[0].lower() not in dropped]
        self.feed(b"\r\n".join(lines) + b"\r\n\r\n" + rest, self._turn, self._received)

    def _large_head(self) -> Refused:
        return Refused(431, f"The request's head is larger than {self._limits.head} bytes")

    # The parser's side

    def on_message_begin(self) -> None:
        """Begin to count a request's parts."""
        self._target = b""
        self._headers = []
        self._raw = self._chunks = 0
        self.in_head = True
        self.since = self._turn

    def on_url(self, part: bytes) -> None:
        """Take a part of the target, which may come in several."""
        self._target += part
        if len(self._target) > self._limits.target:
            raise Refused(414, f"The URL is longer than {self._limits.target} bytes")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, or a trailer, which nobody wants; :meth:`feed` bounds them all."""
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Decide by its head whether the request is taken."""
        parser = self._parser
        self._method = parser.get_method()
        self._upgrade = parser.should_upgrade()
        if self._upgrade:
            if self._method == b"CONNECT":
                raise Refused(405, "Method not allowed: CONNECT")
            return
        job = self.job = Job(keep=parser.should_keep_alive())
        length = self._read_headers(job)
        path = path_of(self._target)
        job.request = Request(self._method, path, self._headers, b"", self._received)
        self.in_head, self.in_body = False, True
        self.since = self._turn
        found = self._site.find(self._method, path)
        if isinstance(found, Route):
            job.route = found
            self._body_limit = found.body
        else:
            self._absent(job, found, length, path)
        if length > self._body_limit:
            raise self._large_body()
        self._body_left = length
        self._body_size = 0

    def on_chunk_header(self) -> None:
        """Count a body's chunks: each costs more than the bytes in it."""
        self._chunks += 1
        if self._chunks > self._limits.chunks:
            raise Refused(413, f"The body comes in more than {self._limits.chunks} chunks")

    def on_body(self, part: bytes) -> None:
        """Take a part of the body."""
        size = len(part)
        self._body_size += size
        self._body_left = max(self._body_left - size, 0)
        if self._body_size > self._body_limit:
            raise self._large_body()
        if self._store.held + size > self._limits.held:
            raise Refused(503, "Too much at once: try again later")
        self._store.held += size
        self.held += size
        self._body.append(part)

    def on_message_complete(self) -> None:
        """Hand the request over."""
        if self._upgrade:
            return
        request = self.job.request
        if self._body and request is not None:
            request.body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
            request.received = self._received
            self._body = []
        self._body_left = 0
        self._chunked = self.in_body = self.expects = False
        self._arrived.append(self.job)

    def _read_headers(self, job: Job) -> int:
        """Note what headers say of the body and the connection; return the body's length, if it is told."""
        length = size = 0
        self._chunked = self.expects = False
        if len(self._headers) > self._limits.headers:
            raise Refused(431, f"There are more than {self._limits.headers} headers")
        for name, value in self._headers:
            size += len(name) + len(value)
            key = name.lower()
            if key == b"content-length":
                length = int(value)
            elif key == b"transfer-encoding":
                self._chunked = True
            elif key == b"connection":
                job.persistent = job.keep
            elif key == b"expect":
                self.expects = value.lower() == b"100-continue"
        if size > self._limits.head:
            raise self._large_head()
        return length

    def _large_body(self) -> Refused:
        return Refused(413, f"The body is larger than {self._body_limit} bytes")

    def _absent(self, job: Job, status: int, length: int, path: bytes) -> None:
        """Note that nothing is there; it is said after a small body, so that the client can go on."""
        what = path[:200].decode("ascii", "replace")
        if status == _NOT_FOUND:
            refusal = Refused(status, f"Not found: {what}")
        else:
            refusal = Refused(status, f"Method not allowed: {self._method.decode()} {what}")
        if self._chunked or length > _SMALL:
            raise refusal
        job.refusal = refusal
        self._body_limit = _SMALL
