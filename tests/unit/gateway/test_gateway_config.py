from __future__ import annotations

import pytest

from gateway.config import ConfigError, load

GOOD = {
    "ME_SHARD_MAP": "a=http://127.0.0.1:8081,b=http://shard-b:8082/",
    "SHARD_SYMBOLS_MAP": "a=TEST-ASSET-A:TEST-ASSET-B,b=TEST-ASSET-E",
}


def problems(**changes: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        load({**GOOD, **changes})
    return raised.value.problems


def test_defaults_and_maps() -> None:
    config = load(GOOD)
    assert (config.host, config.http_port, config.metrics_port) == ("0.0.0.0", 8080, 9091)
    assert config.shards == {"a": "http://127.0.0.1:8081", "b": "http://shard-b:8082"}
    assert config.symbols == {"TEST-ASSET-A": "a", "TEST-ASSET-B": "a", "TEST-ASSET-E": "b"}


def test_spaces_around_anything_do_not_matter() -> None:
    maps = {"ME_SHARD_MAP": " a = http://h:1 , b = http://h:2 ", "SHARD_SYMBOLS_MAP": " b = Y : Z , a = X "}
    config = load({**maps, "HOST": " 127.0.0.1 ", "HTTP_PORT": " 81 "})
    assert config.symbols == {"X": "a", "Y": "b", "Z": "b"}
    assert (config.host, config.http_port) == ("127.0.0.1", 81)


def test_every_mistake_is_reported_at_once() -> None:
    found = problems(
        HTTP_PORT="0",
        METRICS_PORT="many",
        ME_SHARD_MAP="a=127.0.0.1:8081,b=http://h:99999,none=http://h:1,d",
        SHARD_SYMBOLS_MAP="a=X:Y,b=X,c=Z",
    )
    assert [problem.split(":")[0] for problem in found] == [
        "HTTP_PORT",
        "METRICS_PORT",
        "ME_SHARD_MAP",
        "ME_SHARD_MAP",
        "ME_SHARD_MAP",
        "ME_SHARD_MAP",
        "SHARD_SYMBOLS_MAP",
        "ME_SHARD_MAP",
    ]


def test_nothing_set_names_both_maps() -> None:
    with pytest.raises(ConfigError) as raised:
        load({})
    assert [problem.split(":")[0] for problem in raised.value.problems] == [
        "ME_SHARD_MAP",
        "SHARD_SYMBOLS_MAP",
    ]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"HTTP_PORT": "65536"}, "HTTP_PORT: '65536' is not a port"),
        ({"HTTP_PORT": "-1"}, "HTTP_PORT: '-1' is not a port"),
        ({"METRICS_PORT": "8080"}, "METRICS_PORT: 8080 is HTTP_PORT too"),
        (
            {"ME_SHARD_MAP": "a=http://h:1"},
            "ME_SHARD_MAP: nothing for shard 'b', which SHARD_SYMBOLS_MAP names",
        ),
        ({"SHARD_SYMBOLS_MAP": "a=X"}, "SHARD_SYMBOLS_MAP: nothing for shard 'b', which ME_SHARD_MAP names"),
        ({"SHARD_SYMBOLS_MAP": "a=X,b=X"}, "SHARD_SYMBOLS_MAP: symbol 'X' belongs to both shard 'a' and 'b'"),
        ({"SHARD_SYMBOLS_MAP": "a=X:X,b=Y"}, "SHARD_SYMBOLS_MAP: shard 'a': symbol 'X' is there twice"),
        ({"SHARD_SYMBOLS_MAP": "a=X:,b=Y"}, "SHARD_SYMBOLS_MAP: shard 'a': an empty symbol in 'X:'"),
        (
            {"ME_SHARD_MAP": "a=http://h:1,a=http://h:2,b=http://h:3"},
            "ME_SHARD_MAP: shard 'a' is there twice",
        ),
        ({"ME_SHARD_MAP": "a=ftp://h:1,b=http://h:2"}, "ME_SHARD_MAP: shard 'a': 'ftp://h:1' is not a URL"),
        ({"ME_SHARD_MAP": "a=http://:1,b=http://h:2"}, "ME_SHARD_MAP: shard 'a': 'http://:1' is not a URL"),
        ({"ME_SHARD_MAP": "a=http://h:x,b=http://h:2"}, "ME_SHARD_MAP: shard 'a': 'http://h:x' is not a URL"),
        (
            {"ME_SHARD_MAP": "a=http://[h:1,b=http://h:2"},
            "ME_SHARD_MAP: shard 'a': 'http://[h:1' is not a URL",
        ),
        (
            {"ME_SHARD_MAP": "a=http://h:1/orders,b=http://h:2"},
            "'http://h:1/orders' says more than http://host:port",
        ),
        ({"ME_SHARD_MAP": "a b=http://h:1,b=http://h:2"}, "ME_SHARD_MAP: shard 'a b': only letters"),
        (
            {"ME_SHARD_MAP": "a=http://h:1,,b=http://h:2"},
            "ME_SHARD_MAP: '' is not of the form a=http://host:port",
        ),
    ],
)
def test_each_mistake_says_where_it_is(changes: dict[str, str], expected: str) -> None:
    assert any(expected in problem for problem in problems(**changes))
