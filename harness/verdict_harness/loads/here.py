"""k6 as a guarded process of this machine."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from ..processes import Answer, Guarded, Pending, Plan, Ports, ask, environment
from ..programs import provide
from ..systems import Brief, Remains
from . import words
from .witness import Witness


class Here:
    """Runs k6 on this machine (see :class:`~verdict_harness.systems.Generator`).

    Args:
        prometheus: base URL of the Prometheus that takes its samples.
    """

    def __init__(self, prometheus: str) -> None:
        self._prometheus = prometheus

    @contextmanager
    def start(self, brief: Brief) -> Iterator[Process]:
        """Start k6; it does not outlive the context, or us.

        Raises:
            ProgramError: there is no k6.
        """
        home = brief.directory / "home"  # the user's own settings of k6 would make it another load
        home.mkdir(exist_ok=True)
        env = environment.built(home, words.environment(self._prometheus, brief.directory, os.environ))
        with Ports() as ports:
            port = ports.reserve()
            plan = Plan(
                argv=words.arguments(
                    brief,
                    program=str(provide("k6").path),
                    script=brief.script,
                    address=f"127.0.0.1:{port}",
                    directory=brief.directory,
                ),
                cwd=brief.directory,
                log=brief.log,
                env=env,
                grace=10.0,
                hold=[ports.descriptor(port)],
            )
            told = {"argv": list(plan.argv), "environment": environment.shown(env)}
            brief.log.with_suffix(".json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
            with Guarded(plan) as k6, Witness(brief.witness, k6.pid):
                yield Process(k6, port)


class Process:
    """A k6 that runs here (see :class:`~verdict_harness.systems.Running`)."""

    def __init__(self, k6: Guarded, port: int) -> None:
        self._k6 = k6
        self._port = port

    def ended(self, timeout: float) -> bool:
        """Wait up to ``timeout`` seconds for its end; say whether it came."""
        return self._k6.wait(timeout) is not None

    def begun(self) -> bool:
        """Whether set-up is over and iterations are being made."""
        try:
            return ask(f"http://127.0.0.1:{self._port}/v1/status", _runs, timeout=1.0)
        except Pending:
            return False  # not up yet, or ending

    def interrupt(self) -> None:
        """Ask it to end in order."""
        self._k6.signal(signal.SIGINT)

    def collect(self) -> Remains:
        """Return how it ended; its files are where they belong already."""
        self._k6.stop()
        return Remains(self._k6.status)


def _runs(answer: Answer) -> bool:
    return int(answer.json()["data"]["attributes"]["status"]) >= words.RUNNING
