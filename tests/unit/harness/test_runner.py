"""What may go wrong around a load, with a stand-in for k6 that leaves what k6 leaves; each is its trouble."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from tests.raw_samples import request, row, written
from verdict_harness.errors import FaultError, InstrumentDied, LoadError, ServiceDied
from verdict_harness.loads import requests, run_load, runner
from verdict_harness.samples import Trouble
from verdict_harness.systems import Brief, Remains

TAGS = {"name": "order"}


@dataclass
class K6:
    """A place for k6, and the k6 in it.

    Attributes:
        looks: how often somebody looks before it has ended.
        stubborn: whether it goes on when it is interrupted.
        ctrl_c: whether whoever ran it presses Ctrl-C at the first look.
        since: seconds ago when its requests were answered.
        place: what went wrong with the place.
    """

    looks: int = 3
    stubborn: bool = False
    ctrl_c: bool = False
    since: float = 0.0
    place: tuple[str, ...] = ()
    told: list[str] = field(default_factory=list)
    brief: Brief | None = None

    @contextmanager
    def start(self, brief: Brief) -> Iterator[K6]:
        self.brief = brief
        yield self

    def ended(self, timeout: float) -> bool:
        if self.ctrl_c:
            self.ctrl_c = False
            raise KeyboardInterrupt
        time.sleep(min(timeout, 0.01))
        self.looks -= 1
        return self.looks < 0

    def begun(self) -> bool:
        return True

    def interrupt(self) -> None:
        self.told.append("interrupt")
        self.looks = 10**6 if self.stubborn else 0

    def collect(self) -> Remains:
        tagged = {"extra": f"testid={self.brief.testid}"}
        at = time.time() - self.since
        iteration = row("iterations", at, 1, **tagged)
        written(
            self.brief.directory,
            [line for n in range(3) for line in (*request(at - n / 100, 1.0, **tagged), iteration)],
        )
        counts = {name: {"count": 3} for name in ("http_reqs", "iterations")}
        self.brief.summary.write_text(json.dumps({"metrics": counts}))
        return Remains(0, trouble=self.place)


@dataclass
class Deployed:
    """A system that is up until ``death`` is found at the look ``at``, from 0."""

    generator: K6
    death: Exception | None = None
    at: int = 0
    prometheus: str = "http://127.0.0.1:1"

    def check(self) -> None:
        self.at -= 1
        if self.death is not None and self.at < 0:
            raise self.death


@pytest.fixture
def run(tmp_path):
    script = tmp_path / "script.js"
    script.touch()

    def go(k6, *, death=None, at=0, seconds=1.0, actions=(), settle=0.0):
        return run_load(
            Deployed(k6, death, at),
            script,
            name="L",
            testid="run/L",
            directory=tmp_path / "load",
            seconds=seconds,
            settle=settle,
            planned=3,
            tags=TAGS,
            actions=actions,
        )

    return go


def test_a_load_that_ended_as_it_should_has_no_trouble(run, tmp_path):
    load = run(K6())
    assert (load.trouble, load.requests, load.iterations, load.died) == ((), 3, 3, "")
    assert len(requests(tmp_path / "load", TAGS)) == 3


def test_samples_of_another_time_are_no_evidence(run):
    assert run(K6(since=3600.0)).trouble == (
        Trouble(
            "the raw samples are not of the time in which this load ran: they are another's", "k6", "ANY"
        ),
    )


def test_a_load_that_ended_within_what_is_not_judged(run):
    (trouble,) = run(K6(), settle=30.0).trouble
    assert "within the 30 s that are not judged" in trouble.text
    assert trouble.against == "PASS"


def test_what_was_to_happen_and_failed_or_never_did(run):
    done = []

    def fail():
        raise FaultError("the pause did not bite", found="broker answers")

    load = run(K6(), actions=[(900.0, fail), (0.001, lambda: done.append(1)), (0.0, fail)])
    assert done == [1], "what comes after one that failed is done none the less"
    failed, never = load.trouble
    assert failed.text == "at 0 s: the pause did not bite\n  found:    broker answers"
    assert never.text == "what was to happen 900 s into the load never did"
    assert {one.instrument for one in load.trouble} == {"what was to happen"}
    assert {one.against for one in load.trouble} == {"PASS"}


def test_an_error_that_is_nobodys_is_not_a_mere_trouble(run):
    with pytest.raises(ZeroDivisionError):
        run(K6(), actions=[(0.0, lambda: 1 / 0)])


def test_k6_that_does_not_end_is_ended_in_order(run, monkeypatch):
    monkeypatch.setattr(runner, "_SETUP_ALLOWANCE", 0.0)
    k6 = K6(looks=100)
    load = run(k6, seconds=0.1)
    assert load.trouble == (Trouble("it did not end within 0.1 s", "k6", "PASS"),)
    assert k6.told == ["interrupt"]
    assert load.requests == 3, "what it had measured is kept"


def test_k6_that_does_not_heed_an_interrupt_is_told_of(run, monkeypatch):
    monkeypatch.setattr(runner, "_SETUP_ALLOWANCE", 0.0)
    load = run(K6(looks=100, stubborn=True), seconds=0.1)
    assert [trouble.text for trouble in load.trouble] == [
        "it did not end within 0.1 s",
        "k6 did not end within 45 s of being interrupted",
    ]


@pytest.mark.parametrize("at", [1, 3], ids=["meanwhile", "found when k6 had ended"])
def test_an_instrument_that_dies_is_no_death_of_the_system(run, at):
    k6 = K6()
    load = run(k6, death=InstrumentDied("prometheus ended by itself"), at=at)
    assert load.trouble == (Trouble("prometheus ended by itself", "what watches the system", "PASS"),)
    assert (load.died, load.died_at) == ("", None)
    assert k6.told == (["interrupt"] if at == 1 else [])


@pytest.mark.parametrize("at", [1, 3], ids=["meanwhile", "found when k6 had ended"])
def test_a_service_that_dies_is_no_trouble_of_ours(run, at):
    load = run(K6(), death=ServiceDied("engine ended by itself"), at=at)
    assert load.trouble == ()
    assert load.died == "engine ended by itself"
    assert load.started <= load.died_at <= load.ended


def test_trouble_with_the_place_speaks_against_everything(run):
    assert run(K6(place=("the clock there jumped",))).trouble == (
        Trouble("the clock there jumped", "where k6 ran", "ANY"),
    )


def test_ctrl_c_goes_on_once_what_was_measured_is_written(run, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(K6(ctrl_c=True))
    kept = json.loads((tmp_path / "load" / "load.json").read_text())
    assert kept["requests"] == 3
    assert [one["text"] for one in kept["trouble"]] == ["it was interrupted by Ctrl-C"]


def test_raw_samples_that_break_off_are_not_handed_out_as_all_there_was(run, tmp_path):
    run(K6())
    raw = tmp_path / "load" / "raw.csv.gz"
    raw.write_bytes(raw.read_bytes()[:-20])
    with pytest.raises(LoadError, match=r"can't be used\n  found: .*break off") as caught:
        requests(tmp_path / "load", TAGS)
    assert caught.value.where == str(tmp_path / "load")
