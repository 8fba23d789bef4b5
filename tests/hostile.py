"""A server that gives, one after the other, whatever a program that starts may give instead of an answer.

It refuses at first; then each of ``INSTEAD`` in turn, for as long as it is told to and until somebody has
got it; then it is right. As a program, ``python hostile.py PORT REFUSED EACH``, it then says that it is UP.
"""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

Said = bytes | tuple[bytes, ...] | None  # several pieces come one after the other; None: it keeps silent
Reply = Callable[[bytes], Said]

_LINGER_NOT = struct.pack("ii", 1, 0)  # closing resets


def http(body: object, status: str = "200 OK", *, promised: int = 0, kind: str = "application/json") -> bytes:
    """An HTTP answer; a body that is no text is put into JSON."""
    text = body if isinstance(body, str) else json.dumps(body)
    size = len(text.encode()) + promised
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n"
    return (head + text).encode()


# "reset" is no answer: see Hostile
INSTEAD: Mapping[str, Said] = {
    "reset": b"reset",
    "silence": None,
    "nothing": b"",
    "empty": http("", kind="text/plain"),
    "HTML": http("<!DOCTYPE html><title>UP</title><p>We are Ready.", kind="text/html"),
    "503": http({"status": "UP"}, "503 Service Unavailable"),
    "404": http("404 page not found", "404 Not Found", kind="text/plain"),
    "half": http('{"status":"success","data":{"result":[{"metric":{"job":"UP'),
    "cut short": http('{"status":"UP"}', promised=20),
    "a list": http([]),
    "null": http(None),
    "another shape": http({"status": "success", "data": {"result": [None], "groups": 1}, "items": {}}),
    "no Prometheus yet": http({"status": "error", "errorType": "unavailable", "error": "starting"}),
}


class Hostile:
    """Serves on ``port`` from a thread.

    Attributes:
        got: how often each thing was given.
    """

    def __init__(
        self,
        right: Reply,
        *,
        port: int = 0,
        refused: float = 0.2,
        each: float = 0.0,
        instead: Mapping[str, Said] = INSTEAD,
    ) -> None:
        self.got: dict[str, int] = dict.fromkeys((*instead, "right"), 0)
        self._right = right
        self._instead = instead
        self._refused, self._each = refused, each
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", port))  # without listening: connections are refused
        self._socket.settimeout(0.02)
        self.port = self._socket.getsockname()[1]
        if not refused:
            self._socket.listen()
        self._open: list[socket.socket] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        for one in (*self._open, self._socket):
            one.close()

    def _serve(self) -> None:
        if self._over.wait(self._refused):
            return
        self._socket.listen()
        for name, what in self._instead.items():
            until_then = time.monotonic() + self._each
            while (time.monotonic() < until_then or not self.got[name]) and not self._over.is_set():
                self._accept(name, lambda _, what=what: what)
        while not self._over.is_set():
            self._accept("right", self._right)

    def _accept(self, name: str, reply: Reply) -> None:
        with contextlib.suppress(OSError):  # a time-out, or one who is gone
            connection, _ = self._socket.accept()
            self._open.append(connection)
            connection.settimeout(5)
            asked = connection.recv(65536)
            self.got[name] += 1
            answer = reply(asked)
            if answer is None:
                return  # it stays open
            if answer == b"reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
                answer = ()
            for piece in (answer,) if isinstance(answer, bytes) else answer:
                connection.sendall(piece)
                self._over.wait(0 if piece is answer else 0.05)
            connection.close()


@contextmanager
def hostile(right: Reply, **words: object) -> Iterator[Hostile]:
    """A hostile server, gone at the end; see :class:`Hostile` for the words."""
    made = Hostile(right, **words)  # type: ignore[arg-type]
    try:
        yield made
    finally:
        made.close()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with hostile(
        lambda _: http({"status": "UP"}),
        port=int(sys.argv[1]),
        refused=float(sys.argv[2]),
        each=float(sys.argv[3]),
    ):
        signal.pause()
