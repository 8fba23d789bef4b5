"""The book and the matching against a naive oracle, and the rules one by one."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.books import Book, Matcher
from engine.orders import Order


@dataclass
class NaiveBook:
    """Every order in one list, searched from the beginning each time; too simple to be wrong."""

    resting: list[Order] = field(default_factory=list)

    def execute(self, order: Order) -> list[tuple[int, int, int]]:
        fills = []
        while order.remaining:
            makers = [
                maker for maker in self.resting if maker.is_buy != order.is_buy and self.agree(order, maker)
            ]
            if not makers:
                break
            sign = 1 if order.is_buy else -1
            maker = min(makers, key=lambda maker: (sign * maker.price, maker.sequence))
            quantity = min(maker.remaining, order.remaining)
            maker.remaining -= quantity
            order.remaining -= quantity
            if not maker.remaining:
                self.resting.remove(maker)
            fills.append((maker.sequence, maker.price, quantity))
        if order.remaining and not order.is_market:
            self.resting.append(order)
        return fills

    @staticmethod
    def agree(order: Order, maker: Order) -> bool:
        if order.is_market:
            return True
        return maker.price <= order.price if order.is_buy else maker.price >= order.price

    def state(self) -> set[tuple[int, int, int]]:
        return {(order.sequence, order.price, order.remaining) for order in self.resting}


@dataclass(frozen=True)
class Action:
    seed: bool
    buy: bool
    price: int | None
    quantity: int

    def order(self, sequence: int) -> Order:
        return Order(
            "id", "X", self.buy, self.price is None, self.price or 0, self.quantity, sequence=sequence
        )


prices = st.integers(95, 105)  # few prices and small quantities, so that orders meet
actions = st.lists(
    st.builds(Action, st.just(value=False), st.booleans(), prices | st.none(), st.integers(1, 6))
    | st.builds(Action, st.just(value=True), st.booleans(), prices, st.integers(1, 6)),
    max_size=60,
)


@given(actions)
def test_any_sequence_of_orders_and_seeds_ends_as_the_oracle_says(sequence: list[Action]) -> None:
    matcher, oracle = Matcher(["X"]), NaiveBook()
    book = matcher.books["X"]

    for number, action in enumerate(sequence, 1):
        mine, its = action.order(number), action.order(number)
        if action.seed:
            matcher.seed(mine)
            oracle.resting.append(its)
        else:
            fills = matcher.execute(mine)
            assert [(fill.maker_sequence, fill.price, fill.quantity) for fill in fills] == oracle.execute(its)
        book.check()
        assert {
            (sequence, price, left) for _, sequence, _, price, left in matcher.resting()
        } == oracle.state()

    assert matcher.depth(bids=True) + matcher.depth(bids=False) == len(oracle.resting)


@given(actions)
def test_nothing_is_created_or_lost(sequence: list[Action]) -> None:
    matcher = Matcher(["X"])
    for number, action in enumerate(sequence, 1):
        order = action.order(number)
        if action.seed:
            matcher.seed(order)
            continue
        before = matcher.matches
        fills = matcher.execute(order)
        assert sum(fill.quantity for fill in fills) + order.remaining == order.quantity
        assert [fill.number for fill in fills] == list(range(before + 1, before + 1 + len(fills)))
        assert all(fill.quantity > 0 for fill in fills)


@pytest.fixture
def matcher() -> Matcher:
    return Matcher(["X", "Y"])


def seed(matcher: Matcher, order: Callable[..., Order], *makers: tuple[int, int]) -> None:
    for price, quantity in makers:
        sequence = matcher.sequence + 1
        matcher.seed(order(price, quantity, buy=False, sequence=sequence, order_id=f"m{sequence}"))


def test_price_before_time_and_the_makers_price(matcher: Matcher, order: Callable[..., Order]) -> None:
    seed(matcher, order, (101, 5), (100, 5), (100, 5))

    fills = matcher.execute(order(101, 12, sequence=9))

    assert [(fill.maker_order_id, fill.price, fill.quantity) for fill in fills] == [
        ("m2", 100, 5),
        ("m3", 100, 5),
        ("m1", 101, 2),
    ]


def test_a_partial_fill_leaves_the_rest_in_its_place(matcher: Matcher, order: Callable[..., Order]) -> None:
    seed(matcher, order, (100, 5), (100, 5))

    matcher.execute(order(100, 2, sequence=8))
    fills = matcher.execute(order(100, 4, sequence=9))

    assert [(fill.maker_order_id, fill.quantity) for fill in fills] == [("m1", 3), ("m2", 1)]


def test_what_is_left_of_a_limit_order_rests(matcher: Matcher, order: Callable[..., Order]) -> None:
    seed(matcher, order, (100, 5))

    matcher.execute(order(100, 7, sequence=9, order_id="t"))

    assert list(matcher.resting()) == [("X", 9, "t", 100, 2)]


@pytest.mark.parametrize("quantity", [5, 50])
def test_a_market_order_takes_any_price_and_never_rests(
    matcher: Matcher, order: Callable[..., Order], quantity: int
) -> None:
    seed(matcher, order, (100, 2), (2**62, 3))

    fills = matcher.execute(order(None, quantity, sequence=9))

    assert [fill.price for fill in fills] == [100, 2**62]
    assert list(matcher.resting()) == []


def test_a_market_order_on_an_empty_book_is_dropped(matcher: Matcher, order: Callable[..., Order]) -> None:
    assert matcher.execute(order(None, 5, sequence=1)) == ()
    assert list(matcher.resting()) == []


def test_prices_that_do_not_meet_do_not_match(matcher: Matcher, order: Callable[..., Order]) -> None:
    seed(matcher, order, (101, 5))

    assert matcher.execute(order(100, 5, sequence=9)) == ()
    assert (matcher.depth(bids=True), matcher.depth(bids=False)) == (1, 1)


def test_symbols_do_not_meet(matcher: Matcher, order: Callable[..., Order]) -> None:
    seed(matcher, order, (100, 5))

    assert matcher.execute(order(100, 5, symbol="Y", sequence=9)) == ()


def test_an_empty_level_is_gone(matcher: Matcher, order: Callable[..., Order]) -> None:
    seed(matcher, order, (100, 5), (101, 5))

    matcher.execute(order(100, 5, sequence=9))

    assert matcher.levels(bids=False) == 1
    assert matcher.books["X"].asks.best is not None
    assert matcher.books["X"].asks.best.price == 101


def test_a_crossed_book_is_tolerated(matcher: Matcher, order: Callable[..., Order]) -> None:
    seed(matcher, order, (100, 5))
    matcher.seed(order(110, 5, sequence=2, order_id="bid"))

    assert matcher.matches == 0
    assert [fill.price for fill in matcher.execute(order(105, 1, sequence=3))] == [100]
    assert [fill.price for fill in matcher.execute(order(105, 1, buy=False, sequence=4))] == [110]
    matcher.books["X"].check()


def test_ids_may_repeat(matcher: Matcher, order: Callable[..., Order]) -> None:
    matcher.execute(order(100, 1, buy=False, sequence=1, order_id="same"))
    matcher.execute(order(100, 1, buy=False, sequence=2, order_id="same"))

    (fill,) = matcher.execute(order(100, 1, sequence=3, order_id="same"))

    assert fill.maker_sequence == 1
    assert [sequence for _, sequence, *_ in matcher.resting()] == [2]


def test_check_sees_a_broken_book(order: Callable[..., Order]) -> None:
    book = Book("X")
    book.rest(order(100, 1, sequence=1))
    book.check()

    book.bids.depth += 1
    with pytest.raises(AssertionError, match="depth counts every order"):
        book.check()
    book.bids.depth -= 1
    next(iter(book.bids)).remaining = 0
    with pytest.raises(AssertionError, match="something left"):
        book.check()
