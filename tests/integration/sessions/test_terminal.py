"""What a person sees of a session, on a terminal and in a log, and Ctrl-C as a person types it."""

import fcntl
import os
import pty
import re
import struct
import termios
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

COLUMNS = 120


@dataclass
class Terminal:
    """A terminal, and everything that was ever written on it."""

    ours: int
    theirs: int
    written: list[bytes] = field(default_factory=list)

    @property
    def text(self) -> str:
        return b"".join(self.written).decode()

    def read(self) -> None:
        try:
            while data := os.read(self.ours, 65536):
                self.written.append(data)
        except OSError:  # the last process on it has ended
            return


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    terminal = Terminal(*pty.openpty())
    fcntl.ioctl(terminal.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
    reader = threading.Thread(target=terminal.read, daemon=True)
    reader.start()
    yield terminal
    os.close(terminal.theirs)
    reader.join(10)
    os.close(terminal.ours)


SECONDS = r"(\d+ s|\d+:\d\d min)"
FIGURES = rf"A2: {SECONDS}, {SECONDS} to go \| \d+\.\d requests/s, p99 \d+\.\d ms, errors 0\.0%"


def long(a2):
    a2["stages"][0]["length_s"] = {"quick": 120}


def test_a_terminal_shows_what_runs_and_ctrl_c_ends_it(little, terminal):
    running = little.start(profile=long, terminal=terminal.theirs)
    running.until("figures of the load", lambda: len(re.findall(FIGURES, terminal.text)) >= 4)
    os.write(terminal.ours, b"\x03")
    ended = running.end()
    assert ended.status == 2, terminal.text
    assert set(ended.verdicts.values()) == {"INCONCLUSIVE"}
    shown = terminal.text
    # which of the two is still awaited at the first look, chance says: either may be quick
    assert re.search(r"waiting for the services \(\d+ s\): (me-shard-a|prometheus)", shown)
    assert re.search(r"waiting for Prometheus to scrape every target \(\d+ s\): me-shard-a\x1b", shown)
    assert "verdicts" in shown
    assert "interrupted" in shown
    # 17/s are offered, from the first figure on
    assert all(12 <= float(rate) <= 22 for rate in re.findall(r"\| (\S+) requests/s", shown))
    statuses = re.findall(r"\x1bE\x1b\[2K([^\x1b]*)\x1b8", shown)
    assert max(map(len, statuses)) < COLUMNS
    assert "Traceback" not in shown
    # the status line is taken away in the end: the last thing on it is nothing
    assert shown.rindex("\x1b7\x1bE\x1b[2K\x1b8") > shown.rindex("to go")


def test_a_log_gets_lines_now_and_then(little):
    running = little.start(profile=lambda a2: a2["stages"][0].update(length_s={"quick": 24}))
    ended = running.end()
    assert ended.status == 0, ended.text
    assert "\x1b" not in ended.text
    lines = ended.text.splitlines()
    assert 2 <= len([line for line in lines if re.fullmatch(rf"A2: {SECONDS}, {SECONDS} to go.*", line)]) <= 3
    assert any(re.fullmatch(FIGURES, line) for line in lines)
    assert any(line.startswith("waiting for the services (0 s): ") and len(line) < 80 for line in lines)
