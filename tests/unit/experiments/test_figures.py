"""The exchange's figures: of each shard and of all, in two questions, and of every load."""

from types import SimpleNamespace

import pytest

from experiments import figures
from experiments.exchange import SYMBOLS
from experiments.judging.performed import Performed
from experiments.loads import Workload
from experiments.outage import Outage
from tests.recorded import START, WINDOW, exchange
from verdict_harness.loads import ServerSide
from verdict_harness.loads.server import Watched
from verdict_harness.samples import Window, exact

WHOLE = Window(START - 10, START + 305)
ASKED = [
    *("matches/min", "orders/s"),
    *(f"matching latency {p}" for p in ("p50", "p95", "p99")),
    *("orders accepted", "matches executed"),
    *(f"{stage} mean" for stage in figures.STAGES),
    *("longest GC pause", "GC pauses", "heap (resident)", "CPU of one core", "ring utilisation"),
]


class Load(ServerSide):
    """A load on the whole exchange, of which the client has its word, too."""

    name = "B2"
    trouble = ()
    evidence = ()

    def __init__(self, prometheus):
        self.window, self.whole = WINDOW, WHOLE
        self.ended, self._prometheus = WINDOW.end, prometheus
        self.load = SimpleNamespace(requests=0)
        self.watched = Watched(prometheus, WHOLE, {}, "orders")

    def response(self, p):
        return exact(f"p{100 * p:g}", 0.004, at=0.0, n=5100)


def shown(load, shards="abc"):
    return {(one.name, one.of): one for one in figures.of_load(load, tuple(shards)).found}


def test_every_shard_has_its_own_and_what_adds_up_is_there_in_all():
    found = shown(Load(exchange()))
    assert [name for name, of in found if of == "shard c"] == ASKED
    assert [name for name, of in found if not of] == [
        *(f"client response {p}" for p in ("p50", "p95", "p99")),
        *("matches/min", "orders/s", "orders accepted", "matches executed"),
    ]
    assert {one.reason for one in found.values()} == {""}
    for of, share in (("", 1.0), ("shard a", 0.5), ("shard b", 0.25)):
        assert found["matches/min", of].value == pytest.approx(1440 * share)
        assert found["orders/s", of].value == pytest.approx(20 * share)
        assert found["orders accepted", of].value == pytest.approx(6000 * share)
    assert found["client response p99", ""].value == pytest.approx(4)
    assert found["matching latency p50", "shard a"].interval == (1.0, 5.0)
    assert found["WAL append mean", "shard b"].value == pytest.approx(30)
    assert found["longest GC pause", "shard a"].value == pytest.approx(2)
    assert found["GC pauses", "shard a"].value == pytest.approx(27)
    assert found["heap (resident)", "shard a"].value == 64
    assert found["CPU of one core", "shard a"].value == pytest.approx(20)
    assert found["ring utilisation", "shard a"].value == pytest.approx(1)


def test_a_rate_in_all_is_what_those_of_the_shards_add_up_to():
    """Their targets are scraped at times of their own, which in a short window is much of it."""
    prometheus = exchange()
    for at, one in enumerate(prometheus.tracks):
        late = {"me-shard-b": 4, "me-shard-c": 2}.get(one.labels["job"], 0)
        points = tuple(point._replace(time=point.time + late) for point in one.points)
        prometheus.tracks[at] = type(one)(one.labels, points)
    load = Load(prometheus)
    load.window = Window(START + 30.5, START + 39.5)
    found = shown(load)
    for name in ("matches/min", "orders/s"):
        parts = [found[name, f"shard {shard}"] for shard in "abc"]
        assert found[name, ""].value == pytest.approx(sum(one.value for one in parts))
        assert found[name, ""].sample.hi == pytest.approx(sum(one.sample.hi for one in parts))
    assert found["orders/s", ""].value == pytest.approx(20)


def test_they_take_two_questions():
    prometheus = exchange()
    shown(Load(prometheus))
    assert len(prometheus.asked) == 2, "one for all metrics, one for the scrapes of all targets"


def test_a_shard_that_is_not_there_is_absent_and_so_is_what_it_would_add_to():
    found = shown(Load(exchange("ab")))
    assert found["matches/min", "shard c"].value is None
    assert found["matches/min", ""].reason == "shard c: no such series"
    assert found["orders accepted", ""].reason == "no series with shard c"
    assert found["matches/min", "shard b"].value == pytest.approx(720)


@pytest.mark.parametrize("made", [Performed, lambda *given: Outage(*given, fault={})])
def test_every_load_is_asked_for_them(made):
    workload = Workload.of("B2", "full")
    load = made(workload, Load(exchange()), SimpleNamespace())
    assert load.figures == figures.of_load(Load(exchange()), tuple(SYMBOLS))
