from __future__ import annotations

import itertools

import pytest

from verdict_harness.errors import ServiceDied, WaitTimeout
from verdict_harness.processes import Pending, progress, until


@pytest.fixture
def told(monkeypatch):
    lines = []
    monkeypatch.setattr(progress, "status", lines.append)
    return lines


def test_returns_what_the_probe_returns_once_it_does():
    answers = iter([None, False, ""])
    assert until("a text", lambda: next(answers), timeout=5, interval=0.001) == ""


def test_a_timeout_names_what_was_awaited_for_how_long_and_what_was_last_seen():
    seen = itertools.chain(["refused"], itertools.repeat("503 Service Unavailable"))

    def probe():
        raise Pending(next(seen))

    with pytest.raises(WaitTimeout) as caught:
        until("the engine to be ready", probe, timeout=0.03, interval=0.01)
    message = str(caught.value)
    assert "waited 0.03 s in vain for the engine to be ready" in message
    assert "503 Service Unavailable" in message
    assert "refused" not in message


def test_a_timeout_without_anything_seen_says_so():
    with pytest.raises(WaitTimeout, match="nothing yet"):
        until("it", lambda: None, timeout=0.0)


def test_it_looks_once_even_without_time():
    assert until("it", lambda: "here", timeout=0.0) == "here"


def test_it_looks_again_when_the_time_is_up():
    looks = []

    def probe():
        looks.append(1)
        return "late" if len(looks) == 2 else None

    assert until("it", probe, timeout=0.01, interval=60) == "late"


def test_a_death_ends_the_wait_at_once():
    looks = []

    def alive():
        if len(looks) == 2:
            raise ServiceDied("engine a died", found="exit status 1")

    with pytest.raises(ServiceDied, match="engine a died"):
        until("it", lambda: looks.append(1), timeout=60, interval=0.001, alive=alive)
    assert len(looks) == 2


def test_other_errors_of_the_probe_are_not_waited_out():
    with pytest.raises(ZeroDivisionError):
        until("it", lambda: 1 / 0, timeout=60)


def test_ctrl_c_gets_through():
    def probe():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        until("it", probe, timeout=60)


def test_only_changes_are_told(told):
    seen = iter(["starting", "starting", "starting", "loading", "loading"])

    def probe():
        try:
            raise Pending(next(seen))
        except StopIteration:
            return "up"

    assert until("the broker", probe, timeout=5, interval=0.001) == "up"
    assert [line.rpartition(": ")[2] for line in told] == ["starting", "loading"]
    assert all(line.startswith("waiting for the broker (") for line in told)


def test_a_status_line_is_taken_away_only_if_there_was_one(monkeypatch, told):
    done = []
    monkeypatch.setattr(progress, "done", lambda: done.append(1))
    until("it", lambda: 1, timeout=1)
    assert done == []
    with pytest.raises(WaitTimeout):
        until("it", lambda: None, timeout=0.01, interval=0.001)
    assert (done, len(told)) == ([1], 1)


def test_who_waits_is_told_in_brief_and_who_waited_in_vain_at_length(told):
    def probe():
        raise Pending("engine: connection refused; broker: no answer within 1 s", "engine, broker")

    with pytest.raises(WaitTimeout, match="engine: connection refused; broker: no answer"):
        until("the services", probe, timeout=0.01, interval=0.001)
    assert told == ["waiting for the services (0 s): engine, broker"]
