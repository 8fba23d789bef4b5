"""Providing real programs: what is cached runs; what is built survives kills, rivals and spoilt input.

The long builds are not repeated here: a tiny Go program takes their path in seconds.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import zipfile
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.integration import tiny_program
from verdict_harness.errors import CommandError, ProgramError
from verdict_harness.processes import run, until
from verdict_harness.programs import NAMES, golang, locate, provide, wheels
from verdict_harness.programs.model import Making
from verdict_harness.programs.task import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port on which nothing listens, and on which nothing can begin to."""
    with closing(socket.socket()) as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@pytest.mark.parametrize("name", NAMES)
def test_a_program_is_here_and_is_what_it_says(name: str) -> None:
    program = provide(name)
    assert program == locate(name)
    if name == "kafka":
        assert list(program.path.glob("kafka_2.13-*.jar"))
        return
    words = {"k6": "version", "go": "version", "java": "-version"}.get(name, "--version")
    completed = run([program.path, words])
    assert program.version in completed.stdout + completed.stderr


def test_the_broker_starts_from_these_jars_on_this_java() -> None:
    kafka, java = provide("kafka"), provide("java")
    completed = run([java.path, "-cp", f"{kafka.path}/*", "kafka.Kafka", "--version"])
    assert kafka.version in completed.stdout


def test_what_is_needed_of_prometheus_was_not_built_out(tmp_path: Path) -> None:
    (tmp_path / "prometheus.yml").write_text(
        "scrape_configs:\n"
        "- job_name: a\n  static_configs: [{targets: ['127.0.0.1:1']}]\n"
        "- job_name: b\n  file_sd_configs: [{files: ['targets.json']}]\n"
    )
    run([provide("promtool").path, "check", "config", tmp_path / "prometheus.yml"])


def test_the_table_names_every_program() -> None:
    completed = run([sys.executable, "-m", "verdict_harness.programs"])
    for name in NAMES:
        program = locate(name)
        assert program is not None
        assert str(program.path) in completed.stdout
        assert program.version in completed.stdout


def test_a_script_can_ask_for_one_path() -> None:
    completed = run([sys.executable, "-m", "verdict_harness.programs", "--path", "prometheus"])
    assert completed.stdout == f"{provide('prometheus').path}\n"


def test_the_table_shows_a_wrong_variable_and_fails(tmp_path: Path) -> None:
    completed = run(
        [sys.executable, "-m", "verdict_harness.programs"], env={"K6": str(tmp_path / "absent")}, check=False
    )
    assert completed.status == 1
    assert "K6 does not name a k6 that can be used" in completed.stdout
    assert str(provide("kafka").path) in completed.stdout


# --- a tiny Go program ---


class Tiny:
    """The tiny program's proxy, pins and cache, and processes that provide it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.cache = root / "cache"
        tiny_program.write_proxy(root)
        self.env = {
            **os.environ,
            "VERDICT_HARNESS_CACHE": str(self.cache),
            "GO": str(provide("go").path),
            "GOPROXY": f"file://{root}/proxy",
            "GONOSUMDB": "*",
        }

    def start(self, *before: str, **env: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*before, sys.executable, str(HERE / "tiny_program.py"), str(self.root)],
            env={**self.env, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def provide(self, *before: str, **env: str) -> tuple[int, str, str]:
        process = self.start(*before, **env)
        out, err = process.communicate(timeout=300)
        return process.returncode, out, err

    def read_until(self, process: subprocess.Popen[str], text: str) -> str:
        """Return what a process says on standard error, up to ``text``."""
        said = ""
        while text not in said:
            line = process.stderr.readline()
            assert line, f"ended before {text!r}: {said}"
            said += line
        return said

    def processes(self) -> list[list[str]]:
        """The command lines of all processes that name this cache, as a compiler does with its output."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                words = process.cmdline()
                if any(str(self.cache) in word for word in words):
                    found.append(words)
        return found

    def entries(self) -> list[str]:
        return sorted(path.name for path in (self.cache / "entries").glob("*"))

    def left(self) -> list[Path]:
        """What lies in the cache though nothing is being made."""
        return [*(self.cache / "making").glob("*"), *(self.cache / "work").glob("*")]


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Tiny]:
    it = Tiny(tmp_path)
    yield it
    # Go's own children see that it is gone when they next write; then nothing is left
    until("the last compiler to end", lambda: not it.processes() or None, timeout=60)


