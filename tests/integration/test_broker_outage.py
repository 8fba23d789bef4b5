"""A4 for real, in short: an outage that happens, and two that don't and must not pass for one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from threading import Timer
from typing import Any
from weakref import WeakKeyDictionary

import pytest

from experiments import loads, outage
from experiments.judging import conservation, ledger
from experiments.outage import Outage
from verdict_harness.loads import Stage
from verdict_harness.record import Run, Watched
from verdict_harness.samples import ms
from verdict_harness.systems import Deployment, Fault, LocalBackend, chaos
from verdict_harness.verdicts import Below, Judge, Verdict

SECONDS, START, LASTING = 29, 9, 16
EARLY = 8.0  # seconds: the shard gives a send up after six, and counts an error
SETTLE = 7.0  # longer than it takes to scrape again, or the window begins before the seeds were seen


@pytest.fixture(scope="module")
def stage(
    shortened: Callable[..., AbstractContextManager[None]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """One shard and its broker, and A4's script with lengths that a test can wait for."""
    root = tmp_path_factory.mktemp("a4")
    run = Run(Watched.create(root / "runs", profile="quick", backend="local", argv=["test"]))
    away = {"start_s": {"quick": START}, "length_s": {"quick": LASTING}}
    with (
        shortened(root, "A4", SECONDS, outage=away),
        pytest.MonkeyPatch.context() as patch,
        Stage(run, LocalBackend()) as stage,
    ):
        patch.setitem(loads.SETTLE, "quick", SETTLE)
        yield stage


def nothing(_service: str) -> str:
    """Take nobody away, and bring nobody back."""
    return "by no means"


def a_pause_of_nothing(deployment: Deployment, service: str) -> Fault:
    return Fault(deployment, service, what="pause", inflict=nothing, undo=nothing)


def a_pause_that_lies(deployment: Deployment, service: str) -> Fault:
    return Fault(deployment, service, what="pause", inflict=nothing, undo=nothing, bites=lambda: True)


def a_pause_that_ends_early(deployment: Deployment, service: str) -> Fault:
    def inflict(name: str) -> str:
        Timer(EARLY, deployment.resume, [name]).start()
        return deployment.pause(name)

    return Fault(deployment, service, what="pause", inflict=inflict, undo=nothing)


def conserved(found: Outage) -> Verdict:
    """What comes of its books, each account held against the others."""
    judge = Judge()
    conservation.judge_conservation(found, judge)
    return max(one.verdict for one in judge.findings)


def verdict(found: Outage) -> Verdict:
    """What comes of a criterion that its numbers meet with ease."""
    p90 = found.during.server.quantile(0.9, "me_match_duration_seconds", shard="a")
    return Judge()(p90, Below(9999 * ms), load=found).verdict


@pytest.mark.parametrize(("name", "breaking"), [("pause", chaos.pause), ("kill", chaos.kill)])
def test_an_outage_costs_no_event(stage: Stage, name: str, breaking: outage.Breaking) -> None:
    found = outage.outage(stage, name, breaking)
    assert found.trouble == ()
    assert found.during.window.seconds == pytest.approx(LASTING, abs=8)
    assert verdict(found) is Verdict.PASS
    assert found.ledger.untold == ""
    assert len(found.ledger.placed) == len(found.accepted) == found.trial.load.requests
    assert conserved(found) is Verdict.PASS


@pytest.mark.parametrize(
    ("name", "breaking", "words"),
    [
        ("nothing", a_pause_of_nothing, "did not bite"),
        ("lie", a_pause_that_lies, "the shard did not miss the broker"),
        ("short", a_pause_that_ends_early, "the shard did not miss the broker"),
    ],
)
def test_an_outage_that_was_none_is_inconclusive(
    stage: Stage, name: str, breaking: outage.Breaking, words: str
) -> None:
    found = outage.outage(stage, name, breaking)
    assert words in " ".join(one.text for one in found.trouble)
    assert verdict(found) is Verdict.INCONCLUSIVE


def test_an_event_that_never_arrives_is_missing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shard says that it has nothing left, and the topics lack what it says it sent."""

    def lossy(*words: Any) -> dict[str, Any]:
        there = read(*words)
        kept = [one for one in there["orders"]["events"] if not one["orderId"].endswith("-lost-7")]
        return {**there, "orders": {**there["orders"], "events": kept}}

    read = ledger.read
    monkeypatch.setattr(ledger, "read", lossy)
    found = outage.outage(stage, "lost", chaos.pause)
    assert conserved(found) is Verdict.FAIL


def test_the_broker_comes_back_whatever_breaks(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Fault] = []

    def kept(deployment: Deployment, service: str) -> Fault:
        made.append(chaos.pause(deployment, service))
        return made[-1]

    def broken(*_words: object, actions: Any, **_more: object) -> None:
        actions[0][1]()
        assert made[0].on
        raise RuntimeError("the load broke")

    monkeypatch.setattr("verdict_harness.loads.runner.run_load", broken)
    monkeypatch.setattr(loads, "_last", WeakKeyDictionary())  # or later loads take it for done
    with pytest.raises(RuntimeError, match="the load broke"):
        outage.outage(stage, "broken", kept)
    assert not made[0].on
    assert "answered" in made[0].to_json()
