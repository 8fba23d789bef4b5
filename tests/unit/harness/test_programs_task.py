from __future__ import annotations

import threading

import pytest

from verdict_harness.processes import Cancelled, progress
from verdict_harness.programs import task as module
from verdict_harness.programs.task import Task, shown


def test_a_line_says_what_for_how_long_and_how_long_it_usually_takes() -> None:
    task = Task("k6")
    assert task.line() == ""
    task.begin(130)
    task.status("compiling, 812 of 1530 packages")
    assert task.line() == "k6: compiling, 812 of 1530 packages, 0 s of about 2 min"


def test_several_tasks_share_the_status_line(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    both = threading.Event()

    def status(text: str) -> None:
        seen.append(text)
        if " · " in text:
            both.set()

    monkeypatch.setattr(module, "_REFRESH", 0.005)
    monkeypatch.setattr(progress, "status", status)
    one, other = Task("one"), Task("other")
    one.status("downloading")
    other.status("compiling")
    with shown(one), shown(other):
        assert both.wait(5)
    assert "one: downloading, 0 s · other: compiling, 0 s" in seen


def test_the_status_line_is_cleared_at_the_end_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    shown_once = threading.Event()

    def status(text: str) -> None:
        events.append(text)
        shown_once.set()

    monkeypatch.setattr(module, "_REFRESH", 0.005)
    monkeypatch.setattr(progress, "status", status)
    monkeypatch.setattr(progress, "done", lambda: events.append("done"))
    for _ in range(3):
        shown_once.clear()
        task = Task("one")
        task.status("busy")
        with shown(task):
            assert shown_once.wait(5)
        assert events[-1] == "done"  # and nothing is written after it


def test_a_cancelled_task_ends_at_its_next_check() -> None:
    cancelled = threading.Event()
    task = Task("one", cancelled)
    task.check()
    cancelled.set()
    with pytest.raises(Cancelled):
        task.check()
    with pytest.raises(Cancelled):
        task.run(["sleep", "30"])
