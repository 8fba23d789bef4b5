"""An oracle of the exchange: what must have come of the orders, worked out once more from the events alone.

It shares no line with the engine and is as plain as can be: price-time priority at the resting order's
price, partial fills leave the rest in its place, what is left of a market order is dropped, seeds rest
unmatched. The orders of each shard go through it in the log's order; each fill that it makes is held against
the event of that number, property by property, and the first place where the two accounts part is named.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Event = Mapping[str, Any]

PLACED, SEEDED, EXECUTED = "ORDER_PLACED", "ORDER_SEEDED", "MATCH_EXECUTED"
SIDES = {"bid": "BUY", "ask": "SELL"}


@dataclass(slots=True)
class Account:
    """What came of the events of one shard's log.

    Attributes:
        placed: how many orders were placed.
        seeded: how many were laid into the book past matching.
        fills: how many executions the oracle makes of them.
        lots: how many lots change hands in these.
        depth: how many orders rest in the end, by side (``bid``, ``ask``).
        levels: at how many prices, over all symbols.
        opening: ``depth`` when the first order of the load that is asked about came; empty if none came.
        shallowest: the fewest resting SELLs from there on.
        deepest: the most.
        parted: where events and oracle first differ, in words; empty if nowhere.
    """

    placed: int = 0
    seeded: int = 0
    fills: int = 0
    lots: int = 0
    depth: dict[str, int] = field(default_factory=dict)
    levels: dict[str, int] = field(default_factory=dict)
    opening: dict[str, int] = field(default_factory=dict)
    shallowest: int = 0
    deepest: int = 0
    parted: str = ""

    def watch(self, bids: int, asks: int) -> None:
        """Note how deep the book is when an order of the load comes."""
        if not self.opening:
            self.opening = {"bid": bids, "ask": asks}
            self.shallowest = self.deepest = asks
        self.shallowest, self.deepest = min(self.shallowest, asks), max(self.deepest, asks)


def audit(orders: Iterable[Event], matches: Iterable[Event], load: str = "") -> dict[str, Account]:
    """Return the account of each shard that has events.

    Args:
        orders: the events of the topic ``orders``, in any order, repeats among them.
        matches: those of the topic ``matches``, likewise.
        load: how the ids of the load's orders begin; the book's depth is watched while they come.

    >>> audit([], [])
    {}
    """
    placed, executed = _by_shard(orders), _by_shard(matches)
    return {
        shard: _audit(placed.get(shard, []), executed.get(shard, []), load)
        for shard in sorted({*placed, *executed})
    }


def _by_shard(events: Iterable[Event]) -> dict[str, list[Event]]:
    found: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        found[str(event["shard"])].append(event)
    return found


def _audit(orders: Sequence[Event], matches: Sequence[Event], load: str) -> Account:
    account = Account()
    books: dict[str, _Book] = defaultdict(_Book)
    try:
        in_order = _sequenced(orders, "order")
        logs = {order.get("log") for order in in_order}
        fills = _sequenced([match for match in matches if match.get("log") in logs], "match")
        expected = 0
        for order in in_order:
            if load and order["type"] == PLACED and str(order["orderId"]).startswith(load):
                account.watch(
                    *(sum(book.resting[side] for book in books.values()) for side in ("BUY", "SELL"))
                )
            for fill in _execute(books[order["symbol"]], order, account):
                expected += 1
                _hold(fill, fills, expected)
                account.lots += fill["executionQuantity"]
        account.fills = expected
        _no_more(fills, expected)
    except _Parted as parted:
        account.parted = str(parted)
    except (KeyError, TypeError, ValueError) as error:
        account.parted = f"an event that makes no sense: {type(error).__name__}: {error}"
    for side, word in SIDES.items():
        sides = [book.sides[word] for book in books.values()]
        account.depth[side] = sum(len(queue) for one in sides for queue in one.values())
        account.levels[side] = sum(bool(queue) for one in sides for queue in one.values())
    return account


class _Parted(Exception):  # noqa: N818 - not an error of the program: where two accounts differ
    """Events and oracle differ."""


def _sequenced(events: Sequence[Event], what: str) -> list[Event]:
    """Return events by sequence, repeats dropped; each number from 1 on has to be there, and once.

    An engine that was started again goes on with the numbers under another ``log``. One whose log is a new
    one begins at 1 again: what was told before is another engine's, with other books.
    """
    logs: dict[object, dict[int, Event]] = defaultdict(dict)
    for event in events:
        known, number = logs[event.get("log")], event["sequence"]
        if number in known and known[number] != event:
            raise _Parted(f"two {what} events of sequence {number} differ: {known[number]} and {event}")
        known[number] = event
    told: dict[int, Event] = {}
    for log in sorted(logs.values(), key=_since):
        if 1 in log:
            told = {}
        if again := told.keys() & log.keys():
            raise _Parted(f"{what} {min(again)} came twice, as different events: {told[min(again)]}")
        told.update(log)
    for number in range(1, len(told) + 1):
        if number not in told:
            raise _Parted(f"{what} {number} has no event, though one of {max(told)} has")
    return [told[number] for number in range(1, len(told) + 1)]


def _since(log: Mapping[int, Event]) -> int:
    """When the first event of a log came about."""
    first = log[min(log)]
    return int(first.get("acceptedAt", first.get("timestamp", 0)))


def _execute(book: _Book, order: Event, account: Account) -> list[dict[str, Any]]:
    """Let an order do what it must; return its fills."""
    kind, market = order["type"], order.get("orderType") == "MARKET"
    if kind == SEEDED:
        account.seeded += 1
        book.rest(order, order["quantity"])
        return []
    if kind != PLACED:
        raise _Parted(f"an event of type {kind!r} among the orders: {_shown(order)}")
    account.placed += 1
    left, fills = order["quantity"], []
    while left and (maker := book.best(against=order["side"])):
        price = maker.order["price"]
        if not market and (price > order["price"] if order["side"] == "BUY" else price < order["price"]):
            break
        lots = min(left, maker.left)
        left -= lots
        maker.left -= lots
        if not maker.left:
            book.drop(maker)
        fills.append(
            {
                "takerOrderId": order["orderId"],
                "makerOrderId": maker.order["orderId"],
                "takerSequence": order["sequence"],
                "makerSequence": maker.order["sequence"],
                "symbol": order["symbol"],
                "executionPrice": price,
                "executionQuantity": lots,
                "takerSide": order["side"],
                "type": EXECUTED,
            }
        )
    if left and not market:
        book.rest(order, left)
    return fills


def _hold(fill: Mapping[str, Any], executed: Sequence[Event], number: int) -> None:
    """Hold the event of a fill to what the oracle makes of it."""
    if number > len(executed):
        raise _Parted(
            f"order {fill['takerSequence']} ({fill['takerOrderId']}) must have made match {number} "
            f"({_shown(fill)}), and there are only {len(executed)}"
        )
    event = executed[number - 1]
    wrong = {name: (event.get(name), right) for name, right in fill.items() if event.get(name) != right}
    if wrong:
        told = "; ".join(
            f"{name} is {found!r} and must be {right!r}" for name, (found, right) in wrong.items()
        )
        raise _Parted(f"match {number} of order {fill['takerSequence']} ({fill['takerOrderId']}): {told}")


def _no_more(executed: Sequence[Event], number: int) -> None:
    """Hold the number of executions to what the oracle makes of the orders."""
    if len(executed) > number:
        extra = executed[number]
        raise _Parted(
            f"match {extra['sequence']} ({_shown(extra)}) is one that no order makes: "
            f"{len(executed)} were executed, and the orders make {number}"
        )


def _shown(event: Event) -> str:
    names = ("symbol", "side", "takerSide", "price", "quantity", "executionPrice", "executionQuantity")
    return ", ".join(f"{name} {event[name]}" for name in names if name in event)


@dataclass(slots=True)
class _Resting:
    order: Event
    left: int


class _Book:
    """What rests of one symbol: for each side, price to queue."""

    def __init__(self) -> None:
        self.sides: dict[str, dict[int, deque[_Resting]]] = {"BUY": {}, "SELL": {}}
        self.resting = {"BUY": 0, "SELL": 0}

    def rest(self, order: Event, left: int) -> None:
        self.resting[order["side"]] += 1
        self.sides[order["side"]].setdefault(order["price"], deque()).append(_Resting(order, left))

    def best(self, *, against: str) -> _Resting | None:
        """Return what an order of side ``against`` meets first."""
        makers = self.sides["SELL" if against == "BUY" else "BUY"]
        if not makers:
            return None
        return makers[min(makers) if against == "BUY" else max(makers)][0]

    def drop(self, resting: _Resting) -> None:
        """Take away what is at the head of its queue, and used up."""
        side, price = self.sides[resting.order["side"]], resting.order["price"]
        side[price].popleft()
        self.resting[resting.order["side"]] -= 1
        if not side[price]:
            del side[price]
