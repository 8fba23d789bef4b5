from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

import psutil
import pytest

from verdict_harness.errors import CommandError
from verdict_harness.processes import Cancelled, run, tail, until

if TYPE_CHECKING:
    from pathlib import Path


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def gone(pid: int) -> bool:
    """Whether a process has ended; waits, because a killed grandchild is reaped by init in its own time."""

    def ended() -> bool:
        try:
            return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    return until("its end", ended, timeout=30, interval=0.01)


PARENT_OF_A_SLEEPER = (
    "import subprocess, sys, time, pathlib;"
    "child = subprocess.Popen(['sleep', '60']);"
    "pathlib.Path(sys.argv[1]).write_text(str(child.pid));"
    "print('ready', file=sys.stderr, flush=True);"
    "time.sleep(60)"
)


def test_both_streams_status_and_words_come_back() -> None:
    completed = run(python("import sys; print('out'); print('err', file=sys.stderr)"))
    assert (completed.stdout, completed.stderr, completed.status) == ("out\n", "err\n", 0)
    assert completed.argv[0] == sys.executable
    assert completed.seconds > 0


def test_variables_are_added_to_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPT", "1")
    code = "import os; print(os.environ['KEPT'], os.environ['ADDED'])"
    assert run(python(code), env={"ADDED": "2"}).stdout == "1 2\n"


def test_it_runs_where_it_is_told_to(tmp_path: Path) -> None:
    assert run(python("import os; print(os.getcwd())"), cwd=tmp_path).stdout.strip() == str(
        tmp_path.resolve()
    )


def test_a_failure_shows_the_ends_of_both_streams() -> None:
    code = "import sys; [print('line', n) for n in range(100)]; print('reason', file=sys.stderr); sys.exit(3)"
    with pytest.raises(CommandError) as caught:
        run(python(code))
    text = str(caught.value)
    assert "exit status 3" in text
    assert "line 99" in text
    assert "line 50" not in text
    assert "reason" in text


def test_a_failure_may_be_wanted() -> None:
    assert run(python("raise SystemExit(3)"), check=False).status == 3


def test_a_signal_is_named() -> None:
    with pytest.raises(CommandError, match="SIGKILL"):
        run(python("import os; os.kill(os.getpid(), 9)"))


@pytest.mark.skipif(sys.platform != "linux", reason="signals without a name are Linux's")
def test_a_signal_that_has_no_name_has_its_number() -> None:
    with pytest.raises(CommandError, match="signal 40"):
        run(python("import os; os.kill(os.getpid(), 40)"))


def test_a_missing_program_says_which_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CommandError) as caught:
        run([tmp_path / "absent", "--flag"])
    assert "absent" in caught.value.what
    assert "--flag" in caught.value.where
    assert caught.value.todo


def test_a_program_that_is_still_being_written_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "program"
    writer = path.open("w")
    writer.write("#!/bin/sh\necho hello\n")
    path.chmod(0o755)
    closing = threading.Timer(0.05, writer.close)
    closing.start()
    assert run([path]).stdout == "hello\n"
    closing.join()


def test_much_output_on_both_streams_does_not_block() -> None:
    code = "import sys; [(print('x' * 1000), print('y' * 1000, file=sys.stderr)) for _ in range(500)]"
    completed = run(python(code))
    assert len(completed.stdout) == len(completed.stderr) == 500 * 1001


def test_bytes_that_are_no_text_do_not_hide_the_rest() -> None:
    assert "end" in run(python("import sys; sys.stdout.buffer.write(b'\\xff\\xfe end')")).stdout


def test_standard_input_is_empty() -> None:
    assert run(python("import sys; print(repr(sys.stdin.read()))")).stdout == "''\n"


def test_lines_arrive_while_the_program_runs(tmp_path: Path) -> None:
    flag = tmp_path / "seen"
    code = (
        "import sys, time, pathlib; print('go', file=sys.stderr, flush=True);"
        "flag = pathlib.Path(sys.argv[1]);"
        "[time.sleep(0.01) for _ in range(500) if not flag.exists()];"
        "sys.exit(0 if flag.exists() else 1)"
    )
    lines: list[str] = []

    def see(line: str) -> None:
        lines.append(line)
        flag.touch()

    assert run([*python(code), flag], on_line=see).status == 0
    assert lines == ["go"]


def test_a_timeout_ends_the_whole_group(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with pytest.raises(CommandError, match="did not end within"):
        run([*python(PARENT_OF_A_SLEEPER), pid], timeout=0.5)
    assert gone(int(pid.read_text()))


def test_cancelling_ends_the_whole_group(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    cancelled = threading.Event()
    with pytest.raises(Cancelled):
        run([*python(PARENT_OF_A_SLEEPER), pid], on_line=lambda _: cancelled.set(), cancelled=cancelled)
    assert gone(int(pid.read_text()))


def test_being_cancelled_after_the_end_changes_nothing() -> None:
    cancelled = threading.Event()
    cancelled.set()
    assert run(python("pass"), cancelled=threading.Event()).status == 0


def test_ctrl_c_ends_the_whole_group(tmp_path: Path) -> None:
    pid = tmp_path / "pid"

    def interrupt(_: str) -> None:
        signal.raise_signal(
            signal.SIGINT
        ) if threading.current_thread() is threading.main_thread() else os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run([*python(PARENT_OF_A_SLEEPER), pid], on_line=lambda _: os.kill(os.getpid(), signal.SIGINT))
    assert gone(int(pid.read_text()))


def test_a_grandchild_that_holds_the_streams_does_not_hold_us(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    code = (
        "import subprocess, sys, pathlib;"
        "child = subprocess.Popen(['sleep', '60']);"
        "pathlib.Path(sys.argv[1]).write_text(str(child.pid));"
        "print('said', flush=True)"
    )
    try:
        assert run([*python(code), pid]).stdout == "said\n"
    finally:
        os.kill(int(pid.read_text()), signal.SIGKILL)


def test_tail_drops_blank_lines_and_trailing_space() -> None:
    assert tail("a\n\n  \nb  \n") == "a\nb"
    assert tail("") == ""
