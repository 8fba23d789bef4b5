"""What makes a load not what it claims, and by how much that is said."""

from types import SimpleNamespace

import pytest

from experiments import workload
from verdict_harness.samples import Empty, Point, Series, exact


def value(number):
    return exact("q", float(number), at=0.0, n=1)


def series(*numbers):
    return Series("q", tuple(Point(float(i), float(n)) for i, n in enumerate(numbers)))


class Piece:
    """A trial as far as these functions ask it; ``answers`` by a word of the question."""

    def __init__(self, answers, seconds=60.0, load=None):
        self.answers = answers
        self.window = SimpleNamespace(seconds=seconds)
        self.load = load
        self.parts = iter(answers.get("parts", ()))

    @property
    def entire(self):
        return self

    def part(self, _start, _end):
        return Piece(next(self.parts))

    def total(self, query, **_series):
        return next(answer for word, answer in self.answers.items() if word in query)

    growth = total

    def at(self, query, seconds):
        assert seconds < 0
        return self.total(query)

    over = total


def load(**fields):
    sound = {"requests": 30, "ids": 30, "repeated": 0, "begun": (10, 10, 10), "statuses": {"200": 30}}
    return SimpleNamespace(load=SimpleNamespace(**{**sound, **fields}))


def test_a_rate_that_was_reached():
    assert list(workload.offered(load(), (20, 10), (2.0, 1.0))) == []
    assert list(workload.offered(load(begun=(10, 9, 9)), (20, 10), (2.0, 1.0))) == []
    assert list(workload.offered(load(begun=(10,) * 4), (10, 0, 30), (1.0, 0.0, 3.0))) == []


def test_a_stage_that_was_not_offered_in_full_though_the_whole_was():
    (said,) = workload.offered(load(begun=(100, 0, 200)), (100, 100, 200), (1.0, 1.0, 1.0))
    assert said == "from 1 to 2 s 0 orders were offered, and not 100 (-100.0%)"
    assert len(list(workload.offered(load(begun=(0, 100)), (100, 0), (1.0, 0.0)))) == 1


def test_ids():
    assert list(workload.unique(load())) == []
    assert list(workload.unique(load(repeated=3))) == ["3 of 30 orders had an id that was used before"]
    assert list(workload.unique(load(ids=20))) == ["10 of 30 orders left no id in k6's samples"]


def test_orders_that_the_engines_counted():
    piece = Piece({'shard="a"': value(20), 'shard="b"': value(10)}, load=load().load)
    assert list(workload.received(piece, "ab")) == []
    (said,) = workload.received(piece, "a")
    assert said == "k6 had 30 orders accepted (and 0 not), and the engines counted 20"
    hung = Piece({"shard": value(25)}, load=load(statuses={"200": 20, "0": 10}).load)
    assert list(workload.received(hung, "a")) == [], "the engine took some that the client had given up"
    hung.answers = {"shard": value(31)}
    assert len(list(workload.received(hung, "a"))) == 1, "somebody else sends orders"
    gone = Piece({'shard="a"': Empty("q", "no series")}, load=load().load)
    assert list(workload.received(gone, "a")) == ["orders that shard a received are not known: no series"]


def test_a_fresh_book_is_what_was_seeded_and_nothing_else():
    seeds = {"a": (100, 10)}
    assert list(workload.seeded(Piece({"depth": value(400), "price_levels": value(40)}), seeds)) == []
    (said,) = workload.seeded(Piece({"depth": value(900), "price_levels": value(40)}), seeds)
    assert said == "depth of book a was 900 before the load, and not 400"
    (said,) = workload.seeded(Piece({"depth": value(400), "price_levels": Empty("q", "no series")}), seeds)
    assert said == "price_levels of shard a's book before the load is not known: no series"


@pytest.mark.parametrize(
    ("depths", "words"),
    [
        ((2000, 1900, 2100), ""),
        ((2000, 1300), "ran dry: 1300 resting SELLs"),
        ((1200, 1200), "ran dry"),
        ((2000, 2700), "grew from 2000 to 2700"),
    ],
)
def test_the_band_of_the_depth(depths, words):
    said = list(workload.deep(Piece({"depth": series(*depths)}), {"a": (500, 50)}))
    assert [words in one for one in said] == ([True] if words else [])


def halves(*pairs, seconds=60.0):
    parts = [{"me_matches": value(matches), "me_orders": value(orders)} for matches, orders in pairs]
    return Piece({"parts": parts}, seconds=seconds)


def test_matches_that_stay():
    assert list(workload.steady(halves((1190, 1000), (1180, 1000)), "a")) == []
    assert list(workload.steady(halves((119, 100), (180, 100)), "a")) == [], "so few may stray that far"


def test_matches_that_dwindle():
    (said,) = workload.steady(halves((11900, 10000), (6000, 10000)), "a")
    assert said == "matches per order went from 1.19 in the first 20 s to 0.6 in the last (-50%)"
    (said,) = workload.steady(halves((11900, 10000), (11000, 10000)), "a")
    assert "-8%" in said


def test_a_load_too_short_for_two_parts_and_one_that_nobody_counted():
    assert list(workload.steady(halves(seconds=20.0), "a")) == []
    broken = Piece({"parts": [{"me_matches": Empty("q", "no series"), "me_orders": value(1)}]})
    assert list(workload.steady(broken, "a")) == ["matches per order are not known: no series"]
