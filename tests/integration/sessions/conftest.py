"""Whole sessions of pytest on a real engine, k6 and Prometheus, as a person would run them."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests import verdict_schema
from verdict_harness.processes import Answer, Pending, ask, until, wait

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
NORMAL = {"patience": 5.0, "metrics_port": "metrics", "env": {}, "limit_us": 0, "bad_questions": False}
LOAD = 6  # seconds
ON_TERMINAL = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that Ctrl-C in it is a signal
import runpy
runpy.run_module("pytest", run_name="__main__", alter_sys=True)
"""
MOST = 300.0  # seconds that any session may take before it counts as stuck


@dataclass
class Ended:
    """A session that is over, and what it left."""

    status: int
    text: str
    run: Path

    def read(self, name: str = "verdict.json") -> Any:
        path = self.run / name
        return verdict_schema.read(path) if name.startswith("verdict") else json.loads(path.read_text())

    @property
    def verdicts(self) -> dict[str, str]:
        return {entry["id"]: entry["verdict"] for entry in self.read()["criteria"]}

    @property
    def reasons(self) -> dict[str, str]:
        return {entry["id"]: entry["reason"] for entry in self.read()["criteria"]}

    @property
    def load(self) -> dict[str, Any]:
        """The load as it is on record."""
        (path,) = (self.run / "facts").glob("load-a2-*.json")
        return dict(json.loads(path.read_text())["answer"])

    @property
    def wrong(self) -> str:
        """All that is wrong with the load as it is on record, whatever was concluded from it."""
        load = self.load["load"]
        return "\n".join([load["died"], *(one["text"] for one in load["trouble"]), *load["errors"]])

    @property
    def cases(self) -> dict[str, list[str]]:
        """What JUnit XML has inside of each criterion's test case, properties aside."""
        return {
            str(found.get("value")): [
                child.tag for child in case if child.tag in ("error", "failure", "skipped")
            ]
            for case in ET.parse(self.run / "junit.xml").getroot().iter("testcase")
            for found in case.iterfind("properties/property[@name='criterion']")
        }

    def check(self, verdicts: Mapping[str, str]) -> None:
        """Check the verdicts, and that exit status and JUnit XML say the same."""
        assert self.verdicts == verdicts, self.text
        worst = next(one for one in ("FAIL", "INCONCLUSIVE", "PASS") if one in verdicts.values())
        assert self.read()["verdict"] == worst
        assert self.status == {"PASS": 0, "INCONCLUSIVE": 10, "FAIL": 1}[worst], self.text
        tags = {"PASS": [], "INCONCLUSIVE": ["error"], "FAIL": ["failure"]}
        assert self.cases == {name: tags[verdict] for name, verdict in verdicts.items()}


@dataclass
class Running:
    """A session that is on."""

    folder: Path
    process: subprocess.Popen[bytes]
    output: Path
    seen: dict[int, psutil.Process] = field(default_factory=dict)

    @property
    def run(self) -> Path:
        """The run's folder, which must be the only one."""
        (run,) = (path for path in (self.folder / "runs").iterdir() if not path.is_symlink())
        return run

    def below(self) -> list[psutil.Process]:
        """Every process below it now."""
        with contextlib.suppress(psutil.NoSuchProcess):
            for one in psutil.Process(self.process.pid).children(recursive=True):
                self.seen[one.pid] = one
        return [one for one in self.seen.values() if one.is_running()]

    def find(self, *words: str) -> psutil.Process | None:
        """Return the process below it that was started with these words, if there is one."""
        for one in self.below():
            with contextlib.suppress(psutil.Error):
                line = one.cmdline()
                # one that is being started, or is gone already, has no command line
                if line and all(word in line or word == Path(line[0]).name for word in words):
                    return one
        return None

    def until(self, what: str, true: Callable[[], object]) -> None:
        def look() -> object:
            self.below()
            return true() or None

        until(what, look, timeout=MOST, interval=0.05, alive=wait.running(self.process, self.output))

    def until_orders(self, number: int = 20) -> psutil.Process:
        """Wait until the engine has got so many orders; return its process."""

        def received(answer: Answer) -> float:
            lines = answer.text.splitlines()
            return sum(float(one.split()[-1]) for one in lines if one.startswith("me_orders_received_total"))

        def got() -> bool:
            engine = self.find("-m", "engine")
            try:
                port = engine.environ().get("METRICS_PORT") if engine else None
            except psutil.Error:
                return False
            return port is not None and ask(f"http://127.0.0.1:{port}/metrics", received) >= number

        self.until(f"{number} orders", got)
        engine = self.find("-m", "engine")
        assert engine is not None
        return engine

    def until_loaded(self) -> psutil.Process:
        """Wait until the load is over and nothing was asked yet; return Prometheus' process."""
        self.until("the end of the load", lambda: [*(self.folder / "runs").glob("2*/loads/A2/load.json")])
        prometheus = self.find("prometheus")
        assert prometheus is not None
        return prometheus

    def end(self) -> Ended:
        """Wait for its end, and see to it that nothing survives it."""

        def over() -> bool:
            self.below()
            if self.process.poll() is None:
                raise Pending(self.output.read_text(), "it runs")
            return True

        until("the session to end", over, timeout=MOST, interval=0.05)
        assert self.survivors() == []
        return Ended(self.process.returncode, self.output.read_text(), self.run)

    def survivors(self) -> list[str]:
        """Every process of it, or at work in its folder, that is still there."""
        found = {one.pid: one for one in self.below()}
        for one in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if one.pid != os.getpid() and str(self.folder) in " ".join([*one.cmdline(), one.cwd()]):
                    found[one.pid] = one
        told = []
        for one in found.values():
            with contextlib.suppress(psutil.NoSuchProcess):
                if one.status() != psutil.STATUS_ZOMBIE:
                    told.append(f"{one.pid} {' '.join(one.cmdline())}")
        return told


