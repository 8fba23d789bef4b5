"""Books that are not those a load claims, and the parts of a load that are judged by themselves."""

from types import SimpleNamespace

import pytest

from experiments.judging.ledger import Ledger
from experiments.judging.oracle import Account
from experiments.judging.performed import Performed
from experiments.loads import Workload
from verdict_harness.samples import Window


class Trial:
    """A load that began at 1000 and was not judged for its first seconds."""

    name = "it"
    trouble = ()
    evidence = ()
    began = 1000.0
    load = SimpleNamespace(requests=500)

    def __init__(self, workload, window=None):
        self.window = window or Window(1000 + workload.settle, 1000 + workload.seconds)

    def part(self, start, end):
        return Trial(None, Window(max(self.window.start, 1000 + start), 1000 + end))

    def aside(self, _):
        return self

    def only(self, *_):
        return self


def performed(name, *, variant="", profile="full", **books):
    workload = Workload.of(name, profile, variant)
    ledger = Ledger("", "", {}, {}, None)
    ledger.__dict__["accounts"] = {
        shard: Account(
            opening={"ask": books.get("asks", workload.resting(shard)), "bid": books.get("bids", 0)},
            shallowest=books.get("least", workload.resting(shard)),
            deepest=books.get("most", workload.resting(shard)),
        )
        for shard in workload.seeds
    }
    return Performed(workload, Trial(workload), ledger)


def test_books_as_claimed():
    assert performed("A3", variant="100").trouble == ()


@pytest.mark.parametrize(
    ("books", "said"),
    [
        ({"asks": 42000}, "42000 SELLs rested on shard a before the load, and not 400"),
        ({"asks": 399}, "399 SELLs"),
        ({"bids": 900}, "900 BUYs rested"),
        ({"least": 10}, "ran dry: 10 SELLs of 400"),
        ({"most": 4000}, "grew to 4000 SELLs, of 400"),
    ],
)
def test_other_books(books, said):
    (found,) = performed("A3", variant="100", **books).trouble
    assert (found.against, found.instrument) == ("PASS", "books")
    assert said in found.text


def test_a_successor_goes_on_with_what_is_there_within_the_band():
    assert performed("A2", asks=1950, bids=300).trouble == ()
    assert performed("A2", asks=900).trouble


def test_books_of_which_nothing_is_known():
    load = performed("A2")
    load.ledger.accounts.clear()
    (found,) = Performed(load.workload, load.trial, load.ledger).trouble
    assert "there is no event of an order of it" in found.text
    assert found.against == "PASS", "a system that tells nothing fails by that"


@pytest.mark.parametrize(
    ("name", "profile", "parts"),
    [
        ("A2", "quick", {"": 0.99}),
        ("A1", "quick", {"": 0.95}),
        ("A1", "full", {"": 0.99}),
        ("B2", "quick", {"a": 0.99, "b": 0.99, "c": 0.99}),
        ("B3", "quick", dict.fromkeys(("17/s", "17/s to 42/s", "42/s to 84/s", "84/s"), 0.99)),
        ("B4", "quick", {"hot": 0.99, "other": 0.99}),
        ("smoke", "quick", {"": 0.95}),
    ],
)
def test_what_is_asked_of_each_part(name, profile, parts):
    assert {label: view.p for label, view in performed(name, profile=profile).views.items()} == parts
