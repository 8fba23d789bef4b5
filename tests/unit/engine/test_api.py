import asyncio
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from engine.http.api import answer_health, answer_order, answer_seed
from engine.shard import Shard

ORDER = {"orderId": "o-1", "symbol": "X", "side": "SELL", "price": 100, "quantity": 1}


@pytest.fixture
def ready(shard: Callable[..., Shard]) -> Shard:
    made = shard(RING_BUFFER_SIZE=2)
    made.ready = True
    return made


def post(shard: Shard, **changes: Any) -> tuple[int, dict[str, Any]]:
    return answer_order(shard, orjson.dumps({**ORDER, **changes}))


def test_accepted(ready: Shard) -> None:
    status, answer = post(ready)

    assert status == 200
    assert answer.pop("timestamp") > 1_600_000_000_000
    assert answer == {"status": "ACCEPTED", "orderId": "o-1", "shardId": "a"}


def test_an_id_that_was_used_is_accepted_again(ready: Shard) -> None:
    assert [post(ready)[0], post(ready)[0]] == [200, 200]


def test_refused(ready: Shard) -> None:
    assert post(ready, symbol="Z") == (
        400,
        {"status": "REJECTED", "reason": "Unknown symbol: Z", "orderId": "o-1"},
    )


def test_what_has_no_id_is_refused_without_one(ready: Shard) -> None:
    status, answer = answer_order(ready, b"{nonsense")

    assert (status, set(answer), answer["status"]) == (400, {"status", "reason"}, "REJECTED")


def test_a_full_ring(ready: Shard) -> None:
    post(ready)
    post(ready)

    assert post(ready) == (503, {"status": "REJECTED", "reason": "Ring buffer full", "orderId": "o-1"})


def test_seed(ready: Shard) -> None:
    good, bad = (
        orjson.dumps({"orders": [ORDER, ORDER]}),
        orjson.dumps({"orders": [ORDER, {**ORDER, "side": "?"}]}),
    )

    assert asyncio.run(answer_seed(ready, good)) == (200, {"seeded": 2})
    assert asyncio.run(answer_seed(ready, bad)) == (
        400,
        {"status": "REJECTED", "reason": "orders[1]: side must be BUY or SELL, not ?", "orderId": "o-1"},
    )


def test_a_seed_of_absurdly_many_fields_is_not_decoded(ready: Shard) -> None:
    status, answer = asyncio.run(answer_seed(ready, b'{"orders": [[]' + b",[]" * 500_001 + b"]}"))

    assert (status, answer["status"]) == (413, "REJECTED")
    assert "more than 500000 fields" in answer["reason"]


def test_health(ready: Shard) -> None:
    assert answer_health(ready) == (200, {"status": "UP", "shardId": "a"})
    ready.ready = False
    assert answer_health(ready) == (503, {"status": "DOWN", "shardId": "a"})


def test_health_says_what_somebody_has_to_do_and_only_then(ready: Shard) -> None:
    assert answer_health(ready) == (200, {"status": "UP", "shardId": "a"})
    ready.publisher.trouble.lasting = "events do not reach the broker: not for you"

    assert answer_health(ready) == (
        200,
        {"status": "UP", "shardId": "a", "problems": ["events do not reach the broker: not for you"]},
    )
