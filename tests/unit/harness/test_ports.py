"""Ports are reserved for one holder at a time."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from verdict_harness.errors import HarnessError
from verdict_harness.processes import Ports, ports


@pytest.fixture
def one_port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Narrow the range to a single free port, locked machine-wide as long as the test needs it."""
    with Ports() as machine_wide:
        port = machine_wide.reserve()
        monkeypatch.setattr(ports, "_FIRST", port)
        monkeypatch.setattr(ports, "_LAST", port)
        yield port


def test_each_port_once(tmp_path: Path) -> None:
    with Ports(tmp_path / "p") as mine, Ports(tmp_path / "p") as yours:
        got = [holder.reserve() for _ in range(20) for holder in (mine, yours)]
    assert len(set(got)) == 40


def test_outside_the_ephemeral_range(tmp_path: Path) -> None:
    with Ports(tmp_path / "p") as mine:
        assert mine.reserve() not in ports._ephemeral()


def test_held_by_another(one_port: int, tmp_path: Path) -> None:
    with Ports(tmp_path / "p") as mine, Ports(tmp_path / "p") as yours:
        assert mine.reserve() == one_port
        with pytest.raises(HarnessError, match="no free port"):
            yours.reserve()
        mine.release()
        assert yours.reserve() == one_port


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_stranger_listens(one_port: int, tmp_path: Path, host: str) -> None:
    with socket.socket() as stranger, Ports(tmp_path / "p") as mine:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.bind((host, one_port))
        stranger.listen()
        with pytest.raises(HarnessError, match="no free port"):
            mine.reserve()
        stranger.close()
        assert mine.reserve() == one_port


def test_nothing_stays_behind(tmp_path: Path) -> None:
    directory = tmp_path / "p"
    with Ports(directory) as mine:
        port = mine.reserve()
        assert [path.name for path in directory.iterdir()] == [str(port)]
    assert not directory.exists()


def test_kept_for_whoever_inherited_it(one_port: int, tmp_path: Path) -> None:
    mine = Ports(tmp_path / "p")
    heir = os.dup(mine.descriptor(mine.reserve()))
    mine.keep()
    with Ports(tmp_path / "p") as yours:
        with pytest.raises(HarnessError, match="no free port"):
            yours.reserve()
        yours.tidy([one_port])
        assert (tmp_path / "p" / str(one_port)).exists()
        os.close(heir)
        yours.tidy([one_port])
        assert not (tmp_path / "p").exists()
        assert yours.reserve() == one_port


def test_a_lock_on_a_removed_file_is_none(
    one_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between our open and our lock, the holder removes the file and a third makes it anew."""
    directory = tmp_path / "p"
    with Ports(directory) as mine, Ports(directory) as yours:
        real = Ports._open
        taken = []

        def slow(self: Ports, path: Path) -> int | None:
            descriptor = real(self, path)
            if self is yours and not taken:
                path.unlink()
                taken.append(mine.reserve())
            return descriptor

        monkeypatch.setattr(Ports, "_open", slow)
        with pytest.raises(HarnessError, match="no free port"):
            yours.reserve()
        assert taken == [one_port]


def test_the_one_that_is_wished_if_it_is_free(tmp_path: Path) -> None:
    with Ports(tmp_path / "p") as mine, Ports(tmp_path / "p") as yours:
        free = mine.reserve()
        mine.release()
        assert mine.reserve(free) == free
        assert yours.reserve(free) != free


def test_a_lock_file_that_may_only_be_read_locks_as_well(
    one_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where another user made it, in a directory in which the kernel protects such files."""
    real = os.open

    def protected(path: os.PathLike[str], flags: int, *mode: int) -> int:
        if flags & os.O_CREAT:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, flags, *mode)

    (tmp_path / "p").mkdir()
    (tmp_path / "p" / str(one_port)).touch()
    monkeypatch.setattr(ports.os, "open", protected)
    with Ports(tmp_path / "p") as mine, Ports(tmp_path / "p") as yours:
        assert mine.reserve() == one_port
        with pytest.raises(HarnessError, match="no free port"):
            yours.reserve()


@pytest.mark.usefixtures("one_port")
def test_a_lock_file_that_may_not_even_be_read_is_somebody_elses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: os.PathLike[str], *_: int) -> int:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with Ports(tmp_path / "p") as mine:
        monkeypatch.setattr(ports.os, "open", refused)
        with pytest.raises(HarnessError, match="no free port"):
            mine.reserve()


@pytest.mark.parametrize("number", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL])
def test_a_machine_without_ipv6_has_ports_too(
    one_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    class WithoutIPv6(socket.socket):
        def bind(self, address: tuple[str, int]) -> None:
            if self.family == socket.AF_INET6:
                raise OSError(number, os.strerror(number))
            super().bind(address)

    monkeypatch.setattr(ports.socket, "socket", WithoutIPv6)
    with Ports(tmp_path / "p") as mine:
        assert mine.reserve() == one_port


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("32768\t60999\n", range(32_768, 61_000)),
        ("", range(49_152, 65_536)),
        (None, range(49_152, 65_536)),
    ],
)
def test_the_ephemeral_range_is_the_kernels_or_that_of_iana(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str | None, found: range
) -> None:
    path = tmp_path / "ip_local_port_range"
    if said is not None:
        path.write_text(said)
    monkeypatch.setattr(ports, "_EPHEMERAL", path)
    assert ports._ephemeral() == found
