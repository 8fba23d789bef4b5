"""Tell a person what is going on, over anything that takes more than a few seconds.

On a terminal, :func:`status` rewrites one line; elsewhere (CI, a file) it
prints at most one line every ten seconds, so that logs stay readable.  Both
write to the process's own standard error as it was when this module was first
imported, so a test runner that captures output does not hide them.  Whoever
else writes there and leaves lines unfinished calls :func:`beside` each time,
and nothing is written into them.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import time
from typing import TextIO

_PLAIN_INTERVAL = 10.0
_CLEAR = "\r\x1b[2K"
# A line below the cursor, at the bottom of the screen too (index, up), and the cursor left where it was.
_ROOM_BELOW = "\x1bD\x1b[A"
_BELOW = "\x1b7\x1bE\x1b[2K{}\x1b8"


class Reporter:
    """Writes lasting lines and one passing status line to a text stream.

    Args:
        stream: where to write.
        interval: least seconds between two status lines where the stream is not a terminal.
    """

    def __init__(self, stream: TextIO, interval: float = _PLAIN_INTERVAL) -> None:
        self._stream = stream
        self._interval = interval
        self._terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._open = False
        self._beside = False
        self._last = float("-inf")
        self._lock = threading.RLock()  # a signal handler may say something in the midst of saying something

    def beside(self) -> None:
        """Take note that somebody else has just written, and may have left a line unfinished."""
        with self._lock:
            self._close()
            self._beside = True

    def say(self, text: str) -> None:
        """Write a line that stays."""
        with self._lock:
            self._close()
            self._write(f"{self._fresh_line()}{text}\n")

    def status(self, text: str) -> None:
        """Replace the status line by ``text``; where there is no terminal, write it now and then."""
        with self._lock:
            if self._terminal:
                width = _columns(self._stream)
                self._show(text[: max(width - 1, 20)])
            elif time.monotonic() - self._last >= self._interval:
                self._last = time.monotonic()
                self._write(f"{self._fresh_line()}{text}\n")

    def done(self) -> None:
        """Remove the status line."""
        with self._lock:
            self._close()
            self._last = float("-inf")

    def _show(self, text: str) -> None:
        if self._beside:
            self._write(("" if self._open else _ROOM_BELOW) + _BELOW.format(text))
        else:
            self._write(_CLEAR + text)
        self._open = True

    def _close(self) -> None:
        if self._open:
            self._show("")
            self._open = False

    def _fresh_line(self) -> str:
        fresh, self._beside = "\n" if self._beside else "", False
        return fresh

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            return  # nobody is listening any more; the work goes on


def _columns(terminal: TextIO) -> int:
    return os.get_terminal_size(terminal.fileno()).columns


def _own_stderr() -> TextIO:
    descriptor = -1
    if sys.__stderr__ is not None:  # else it was closed when Python began: 2 may be another file by now
        with contextlib.suppress(OSError):  # it was closed since
            descriptor = os.dup(2)
    if descriptor < 0:
        descriptor = os.open(os.devnull, os.O_WRONLY)
    stream = os.fdopen(descriptor, "w", encoding="utf-8", errors="replace")
    atexit.register(stream.close)
    return stream


_reporter = Reporter(_own_stderr())
say = _reporter.say
status = _reporter.status
done = _reporter.done
beside = _reporter.beside
