from pathlib import Path

import pytest

from engine.config import Config
from engine.errors import ConfigError


def mistakes(**env: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        Config.from_env(env)
    return caught.value.mistakes


def test_defaults_are_the_contracts() -> None:
    config = Config.from_env({})

    assert (config.shard_id, config.http_port, config.metrics_port) == ("a", 8080, 9091)
    assert (config.wal_size_mb, config.ring_buffer_size, config.event_queue_size) == (64, 131072, 200_000)
    assert config.symbols == ("TEST-ASSET-A", "TEST-ASSET-B", "TEST-ASSET-C", "TEST-ASSET-D")


@pytest.mark.parametrize(("shard", "first", "last"), [("a", "A", "D"), ("b", "E", "H"), ("c", "I", "L")])
def test_each_shard_of_the_contract_has_its_own_symbols(shard: str, first: str, last: str) -> None:
    symbols = Config.from_env({"SHARD_ID": shard, "SHARD_SYMBOLS": " "}).symbols

    assert (symbols[0], symbols[-1], len(symbols)) == (f"TEST-ASSET-{first}", f"TEST-ASSET-{last}", 4)


def test_another_shard_must_say_its_symbols() -> None:
    (mistake,) = mistakes(SHARD_ID="d")

    assert mistake.startswith("SHARD_SYMBOLS: expected a comma list")


def test_every_mistake_is_reported_at_once_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    found = mistakes(
        SHARD_ID="a b",
        SHARD_SYMBOLS="X,,X",
        HTTP_PORT="65536",
        METRICS_PORT="-1",
        KAFKA_BOOTSTRAP="localhost",
        WAL_PATH=str(tmp_path / "file"),
        WAL_SIZE_MB="0",
        RING_BUFFER_SIZE="1000",
        EVENT_QUEUE_SIZE="many",
        DRAIN_SECONDS="1e9",
        WAL_SYNC_MS="0.5",
        LOG_LEVEL="loud",
    )

    names = [mistake.split(":")[0] for mistake in found]
    assert names == [
        "SHARD_ID",
        "SHARD_SYMBOLS",
        "SHARD_SYMBOLS",
        "HTTP_PORT",
        "METRICS_PORT",
        "KAFKA_BOOTSTRAP",
        "WAL_PATH",
        "WAL_SIZE_MB",
        "RING_BUFFER_SIZE",
        "EVENT_QUEUE_SIZE",
        "DRAIN_SECONDS",
        "WAL_SYNC_MS",
        "LOG_LEVEL",
    ]


def test_the_two_ports_must_differ_unless_they_are_any_port() -> None:
    assert mistakes(HTTP_PORT="9091") == ("METRICS_PORT: expected another port than HTTP_PORT, found '9091'",)
    assert Config.from_env({"HTTP_PORT": "0", "METRICS_PORT": "0"}).http_port == 0


@pytest.mark.parametrize("number", ["1_0", "٣", "1.0", "0x10", "1e3"])
def test_a_number_is_decimal_digits(number: str) -> None:
    assert len(mistakes(WAL_SIZE_MB=number)) == 1


@pytest.mark.parametrize("size", [1, 2, 131072])
def test_powers_of_two_are_taken(size: int) -> None:
    assert Config.from_env({"RING_BUFFER_SIZE": str(size)}).ring_buffer_size == size


@pytest.mark.parametrize("address", ["k:9092", "a:1, b:65535", "[::1]:9092", "10.0.0.1:9092"])
def test_broker_addresses(address: str) -> None:
    assert Config.from_env({"KAFKA_BOOTSTRAP": address}).kafka_bootstrap == address.replace(" ", "")


@pytest.mark.parametrize("address", ["k:0", "k:65536", "k", ":9092", "a:1,,b:2", "kafka://k:9092"])
def test_what_is_no_broker_address(address: str) -> None:
    assert mistakes(KAFKA_BOOTSTRAP=address)[0].startswith("KAFKA_BOOTSTRAP: expected host:port")
