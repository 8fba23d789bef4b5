"""Memory less what rests: of the same scrapes, or not at all."""

import pytest

from experiments.judging.memory import ORDER, besides_its_book
from verdict_harness.samples import Empty, Partial, Point, Series

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
