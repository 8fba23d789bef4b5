"""The machine's witness: what it wrote is read, and it ends with the load, whatever holds it."""

import os
import signal
from pathlib import Path

import psutil

from verdict_harness.loads import witness
from verdict_harness.loads.witness import Seen, Witness

LINES = (
    '{"from": 10.0, "to": 10.5}\n'
    '{"at": 11.0, "k6": 0.4, "waiting": 0.01}\n'
    '{"at": 12.0, "k6": 0.7, "waiting": 0.0, "stolen": 0.1}\n'
    '{"from": 12.0, "to": 13.0}\n'
)


def test_what_it_saw(tmp_path):
    path = tmp_path / "machine.jsonl"
    path.write_text(LINES + '{"ended": 14.0}\n')
    stalls = ((10.0, 10.5), (12.0, 13.0))
    assert witness.read(path) == Seen(stalls, busiest=0.7, waiting=0.01, stolen=0.1, whole=True)


def test_what_a_killed_witness_saw_is_not_lost(tmp_path):
    """The machine stood still, and the system is not to blame for that."""
    path = tmp_path / "machine.jsonl"
    for rest in ("", '{"from": 13.5, "t', '{"from": 13.5, "t\n{"ended": 14.0}\n', "\xff\xfe", "null\n"):
        path.write_bytes(LINES.encode() + rest.encode("latin-1"))
        found = witness.read(path)
        assert found.stalls == ((10.0, 10.5), (12.0, 13.0))
        assert found.busiest == 0.7
        assert not found.whole


def test_where_nobody_was_there_to_see_nothing_was_seen(tmp_path):
    assert witness.read(tmp_path / "machine.jsonl") == Seen()
    (tmp_path / "machine.jsonl").touch()
    assert witness.read(tmp_path / "machine.jsonl") == Seen()


def test_one_that_hangs_is_ended_by_force(tmp_path, monkeypatch):
    monkeypatch.setattr(witness, "_END", 0.1)
    with Witness(tmp_path / "machine.jsonl") as watching:
        pid = watching._process.pid
        os.kill(pid, signal.SIGSTOP)
    assert watching._process.returncode == -signal.SIGKILL
    assert not psutil.pid_exists(pid)


def test_it_says_when_it_ended(tmp_path):
    path = tmp_path / "machine.jsonl"
    with Witness(path, os.getpid()) as watching:
        while not path.exists():  # until then it does not watch its standard input either
            assert watching._process.poll() is None
    assert watching._process.returncode == 0
    assert witness.read(path).whole


def test_on_a_full_disk_it_ends_and_leaves_no_traceback(capfd):
    with Witness(Path("/dev/full")) as watching:
        assert watching._process.wait(10) == 1
    assert capfd.readouterr().err == ""
