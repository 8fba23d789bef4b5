import gc
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.orders import (
    MAX_VALUE,
    REASONS,
    Order,
    Rejected,
    parse,
    parse_seed,
    read_order,
    read_seed,
    split_seeds,
)

GOOD = {"orderId": "o-1", "symbol": "X", "side": "BUY", "type": "LIMIT", "price": 15000, "quantity": 10}


def refusal(**changes: Any) -> Rejected:
    with pytest.raises(Rejected) as caught:
        parse({**GOOD, **changes}, {"X"})
    assert caught.value.status == 400
    assert caught.value.label in REASONS
    return caught.value


def test_a_limit_order() -> None:
    order = parse({**GOOD, "timestamp": 7, "unknown": [1]}, {"X"})

    assert (order.order_id, order.symbol, order.is_buy, order.is_market) == ("o-1", "X", True, False)
    assert (order.price, order.quantity, order.remaining, order.timestamp) == (15000, 10, 10, 7)


def test_the_type_may_be_left_out_and_is_limit_then() -> None:
    body = {key: value for key, value in GOOD.items() if key != "type"}

    assert not parse(body, {"X"}).is_market


@pytest.mark.parametrize("price", [{}, {"price": None}, {"price": "whatever"}])
def test_a_market_order_needs_no_price(price: dict[str, Any]) -> None:
    body = {"orderId": "m", "symbol": "X", "side": "SELL", "type": "MARKET", "quantity": 1}

    order = parse({**body, **price}, {"X"})

    assert (order.is_market, order.is_buy, order.price) == (True, False, 0)


@pytest.mark.parametrize("symbol", ["Y", "", "x"])
def test_an_unknown_symbol_is_named_as_the_contract_says(symbol: str) -> None:
    error = refusal(symbol=symbol)

    assert (error.reason, error.order_id, error.label) == (
        f"Unknown symbol: {symbol}",
        "o-1",
        "unknown_symbol",
    )


@pytest.mark.parametrize("value", [None, 1, ["X"], {}, True])
def test_what_is_no_string_is_no_symbol(value: Any) -> None:
    assert refusal(symbol=value).label == "unknown_symbol"


@pytest.mark.parametrize("value", [0, -1, 1.0, 1.5, "1", True, None, [], MAX_VALUE + 1])
@pytest.mark.parametrize("field", ["price", "quantity"])
def test_price_and_quantity_are_positive_integers(field: str, value: Any) -> None:
    error = refusal(**{field: value})

    assert error.label == field
    assert error.reason.startswith(f"{field} must be a positive integer, not ")


def test_the_largest_values_are_taken() -> None:
    assert parse({**GOOD, "price": MAX_VALUE, "quantity": MAX_VALUE}, {"X"}).quantity == MAX_VALUE


@pytest.mark.parametrize("value", ["buy", "", None, 1, ["BUY"], {}])
def test_sides(value: Any) -> None:
    assert refusal(side=value).label == "side"


@pytest.mark.parametrize("value", ["STOP", "limit", None, 1, ["LIMIT"]])
def test_types(value: Any) -> None:
    assert refusal(type=value).label == "type"


@pytest.mark.parametrize("value", ["", 1, None, True, "x" * 129, ["a"]])
def test_an_order_id_is_a_string_of_sane_length(value: Any) -> None:
    error = refusal(orderId=value)

    assert (error.label, error.order_id) == ("order_id", None)


@pytest.mark.parametrize("value", [-1, 1.5, "now", True, MAX_VALUE + 1])
def test_a_timestamp_is_an_integer_if_it_is_there(value: Any) -> None:
    assert refusal(timestamp=value).label == "timestamp"
    assert parse({**GOOD, "timestamp": None}, {"X"}).timestamp is None


@pytest.mark.parametrize("body", [None, [], "order", 1, True])
def test_the_body_must_be_an_object(body: Any) -> None:
    with pytest.raises(Rejected, match="must be a JSON object"):
        parse(body, {"X"})


def test_a_reason_stays_short_whatever_was_sent() -> None:
    assert len(refusal(symbol="Y" * 100_000).reason) < 200


