"""Run a program to its end. A failure shows what both of its streams said last.

The one place where the harness starts programs that it waits for.  A program
gets a process group of its own, so that a timeout, Ctrl-C or a cancelled task
ends everything that it started, and not only the process we know.
"""

from __future__ import annotations

import errno
import os
import selectors
import signal
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ..errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_TAIL_LINES = 15
_GRACE = 2.0  # seconds between SIGTERM and SIGKILL
# A program that this process wrote a moment ago can't be run while a child that another thread
# has just forked, and that has not yet become its own program, still holds it open for writing.
_BUSY_PAUSES = (0.01, 0.03, 0.1, 0.3, 1.0)
_POLL = 0.1  # seconds between two looks at what can't be waited for


@dataclass(frozen=True, slots=True)
class Completed:
    """A program that ran to its end.

    Attributes:
        argv: program and arguments.
        status: exit status; minus the signal's number if a signal ended it.
        stdout: all that it wrote to standard output.
        stderr: all that it wrote to standard error.
        seconds: how long it ran.
    """

    argv: tuple[str, ...]
    status: int
    stdout: str
    stderr: str
    seconds: float


class Cancelled(CommandError):  # noqa: N818 - says what happened
    """A program was ended because what it was run for is no longer wanted."""


def run(  # noqa: PLR0913 - each is one independent, optional question about a run
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
    check: bool = True,
    stdin: str | bytes = b"",
    on_line: Callable[[str], None] | None = None,
    cancelled: threading.Event | None = None,
) -> Completed:
    r"""Run ``argv`` and wait for it; nothing is read from the terminal and no shell is involved.

    Args:
        argv: program and arguments.
        cwd: where to run it.
        env: variables added to this process's environment.
        timeout: seconds after which it is ended and :class:`CommandError` raised.
        check: raise if the exit status is not 0.
        stdin: what it reads from its standard input; by default nothing.
        on_line: called, from another thread, with each line of standard error while the program runs.
        cancelled: once set, the program is ended and :class:`Cancelled` raised.

    Raises:
        CommandError: it could not be started, took too long, or (``check``) failed.

    >>> run(["echo", "hello"]).stdout
    'hello\n'
    >>> run(["cat"], stdin="from here").stdout
    'from here'
    """
    words = tuple(str(word) for word in argv)
    started = time.monotonic()
    with tempfile.TemporaryFile() as given:  # a file needs nobody to feed it meanwhile, as a pipe does
        given.write(stdin.encode() if isinstance(stdin, str) else stdin)
        given.seek(0)
        process = _start(words, cwd, {**os.environ, **(env or {})}, given)
    streams = _Streams(process, on_line)
    try:
        ended = _wait(process, timeout, cancelled)
    finally:
        if process.returncode is None:
            end_group(process)
        stdout, stderr = streams.finish()
    completed = Completed(words, process.returncode, stdout, stderr, time.monotonic() - started)
    if cancelled is not None and cancelled.is_set() and not ended:
        raise Cancelled(f"{Path(words[0]).name} was cancelled", where=_shown(words, cwd))
    if not ended:
        raise _failure(completed, cwd, f"did not end within {timeout:g} s", "an end within that time")
    if check and completed.status:
        raise _failure(completed, cwd, f"failed with {_status(completed.status)}", "exit status 0")
    return completed


