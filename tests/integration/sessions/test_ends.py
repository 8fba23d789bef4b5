"""However a session is ended, nothing of it survives, and what it learnt is on disk."""

import os
import signal
import time
from typing import Any

import pytest

from verdict_harness.processes import until

NAMES = ("little.match", "little.client", "little.errors", "little.matches")
USAGE_ERROR, INTERRUPTED = 4, 2


def in_mid_load(running: Any) -> None:
    running.until_orders()


def while_it_starts(running: Any) -> None:
    running.until("Prometheus", lambda: running.find("prometheus"))


def after_the_load(running: Any) -> None:
    running.until_loaded()


def interrupt(running: Any) -> None:
    running.process.send_signal(signal.SIGINT)


def interrupt_the_group(running: Any) -> None:
    os.killpg(running.process.pid, signal.SIGINT)


def interrupt_twice(running: Any) -> None:
    running.process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    running.process.terminate()  # as a parent does that loses its patience


def terminate(running: Any) -> None:
    running.process.terminate()


@pytest.mark.parametrize(
    ("when", "how"),
    [
        (in_mid_load, interrupt),
        (in_mid_load, interrupt_the_group),
        (in_mid_load, interrupt_twice),
        (in_mid_load, terminate),
        (while_it_starts, interrupt),
        (while_it_starts, interrupt_twice),
        (after_the_load, interrupt),
    ],
)
def test_a_session_that_is_stopped_ends_in_order(little, when, how):
    running = little.start()
    when(running)
    how(running)
    ended = running.end()
    assert ended.status == INTERRUPTED, ended.text
    assert ended.verdicts == dict.fromkeys(NAMES, "INCONCLUSIVE")
    assert {reason.partition(" (otherwise")[0] for reason in ended.reasons.values()} == {"interrupted"}
    assert set(ended.cases) == set(NAMES)
    assert all(tags == ["error"] for tags in ended.cases.values())
    assert {path.name for path in ended.run.iterdir()} >= {"run.json", "manifest.json", "report.html"}
    assert "interrupted" in ended.text
    if when is in_mid_load:  # what k6 had measured by then, k6 has written
        assert (ended.run / "loads" / "A2" / "summary.json").stat().st_size > 0
        assert ended.read("loads/A2/load.json")["requests"] > 0
    again = little.again(running)
    assert again.status == 10, again.text
    assert again.read("verdict.rejudged.json")["verdict"] == "INCONCLUSIVE"


def kill(running: Any) -> None:
    running.process.kill()


def interrupt_three_times(running: Any) -> None:
    for _ in range(3):
        running.process.send_signal(signal.SIGINT)
        time.sleep(0.1)  # two at the same time would be one


@pytest.mark.parametrize(("how", "number"), [(kill, signal.SIGKILL), (interrupt_three_times, signal.SIGINT)])
def test_a_session_that_is_killed_leaves_no_process_and_no_pass(little, how, number):
    running = little.start()
    running.until_orders()
    assert running.find("-m", "engine")
    assert running.find("k6", "run")
    how(running)
    until("the guards to end everything", lambda: not running.survivors(), timeout=120)
    ended = running.end()
    assert ended.status == -number
    assert "Traceback" not in ended.text
    assert ended.verdicts == dict.fromkeys(NAMES, "INCONCLUSIVE")
    assert set(ended.reasons.values()) == {"not judged: the run has not ended, or was killed"}
    again = little.again(running)
    assert again.status == USAGE_ERROR
    assert "a run that was killed has to be run again" in again.text