class Little:
    """Starts sessions on the little exchange, each in a folder of its own below ``tmp_path``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.started: list[Running] = []

    def start(
        self,
        *,
        script: Callable[[str], str] = lambda text: text,
        profile: Callable[[dict[str, Any]], object] = lambda _: None,
        words: tuple[str, ...] = (),
        terminal: int | None = None,
        **case: object,
    ) -> Running:
        """Start one.

        Args:
            script: changes the text of the k6 script.
            profile: changes A2's entry of ``profiles.json``, already short, in place.
            words: for pytest.
            terminal: file descriptor of the terminal that it runs on; what it says goes to a file if none.
            case: what is different, see ``little_exchange.py``.
        """
        folder = self._folder / f"session-{len(self.started)}"
        folder.mkdir()
        shutil.copy(HERE / "little_exchange.py", folder / "conftest.py")
        shutil.copy(HERE / "little_criteria.py", folder / "test_little.py")
        shutil.copytree(ROOT / "k6", folder / "k6")
        (folder / "case.json").write_text(json.dumps(NORMAL | case))
        # an import that Ctrl-C ends leaves the file open that it was reading
        warnings = "error\n    ignore:unclosed file:ResourceWarning"
        (folder / "pytest.ini").write_text(
            f"[pytest]\nfilterwarnings = {warnings}\naddopts = --strict-markers -p no:randomly\n"
        )
        path = folder / "k6" / "lib" / "profiles.json"
        profiles = json.loads(path.read_text())
        profiles["experiments"]["A2"]["stages"][0]["length_s"] = {"quick": LOAD}
        profile(profiles["experiments"]["A2"])
        path.write_text(json.dumps(profiles))
        path = folder / "k6" / profiles["experiments"]["A2"]["script"]
        path.write_text(script(path.read_text()))
        process = self._popen(folder, "--profile", "quick", *words, terminal=terminal)
        running = Running(folder, process, folder / "output.txt")
        self.started.append(running)
        return running

    def again(self, running: Running) -> Ended:
        """Judge its stored run again, with nothing running."""
        process = self._popen(running.folder, "--judge", "runs/latest", output="again.txt")
        status = process.wait(MOST)
        return Ended(status, (running.folder / "again.txt").read_text(), running.run)

    def check_again(self, running: Running) -> None:
        """Check that the same comes of it when it is judged again."""
        again = self.again(running)
        assert again.status == running.process.returncode, again.text
        assert "the same verdict as recorded" in again.text
        assert again.read("verdict.rejudged.json")["criteria"] == again.read()["criteria"]

    def _popen(
        self, folder: Path, *words: str, output: str = "output.txt", terminal: int | None = None
    ) -> subprocess.Popen[bytes]:
        # what the session of these tests was told is not for the sessions in it
        mine = {
            key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "HARNESS_"))
        }
        with (folder / output).open("wb") as file:
            out = file.fileno() if terminal is None else terminal
            return subprocess.Popen(
                [sys.executable, *(("-c", ON_TERMINAL) if terminal else ("-m", "pytest")), *words],
                cwd=folder,
                env={**mine, "TERM": "xterm", "COLUMNS": "", "LINES": ""},
                stdin=subprocess.DEVNULL if terminal is None else terminal,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )


@pytest.fixture
def little(tmp_path: Path) -> Iterator[Little]:
    """Starts sessions; what still runs of them at the end of the test is ended."""
    little = Little(tmp_path)
    yield little
    for running in little.started:
        below = running.below()
        if running.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.process.pid, signal.SIGKILL)
            running.process.wait()
            psutil.wait_procs(below, timeout=30)  # the guards see to it
        for one in running.below():
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
