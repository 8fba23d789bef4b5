"""What a request is, what an answer is, and how much of either there may be."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

JSON = b"application/json"

STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}
"""First line of an answer, by status."""


def status_line(status: int) -> bytes:
    r"""Return the first line of an answer, of unregistered statuses too.

    >>> status_line(503), status_line(599)
    (b'HTTP/1.1 503 Service Unavailable\r\n', b'HTTP/1.1 599 \r\n')
    """
    return STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status


class Request:
    """One request, whole.

    Attributes:
        method: in capitals, as it came.
        path: without query, without a slash at its end.
        headers: name and value as they came, in their order.
        body: decoded from chunks, if it came in any.
        received: ``time.perf_counter()`` when its last byte was read from the socket.
    """

    __slots__ = ("body", "headers", "method", "path", "received")

    def __init__(
        self,
        method: bytes,
        path: bytes,
        headers: list[tuple[bytes, bytes]],
        body: bytes,
        received: float,
    ) -> None:
        self.method = method
        self.path = path
        self.headers = headers
        self.body = body
        self.received = received

    def header(self, name: bytes) -> bytes | None:
        """Return the first header of that name, which is in small letters.

        >>> Request(b"GET", b"/", [(b"Accept", b"*/*")], b"", 0.0).header(b"accept")
        b'*/*'
        """
        for key, value in self.headers:
            if key.lower() == name:
                return value
        return None


class Answer:
    """What a client gets.

    Attributes:
        status: of HTTP.
        body: its length is told by the server; a HEAD request gets that alone.
        content_type: empty for none.
        label: for whoever counts; nothing of it is sent.
        headers: further ones, ready to be sent, each with its line's end.
    """

    __slots__ = ("body", "content_type", "headers", "label", "status")

    def __init__(
        self,
        status: int,
        body: bytes = b"",
        content_type: bytes = JSON,
        label: str = "",
        headers: bytes = b"",
    ) -> None:
        self.status = status
        self.body = body
        self.content_type = content_type
        self.label = label
        self.headers = headers

    def __repr__(self) -> str:
        return f"<Answer {self.status} {self.body[:200]!r}>"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client may ask for; beyond, it is told so and its connection ends.

    Attributes:
        target: bytes in a request's path and query.
        head: bytes in all of a request before its body.
        headers: how many header lines.
        chunks: pieces in which a body may come.
        connections: clients at a time; further ones get a 503.
        held: bytes of bodies that have arrived and wait for their end or their answer, over all clients;
            what comes beyond gets a 503.
        head_seconds: from the first byte of a request to the last one of its head.
        body_seconds: from there to the end of its body.
        idle_seconds: a connection on which nothing is asked is closed after that.
        write_seconds: how long a client may leave its answers unread.
        linger_seconds: how long what a refused client still sends is read and thrown away. Closing at once
            would reset the connection, and most clients would never see why.
    """

    target: int = 4096
    head: int = 8192
    headers: int = 100
    chunks: int = 4096
    connections: int = 8192
    held: int = 64 << 20
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    idle_seconds: float = 120.0
    write_seconds: float = 30.0
    linger_seconds: float = 5.0
