"""A load is watched while it is on: deaths, actions that fail or never come, a k6 that does not end."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from verdict_harness.errors import HarnessError, InstrumentDied, LoadError, ServiceDied
from verdict_harness.loads import requests, runner
from verdict_harness.loads.orders import Orders
from verdict_harness.loads.raw import Raw, Request


class K6:
    """Ends after so many looks, or never; once it was interrupted it obeys, or does not."""

    def __init__(self, looks: float, *, obeys: bool = True) -> None:
        self.left = looks
        self.obeys = obeys
        self.interrupted = False

    def ended(self, _timeout: float) -> bool:
        if self.interrupted:
            return self.obeys
        self.left -= 1
        return self.left < 0

    def begun(self) -> bool:
        return True

    def interrupt(self) -> None:
        self.interrupted = True


def watched(k6: K6, check: Any = lambda: None, *, limit: float = 60.0, actions: Any = ()) -> runner._Run:
    run = runner._Run(SimpleNamespace(check=check), limit, list(actions))  # type: ignore[arg-type]
    run.watch(k6)  # type: ignore[arg-type]
    return run


def told(run: runner._Run) -> list[tuple[str, str]]:
    return [(one.text, one.instrument) for one in run.trouble]


def raises(error: Exception, *, at: int = 1) -> Any:
    looks = iter(range(1_000))

    def check() -> None:
        if next(looks) >= at - 1:
            raise error

    return check


def test_a_load_that_ends_by_itself_leaves_nothing_to_say() -> None:
    run = watched(K6(3))
    assert (told(run), run.died) == ([], "")


def test_an_action_that_fails_is_trouble_and_the_load_goes_on() -> None:
    def fails() -> None:
        raise HarnessError("it did not bite")

    ran = []
    run = watched(K6(3), actions=[(0.0, fails), (0.0, lambda: ran.append(1))])
    ((text, whose),) = told(run)
    assert "at 0 s: it did not bite" in text
    assert whose == "what was to happen"
    assert ran == [1]


def test_an_action_whose_time_never_came_is_told() -> None:
    run = watched(K6(2), actions=[(90.0, lambda: None)])
    assert told(run) == [("what was to happen 90 s into the load never did", "what was to happen")]


def test_a_load_without_end_is_interrupted() -> None:
    k6 = K6(float("inf"))
    run = watched(k6, limit=-1.0)
    assert k6.interrupted
    assert told(run) == [("it did not end within -1 s", "k6")]


def test_a_k6_that_does_not_end_when_it_is_told_to_is_trouble_of_its_own() -> None:
    run = watched(K6(float("inf"), obeys=False), limit=-1.0)
    assert ("k6 did not end within 45 s of being interrupted", "k6") in told(run)


@pytest.mark.parametrize("at", [1, 3], ids=["in mid-load", "at its end"])
def test_a_service_that_dies_ends_the_load_and_is_the_systems_own(at: int) -> None:
    k6 = K6(2)
    before = time.time()
    run = watched(k6, raises(ServiceDied("the engine is gone"), at=at))
    assert "the engine is gone" in run.died
    assert run.died_at is not None
    assert run.died_at >= before
    assert told(run) == [], "no instrument's trouble"
    assert k6.interrupted == (at == 1)


@pytest.mark.parametrize("at", [1, 3], ids=["in mid-load", "at its end"])
def test_an_instrument_that_dies_is_no_death_of_the_system(at: int) -> None:
    run = watched(K6(2), raises(InstrumentDied("Prometheus is gone"), at=at))
    ((text, whose),) = told(run)
    assert "Prometheus is gone" in text
    assert whose == "what watches the system"
    assert run.died == ""


def window(raw: Raw, settle: float = 0.0) -> Any:
    return runner._window(raw, Orders(1000.0, (), None, 0, ()), None, (1000.0, 1030.0), settle)


def asked(*ends: float) -> Raw:
    raw = Raw([Request(end, 100.0, 200) for end in ends])
    raw.spans = [(end - 0.1, end) for end in ends]
    return raw


def test_samples_of_the_time_in_which_it_ran_are_its_own() -> None:
    whole, judged, found = window(asked(1001.0, 1021.0), settle=10.0)
    assert found == []
    assert (whole.start, whole.end) == (pytest.approx(1000.9), 1021.0)
    assert judged.start == pytest.approx(1010.9)


@pytest.mark.parametrize("ends", [(1001.0, 1040.0), (901.0, 1020.0)], ids=["from later", "from before"])
def test_samples_of_another_time_are_another_loads(ends: tuple[float, ...]) -> None:
    *_, found = window(asked(*ends))
    assert [(one.instrument, one.against) for one in found] == [("k6", "ANY")]
    assert "they are another's" in found[0].text


def test_a_load_that_ends_before_anything_is_judged() -> None:
    whole, judged, found = window(asked(1001.0, 1004.0), settle=10.0)
    assert judged == whole
    assert [one.against for one in found] == ["PASS"]
    assert "within the 10 s that are not judged" in found[0].text


def test_requests_of_damaged_samples_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadError) as refused:
        requests(tmp_path, {})
    assert "k6 left no raw samples" in refused.value.found
    assert refused.value.where == str(tmp_path)
