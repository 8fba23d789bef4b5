"""A process that gets a share of the CPU and no more: a real one, that would take all there is."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import psutil
import pytest

from verdict_harness.errors import ServiceDied
from verdict_harness.processes import Guarded, Plan

SPIN = "while True: pass"
SHARE = 0.1
SECONDS = 2.0


def busy(tmp_path: Path, program: str = SPIN) -> Guarded:
    return Guarded(Plan((sys.executable, "-c", program), cwd=tmp_path, log=tmp_path / "log", grace=0.3))


def used(pid: int, seconds: float = SECONDS) -> float:
    """Return the CPU seconds a second that a process used."""
    process = psutil.Process(pid)
    began, before = time.monotonic(), sum(process.cpu_times()[:2])
    time.sleep(seconds)
    return (sum(process.cpu_times()[:2]) - before) / (time.monotonic() - began)


def test_it_gets_its_share_and_no_more(tmp_path: Path) -> None:
    with busy(tmp_path) as spinning:
        spinning.share(SHARE)
        # CPU time is counted in hundredths of a second; less than its share it gets where others take it
        assert 0 < used(spinning.pid) <= SHARE + 0.02
        spinning.share(0)
        assert used(spinning.pid) > 1.5 * SHARE


def test_what_it_had_too_much_is_owed_and_what_it_had_too_little_is_not(tmp_path: Path) -> None:
    with busy(tmp_path, "import time; time.sleep(2)\nwhile True: pass") as late:
        late.share(SHARE)
        time.sleep(2.5)  # it has saved up nothing while it slept
        assert 0 < used(late.pid) <= SHARE + 0.02


def test_a_frozen_process_stays_so_whatever_its_share(tmp_path: Path) -> None:
    with busy(tmp_path) as spinning:
        spinning.share(SHARE)
        spinning.freeze()
        assert used(spinning.pid, 0.5) == 0
        spinning.thaw()
        assert 0 < used(spinning.pid) <= SHARE + 0.02


def test_it_ends_in_order_while_it_is_stopped_for_its_share(tmp_path: Path) -> None:
    program = "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\nwhile True: pass"
    with busy(tmp_path, program) as spinning:
        time.sleep(0.5)  # until it has its handler
        spinning.share(0.01)
        time.sleep(0.2)
        assert spinning.stop() == []
        assert spinning.status == 7


def test_the_dead_get_no_share(tmp_path: Path) -> None:
    with busy(tmp_path, "pass") as short:
        short.wait(10)
        with pytest.raises(ServiceDied, match="can't be limited"):
            short.share(SHARE)
