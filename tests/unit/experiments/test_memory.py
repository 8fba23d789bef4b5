"""Memory less what rests: of the same scrapes, or not at all."""

from types import SimpleNamespace

import pytest

from experiments.judging import shards
from experiments.judging.ledger import Ledger
from experiments.judging.memory import ORDER, besides_its_book
from tests.recorded import SCRAPES, Recorded
from verdict_harness.samples import Empty, Partial, Point, Series
from verdict_harness.verdicts import Judge, Verdict

MEMORY = "me_process_resident_memory_bytes"


class Server:
    """Answers with points every 5 s, of which some are late or missing."""

    def __init__(self, **courses):
        self.courses = {"memory": [5e8, 6e8], "bid": [1000, 3000], "ask": [500, 500]} | courses

    def gauge(self, metric, *, shard, side="memory"):
        assert (metric == MEMORY) == (side == "memory")
        found = self.courses[side]
        if not isinstance(found, list):
            return found
        points = [Point(5.0 * at, value) for at, value in enumerate(found) if value is not None]
        return Series(f"{side} of {shard}", tuple(points))


def test_what_rests_is_taken_off_at_each_scrape():
    found = besides_its_book(Server(), "b")
    assert found.points == ((0.0, 5e8 - ORDER * 1500), (5.0, 6e8 - ORDER * 3500))
    assert found.query == "memory of b - 1024 * (bid of b + ask of b)"


@pytest.mark.parametrize("lacking", ["memory", "bid", "ask"])
def test_without_one_of_them_there_is_none(lacking):
    none = Empty(lacking, "no such series")
    assert besides_its_book(Server(**{lacking: none}), "a") is none


@pytest.mark.parametrize("bids", [[1000], [None, 1000], [1000, 3000, 3000]])
def test_those_of_other_scrapes_are_not_taken_off(bids):
    assert isinstance(besides_its_book(Server(bid=bids), "a"), Partial)


def shard(*, open_fds=None, grows=0.0):
    """Return a load of some minutes of one shard, and how it holds memory and descriptors."""
    known = Recorded()
    known.add(MEMORY, [8e7 + grows * scrape for scrape in range(SCRAPES)], shard="a")
    for side in ("bid", "ask"):
        known.add("me_orderbook_depth", [1000] * SCRAPES, shard="a", side=side)
    if open_fds is not None:
        known.add("me_process_open_fds", open_fds, shard="a")
    return SimpleNamespace(server=known.server())


def judged(load, gauge=8e7, held=8e7):
    """Judge that load, after which the gauge says so much and the process is said to hold so much."""
    told = Ledger("", "", {}, {(MEMORY, "a", ""): gauge}, None, {} if held is None else {"a": held})
    judge = Judge()
    shards.memory(judge, load, ("a",), told)
    return judge.findings


@pytest.mark.parametrize("held", [8e7, 8.7e7, 7.4e7, None])
def test_a_gauge_that_says_what_the_process_holds_is_believed(held):
    (found,) = judged(shard(), held=held)
    assert found.verdict is Verdict.PASS


@pytest.mark.parametrize("held", [1.8e8, 9e7, 7e7])
def test_a_gauge_that_stands_still_while_the_process_grows_is_not_believed(held):
    (found,) = judged(shard(), held=held)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert f"the gauge said 80 MB, and the process held {held / 1e6:.0f} MB" in found.reason


def test_nobody_else_has_to_have_told():
    judge = Judge()
    shards.memory(judge, shard(grows=1e6), ("a",))
    assert [one.verdict for one in judge.findings] == [Verdict.FAIL]


@pytest.mark.parametrize(
    ("course", "verdict"),
    [
        ([30] * SCRAPES, Verdict.PASS),
        ([30 + scrape for scrape in range(SCRAPES)], Verdict.PASS),  # connections
        ([30 + 100 * scrape for scrape in range(SCRAPES)], Verdict.FAIL),
    ],
)
def test_descriptors_that_are_left_open_are_told_from_connections(course, verdict):
    (found,) = judged(shard(open_fds=course))
    assert found.verdict is verdict
    assert ("me_process_open_fds" in found.query) == (verdict is Verdict.FAIL)
