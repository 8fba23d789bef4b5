"""What a guard that hangs, dies or is asked by several at once leaves us with."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import psutil

from verdict_harness.processes import Guarded, Plan

SLEEPS = (sys.executable, "-c", "import time; time.sleep(600)")


def plan(at: Path, *argv: str) -> Plan:
    return Plan(argv or SLEEPS, cwd=at, log=at / "log", grace=0.2)


def test_a_guard_that_says_nothing_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    with Guarded(plan(tmp_path)) as runs:
        os.kill(runs.guard_pid, signal.SIGSTOP)
        try:
            assert runs._ask({"do": "share", "cores": 0.0}, timeout=0.2) is None
        finally:
            os.kill(runs.guard_pid, signal.SIGCONT)


def test_a_guard_that_died_while_it_was_asked_is_lost_and_so_is_its_process(tmp_path: Path) -> None:
    runs = Guarded(plan(tmp_path))
    process = psutil.Process(runs.pid)
    runs._socket.shutdown(socket.SHUT_WR)  # what we send fails, as to a guard that is gone
    os.kill(runs.guard_pid, signal.SIGKILL)
    assert runs._ask({"do": "share", "cores": 0.0}) is None
    assert runs.lost
    assert runs.status == -signal.SIGKILL
    assert runs.stop() == []
    psutil.wait_procs([process], timeout=10)
    assert not process.is_running()


def test_two_may_ask_at_once(tmp_path: Path) -> None:
    """Answers are told apart by what was asked, and one at a time asks."""
    with Guarded(plan(tmp_path)) as runs:
        found: list[object] = []
        asking = [
            threading.Thread(target=lambda: found.append(runs._ask({"do": "signal", "number": 0})))
            for _ in range(8)
        ]
        for one in asking:
            one.start()
        deadline = time.monotonic() + 30
        for one in asking:
            one.join(max(0.0, deadline - time.monotonic()))
        assert found == [{"done": "signal"}] * 8
