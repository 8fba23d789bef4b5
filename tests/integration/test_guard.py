"""Nothing survives: real trees of processes, whose owner or guard is killed."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from verdict_harness.errors import CommandError, ServiceDied, Unsupported
from verdict_harness.processes import Guarded, Plan, until
from verdict_harness.processes import guarded as guarded_module

# A service that is hard to end: one child ignores SIGTERM, one is stopped, one has double-forked into a
# session of its own. Each writes its id into the current directory.
TREE = """
import os, signal, subprocess, sys, time
me = sys.argv[1] if len(sys.argv) > 1 else "root"
if me == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if me == "daemon":
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
open(me + ".tmp", "w").write(str(os.getpid()))
os.rename(me + ".tmp", me + ".pid")
if me == "root":
    for name in ("deaf", "stopped", "daemon"):
        subprocess.Popen([sys.executable, __file__, name])
if me == "stopped":
    os.kill(os.getpid(), signal.SIGSTOP)
time.sleep(600)
"""
NAMES = ("root", "deaf", "stopped", "daemon")

OWNER = """
import sys, time
from pathlib import Path
from verdict_harness.processes import Guarded, Plan, until
at = Path(sys.argv[1])
guarded = Guarded(Plan((sys.executable, str(at / "tree.py")), cwd=at, log=at / "log", grace=0.3))
(at / "guard.pid").write_text(str(guarded.guard_pid))
time.sleep(600)
"""


def eventually(what: str, true: Callable[[], bool], seconds: float = 60.0) -> None:
    until(what, lambda: true() or None, timeout=seconds, interval=0.02)


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def tree_of(at: Path) -> dict[str, int]:
    eventually("the tree is complete", lambda: all((at / f"{name}.pid").exists() for name in NAMES))
    return {name: int((at / f"{name}.pid").read_text()) for name in NAMES}


@pytest.fixture
def at(tmp_path: Path) -> Path:
    (tmp_path / "tree.py").write_text(TREE)
    return tmp_path


def grow(at: Path) -> Guarded:
    return Guarded(Plan((sys.executable, str(at / "tree.py")), cwd=at, log=at / "log", grace=0.3))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_survives_its_owner(at: Path, number: signal.Signals) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(at)])
    pids = tree_of(at)
    eventually("the owner knows its guard", (at / "guard.pid").exists)
    assert all(alive(pid) for pid in pids.values())
    owner.send_signal(number)
    owner.wait()
    eventually("all gone", lambda: not any(alive(pid) for pid in pids.values()))
    eventually("the guard too", lambda: not alive(int((at / "guard.pid").read_text() or 0)))


def test_stop_ends_the_whole_tree(at: Path) -> None:
    guarded = grow(at)
    pids = tree_of(at)
    assert guarded.stop() == []
    assert not any(alive(pid) for pid in pids.values())
    assert not alive(guarded.guard_pid)
    assert guarded.status == -signal.SIGTERM
    assert guarded.stop() == []


def test_kill_ends_the_whole_tree_at_once(at: Path) -> None:
    guarded = grow(at)
    pids = tree_of(at)
    assert guarded.kill() == []
    assert not any(alive(pid) for pid in pids.values())
    assert guarded.status == -signal.SIGKILL


def test_a_process_whose_first_thread_has_ended_is_not_gone(tmp_path: Path) -> None:
    program = (
        "import ctypes, pathlib, threading, time\n"
        "threading.Thread(target=time.sleep, args=(600,)).start()\n"
        "pathlib.Path('ready').touch()\n"
        "ctypes.CDLL(None).pthread_exit(None)\n"
    )
    guarded = Guarded(Plan((sys.executable, "-c", program), cwd=tmp_path, log=tmp_path / "log", grace=0.2))
    eventually("it runs", (tmp_path / "ready").exists)
    eventually("its first thread ends", lambda: not alive(guarded.pid))
    assert guarded.status is None, "the process itself has not ended"
    assert guarded.kill() == []
    assert guarded.status == -signal.SIGKILL


def test_nothing_survives_the_guard(at: Path) -> None:
    guarded = grow(at)
    pids = tree_of(at)
    os.kill(guarded.guard_pid, signal.SIGKILL)
    eventually("the loss is seen", lambda: guarded.status is not None)
    assert guarded.lost
    assert guarded.stop() == []
    assert not any(alive(pid) for pid in pids.values())


def test_what_a_dead_process_left_behind_is_ended_too(at: Path) -> None:
    guarded = grow(at)
    pids = tree_of(at)
    os.kill(pids["root"], signal.SIGKILL)
    assert guarded.wait(60) == -signal.SIGKILL
    assert not guarded.lost
    eventually("all gone", lambda: not any(alive(pid) for pid in pids.values()))
    guarded.stop()


def test_exit_status_and_both_streams(tmp_path: Path) -> None:
    program = "import sys; print('out', flush=True); print('err', file=sys.stderr); sys.exit(7)"
    with Guarded(Plan((sys.executable, "-c", program), cwd=tmp_path, log=tmp_path / "log")) as guarded:
        assert guarded.wait(60) == 7
    assert (tmp_path / "log").read_text() == "out\nerr\n"


def environment_of(at: Path, env: dict[str, str] | None) -> dict[str, str]:
    program = "import os, json; print(json.dumps(dict(os.environ)))"
    plan = Plan((sys.executable, "-I", "-c", program), cwd=at, log=at / "log", env=env)
    with Guarded(plan) as guarded:
        assert guarded.wait(60) == 0
    return dict(json.loads((at / "log").read_text()))


def test_an_environment_is_the_whole_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DROPPED", "1")
    seen = environment_of(tmp_path, {"ADDED": "2", "LC_ALL": "C.UTF-8"})
    mark = seen.keys() - {"ADDED", "LC_ALL"}  # by which what was started is known again
    assert (seen["ADDED"], seen["LC_ALL"], len(mark)) == ("2", "C.UTF-8", 1)
    assert mark.isdisjoint(os.environ)


def test_without_an_environment_it_is_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPT", "1")
    seen = environment_of(tmp_path, None)
    assert seen["KEPT"] == "1"
    assert seen["PATH"] == os.environ["PATH"]


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="could not be started") as caught:
        Guarded(Plan((str(tmp_path / "nothing"),), cwd=tmp_path, log=tmp_path / "log"))
    assert "No such file" in str(caught.value)


def test_own_session_keeps_ctrl_c_away(tmp_path: Path) -> None:
    with Guarded(Plan(("sleep", "600"), cwd=tmp_path, log=tmp_path / "log")) as guarded:
        assert os.getsid(guarded.pid) == guarded.pid
        assert os.getsid(guarded.guard_pid) == guarded.guard_pid


def test_freeze_and_thaw(at: Path) -> None:
    with grow(at) as guarded:
        pids = tree_of(at)
        assert set(guarded.freeze()) >= set(pids.values())
        eventually(
            "all stopped",
            lambda: {psutil.Process(p).status() for p in pids.values()} == {psutil.STATUS_STOPPED},
        )
        guarded.thaw()
        eventually("running", lambda: psutil.Process(pids["root"]).status() != psutil.STATUS_STOPPED)
        guarded.freeze()
    assert not any(alive(pid) for pid in pids.values())


def test_a_frozen_process_may_still_end_in_order(tmp_path: Path) -> None:
    program = (
        "import pathlib, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit('in order'))\n"
        "pathlib.Path('ready').touch()\n"
        "time.sleep(600)\n"
    )
    with Guarded(Plan((sys.executable, "-c", program), cwd=tmp_path, log=tmp_path / "log")) as guarded:
        eventually("it runs", (tmp_path / "ready").exists)
        guarded.freeze()
    assert (tmp_path / "log").read_text() == "in order\n"
    assert guarded.status == 1


def test_freezing_the_dead_is_an_error(tmp_path: Path) -> None:
    guarded = Guarded(Plan(("true",), cwd=tmp_path, log=tmp_path / "log"))
    guarded.wait(60)
    with pytest.raises(ServiceDied):
        guarded.freeze()
    guarded.stop()


def test_limiting_the_dead_is_an_error(tmp_path: Path) -> None:
    guarded = Guarded(Plan(("true",), cwd=tmp_path, log=tmp_path / "log"))
    guarded.wait(60)
    with pytest.raises(ServiceDied, match="true has ended and can't be limited"):
        guarded.share(0.5)
    guarded.stop()
    with pytest.raises(ServiceDied, match="true has ended and can't be limited"):
        guarded.share(0.5)


def test_where_no_share_can_be_given_it_is_said(at: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with grow(at) as guarded:
        answer = {"done": "share", "error": "[Errno 22] Invalid argument"}
        with monkeypatch.context() as patched:
            patched.setattr(guarded, "_ask", lambda _request: answer)
            with pytest.raises(Unsupported, match="no share of the CPU") as caught:
                guarded.share(0.5)
    assert caught.value.found == "[Errno 22] Invalid argument"


def test_a_guard_that_hangs_is_ended_with_all_that_it_guards(
    at: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarded_module, "_END_SLACK", 0.2)
    guarded = grow(at)
    pids = tree_of(at)
    os.kill(guarded.guard_pid, signal.SIGSTOP)
    assert guarded.stop() == []
    assert not any(alive(pid) for pid in (*pids.values(), guarded.guard_pid))


def test_what_cannot_be_logged_is_not_started(at: Path) -> None:
    """No socket is left open, which would be an error of this test."""
    (at / "log").mkdir()
    with pytest.raises(IsADirectoryError):
        grow(at)
    gc.collect()
    assert not (at / "root.pid").exists()


def test_detaching_the_dead_changes_nothing(tmp_path: Path) -> None:
    guarded = Guarded(Plan(("false",), cwd=tmp_path, log=tmp_path / "log"))
    assert guarded.wait(60) == 1
    guarded.stop()
    guarded.detach()
    assert guarded.status == 1
    assert not guarded.lost


def test_detached_outlives_its_owner_until_its_guard_is_told(at: Path) -> None:
    program = OWNER.replace("time.sleep(600)", "guarded.detach()")
    subprocess.run([sys.executable, "-c", program, str(at)], check=True)
    pids = tree_of(at)
    guard = int((at / "guard.pid").read_text())
    try:
        time.sleep(0.5)  # longer than the grace: it would be gone by now
        assert all(alive(pid) for pid in pids.values())
    finally:
        os.kill(guard, signal.SIGTERM)
    eventually("all gone", lambda: not any(alive(pid) for pid in (*pids.values(), guard)))
