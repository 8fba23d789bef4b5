"""A system that was left up: what is written down of it, and the command that stops it."""

import json
import os
import signal
import sys

import psutil
import pytest

from verdict_harness.errors import HarnessError, UsageError
from verdict_harness.processes import Guarded, Plan
from verdict_harness.systems import kept


@pytest.fixture
def service(tmp_path):
    """A process that was left up, and what was written of it."""
    program = (sys.executable, "-c", "import time; print(1, flush=True); time.sleep(600)")
    guarded = Guarded(Plan(program, cwd=tmp_path, log=tmp_path / "log", grace=0.2))
    (tmp_path / "state").mkdir()
    kept.write(tmp_path, [["one"]], {"one": guarded}, {"one": {"http": "127.0.0.1:1"}})
    yield guarded
    guarded.kill()


def gone(pid):
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_what_was_left_up_is_stopped_and_its_state_removed(service, tmp_path):
    assert kept.stop(tmp_path) == ["one"]
    assert gone(service.pid)
    assert not (tmp_path / "state").exists()
    assert not (tmp_path / "kept.json").exists()


def test_what_cannot_be_stopped_is_named_and_can_be_tried_again(service, tmp_path, monkeypatch, capsys):
    """A guard that is stopped hears nothing."""
    monkeypatch.setattr(kept, "_TIMEOUT", 0.3)
    os.kill(service.guard_pid, signal.SIGSTOP)
    assert kept.main(["stop", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "not everything could be stopped" in said
    assert f"pid={service.guard_pid}" in said
    assert "run the command again" in said
    assert (tmp_path / "kept.json").exists()
    assert (tmp_path / "state").exists()
    os.kill(service.guard_pid, signal.SIGCONT)
    psutil.Process(service.guard_pid).wait(30)
    assert kept.stop(tmp_path) == []
    assert not (tmp_path / "kept.json").exists()


def test_what_had_ended_before_it_was_written_down_needs_no_stopping(tmp_path):
    guarded = Guarded(Plan(("true",), cwd=tmp_path, log=tmp_path / "log"))
    guarded.wait(60)
    guarded.stop()
    kept.write(tmp_path, [["one"]], {"one": guarded}, {"one": {}})
    one = json.loads((tmp_path / "kept.json").read_text())["services"]["one"]
    assert (one["guard"], one["process"]) == (None, None)
    assert kept.stop(tmp_path) == []
    assert not (tmp_path / "kept.json").exists()


def test_what_has_ended_since_needs_no_stopping_either(service, tmp_path):
    service.kill()
    assert kept.stop(tmp_path) == []
    assert not (tmp_path / "kept.json").exists()


def test_what_was_written_and_cannot_be_read_is_told(tmp_path):
    (tmp_path / "kept.json").write_text('{"stop_in_this_order": [["on')
    with pytest.raises(UsageError, match="can't be read") as caught:
        kept.stop(tmp_path)
    assert caught.value.where == str(tmp_path / "kept.json")
    assert (tmp_path / "kept.json").exists()


def test_no_directory_of_ours_is_told(tmp_path):
    with pytest.raises(HarnessError, match="no system was left up there"):
        kept.stop(tmp_path)