def test_a_market_order_can_not_be_seeded() -> None:
    with pytest.raises(Rejected, match="never rests"):
        parse_seed({**GOOD, "type": "MARKET"}, {"X"})


LEAF = st.none() | st.booleans() | st.integers() | st.floats() | st.text("aé\0", max_size=3)
JSON = LEAF | st.lists(LEAF, max_size=2) | st.dictionaries(st.just("a"), LEAF)


@given(
    st.dictionaries(
        st.sampled_from([*GOOD, "timestamp"]), JSON | st.sampled_from(["X", "BUY", "LIMIT", "MARKET"])
    )
)
def test_anything_is_an_order_or_refused(body: dict[str, Any]) -> None:
    try:
        order = parse(body, {"X"})
    except Rejected:
        return
    assert order.symbol == "X"
    assert 0 < order.quantity <= MAX_VALUE
    assert order.is_market or 0 < order.price <= MAX_VALUE


def slowly(body: bytes, parsed: Any = parse) -> Any:
    try:
        decoded = orjson.loads(body)
    except orjson.JSONDecodeError:
        return "malformed"
    try:
        return seen(parsed(decoded, {"X"}))
    except Rejected as refused:
        return refused.label


def quickly(body: bytes, read: Any = read_order) -> Any:
    try:
        return seen(read(body, {"X"}))
    except Rejected as refused:
        return refused.label


def seen(order: Order) -> tuple[Any, ...]:
    return (
        order.order_id,
        order.symbol,
        order.is_buy,
        order.is_market,
        order.price,
        order.quantity,
        order.remaining,
        order.timestamp,
    )


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 5),
    st.just(MAX_VALUE),
    st.integers(2**63 - 1, 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=4),
    st.sampled_from(["X", "BUY", "SELL", "LIMIT", "MARKET", "", "é" * 128, "x" * 129]),
    st.lists(st.integers(0, 9), max_size=2),
)


@given(
    changes=st.dictionaries(st.sampled_from([*GOOD, "timestamp", "another"]), VALUES, max_size=3),
    without=st.sets(st.sampled_from(sorted(GOOD)), max_size=1),
)
def test_the_quick_way_takes_what_the_thorough_one_takes(changes: dict[str, Any], without: set[str]) -> None:
    body = orjson.dumps({key: value for key, value in {**GOOD, **changes}.items() if key not in without})

    assert quickly(body) == slowly(body)
    assert quickly(body, read_seed) == slowly(body, parse_seed)


EDGES = [None, True, 0, -1, 1, 1.0, MAX_VALUE, MAX_VALUE + 1, "", "X", "é" * 128, "x" * 129, "MARKET", [], {}]


@pytest.mark.parametrize("value", EDGES, ids=lambda value: repr(value)[:20])
@pytest.mark.parametrize("field", [*GOOD, "timestamp"])
def test_at_every_edge_both_ways_say_the_same(field: str, value: Any) -> None:
    body = orjson.dumps({**GOOD, field: value})

    assert quickly(body) == slowly(body)
    assert quickly(body, read_seed) == slowly(body, parse_seed)


@given(data=st.data())
def test_bytes_that_are_broken_anywhere_are_refused_alike(data: st.DataObject) -> None:
    body = bytearray(
        orjson.dumps({**GOOD, "timestamp": 7, **data.draw(st.sampled_from([{}, {"more": "é"}]))})
    )
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))

    assert quickly(bytes(body)) == slowly(bytes(body))


@pytest.mark.parametrize("field", [*GOOD, "another"])
def test_what_is_nested_deeply_is_an_answer_like_others(field: str) -> None:
    deep = orjson.dumps({**GOOD, field: "@"}).replace(b'"@"', b"[" * 1000 + b"]" * 1000)

    assert quickly(deep) == slowly(deep)
    assert (type(quickly(deep)) is str) == (field != "another")


@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b'{"orders": 1}', b'{"orders": {}}', b"x", b'{"orders": [x]}']
)
def test_what_holds_no_seeds(body: bytes) -> None:
    with pytest.raises(Rejected) as caught:
        split_seeds(body)

    assert caught.value.label == "malformed"


def test_the_collector_knows_no_order() -> None:
    order = read_order(orjson.dumps(GOOD), {"X"})

    assert not gc.is_tracked(order)
