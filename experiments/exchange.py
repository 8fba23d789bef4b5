"""The system under test: engine shards and an edge gateway in front of a Kafka-API broker.

Only its shape is told here: names, ports, environment. The backends know how to make it run.
"""

from __future__ import annotations

import os
import sys

from verdict_harness.systems import Command, Place, Process, Service, System, expressions, kafka

from .cluster import RULES, kubernetes

SYMBOLS = {
    "a": ("TEST-ASSET-A", "TEST-ASSET-B", "TEST-ASSET-C", "TEST-ASSET-D"),
    "b": ("TEST-ASSET-E", "TEST-ASSET-F", "TEST-ASSET-G", "TEST-ASSET-H"),
    "c": ("TEST-ASSET-I", "TEST-ASSET-J", "TEST-ASSET-K", "TEST-ASSET-L"),
}
BROKER = "redpanda"
GATEWAY = "edge-gateway"
PORTS = {"http": 8080, "metrics": 9091}
_SECURITY = ("KAFKA_SECURITY_", "KAFKA_SASL_", "KAFKA_SSL_")


def recording_rules() -> tuple[str, ...]:
    """Names of all recording rules."""
    return tuple(expressions(RULES))


def shard_service(shard: str) -> str:
    """Name of the service that runs ``shard``."""
    return f"me-shard-{shard}"


def _shard(shard: str) -> Service:
    def command(at: Place) -> Command:
        return Command(
            (sys.executable, "-m", "engine"),
            {
                "SHARD_ID": shard,
                "SHARD_SYMBOLS": ",".join(SYMBOLS[shard]),
                "HOST": "127.0.0.1",
                "HTTP_PORT": str(at.port("http")),
                "METRICS_PORT": str(at.port("metrics")),
                "KAFKA_BOOTSTRAP": at.endpoint(BROKER, "kafka").address,
                "WAL_PATH": str(at.directory / "wal"),
                # Our broker is plain, whatever another one is for which whoever runs us has set these.
                **{name: "" for name in os.environ if name.startswith(_SECURITY)},
            },
        )

    return Service(
        name=shard_service(shard),
        ports=PORTS,
        ready="http:/health UP",
        process=Process(command),
        scrape="metrics",
        url_variable=f"ME_SHARD_{shard.upper()}_URL",
        url_aliases=("ME_URL",) if shard == "a" else (),
    )


def _gateway(shards: tuple[str, ...]) -> Service:
    def command(at: Place) -> Command:
        return Command(
            (sys.executable, "-m", "gateway"),
            {
                "HOST": "127.0.0.1",
                "HTTP_PORT": str(at.port("http")),
                "METRICS_PORT": str(at.port("metrics")),
                "ME_SHARD_MAP": ",".join(f"{s}={at.endpoint(shard_service(s), 'http').url}" for s in shards),
                "SHARD_SYMBOLS_MAP": ",".join(f"{s}={':'.join(SYMBOLS[s])}" for s in shards),
            },
        )

    return Service(
        name=GATEWAY,
        ports=PORTS,
        ready="http:/health UP",
        process=Process(command),
        scrape="metrics",
        url_variable="GATEWAY_URL",
    )


def exchange(*shards: str) -> System:
    """Return the exchange with these shards: one for latency, three for scale."""
    return System(
        name="exchange-" + "".join(shards),
        services=(kafka(BROKER), *(_shard(s) for s in shards), _gateway(shards)),
        recording_rules=RULES,
        kubernetes=kubernetes(shards),
    )


SINGLE = exchange("a")
MULTI = exchange("a", "b", "c")
