"""What the harness is told of each load."""

import dataclasses
import doctest
import itertools
from collections import Counter

import pytest

from experiments import loads
from experiments.exchange import MULTI, SINGLE
from experiments.judging.performed import SCRAPE
from experiments.loads import PROFILES, Workload, of_profile
from verdict_harness.errors import Inconclusive
from verdict_harness.systems import Endpoint

VARIANTS = {"smoke": ["", "single"], "A3": ["100", "1000", "10000"], "A4": ["pause", "kill"]}
ALL = [(name, variant) for name in PROFILES["experiments"] for variant in VARIANTS.get(name, [""])]
PROFILED = ["full", "quick", "burst"]


class Deployment:
    """A system that is up."""

    def inside(self, service):
        return Endpoint(service, 1)


def test_no_two_loads_share_an_order_id():
    begins = [Workload.of(*one[:1], "full", *one[1:]).order_ids("run") for one in ALL]
    assert len(set(begins)) == len(ALL) == 13
    assert not [(a, b) for a, b in itertools.permutations(begins, 2) if a.startswith(b)]


def test_the_depths_of_a3_are_told_to_the_script():
    load = Workload.of("A3", "quick", "10000")
    env = load.plan("run").env(Deployment())
    assert (load.id, load.seeds, load.plan("run").fresh) == ("A3-10000", {"a": (10000, 500)}, True)
    assert (env["A3_DEPTH"], env["A3_LEVELS"], env["SEED"]) == ("10000", "500", "1")
    assert env["RUN_ID"] == "run-A3-10000"
    with pytest.raises(KeyError):
        Workload.of("A3", "quick", "7")


def test_smoke_goes_through_the_gateway_or_straight_to_a_shard_that_is_alone():
    through, straight = Workload.of("smoke", "full"), Workload.of("smoke", "full", "single")
    assert (through.system, straight.system) == (MULTI, SINGLE)
    assert straight.seeds == {"a": through.seeds["a"]}
    assert straight.iterations == through.iterations
    told = [load.plan("run").env(Deployment()) for load in (through, straight)]
    assert [("GATEWAY_URL" in env, env.get("TARGET", "")) for env in told] == [(True, ""), (False, "shard")]
    assert told[1]["ME_SHARD_A_URL"] == "http://me-shard-a:1"


def test_books_are_fresh_but_for_the_declared_successor():
    fresh = {name for name, variant in ALL if Workload.of(name, "full", variant).plan("run").fresh}
    assert fresh == set(PROFILES["experiments"]) - {"A2", "smoke"}


def test_a_successor_runs_on_no_other_books():
    one, other = Deployment(), Deployment()
    a1, a2, b1 = (Workload.of(name, "full").plan("run") for name in ("A1", "A2", "B1"))
    assert [plan.env(one)["SEED"] for plan in (a1, a2)] == ["1", "0"]
    b1.env(one)
    for deployment, found in ((one, "B1"), (other, "no load before it")):
        with pytest.raises(Inconclusive) as caught:
            a2.env(deployment)
        assert caught.value.found == found


def test_where_no_system_is_fresh_books_are_emptied_and_a_scrape_is_waited_for():
    emptied = []
    there = Deployment()
    for name in ("A1", "A2", "B1"):
        plan = Workload.of(name, "full").plan("run", empty=emptied.append)
        assert not plan.fresh
        env = plan.env(there)
    assert emptied == [there, there], "before A1 and B1, and not before A2, which goes on"
    assert float(env["SEED_PAUSE"]) > 5, "longer than from one scrape to the next"


@pytest.mark.parametrize(("name", "variant"), ALL)
def test_k6_deals_symbols_as_the_harness_takes_it(name, variant):
    load = Workload.of(name, "full", variant)
    dealt = Counter(load.shard_of(number) for number in range(12000))
    assert {shard: dealt[shard] / 12000 for shard in load.seeds} == pytest.approx(
        {shard: load.share(shard) for shard in load.seeds}, abs=0.001
    )


@pytest.mark.parametrize(("name", "variant"), ALL)
def test_a_burst_is_full_but_for_its_peak(name, variant):
    burst, full = Workload.of(name, "burst", variant), Workload.of(name, "full", variant)
    if name == "B2":
        assert (burst.seconds, burst.iterations, burst.settle) == (1800, 151_200, full.settle)
    else:
        assert dataclasses.replace(burst, profile="full") == full
    told = dataclasses.replace(burst, after=None).plan("run").env(Deployment())
    assert told["PROFILE"] == "burst", "k6 knows the profile, too"


@pytest.mark.parametrize(("name", "variant"), ALL)
@pytest.mark.parametrize("profile", PROFILED)
def test_as_many_orders_are_judged_as_a_p99_takes(name, variant, profile):
    load = Workload.of(name, profile, variant)
    if (name, profile) != ("A1", "quick"):  # its p95 is asked for
        assert load.orders_in(load.settle, load.seconds) >= 300


@pytest.mark.parametrize(("name", "variant"), ALL)
@pytest.mark.parametrize("profile", PROFILED)
def test_between_scrapes_there_are_enough_too(name, variant, profile):
    """What the system counted before the first scrape of the judged part is not judged."""
    load = Workload.of(name, profile, variant)
    least = 59 if (name, profile) == ("A1", "quick") or name == "smoke" else 299  # for a bounded p95, or p99
    assert load.orders_in(load.settle + SCRAPE, load.seconds) >= least


def test_the_examples_are_true():
    assert doctest.testmod(loads) == doctest.TestResults(0, 2)


def test_what_a_profile_says_nothing_of_is_as_in_the_one_that_it_is_like():
    outage = PROFILES["experiments"]["A4"]["outage"]
    assert [of_profile(outage["start_s"], profile) for profile in PROFILED] == [60, 15, 60]
    assert of_profile({"full": 1, "burst": 2}, "burst") == 2
    with pytest.raises(KeyError, match="brief"):
        of_profile({"full": 1}, "brief")


def test_the_orders_of_a_ramp_are_the_area_under_it():
    ramp = Workload.of("B3", "full")
    assert ramp.orders == (17 * 120, 29.5 * 120, 63 * 120, 84 * 240)
    assert ramp.iterations == sum(ramp.orders) - 1, "a ramp's first order is due when the area is one"


def test_stages_are_called_by_their_rates():
    spans = Workload.of("B3", "full").spans()
    assert spans[0] == ("17/s", 0.0, 120.0)
    assert spans[1] == ("17/s to 42/s", 120.0, 240.0)
    assert spans[-1] == ("84/s", 360.0, 600.0)
