"""One piece of provisioning as its user sees it: what is going on, for how long, and that it can be stopped.

Several tasks may run at once; they share the one status line.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..figures import about, duration
from ..processes import command, progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

_REFRESH = 0.5


class Task:
    """What one recipe tells the user, and through which it is stopped."""

    def __init__(self, name: str, cancelled: threading.Event | None = None) -> None:
        self.name = name
        self.cancelled = cancelled or threading.Event()
        self._text = ""
        self._usual = 0.0
        self._started = time.monotonic()

    def begin(self, usual: float) -> None:
        """Start the stop watch of something that usually takes ``usual`` seconds."""
        self._started = time.monotonic()
        self._usual = usual

    @property
    def seconds(self) -> float:
        """Seconds since :meth:`begin`."""
        return time.monotonic() - self._started

    def say(self, text: str) -> None:
        """Write a line that stays."""
        progress.say(f"{self.name}: {text}")

    def status(self, text: str) -> None:
        """Say what is being done now."""
        self._text = text

    def line(self) -> str:
        """Return this task's part of the status line."""
        usual = f" of {about(self._usual)}" if self._usual else ""
        return f"{self.name}: {self._text}, {duration(self.seconds)}{usual}" if self._text else ""

    def check(self) -> None:
        """Raise :class:`~verdict_harness.processes.Cancelled` if this is no longer wanted."""
        if self.cancelled.is_set():
            raise command.Cancelled(f"{self.name} was cancelled")

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> command.Completed:
        """Run a program as part of this task; it ends with the task."""
        return command.run(argv, cwd=cwd, env=env, on_line=on_line, cancelled=self.cancelled)


class _Board:
    """The status line that all tasks of this process share; a thread refreshes it while there are any."""

    def __init__(self) -> None:
        self._tasks: list[Task] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()

    def add(self, task: Task) -> None:
        with self._lock:
            self._tasks.append(task)
            if len(self._tasks) == 1:
                self._stop = threading.Event()  # a new one: the last thread may not have seen its own yet
                threading.Thread(target=self._tick, args=(self._stop,), daemon=True).start()

    def remove(self, task: Task) -> None:
        with self._lock:
            self._tasks.remove(task)
            if not self._tasks:
                self._stop.set()
                progress.done()

    def _tick(self, stop: threading.Event) -> None:
        while not stop.wait(_REFRESH):
            with self._lock:
                text = " · ".join(line for line in (task.line() for task in self._tasks) if line)
                if text and not stop.is_set():
                    progress.status(text)


_board = _Board()


@contextmanager
def shown(task: Task) -> Iterator[Task]:
    """Show ``task`` on the status line until the end of the block."""
    _board.add(task)
    try:
        yield task
    finally:
        _board.remove(task)