def test_it_is_built_from_its_pins_and_what_it_was_built_with_is_removed(tiny: Tiny) -> None:
    status, out, err = tiny.provide()
    assert status == 0, err
    assert out.split()[1] == "1.2.3"
    assert run([out.split()[0]]).stderr == "tiny 1.2.3\n"
    assert "ready" in err
    assert len(tiny.entries()) == 1
    assert tiny.left() == []


def test_two_processes_at_once_build_it_once(tiny: Tiny) -> None:
    processes = [tiny.start(), tiny.start()]
    outcomes = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outcomes
    assert len({out for out, _ in outcomes}) == 1
    assert sum("is ready after" in err for _, err in outcomes) == 1
    assert sum("another process is busy with tiny" in err for _, err in outcomes) == 1
    assert len(tiny.entries()) == 1


def test_killed_in_mid_build_it_goes_on_where_it_was(tiny: Tiny) -> None:
    process = tiny.start()
    first = tiny.read_until(process, "status: compiling, 9 of")
    process.kill()
    process.communicate()
    assert tiny.entries() == []
    until("the orphaned compiler to end", lambda: not tiny.processes() or None, timeout=60)
    status, out, second = tiny.provide()
    assert status == 0, second
    assert run([out.split()[0]]).stderr == "tiny 1.2.3\n"
    assert to_compile(second) <= to_compile(first) - 8
    assert tiny.left() == []


def to_compile(said: str) -> int:
    """How many packages a try found that were not compiled yet."""
    return int(re.search(r"compiling (\d+) packages", said)[1])


def test_ctrl_c_ends_the_compiler_too(tiny: Tiny) -> None:
    process = tiny.start()
    tiny.read_until(process, "status: compiling, 2 of")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert tiny.entries() == []
    assert tiny.processes() == []
    assert list((tiny.cache / "making").glob("tiny-*")) == []


def test_a_module_with_other_content_is_refused(tiny: Tiny) -> None:
    archive = next((tiny.root / "proxy").rglob("*.zip"))
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr("example.test/tiny@v1.2.3/more.go", "package main\n")
    status, out, _ = tiny.provide()
    assert status == 1
    assert "tiny could not be built" in out
    assert "checksum mismatch" in out
    assert "don't update the pins" in out
    assert tiny.entries() == []


def test_a_closed_proxy_says_which_setting_to_look_at(tiny: Tiny, closed_port: int) -> None:
    for proxy in ("off", f"http://127.0.0.1:{closed_port}"):
        status, out, _ = tiny.provide(GOPROXY=proxy, NO_PROXY="127.0.0.1")
        assert status == 1
        assert "an answer from the registry" in out
        assert "GOPROXY" in out.split("to do:")[1]
        assert ("disabled by GOPROXY=off" if proxy == "off" else "connection refused") in out


