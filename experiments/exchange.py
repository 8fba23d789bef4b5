"""The system under test: engine shards and an edge gateway in front of a Kafka-API broker.

Only its shape is told here: names, ports, environment. The backends know how to make it run.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from dataclasses import dataclass
from pathlib import Path

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


@dataclass(frozen=True, slots=True)
class Version:
    """Which version of the exchange a service is of.

    Attributes:
        ends: how the names of its services end.
        path: what has to be on Python's path for it; ``None``: the working tree's, which is installed.
    """

    ends: str = ""
    path: Path | None = None

    def name(self, service: str) -> str:
        """Return what a service is called in this version."""
        return service + self.ends

    @property
    def env(self) -> dict[str, str]:
        """Variables for its processes."""
        return {} if self.path is None else {"PYTHONPATH": str(self.path)}


_HERE = Version()
TWIN = Version("-twin")


def _shard(shard: str, of: Version = _HERE, broker: str = BROKER) -> Service:
    def command(at: Place) -> Command:
        return Command(
            (sys.executable, "-m", "engine"),
            {
                **of.env,
                "SHARD_ID": shard,
                "SHARD_SYMBOLS": ",".join(SYMBOLS[shard]),
                "HOST": "127.0.0.1",
                "HTTP_PORT": str(at.port("http")),
                "METRICS_PORT": str(at.port("metrics")),
                "KAFKA_BOOTSTRAP": at.endpoint(broker, "kafka").address,
                "WAL_PATH": str(at.directory / "wal"),
                # Our broker is plain, whatever another one is for which whoever runs us has set these.
                **{name: "" for name in os.environ if name.startswith(_SECURITY)},
            },
        )

    return Service(
        name=of.name(shard_service(shard)),
        ports=PORTS,
        ready="http:/health UP",
        process=Process(command),
        scrape="metrics",
        url_variable="" if of.ends else f"ME_SHARD_{shard.upper()}_URL",
        url_aliases=("ME_URL",) if shard == "a" and not of.ends else (),
    )


def _gateway(shards: tuple[str, ...], of: Version = _HERE) -> Service:
    def command(at: Place) -> Command:
        urls = {shard: at.endpoint(of.name(shard_service(shard)), "http").url for shard in shards}
        return Command(
            (sys.executable, "-m", "gateway"),
            {
                **of.env,
                "HOST": "127.0.0.1",
                "HTTP_PORT": str(at.port("http")),
                "METRICS_PORT": str(at.port("metrics")),
                "ME_SHARD_MAP": ",".join(f"{shard}={url}" for shard, url in urls.items()),
                "SHARD_SYMBOLS_MAP": ",".join(f"{s}={':'.join(SYMBOLS[s])}" for s in shards),
            },
        )

    return Service(
        name=of.name(GATEWAY),
        ports=PORTS,
        ready="http:/health UP",
        process=Process(command),
        scrape="metrics",
        url_variable="" if of.ends else "GATEWAY_URL",
    )


def exchange(*shards: str) -> System:
    """Return the exchange with these shards: one for latency, three for scale."""
    return System(
        name="exchange-" + "".join(shards),
        services=(kafka(BROKER), *(_shard(s) for s in shards), _gateway(shards)),
        recording_rules=RULES,
        kubernetes=kubernetes(shards),
    )


def beside(*versions: Version) -> System:
    """Return shard a behind its gateway, as often as there are versions: each in its own."""
    return System(
        name="versions",
        services=(
            kafka(BROKER),
            *(part for one in versions for part in (_shard("a", one), _gateway(("a",), one))),
        ),
        recording_rules=RULES,
    )


def twins() -> System:
    """Return shard a twice, each with a broker of its own."""
    other = dataclasses.replace(kafka(BROKER + TWIN.ends), url_variable="")
    return System(
        name="twins",
        services=(kafka(BROKER), other, _shard("a"), _shard("a", TWIN, other.name)),
        recording_rules=RULES,
    )


SINGLE = exchange("a")
MULTI = exchange("a", "b", "c")
