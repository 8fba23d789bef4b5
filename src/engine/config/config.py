"""The engine's configuration, read from the environment once and checked as a whole."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigError
from .environment import Reader
from .security import Security

DEFAULT_SYMBOLS = {
    "a": ("TEST-ASSET-A", "TEST-ASSET-B", "TEST-ASSET-C", "TEST-ASSET-D"),
    "b": ("TEST-ASSET-E", "TEST-ASSET-F", "TEST-ASSET-G", "TEST-ASSET-H"),
    "c": ("TEST-ASSET-I", "TEST-ASSET-J", "TEST-ASSET-K", "TEST-ASSET-L"),
}

# Colons and commas separate names in the gateway's maps, so they can't be part of one.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@dataclass(frozen=True, slots=True)
class Config:
    """What one engine process was told.

    Attributes:
        shard_id: the shard's name, a label of every metric.
        symbols: what it matches; anything else is an unknown symbol.
        host: address that both ports are bound to.
        http_port: orders and health; 0 takes any free port and logs it.
        metrics_port: Prometheus exposition; 0 as above.
        kafka_bootstrap: ``host:port`` of one or more brokers, comma-separated.
        kafka_security: how the engine and the broker know each other.
        wal_path: directory of the write-ahead log, owned by one process.
        wal_size_mb: size of one log segment, in MiB.
        ring_buffer_size: orders that may wait for matching, a power of two.
        event_queue_size: events that may wait in memory for the broker.
        drain_seconds: how long a stop waits for queued events to reach the broker.
        wal_sync_ms: pause between two group commits of the log, in milliseconds; events wait for them.
        log_level: least severe level that is logged.
    """

    shard_id: str
    symbols: tuple[str, ...]
    host: str
    http_port: int
    metrics_port: int
    kafka_bootstrap: str
    kafka_security: Security
    wal_path: Path
    wal_size_mb: int
    ring_buffer_size: int
    event_queue_size: int
    drain_seconds: float
    wal_sync_ms: int
    log_level: str

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Config:
        """Read and check ``env``; a variable that is empty counts as unset.

        Raises:
            ConfigError: with every mistake there is, not just the first.

        >>> Config.from_env({"SHARD_ID": "b"}).symbols[0]
        'TEST-ASSET-E'
        >>> Config.from_env({"HTTP_PORT": "no", "RING_BUFFER_SIZE": "1000"})
        Traceback (most recent call last):
        ...
        engine.errors.ConfigError: HTTP_PORT: expected an integer from 0 to 65535, found 'no'; \
RING_BUFFER_SIZE: expected a power of two, found '1000'
        """
        read = Reader(env)
        shard_id = read.text("SHARD_ID", "a")
        if not _NAME.fullmatch(shard_id):
            read.mistake("SHARD_ID", "letters, digits, '.', '_' and '-', 64 at most", shard_id)
        config = cls(
            shard_id=shard_id,
            symbols=_symbols(read, shard_id),
            host=read.text("HOST", "0.0.0.0"),  # noqa: S104 - a container's port must be reachable
            http_port=read.integer("HTTP_PORT", 8080, 0, 65535),
            metrics_port=read.integer("METRICS_PORT", 9091, 0, 65535),
            kafka_bootstrap=read.addresses("KAFKA_BOOTSTRAP", "localhost:9092"),
            kafka_security=Security.from_env(read),
            wal_path=read.directory("WAL_PATH", f"wal/{shard_id}"),
            wal_size_mb=read.integer("WAL_SIZE_MB", 64, 1, 65536),
            ring_buffer_size=read.power_of_two("RING_BUFFER_SIZE", 131072, 2**24),
            event_queue_size=read.integer("EVENT_QUEUE_SIZE", 200_000, 1, 100_000_000),
            drain_seconds=read.seconds("DRAIN_SECONDS", 5.0, 60.0),
            wal_sync_ms=read.integer("WAL_SYNC_MS", 10, 1, 10_000),
            log_level=read.choice("LOG_LEVEL", "INFO", _LEVELS),
        )
        if config.http_port and config.http_port == config.metrics_port:
            read.mistake("METRICS_PORT", "another port than HTTP_PORT", str(config.metrics_port))
        if read.mistakes:
            raise ConfigError(read.mistakes)
        return config


def _symbols(read: Reader, shard_id: str) -> tuple[str, ...]:
    text = read.text("SHARD_SYMBOLS", "")
    if not text:
        if shard_id not in DEFAULT_SYMBOLS:
            read.mistake(
                "SHARD_SYMBOLS", f"a comma list of symbols, as shard {shard_id!r} has no default", ""
            )
        return DEFAULT_SYMBOLS.get(shard_id, ())
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if not _NAME.fullmatch(name):
            read.mistake("SHARD_SYMBOLS", "names of letters, digits, '.', '_' and '-', 64 at most", name)
    for name in sorted({name for name in names if names.count(name) > 1}):
        read.mistake("SHARD_SYMBOLS", "each symbol once", name)
    return names