def tail(text: str, lines: int = _TAIL_LINES) -> str:
    r"""Return the last ``lines`` lines of ``text`` that are not blank.

    >>> tail("one\n\ntwo\nthree\n", 2)
    'two\nthree'
    """
    return "\n".join([line.rstrip() for line in text.splitlines() if line.strip()][-lines:])


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a process that leads its own group, and the whole group: kindly first, then for certain."""
    _signal_group(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE)
    _signal_group(process.pid, signal.SIGKILL)
    process.wait()


def _start(
    words: tuple[str, ...], cwd: Path | None, env: dict[str, str], stdin: IO[bytes]
) -> subprocess.Popen[bytes]:
    for pause in (*_BUSY_PAUSES, None):
        try:
            return subprocess.Popen(
                words,
                cwd=cwd,
                env=env,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as error:
            if error.errno == errno.ETXTBSY and pause is not None:
                time.sleep(pause)
                continue
            raise CommandError(
                f"{words[0]} could not be started",
                expected="a program that can be run",
                found=str(error),
                where=_shown(words, cwd),
                todo="install it, or put its directory on PATH",
            ) from error
    raise AssertionError  # the last round returns or raises


def _signal_group(group: int, number: signal.Signals) -> None:
    # macOS answers EPERM where only a zombie is left of the group
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _wait(process: subprocess.Popen[bytes], timeout: float | None, cancelled: threading.Event | None) -> bool:
    """Wait for the end; return whether it came by itself before the timeout and before being cancelled."""
    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
        remaining = None if deadline is None else max(deadline - time.monotonic(), 0.0)
        slice_ = remaining
        if cancelled is not None:
            slice_ = _POLL if remaining is None else min(_POLL, remaining)
        try:
            process.wait(slice_)
        except subprocess.TimeoutExpired:
            if (cancelled is not None and cancelled.is_set()) or remaining == 0.0:
                return False
        else:
            return True


class _Streams:
    """Drains both streams in a thread of its own, so that neither can block the program."""

    def __init__(self, process: subprocess.Popen[bytes], on_line: Callable[[str], None] | None) -> None:
        self._files = [stream for stream in (process.stdout, process.stderr) if stream is not None]
        self._parts: list[list[bytes]] = [[] for _ in self._files]
        self._on_line = on_line
        self._unfinished = b""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._drain, daemon=True)
        self._thread.start()

    def _drain(self) -> None:
        with selectors.DefaultSelector() as selector:
            for number, file in enumerate(self._files):
                selector.register(file, selectors.EVENT_READ, number)
            while selector.get_map():
                ended = self._ended.is_set()
                ready = selector.select(_POLL)
                for key, _ in ready:
                    chunk = os.read(key.fd, 65536)
                    if chunk:
                        self._take(key.data, chunk)
                    else:
                        selector.unregister(key.fileobj)
                if ended and not ready:
                    return  # a grandchild holds a stream open; all that the program itself said is here

    def _take(self, number: int, chunk: bytes) -> None:
        self._parts[number].append(chunk)
        if number and self._on_line is not None:
            *lines, self._unfinished = (self._unfinished + chunk).split(b"\n")
            for line in lines:
                self._on_line(line.decode(errors="replace").rstrip("\r"))

    def finish(self) -> tuple[str, str]:
        """Return all that was said; call it once the program has ended."""
        self._ended.set()
        self._thread.join()
        for file in self._files:
            file.close()
        out, err = (b"".join(parts).decode(errors="replace") for parts in self._parts)
        return out, err


def _failure(completed: Completed, cwd: Path | None, how: str, expected: str) -> CommandError:
    streams = [
        f"{name}: {tail(text)}"
        for name, text in (("stdout", completed.stdout), ("stderr", completed.stderr))
        if text.strip()
    ]
    return CommandError(
        f"{Path(completed.argv[0]).name} {how}",
        expected=expected,
        found="\n".join(streams) or "nothing on stdout or stderr",
        where=_shown(completed.argv, cwd),
    )


def _status(status: int) -> str:
    return f"exit status {status}" if status >= 0 else signal_name(-status)


def signal_name(number: int) -> str:
    """Return a signal as people know it; those for real time have no names.

    >>> signal_name(9), signal_name(77)
    ('SIGKILL', 'signal 77')
    """
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _shown(argv: tuple[str, ...], cwd: Path | None) -> str:
    line = " ".join(argv)
    return f"{line} (in {cwd})" if cwd else line
