"""What is said of this machine where it does not say it: other systems, no git, no words for a processor."""

from __future__ import annotations

import errno
import os
import platform
import socket
import sys
from pathlib import Path

import pytest

from verdict_harness.processes import Ports, command, ports, progress
from verdict_harness.record import digests, machine


def test_a_system_that_does_not_bind_processes_to_cores_has_all_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert machine.describe()["cores"] == os.cpu_count()


def test_a_processor_without_a_name_is_called_by_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_path: Path, **_: object) -> str:
        raise FileNotFoundError

    with monkeypatch.context() as patch:
        patch.setattr(machine.Path, "read_text", gone)
        assert machine._cpu() == (platform.processor() or platform.machine())


def test_what_is_not_installed_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_DISTRIBUTIONS", ("pytest", "no-such-distribution"))
    assert machine.versions() == {"pytest": pytest.__version__, "no-such-distribution": None}


def test_without_git_or_a_repository_there_is_no_commit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert machine.commit(tmp_path) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.commit(Path(__file__).parent) is None


def test_a_file_that_cannot_be_read_has_no_digest_and_keeps_the_others(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("x")
    found = digests.of_files([tmp_path / "there", tmp_path / "gone", tmp_path], tmp_path)
    assert list(found) == ["there"]


def test_a_signal_without_a_name_is_told_by_its_number() -> None:
    assert command._status(-9) == "SIGKILL"
    assert command._status(-77) == "signal 77"
    assert command._status(3) == "exit status 3"


def test_progress_goes_to_what_there_is_if_the_own_stream_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(_descriptor: int) -> int:
        raise OSError(errno.EBADF, "closed")

    with monkeypatch.context() as patch:
        patch.setattr(progress.os, "dup", closed)
        assert progress._own_stderr() is sys.stderr


def test_where_the_system_does_not_say_which_ports_it_hands_out_it_is_ianas_range(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(ports, "_EPHEMERAL", tmp_path / "none")
    assert ports._ephemeral() == range(49_152, 65_536)


def test_a_machine_without_ipv6_has_free_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket

    def without(family: int, kind: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "no such family")
        return real(family, kind)

    with real() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        monkeypatch.setattr(ports.socket, "socket", without)
        assert not ports._free(port)
    assert ports._free(port)


def test_the_lock_of_another_user_is_opened_for_reading_and_one_that_is_closed_to_us_is_no_port_of_ours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real, refused = os.open, []

    def theirs(path: Path, flags: int, *mode: int) -> int:
        if flags & os.O_CREAT:
            refused.append(path)
            raise PermissionError(errno.EACCES, "not yours", str(path))
        return real(path, flags, *mode)

    (tmp_path / "1234").touch()
    with Ports(tmp_path) as mine:
        monkeypatch.setattr(ports.os, "open", theirs)
        descriptor = mine._open(tmp_path / "1234")
        assert descriptor is not None
        os.close(descriptor)
        assert mine._open(tmp_path / "4321") is None, "and this one can't be opened at all"
        monkeypatch.undo()
    assert len(refused) == 2


def test_a_directory_that_another_run_removed_just_now_is_made_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real, gone = os.open, iter([True])

    def once(path: Path, flags: int, *mode: int) -> int:
        if next(gone, False):
            raise FileNotFoundError(errno.ENOENT, "gone", str(path))
        return real(path, flags, *mode)

    with Ports(tmp_path / "p") as mine:
        monkeypatch.setattr(ports.os, "open", once)
        descriptor = mine._open(tmp_path / "p" / "1234")
        assert descriptor is not None
        os.close(descriptor)
        monkeypatch.undo()
