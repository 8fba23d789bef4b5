"""What a search for a capacity says in the end, by trials that are made up."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import pytest

from verdict_harness.errors import ServiceDied
from verdict_harness.loads import Arm, Capacity, Claim, Outcome, search
from verdict_harness.loads.capacity import Trial
from verdict_harness.loads.sustained import Used
from verdict_harness.samples import Estimate, ratio
from verdict_harness.verdicts import AtLeast, Verdict

CLAIM = Claim(parts=3, factor=2.7, start=100.0, most=4000.0, pairs=8)
SERVICES = ["a", "b", "c"]


def capacity(one, many, monkeypatch, *, full=1.0, gateway=0.02, shares=(), busy=lambda _ask: 0.5):
    """A search of parts that sustain so much, and a gateway that takes so much of a core for each 100/s."""
    made = Capacity(
        SimpleNamespace(run=None), "S", CLAIM, None, SERVICES, shared=["gateway", "idle"], shares=shares
    )

    def tried(_name, ask):
        within = ask.rate <= (one if ask.arm is Arm.ONE else many)
        trial = Trial(ask, Outcome.SUSTAINED if within else Outcome.EXCEEDED, "" if within else "p99", full)
        cores = {name: 0.1 if SERVICES.index(name) in ask.parts else 0.0 for name in SERVICES}
        used = Used({**cores, "gateway": gateway * ask.rate / 100, "idle": 0.0}, busy(ask), ask.seconds)
        made.orders += round(ask.rate * ask.seconds)
        return trial, used, round(ask.rate * ask.seconds)

    monkeypatch.setattr(made, "_try", tried)
    return made


@pytest.mark.parametrize(
    ("many", "verdict"), [(900, Verdict.PASS), (600, Verdict.FAIL), (810, Verdict.INCONCLUSIVE)]
)
def test_the_factor_is_judged_by_what_pairs_said(many, verdict, monkeypatch):
    factor = capacity(300, many, monkeypatch).factor()
    assert isinstance(factor, Estimate)
    finding = AtLeast(2.7 * ratio).judge(factor)
    assert finding.verdict is verdict, finding
    assert "pairs" in factor.doubts[-1].text
    assert finding.samples > 1000


def test_what_could_not_be_found_out_names_what_would_help(monkeypatch):
    factor = capacity(1e9, 1e9, monkeypatch).factor()
    assert factor.lo < 2.7 < factor.hi
    finding = AtLeast(2.7 * ratio).judge(factor)
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert "no more can be offered" in finding.sentence
    assert "more cores would decide" in finding.sentence


def test_shared_parts_are_said_with_the_rate_at_which_they_would_be_full(monkeypatch):
    made = capacity(300, 900, monkeypatch)
    made.conclude()
    (gateway,) = made.demands
    assert gateway.service == "gateway"
    assert gateway.seconds == pytest.approx(0.02 / 100, rel=0.01)
    assert gateway.most == pytest.approx(5000, rel=0.01)
    assert gateway.orders > 0


def test_of_shared_parts_nothing_is_said_without_a_trial_of_many(monkeypatch):
    made = capacity(1e9, 1e9, monkeypatch)
    made.conclude()
    assert made.demands == ()


def crowded(ask):
    return 0.8 if ask.arm is Arm.MANY else 0.4


@pytest.mark.parametrize("many", [900, 600])
def test_where_three_crowd_the_machine_it_is_begun_again_with_less_for_each(many, monkeypatch):
    made = capacity(300, many, monkeypatch, shares=(0.1, 0.075), busy=crowded)
    made.conclude()
    assert made.share == 0.075
    assert [trial.ask.arm for trial in made.before].count(Arm.MANY) == 1, "whatever came out of it"
    assert made.trials[0].ask.rate == pytest.approx(0.75 * made.before[-1].ask.rate / 2.7)
    assert made.listing().title == f"S: {len(made.trials)} trials"
    assert made.orders == sum(round(trial.ask.rate * trial.ask.seconds) for trial in made.trials)


def test_the_smallest_share_is_the_last_one_and_a_calm_machine_keeps_the_first(monkeypatch):
    made = capacity(300, 900, monkeypatch, shares=(0.1,), busy=crowded)
    made.conclude()
    assert made.share == 0.1
    assert not made.before
    made = capacity(300, 900, monkeypatch, shares=(0.1, 0.075), busy=lambda _ask: 0.72)
    made.conclude()
    assert made.share == 0.1
    assert not made.before


def test_a_later_trial_that_crowds_the_machine_undoes_no_votes(monkeypatch):
    seen = []

    def late(ask):
        seen.append(ask.arm)
        return 0.8 if seen.count(Arm.MANY) > 1 else 0.5

    made = capacity(300, 900, monkeypatch, shares=(0.1, 0.075), busy=late)
    made.conclude()
    assert made.share == 0.1
    assert not made.before


def test_a_share_is_lifted_also_from_what_died():
    lifted = []

    class Deployment:
        def share(self, service, cores):
            lifted.append((service, cores))
            raise ServiceDied(f"{service} is gone")

    search._lift(Deployment(), "a")
    assert lifted == [("a", 0.0)]


def test_every_trial_is_listed_with_what_broke_first_and_drawn_at_the_rate_of_one(monkeypatch):
    made = capacity(300, 900, monkeypatch)
    made.conclude()
    first = dataclasses.replace(made.trials[0], p99=0.012, yielded=1234.5, full=0.42)
    void = dataclasses.replace(made.trials[1], outcome=Outcome.VOID, broke="k6 was late", p99=0.5)
    many = next(trial for trial in made.trials if len(trial.ask.parts) == 3)
    made.trials = [first, void, dataclasses.replace(many, p99=0.2, outcome=Outcome.EXCEEDED, broke="p99")]
    listing = made.listing()
    assert listing.title == "S: 3 trials"
    told = dict(zip(listing.columns, listing.rows[0], strict=True))
    assert told["on"] == "one"
    assert told["orders/s"] == "100"
    assert told["p99 at the client"] == "12 ms"
    assert told["CPU"] == "42 % of its share"
    assert "1234" in listing.rows[0][6]
    assert listing.rows[1][3:5] == ("void", "k6 was late")
    assert [mark.series for mark in listing.marks] == ["one", "3, at 2.7 times"], "a void trial shows nothing"
    assert listing.marks[1].x == pytest.approx(many.ask.rate / 2.7)
    assert [mark.good for mark in listing.marks] == [True, False]
