"""The oracle: held against matches worked out by hand, and against the engine's own over random orders."""

import itertools
import json
import random

import pytest

from engine.books import Matcher
from engine.events import Entry, events
from engine.log import ORDER
from engine.orders import Order
from experiments.judging.oracle import EXECUTED, PLACED, SEEDED, audit

SYMBOLS = ("X", "Y")


def placed(sequence, side, price, quantity, *, kind=PLACED, symbol="X", market=False):
    return {
        "type": kind,
        "orderId": f"o{sequence}",
        "symbol": symbol,
        "side": side,
        "orderType": "MARKET" if market else "LIMIT",
        "price": None if market else price,
        "quantity": quantity,
        "shard": "a",
        "log": "l",
        "sequence": sequence,
    }


def match(number, taker, maker, price, quantity, *, side="BUY", symbol="X"):
    return {
        "type": EXECUTED,
        "takerOrderId": f"o{taker}",
        "makerOrderId": f"o{maker}",
        "takerSequence": taker,
        "makerSequence": maker,
        "symbol": symbol,
        "executionPrice": price,
        "executionQuantity": quantity,
        "takerSide": side,
        "shard": "a",
        "log": "l",
        "sequence": number,
    }


ORDERS = [
    placed(1, "SELL", 101, 5, kind=SEEDED),
    placed(2, "SELL", 100, 5),
    placed(3, "SELL", 100, 7),
    placed(4, "BUY", 101, 8),  # 5 of 2, 3 of 3: price first, then time, at the maker's price
    placed(5, "BUY", 99, 4),  # rests
    placed(6, "BUY", 0, 20, market=True),  # 4 of 3, 5 of 1, and the rest is dropped
    placed(7, "SELL", 90, 1, symbol="Y"),
]
MATCHES = [
    match(1, 4, 2, 100, 5),
    match(2, 4, 3, 100, 3),
    match(3, 6, 3, 100, 4),
    match(4, 6, 1, 101, 5),
]


def parted(orders=ORDERS, matches=MATCHES):
    return audit(orders, matches)["a"].parted


def test_by_hand():
    account = audit(ORDERS, MATCHES)["a"]
    assert account.parted == ""
    assert (account.placed, account.seeded, account.fills, account.lots) == (6, 1, 4, 17)
    assert account.depth == {"bid": 1, "ask": 1}
    assert account.levels == {"bid": 1, "ask": 1}


def test_order_and_repeats_do_not_matter():
    orders, matches = [*ORDERS, ORDERS[3]][::-1], [*MATCHES, MATCHES[0]][::-1]
    assert parted(orders, matches) == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("executionPrice", 101),
        ("executionQuantity", 4),
        ("makerSequence", 3),
        ("makerOrderId", "o3"),
        ("takerOrderId", "o5"),
        ("symbol", "Y"),
        ("takerSide", "SELL"),
        ("type", "MATCHED"),
    ],
)
def test_each_property_of_a_fill_is_held(name, value):
    wrong = {**MATCHES[0], name: value}
    right = MATCHES[0][name]
    assert f"{name} is {value!r} and must be {right!r}" in parted(matches=[wrong, *MATCHES[1:]])


def test_a_match_that_is_missing_at_the_end():
    assert parted(matches=MATCHES[:-1]).startswith("order 6 (o6) must have made match 4")


def test_a_match_that_no_order_makes():
    extra = match(5, 5, 7, 90, 1, symbol="Y")
    assert "is one that no order makes" in parted(matches=[*MATCHES, extra])


def test_a_match_that_is_missing_in_the_middle():
    assert parted(matches=[MATCHES[0], *MATCHES[2:]]) == "match 2 has no event, though one of 4 has"


def test_an_order_that_was_forgotten():
    assert parted([*ORDERS[:4], *ORDERS[5:]]) == "order 5 has no event, though one of 7 has"


def test_a_last_order_that_was_forgotten_is_not_its_affair():
    assert audit(ORDERS[:-1], MATCHES)["a"].placed == 5


def test_one_sequence_of_two_orders():
    assert "two order events of sequence 5 differ" in parted([*ORDERS, placed(5, "BUY", 98, 4)])


def test_an_engine_that_was_started_again_goes_on_under_another_log():
    assert parted([*ORDERS, {**placed(8, "BUY", 1, 1), "log": "other"}]) == ""


def test_numbers_that_another_log_has_used_already():
    again = {**placed(7, "SELL", 91, 1, symbol="Y"), "log": "other", "acceptedAt": 9}
    assert "order 7 came twice" in parted([*ORDERS, again])


def test_a_new_log_has_new_books():
    new = [{**placed(1, "SELL", 5, 5), "log": "new", "acceptedAt": 9}]
    account = audit([*ORDERS, *new], [])["a"]
    assert (account.parted, account.placed, account.depth) == ("", 1, {"bid": 0, "ask": 1})


def test_depth_is_watched_while_orders_of_the_load_come():
    account = audit(ORDERS, MATCHES, "o4")["a"]
    assert account.opening == {"bid": 0, "ask": 3}


def test_an_event_of_another_type():
    assert "an event of type 'ORDER_GUESSED'" in parted(
        [*ORDERS, {**placed(8, "BUY", 1, 1), "type": "ORDER_GUESSED"}]
    )


def test_an_event_that_makes_no_sense():
    broken = placed(8, "BUY", 1, 1)
    del broken["quantity"]
    assert "makes no sense: KeyError" in parted([*ORDERS, broken])


def test_each_shard_has_its_account():
    other = [{**event, "shard": "b"} for event in ORDERS]
    accounts = audit([*ORDERS, *other], MATCHES)
    assert accounts["a"].parted == ""
    assert accounts["b"].parted.startswith("order 4 (o4) must have made match 1")


@pytest.mark.parametrize("seed", range(20))
def test_it_agrees_with_the_engine(seed):
    """Random orders through the engine's matcher and its events: the same fills, the same book."""
    draw = random.Random(seed)
    matcher = Matcher(SYMBOLS)
    told = []
    for sequence in range(1, 400):
        market = draw.random() < 0.1
        order = Order(
            f"o{sequence}",
            draw.choice(SYMBOLS),
            draw.random() < 0.5,
            market,
            0 if market else draw.randint(95, 105),
            draw.randint(1, 20),
            sequence=sequence,
        )
        entry = Entry(ORDER, order, matcher.execute(order))
        told += [json.loads(event.value) for event in events("a", "0" * 32, entry)]
    account = audit(
        [event for event in told if event["type"] == PLACED],
        [event for event in told if event["type"] == EXECUTED],
    )["a"]
    assert account.parted == ""
    assert account.fills == matcher.matches > 50
    assert account.depth == {"bid": matcher.depth(bids=True), "ask": matcher.depth(bids=False)}
    assert account.levels == {"bid": matcher.levels(bids=True), "ask": matcher.levels(bids=False)}


def test_any_one_fill_that_is_changed_is_found():
    draw = random.Random(1)
    for event, name in itertools.product(MATCHES, ("executionPrice", "executionQuantity", "makerSequence")):
        changed = {**event, name: event[name] + draw.choice((-1, 1))}
        assert parted(matches=[changed if one is event else one for one in MATCHES])
