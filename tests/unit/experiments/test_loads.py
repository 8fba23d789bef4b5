"""What the harness is told of each load."""

import itertools
from types import SimpleNamespace

import pytest

from experiments.loads import PROFILES, Workload
from verdict_harness.systems import Endpoint

VARIANTS = {"A3": ["100", "1000", "10000"], "A4": ["pause", "kill"]}
ALL = [(name, variant) for name in PROFILES["experiments"] for variant in VARIANTS.get(name, [""])]


class Deployment:
    """A system that is up."""

    def inside(self, service):
        return Endpoint(service, 1)


def test_no_two_loads_share_an_order_id():
    begins = [Workload.of(*one[:1], "full", *one[1:]).order_ids("run") for one in ALL]
    assert len(set(begins)) == len(ALL) == 13
    assert not [(a, b) for a, b in itertools.permutations(begins, 2) if a.startswith(b)]


def test_the_depths_of_a3_are_told_to_the_script_and_need_fresh_books():
    load = Workload.of("A3", "quick", "10000")
    env = load.plan("run").env(Deployment())
    assert (load.id, load.seeds, load.plan("run").fresh) == ("A3-10000", {"a": (10000, 500)}, True)
    assert (env["A3_DEPTH"], env["A3_LEVELS"], env["SEED"]) == ("10000", "500", "1")
    assert float(env["SEED_PAUSE"]) > 5, "longer than from one scrape to the next"
    assert env["RUN_ID"] == "run-A3-10000"
    with pytest.raises(KeyError):
        Workload.of("A3", "quick", "7")


def test_books_are_seeded_once_a_system():
    one, other = Deployment(), Deployment()
    a1, a2, b4 = (Workload.of(name, "full").plan("run") for name in ("A1", "A2", "B4"))
    assert [plan.env(one)["SEED"] for plan in (a1, a2, b4, a2)] == ["1", "0", "1", "1"]
    assert a2.env(other)["SEED"] == "1"


def test_only_a3_insists_on_fresh_books():
    fresh = {name for name, variant in ALL if Workload.of(name, "full", variant).plan("run").fresh}
    assert fresh == {"A3"}


def test_the_orders_of_a_ramp_are_the_area_under_it():
    ramp = Workload.of("B3", "full")
    assert ramp.orders == (17 * 120, 29.5 * 120, 63 * 120, 84 * 240)
    assert ramp.iterations == sum(ramp.orders)


def test_stages_are_those_that_last():
    trial = SimpleNamespace(part=lambda start, end: (start, end))
    assert Workload.of("isolation", "full").stages(trial) == [(0.0, 90.0), (90.0, 150.0)]
    assert Workload.of("B3", "full").stages(trial)[-1] == (360.0, 600.0)
