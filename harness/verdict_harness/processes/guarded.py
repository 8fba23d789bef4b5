"""A process under guard, as its owner sees it: start, look, signal, freeze, stop, let go."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from ..errors import CommandError, ServiceDied

_PROGRAM = Path(__file__).with_name("guard.py")
_MARK = "VERDICT_HARNESS_GUARD"
_ANSWER_TIMEOUT = 10.0
_END_SLACK = 20.0  # beyond the grace: the guard itself gives up 10 s after SIGKILL


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run under guard.

    Attributes:
        argv: program and arguments.
        cwd: where.
        log: file that both of its streams are appended to.
        env: variables added to our own environment; a value of ``None`` removes one.
        grace: seconds between SIGTERM and SIGKILL.
        hold: file descriptors that stay open as long as anything of it may run: the locks of its ports.
    """

    argv: tuple[str, ...]
    cwd: Path
    log: Path
    env: Mapping[str, str | None] = field(default_factory=dict)
    grace: float = 10.0
    hold: Sequence[int] = ()


class Guarded:
    """A process, and whatever it starts, that can't outlive us; a context manager, leaving it stops it.

    The program runs in a session of its own: Ctrl-C in the terminal reaches
    us, and we decide what ends when.

    Raises:
        CommandError: it could not be started.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._token = uuid.uuid4().hex
        self._lock = threading.RLock()
        self._buffer = b""
        self._status: int | None = None
        self._lost = False
        self._ended = False
        self._stopping = False
        self.pid = 0
        ours, theirs = socket.socketpair()
        self._socket = ours
        try:
            with theirs, plan.log.open("ab") as log:
                self._guard = subprocess.Popen(
                    # isolated and without site: it is there in milliseconds and imports nothing of ours
                    [sys.executable, "-I", "-S", str(_PROGRAM)],
                    stdin=theirs.fileno(),
                    stdout=log,
                    stderr=log,
                    cwd="/",
                    pass_fds=tuple(plan.hold),
                    start_new_session=True,
                )
        except BaseException:
            ours.close()
            raise
        try:
            self._start()
        except BaseException:
            self._let_die()
            raise

    def _start(self) -> None:
        environment = {**os.environ, **self._plan.env, _MARK: self._token}
        answer = self._ask(
            {
                "do": "start",
                "argv": list(self._plan.argv),
                "cwd": str(self._plan.cwd),
                "env": {key: value for key, value in environment.items() if value is not None},
                "log": str(self._plan.log),
                "grace": self._plan.grace,
            }
        )
        if answer is None or "error" in answer:
            raise CommandError(
                f"{Path(self._plan.argv[0]).name} could not be started",
                expected="a program that can be run",
                found=(answer or {}).get("error", "its guard ended"),
                where=" ".join(self._plan.argv),
            )
        self.pid = int(answer["pid"])

    @property
    def guard_pid(self) -> int:
        """Process id of the guard; SIGTERM to it ends the whole tree in order."""
        return self._guard.pid

    @property
    def status(self) -> int | None:
        """Exit status once it has ended (minus the signal's number if one ended it), else ``None``."""
        with self._lock:
            while self._status is None and not self._ended and self._readable(0.0):
                self._receive()
            return self._status

    @property
    def lost(self) -> bool:
        """Whether the guard was ended from outside; the process is gone with it."""
        return self._lost

    def wait(self, timeout: float) -> int | None:
        """Wait up to ``timeout`` seconds for the end; return the exit status, ``None`` if it runs on."""
        deadline = time.monotonic() + timeout
        while True:
            with self._lock:
                if (status := self.status) is not None or self._ended:
                    return status
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    return None
                if self._readable(min(remaining, 0.05)):
                    self._receive()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process alone."""
        self._ask({"do": "signal", "number": int(number)})

    def freeze(self) -> list[int]:
        """Stop every process of the tree; return their ids.

        Raises:
            ServiceDied: there is nothing left to freeze.
        """
        answer = self._ask({"do": "freeze"})
        if answer is None or not answer.get("pids"):
            raise ServiceDied(f"{Path(self._plan.argv[0]).name} has ended and can't be frozen")
        return list(answer["pids"])

    def thaw(self) -> None:
        """Undo :meth:`freeze`."""
        self._ask({"do": "thaw"})

    def ask_to_stop(self) -> None:
        """Begin what :meth:`stop` completes, without waiting: several can then end at the same time."""
        with self._lock, contextlib.suppress(OSError):
            if not self._ended and not self._stopping:
                self._send({"do": "stop"})
                self._stopping = True

    def stop(self) -> list[int]:
        """End the tree in order, then by force; return the ids of processes that would not end."""
        return self._end("stop", self._plan.grace + _END_SLACK)

    def kill(self) -> list[int]:
        """End the tree at once, without a chance to clean up; return as :meth:`stop` does."""
        return self._end("kill", _END_SLACK)

    def detach(self) -> None:
        """Let the process live on after us, still under its guard: SIGTERM to the guard ends both."""
        answer = self._ask({"do": "detach"})
        with self._lock:
            if answer is not None:
                self._guard.returncode = 0  # not ours to wait for any more
            self._ended = True
            self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _end(self, how: str, timeout: float) -> list[int]:
        with self._lock:
            if self._ended:
                return []
            answer = self._answer("stop", timeout) if self._stopping else self._ask({"do": how}, timeout)
            left: list[int] = (answer or {}).get("left", [])
            return left + self._let_die()

    def _ask(self, request: dict[str, Any], timeout: float = _ANSWER_TIMEOUT) -> dict[str, Any] | None:
        """Send a request, return its answer; ``None`` if the guard has ended, as it does after its child."""
        with self._lock:
            if self._ended:
                return None
            try:
                self._send(request)
            except OSError:
                while self._receive() is not None:
                    pass  # what it said before it ended
                return None
            return self._answer(request["do"], timeout)

    def _send(self, request: dict[str, Any]) -> None:
        self._socket.sendall(json.dumps(request).encode() + b"\n")

    def _answer(self, request: str, timeout: float) -> dict[str, Any] | None:
        deadline = time.monotonic() + timeout
        while (remaining := deadline - time.monotonic()) > 0:
            if self._readable(remaining):
                message = self._receive()
                if message is None or message.get("done") == request:
                    return message
        return None

    def _readable(self, timeout: float) -> bool:
        return b"\n" in self._buffer or bool(select.select([self._socket], [], [], timeout)[0])

    def _receive(self) -> dict[str, Any] | None:
        """Return the next message; ``None`` at the end of the guard."""
        while b"\n" not in self._buffer:
            try:
                data = self._socket.recv(65536)
            except OSError:
                data = b""
            if not data:
                self._ended = True
                if self._status is None:
                    self._lost = True
                    self._status = -signal.SIGKILL
                self._let_die()
                return None
            self._buffer += data
        line, self._buffer = self._buffer.split(b"\n", 1)
        message: dict[str, Any] = json.loads(line)
        if message.get("event") == "exited":
            self._status = message["status"]
        return message

    def _let_die(self) -> list[int]:
        """Close our end, wait for the guard, and end whatever a guard that was itself killed left behind."""
        self._ended = True
        self._socket.close()
        try:
            self._guard.wait(self._plan.grace + _END_SLACK)
        except subprocess.TimeoutExpired:
            self._guard.kill()
            self._guard.wait()
        return self._sweep() if self._guard.returncode else []

    def _sweep(self) -> list[int]:
        """Kill every process that carries our mark in its environment; return the ids of those that stay."""
        marked = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get(_MARK) == self._token:
                    process.kill()
                    marked.append(process)
        _, alive = psutil.wait_procs(marked, timeout=5.0)
        return [process.pid for process in alive]
