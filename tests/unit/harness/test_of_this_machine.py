"""What is said of a machine that does not say it: another system, no git, no words for its processor."""

from __future__ import annotations

import errno
import os
import platform
from pathlib import Path

import pytest

from verdict_harness.processes import Ports, ports
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
