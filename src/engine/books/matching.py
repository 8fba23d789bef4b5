"""Price-time priority matching over all books of a shard (stages 3 and 4 of five).

Nothing here reads a clock, a file or a queue: the same orders in the same
sequence lead to the same fills and the same books, which is what makes the
write-ahead log enough to recover from and to publish from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from ..orders import Order
from .book import Book


class Fill(msgspec.Struct, gc=False, frozen=True):
    """One execution, seen from the incoming order.

    Attributes:
        number: running number of the match in this shard, from 1.
        maker_sequence: sequence of the order that rested.
        maker_order_id: its id.
        price: the resting order's price, in cents.
        quantity: lots exchanged.
    """

    number: int
    maker_sequence: int
    maker_order_id: str
    price: int
    quantity: int


NO_FILLS: tuple[Fill, ...] = ()


class Matcher:
    """The books of one shard and the rules between them.

    Attributes:
        books: one for each symbol, all there from the start.
        matches: number of the last match.
        sequence: sequence of the last order that was executed or seeded.

    >>> matcher = Matcher(["X"])
    >>> matcher.seed(Order("maker", "X", False, False, 100, 5, sequence=1))
    >>> matcher.execute(Order("taker", "X", True, False, 101, 3, sequence=2))
    (Fill(number=1, maker_sequence=1, maker_order_id='maker', price=100, quantity=3),)
    """

    __slots__ = ("books", "matches", "sequence")

    def __init__(self, symbols: Iterable[str]) -> None:
        self.books = {symbol: Book(symbol) for symbol in symbols}
        self.matches = 0
        self.sequence = 0

    def execute(self, order: Order) -> tuple[Fill, ...]:
        """Match ``order`` and rest what is left: the stages below in their order, for replays."""
        book = self.books[order.symbol]
        fills = self.match(book, order)
        self.settle(book, order)
        return fills

    def match(self, book: Book, order: Order) -> tuple[Fill, ...]:
        """Fill ``order`` from the other side as far as its price goes.

        O(makers filled · log levels).  Partially filled makers keep their place.
        """
        makers = book.asks if order.is_buy else book.bids
        level = makers.best
        if level is None:
            return NO_FILLS
        anything, is_buy, limit = order.is_market, order.is_buy, order.price
        remaining = order.remaining
        fills: list[Fill] = []
        while remaining and level is not None:
            price = level.price
            if not (anything or (price <= limit if is_buy else price >= limit)):
                break
            maker = level.orders[0]
            quantity = maker.remaining
            if quantity > remaining:
                quantity = remaining
                maker.remaining -= quantity
            else:
                maker.remaining = 0
                makers.pop_best()
            remaining -= quantity
            self.matches += 1
            fills.append(Fill(self.matches, maker.sequence, maker.order_id, price, quantity))
            level = makers.best
        order.remaining = remaining
        return tuple(fills) if fills else NO_FILLS

    def settle(self, book: Book, order: Order) -> None:
        """Rest what is left of a limit order; what is left of a market order is dropped."""
        if order.remaining and not order.is_market:
            book.rest(order)
        self.sequence = order.sequence

    def seed(self, order: Order) -> None:
        """Rest ``order`` without matching it."""
        self.books[order.symbol].rest(order)
        self.sequence = order.sequence

    def depth(self, *, bids: bool) -> int:
        """Orders that rest on one side, over all symbols."""
        return sum((book.bids if bids else book.asks).depth for book in self.books.values())

    def levels(self, *, bids: bool) -> int:
        """Price levels on one side, over all symbols."""
        return sum((book.bids if bids else book.asks).levels for book in self.books.values())

    def resting(self) -> Iterator[tuple[str, int, str, int, int]]:
        """Yield all that rests, as (symbol, sequence, order id, price, remaining): the state, to compare."""
        for symbol, book in self.books.items():
            for side in (book.bids, book.asks):
                for order in side:
                    yield symbol, order.sequence, order.order_id, order.price, order.remaining
