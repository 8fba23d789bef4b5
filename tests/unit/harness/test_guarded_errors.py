"""What goes wrong between us and a guard, and what is left then: nothing."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from verdict_harness.errors import ServiceDied, Unsupported
from verdict_harness.processes import Guarded, Plan

SLEEPS = (sys.executable, "-c", "import time; time.sleep(600)")


def plan(at: Path, *argv: str) -> Plan:
    return Plan(argv or SLEEPS, cwd=at, log=at / "log", grace=0.2)


def test_a_log_that_cannot_be_written_leaves_no_guard_and_no_socket(tmp_path: Path) -> None:
    before = {one.pid for one in psutil.Process().children()}
    open_before = psutil.Process().num_fds()
    with pytest.raises(FileNotFoundError):
        Guarded(Plan(SLEEPS, cwd=tmp_path, log=tmp_path / "none" / "log"))
    assert {one.pid for one in psutil.Process().children()} <= before
    assert psutil.Process().num_fds() <= open_before


def test_what_has_ended_can_be_given_no_share(tmp_path: Path) -> None:
    with Guarded(plan(tmp_path, sys.executable, "-c", "")) as ended:
        assert ended.wait(60) == 0
        with pytest.raises(ServiceDied, match="has ended and can't be limited"):
            ended.share(0.1)


def test_a_share_that_the_guard_cannot_give_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Guarded(plan(tmp_path)) as runs, monkeypatch.context() as patch:
        patch.setattr(runs, "_ask", lambda _request: {"error": "no clock of this process"})
        with pytest.raises(Unsupported, match="no share of the CPU") as refused:
            runs.share(0.1)
    assert refused.value.found == "no clock of this process"


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


def test_a_guard_that_does_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verdict_harness.processes.guarded._END_SLACK", 0.1)
    runs = Guarded(plan(tmp_path))
    process = psutil.Process(runs.pid)
    guard = runs.guard_pid
    os.kill(guard, signal.SIGSTOP)
    assert runs._let_die() == [], "its process is ended, too"
    psutil.wait_procs([process], timeout=10)
    assert not psutil.pid_exists(guard)
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
