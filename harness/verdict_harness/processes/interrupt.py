"""Who ends the work is heard: once, and it then ends in order.

Ctrl-C, and SIGTERM as a cancelled CI job gets it, end the work the first time;
what was learnt is still written, and what runs is taken down.  People press
Ctrl-C again, and parents repeat themselves, while that goes on: the second time
they are told so.  The third time this process ends at once, and the guards
(:mod:`verdict_harness.processes.guard`) see to what it had started.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from . import progress

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Hears them, from :meth:`heed` on."""

    def __init__(self) -> None:
        self._ending = False
        self._told = False

    def heed(self) -> Callable[[], None]:
        """Begin to listen; return what ends that. Nothing happens outside of the main thread."""
        self._ending = self._told = False
        if threading.current_thread() is not threading.main_thread():
            return lambda: None
        before = {number: signal.signal(number, self._hear) for number in _SIGNALS}

        def heed_no_more() -> None:
            for number, handler in before.items():
                signal.signal(number, handler)

        return heed_no_more

    def ending(self) -> None:
        """Take note that the work is ending anyway: nothing is left to be interrupted."""
        progress.done()
        self._ending = True

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        if not self._ending:
            self._ending = True
            raise KeyboardInterrupt
        if self._told:
            self._end_at_once(number)
        self._told = True
        progress.say("ending already, in order; once more ends it at once, without a report")

    def _end_at_once(self, number: int) -> NoReturn:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        raise SystemExit(128 + number)  # in case that the signal is blocked


_interrupts = Interrupts()
heed = _interrupts.heed
ending = _interrupts.ending
