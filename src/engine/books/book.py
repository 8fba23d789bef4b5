"""The limit order book of one symbol: price levels in order, orders in time order within a level."""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Iterator

from sortedcontainers import SortedDict

from ..orders import Order

# CPython's own, for "an object that will never be part of a cycle".
_untrack = ctypes.pythonapi.PyObject_GC_UnTrack
_untrack.argtypes, _untrack.restype = [ctypes.py_object], None


class Level:
    """All orders that rest at one price, oldest first.

    The garbage collector, which knows no order, does not know their queue
    either: it would walk through all that rest, 10 ms for 100,000 of them.
    """

    __slots__ = ("orders", "price")

    def __init__(self, price: int) -> None:
        self.price = price
        self.orders: deque[Order] = deque()
        _untrack(self.orders)


class Side:
    """One side of a book.

    Both sides are the same code: a level's key is its price on the ask side and
    its negative on the bid side, so that the smallest key is the best price.

    Attributes:
        best: the best level, or None; read in O(1).
        depth: number of orders that rest.

    >>> bids = Side(is_bid=True)
    >>> for sequence, price in enumerate((100, 102, 101), 1):
    ...     bids.rest(Order(str(sequence), "X", True, False, price, 1, sequence=sequence))
    >>> bids.best.price, bids.depth, bids.levels
    (102, 3, 3)
    """

    __slots__ = ("_levels", "_sign", "best", "depth")

    def __init__(self, *, is_bid: bool) -> None:
        self._sign = -1 if is_bid else 1
        self._levels: SortedDict[int, Level] = SortedDict()
        self.best: Level | None = None
        self.depth = 0

    @property
    def levels(self) -> int:
        """Number of prices with an order at them."""
        return len(self._levels)

    def rest(self, order: Order) -> None:
        """Put ``order`` last at its price.  O(1) at a price that is there, O(log levels) at a new one."""
        key = order.price * self._sign
        level = self._levels.get(key)
        if level is None:
            level = self._levels[key] = Level(order.price)
            best = self.best
            if best is None or key < best.price * self._sign:
                self.best = level
        level.orders.append(order)
        self.depth += 1

    def pop_best(self) -> None:
        """Take away the oldest order at the best price, and the level with it if it was the last.

        O(1) while the level lasts, O(log levels) at its end.
        """
        best = self.best
        if best is None:
            raise IndexError("an empty side has no best order")
        best.orders.popleft()
        self.depth -= 1
        if not best.orders:
            levels = self._levels
            del levels[best.price * self._sign]
            self.best = levels.peekitem(0)[1] if levels else None

    def __iter__(self) -> Iterator[Order]:
        """Every order that rests, best price first, oldest first."""
        for level in self._levels.values():
            yield from level.orders

    def check(self) -> None:
        """Raise ``AssertionError`` unless every invariant holds.  O(orders); for tests."""
        prices = [level.price for level in self._levels.values()]
        ordered = sorted(prices, key=lambda price: price * self._sign)
        _hold(prices == ordered and len(set(prices)) == len(prices), "prices are in order, each once")
        _hold(self.best is (self._levels.peekitem(0)[1] if prices else None), "best is the first level")
        _hold(self.depth == sum(1 for _ in self), "depth counts every order")
        for key, level in self._levels.items():
            sequences = [order.sequence for order in level.orders]
            _hold(bool(level.orders), f"level {level.price} is not empty")
            _hold(key == level.price * self._sign, f"level {level.price} is at its key")
            _hold(sequences == sorted(sequences), f"level {level.price} is in time order")
            for order in level.orders:
                _hold(order.price == level.price, f"{order} is at its price")
                _hold(0 < order.remaining <= order.quantity, f"{order} has something left")
                _hold(not order.is_market, f"{order} is no market order")


class Book:
    """The two sides of one symbol.

    Matching never leaves a book crossed, but seeding may: orders that are
    seeded past the matching can overlap.  Nothing here minds.
    """

    __slots__ = ("asks", "bids", "symbol")

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.bids = Side(is_bid=True)
        self.asks = Side(is_bid=False)

    def rest(self, order: Order) -> None:
        """Put ``order`` on its own side."""
        (self.bids if order.is_buy else self.asks).rest(order)

    def check(self) -> None:
        """Raise ``AssertionError`` unless every invariant of both sides holds; for tests."""
        self.bids.check()
        self.asks.check()
        for order in self.bids:
            _hold(order.is_buy and order.symbol == self.symbol, f"{order} belongs among the bids")
        for order in self.asks:
            _hold(not order.is_buy and order.symbol == self.symbol, f"{order} belongs among the asks")


def _hold(condition: bool, what: str) -> None:  # noqa: FBT001 - reads as a sentence
    """``assert`` that survives ``python -O``."""
    if not condition:
        raise AssertionError(f"does not hold: {what}")
