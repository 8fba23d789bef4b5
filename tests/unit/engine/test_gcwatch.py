import gc
import time
from collections.abc import Iterator

import pytest

from engine.books import Book, Fill
from engine.log import ORDER
from engine.metrics import GcWatch, longest, settling
from engine.orders import Order
from engine.publishing import EventQueue


@pytest.fixture
def watch() -> Iterator[GcWatch]:
    made = GcWatch()
    made.start()
    yield made
    made.stop()


def test_every_pause_is_counted_and_the_longest_remembered(watch: GcWatch) -> None:
    before = watch.collections

    gc.collect()

    assert watch.collections == before + 1 == sum(watch.pauses.counts)
    assert 0 < watch.longest() <= watch.pauses.sum


def test_without_a_collection_the_longest_pause_is_zero() -> None:
    assert GcWatch().longest() == 0.0


def test_the_longest_pause_is_forgotten_after_its_window(
    watch: GcWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    gc.collect()
    found = watch.longest()

    monkeypatch.setattr(longest.time, "monotonic", lambda: now + longest.MAX_WINDOW - 2)
    assert watch.longest() == found
    monkeypatch.setattr(longest.time, "monotonic", lambda: now + longest.MAX_WINDOW + 2)
    assert watch.longest() == 0.0


def test_a_long_pause_is_not_hidden_by_a_short_one_in_the_same_second(watch: GcWatch) -> None:
    watch._callback("start", {})
    watch._began -= 5.0
    watch._callback("stop", {})
    watch._callback("start", {})
    watch._callback("stop", {})

    assert 5.0 <= watch.longest() < 5.5


def test_it_leaves_the_collector_as_it_was() -> None:
    thresholds, callbacks = gc.get_threshold(), list(gc.callbacks)
    watch = GcWatch()

    watch.start()
    watch.stop()

    assert (gc.get_threshold(), gc.callbacks) == (thresholds, callbacks)


def test_settling_collects_nothing_meanwhile() -> None:
    with settling():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_full_collection_walks_through_no_order_that_rests() -> None:
    """Counted, not timed: what the collector knows does not grow with the books."""
    book = Book("X")
    known = len(gc.get_objects())
    for number in range(10_000):
        book.rest(Order(str(number), "X", True, False, 100 + number % 10, 1, sequence=number + 1))

    assert len(gc.get_objects()) - known < 100
    queues = [level.orders for level in book.bids._levels.values()]
    assert not any(gc.is_tracked(queue) for queue in queues)
    book.check()


def test_nor_does_a_collection_walk_through_what_waits_for_the_broker() -> None:
    queue = EventQueue(100_000)
    known = len(gc.get_objects())
    fill = Fill(1, 1, "maker", 100, 1)
    for number in range(10_000):
        queue.hand(
            ORDER, Order(str(number), "X", True, False, 100, 1, sequence=number + 1), (fill,) * (number % 3)
        )
    gc.collect(0)  # it gives up tuples of what it does not know when it comes by

    assert len(gc.get_objects()) - known < 100