@pytest.fixture
def repinned(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Make the tiny program's pins anew; returns where they are."""
    monkeypatch.setattr(golang, "PINS", tiny.root / "pins")
    for name in ("GOPROXY", "GONOSUMDB"):
        monkeypatch.setenv(name, tiny.env[name])

    def go(version: str = "v1.2.3") -> Path:
        scratch = tmp_path / "scratch"
        scratch.mkdir()
        module = "example.test/tiny"
        golang.repin(provide("go"), "tiny", f"{module}@{version}", (module,), scratch)
        return tiny.root / "pins" / "tiny"

    return go


def test_pins_made_anew_vouch_for_the_same_content(tiny: Tiny, repinned: Callable[..., Path]) -> None:
    pins = tiny.root / "pins" / "tiny"
    sums = sorted((pins / "go.sum").read_text().splitlines())
    (pins / "go.sum").unlink()
    assert sorted((repinned() / "go.sum").read_text().splitlines()) == sums
    said = (pins / "go.mod").read_text()
    assert "tool example.test/tiny\n" in said
    assert "require example.test/tiny v1.2.3" in said
    assert "\ngo 1.24.0\n" in said


def test_what_a_module_replaces_is_replaced_in_its_pins(tiny: Tiny, repinned: Callable[..., Path]) -> None:
    """Go heeds these words in the main module only, and the main module is that of the pins."""
    words = "require example.test/part v1.0.0\n\nreplace example.test/part => example.test/better v1.1.0\n"
    module = {
        "go.mod": f"module example.test/tiny\n\ngo 1.25.0\n\n{words}",
        "main.go": 'package main\n\nimport "example.test/part"\n\nfunc main() { println(part.Name) }\n',
    }
    better = {
        "go.mod": "module example.test/part\n\ngo 1.24.0\n",
        "part.go": 'package part\n\nconst Name = "better"\n',
    }
    tiny_program.serve(tiny.root / "proxy", "example.test/tiny", "v1.3.0", module)
    tiny_program.serve(tiny.root / "proxy", "example.test/better", "v1.1.0", better)
    pins = repinned("v1.3.0")
    said = (pins / "go.mod").read_text()
    assert "example.test/tiny v1.3.0" in said
    assert "replace example.test/part => example.test/better v1.1.0" in said
    assert "\ngo 1.25.0\n" in said
    assert "example.test/better v1.1.0 h1:" in (pins / "go.sum").read_text()


def test_pins_of_a_module_that_is_not_there_stay_as_they_were(
    tiny: Tiny, repinned: Callable[..., Path]
) -> None:
    pins = tiny.root / "pins" / "tiny"
    before = {path.name: path.read_text() for path in pins.iterdir()}
    with pytest.raises(CommandError) as caught:
        repinned("v9.9.9")
    assert "example.test/tiny@v9.9.9" in str(caught.value)
    assert "no such file" in caught.value.found
    assert {path.name: path.read_text() for path in pins.iterdir()} == before


WITHOUT_PRIVILEGE = """
import ctypes, os, sys
if os.geteuid() == 0:  # root writes where it may not unless it gives that up
    CAP_DAC_OVERRIDE, PR_CAPBSET_DROP = 1, 24
    assert ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="capabilities are Linux's")
def test_a_read_only_cache_serves_what_it_has_and_explains_what_it_cannot(tiny: Tiny) -> None:
    without = (sys.executable, "-c", WITHOUT_PRIVILEGE)
    tiny.cache.mkdir()
    tiny.cache.chmod(0o555)
    status, out, _ = tiny.provide(*without)
    assert status == 1
    assert "Permission denied" in out
    assert str(tiny.cache) in out
    assert "VERDICT_HARNESS_CACHE" in out
    tiny.cache.chmod(0o755)
    assert tiny.provide()[0] == 0
    for path in (tiny.cache, *(path for path in tiny.cache.rglob("*") if path.is_dir())):
        path.chmod(0o555)
    status, out, err = tiny.provide(*without)
    assert status == 0, out
    assert "status" not in err  # nothing had to be made
    for path in (tiny.cache, *(path for path in tiny.cache.rglob("*") if path.is_dir())):
        path.chmod(0o755)


# --- a tiny wheel ---


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel in a directory that is all pip may look at, and a pin for it."""
    path = tmp_path / "index" / "tiny_wheel-1.0-py3-none-any.whl"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny_wheel/program", "#!/bin/sh\necho tiny\n")
        archive.writestr(
            "tiny_wheel-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-wheel\nVersion: 1.0\n"
        )
        archive.writestr(
            "tiny_wheel-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("tiny_wheel-1.0.dist-info/RECORD", "")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    (tmp_path / "tiny.txt").write_text(f"tiny-wheel==1.0 --hash=sha256:{sha256}\n")
    monkeypatch.setattr(wheels, "PINS", tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(path.parent))
    return path


@pytest.fixture
def making(tmp_path: Path) -> Making:
    for name in ("made", "temporary", "work"):
        (tmp_path / name).mkdir()
    return Making(tmp_path / "made", tmp_path / "temporary", tmp_path / "work", Task("tiny"), provide)


@pytest.mark.usefixtures("wheel")
def test_a_wheel_is_installed(making: Making) -> None:
    wheels.install(making, "tiny.txt")
    assert (making.directory / "tiny_wheel" / "program").exists()


@pytest.mark.usefixtures("wheel")
def test_a_users_settings_for_pip_do_not_stand_in_the_way(
    making: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_USER", "1")
    monkeypatch.setenv("PIP_REQUIRE_VIRTUALENV", "1")
    wheels.install(making, "tiny.txt")
    assert (making.directory / "tiny_wheel" / "program").exists()


def test_a_wheel_with_other_content_is_refused(wheel: Path, making: Making) -> None:
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("tiny_wheel/more", "more")
    with pytest.raises(ProgramError) as caught:
        wheels.install(making, "tiny.txt")
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert found in caught.value.found
    assert "don't update the pins" in caught.value.todo
    assert list(making.directory.iterdir()) == []


def test_a_closed_index_says_which_setting_to_look_at(
    wheel: Path, making: Making, monkeypatch: pytest.MonkeyPatch, closed_port: int
) -> None:
    wheel.unlink()
    for name, value in (
        ("PIP_NO_INDEX", "0"),
        ("PIP_INDEX_URL", f"http://127.0.0.1:{closed_port}/simple"),
        ("PIP_RETRIES", "1"),
        ("NO_PROXY", "127.0.0.1"),
    ):
        monkeypatch.setenv(name, value)
    with pytest.raises(ProgramError) as caught:
        wheels.install(making, "tiny.txt")
    assert caught.value.expected == "an answer from the registry"
    assert "refused" in caught.value.found
    assert "PIP_INDEX_URL" in caught.value.todo


def test_a_wheel_is_pinned_by_the_content_that_each_platform_gets(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheels, "_PLATFORMS", ("manylinux_2_17_x86_64", "macosx_12_0_arm64"))
    wheels.repin("tiny.txt", "tiny-wheel", "1.0", tmp_path)
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    header, *words = (tmp_path / "tiny.txt").read_text().splitlines()
    assert header.startswith("# Written by")
    assert words == ["tiny-wheel==1.0 \\", f"    --hash=sha256:{sha256}"], "one wheel for both, named once"
    # each has its own, and musllinux none
    native = [wheel.with_name(f"tiny_wheel-1.0-py3-none-{platform}.whl") for platform in wheels._PLATFORMS]
    shutil.copyfile(wheel, native[0])
    wheel.rename(native[1])
    with zipfile.ZipFile(native[1], "a") as archive:
        archive.writestr("tiny_wheel/native", "native")
    monkeypatch.setattr(wheels, "_PLATFORMS", ("musllinux_1_2_x86_64", *wheels._PLATFORMS))
    wheels.repin("tiny.txt", "tiny-wheel", "1.0", tmp_path)
    assert re.findall(r"sha256:(\w+)", (tmp_path / "tiny.txt").read_text()) == [
        hashlib.sha256(path.read_bytes()).hexdigest() for path in native
    ]


def test_where_no_platform_has_a_wheel_the_pin_stays_as_it_was(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheels, "_PLATFORMS", ("manylinux_2_17_x86_64",))
    wheel.unlink()
    before = (tmp_path / "tiny.txt").read_text()
    with pytest.raises(ProgramError, match=r"no wheel of tiny-wheel 1\.0 was found") as caught:
        wheels.repin("tiny.txt", "tiny-wheel", "1.0", tmp_path)
    assert "No matching distribution" in caught.value.found
    assert "PIP_INDEX_URL" in caught.value.todo
    assert (tmp_path / "tiny.txt").read_text() == before
