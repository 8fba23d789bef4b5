"""What a person sees while something takes its time, on a terminal and in a log."""

import io
import re
import subprocess
import sys

import pytest

from verdict_harness.processes import progress
from verdict_harness.processes.progress import Reporter


class Screen(io.StringIO):
    """A terminal of a few lines that knows the sequences that are used, and what stands on it."""

    def __init__(self, rows=6, columns=40):
        super().__init__()
        self.rows, self.columns = rows, columns
        self.lines = [""] * rows
        self.row = self.column = 0
        self.saved = (0, 0)

    def isatty(self):
        return True

    def fileno(self):
        return 99

    def write(self, text):
        for part in re.findall(r"\x1b\[2K|\x1b\[A|\x1b.|[\r\n]|[^\x1b\r\n]+", text):
            self.take(part)
        return len(text)

    def take(self, part):
        if part == "\r":
            self.column = 0
        elif part == "\n":
            self.down()
            self.column = 0
        elif part == "\x1bD":
            self.down()
        elif part == "\x1bE":
            self.down()
            self.column = 0
        elif part == "\x1b[A":
            self.row = max(0, self.row - 1)
        elif part == "\x1b7":
            self.saved = self.row, self.column
        elif part == "\x1b8":
            self.row, self.column = self.saved
        elif part == "\x1b[2K":
            self.lines[self.row] = ""
        else:
            assert part[0] != "\x1b", f"unknown: {part!r}"
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[: self.column] + part + line[self.column + len(part) :]
            self.column += len(part)
            assert self.column < self.columns, "it wraps"

    def down(self):
        if self.row == self.rows - 1:
            self.lines = [*self.lines[1:], ""]
        else:
            self.row += 1

    @property
    def shown(self):
        return "\n".join(self.lines).rstrip()


@pytest.fixture
def screen(monkeypatch):
    screen = Screen()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress, "_columns", lambda _: screen.columns)
    return screen


def test_one_line_is_rewritten_and_then_gone(screen):
    reporter = Reporter(screen)
    reporter.status("A2: setting up")
    reporter.status("A2: 3 s")
    assert screen.shown == "A2: 3 s"
    reporter.say("a line that stays")
    reporter.status("A2: 4 s")
    assert screen.shown == "a line that stays\nA2: 4 s"
    reporter.done()
    reporter.done()
    assert screen.shown == "a line that stays"


def test_a_line_never_wraps(screen):
    Reporter(screen).status("x" * 300)
    assert screen.shown == "x" * 39


@pytest.mark.parametrize("lines_before", [0, 5, 20])
def test_a_line_that_somebody_else_left_unfinished_stays(screen, lines_before):
    reporter = Reporter(screen)
    screen.write("earlier\n" * lines_before)
    screen.write("test_a2.py ")
    reporter.beside()
    for second in range(3):
        reporter.status(f"A2: {second} s")
        assert screen.shown.endswith(f"test_a2.py \nA2: {second} s")
    reporter.done()
    screen.write(".")
    reporter.beside()
    reporter.status("stopping")
    assert screen.shown.endswith("test_a2.py .\nstopping")
    reporter.done()
    screen.write(" [100%]\n")
    assert screen.shown.endswith("test_a2.py . [100%]")


def test_what_stays_does_not_go_into_an_unfinished_line(screen):
    reporter = Reporter(screen)
    screen.write("test_a2.py .")
    reporter.beside()
    reporter.status("stopping")
    reporter.say("it stays up:")
    reporter.say("  engine 127.0.0.1:1")
    assert screen.shown == "test_a2.py .\nit stays up:\n  engine 127.0.0.1:1"


def test_a_status_line_is_gone_before_others_write(screen):
    reporter = Reporter(screen)
    screen.write("test_a2.py ")
    reporter.beside()
    reporter.status("A2: 1 s")
    reporter.beside()
    assert screen.shown == "test_a2.py"


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("verdict_harness.processes.progress.time.monotonic", lambda: now[0])
    return now


def test_a_log_gets_a_line_every_ten_seconds_and_one_at_each_beginning(clock):
    log = io.StringIO()
    reporter = Reporter(log)
    for second in range(25):
        reporter.status(f"A2: {second} s")
        clock[0] += 1
    reporter.done()
    reporter.status("stopping")
    assert log.getvalue().splitlines() == ["A2: 0 s", "A2: 10 s", "A2: 20 s", "stopping"]


def test_a_log_has_progress_on_lines_of_its_own(clock):
    log = io.StringIO()
    reporter = Reporter(log)
    log.write("test_a2.py ")
    reporter.beside()
    for second in range(12):
        reporter.status(f"A2: {second} s")
        clock[0] += 1
    reporter.done()
    log.write("..")
    reporter.beside()
    reporter.say("bye")
    assert log.getvalue() == "test_a2.py \nA2: 0 s\nA2: 10 s\n..\nbye\n"


def test_a_dumb_terminal_gets_no_sequences(screen, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    reporter = Reporter(screen)
    reporter.status("A2: 1 s")
    reporter.done()
    assert screen.lines[0] == "A2: 1 s"
    assert screen.row == 1


def test_nobody_listens_any_more():
    stream = io.StringIO()
    reporter = Reporter(stream)
    stream.close()
    reporter.status("A2: 1 s")
    reporter.say("bye")
    reporter.done()
    assert stream.closed


@pytest.mark.parametrize("how", ["before Python began", "since"])
def test_a_standard_error_that_is_closed_ends_nothing(how, tmp_path):
    """Another file may have its number by then, and is left alone."""
    program = """
import os, sys
if sys.argv[1] == "since":
    os.close(2)
else:
    assert os.open("other", os.O_WRONLY | os.O_CREAT) == 2
from verdict_harness.processes import progress
progress.say("bye")
progress.status("A2: 1 s")
progress.done()
print("went on")
"""
    words = ["sh", "-c", 'exec "$@"' + " 2>&-" * (how != "since"), "sh", sys.executable, "-c", program, how]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "went on\n")
    assert [path.read_text() for path in tmp_path.iterdir()] == ([""] if how != "since" else [])
