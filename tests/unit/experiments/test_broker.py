"""What is read from the broker: each message an event, and what all events have in common in memory once."""

import json

import pytest

from experiments import broker
from verdict_harness.errors import Inconclusive

EVENT = {"type": "ORDER_PLACED", "orderId": "r-1", "symbol": "X", "shard": "a", "sequence": 1, "price": None}


def test_an_event_is_what_was_said_with_its_key():
    event = broker._event(b"X", json.dumps(EVENT).encode())
    assert event == {**EVENT, "key": "X"}
    assert broker.decoded(json.dumps(["orders", event])) == ["orders", event]


def test_names_and_common_words_are_in_memory_once():
    one, other = (broker._event(b"X", json.dumps({**EVENT, "orderId": "é" * n}).encode()) for n in (1, 2))
    assert all(a is b for a, b in zip(one, other, strict=True))
    same = {name for name in one if isinstance(one[name], str) and one[name] is other[name]}
    assert same == {"type", "symbol", "shard", "key"}


@pytest.mark.parametrize(
    "value", [None, b"", b"{", b"\xff", b"[1]", b'"text"', b'{"type": "ORDER_PLACED"}', b'{"type": ["a"]}']
)
def test_what_is_no_event_is_said_to_be_none(value):
    with pytest.raises(Inconclusive, match="no event"):
        broker._event(b"X", value)
