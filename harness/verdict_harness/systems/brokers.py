"""Message brokers, as services that a system can contain.

One Apache Kafka node that is broker and controller in one process (KRaft).
"""

from __future__ import annotations

import base64
import socket
import struct
import uuid
from pathlib import Path

from ..programs import provide
from .system import Command, Endpoint, Place, Process, Service

PARTITIONS = 12

_NODE = 1
_METADATA, _METADATA_VERSION = (
    3,
    4,
)  # version 4: the last without per-topic leader epochs that every broker speaks
_CORRELATION = 7
_MAX_ANSWER = 16 * 2**20
_JVM = (
    "-Xms64m",
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # ready in half the time; a test broker never earns back the second compiler
    "-XX:-UsePerfData",  # no files in the temporary directory
    "-XX:+ExitOnOutOfMemoryError",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
)


def kafka(name: str = "redpanda") -> Service:
    """Return a Kafka-API broker: port ``kafka`` for clients, ``controller`` for itself.

    Topics are not created by being named; those that are created get 12
    partitions unless they ask for another number.  What it stores outlives a
    kill and a new start; that start takes some 10 s longer, until the killed
    broker's session has expired.

    Args:
        name: of the service. The same API is often served by Redpanda, hence the default.
    """
    return Service(
        name=name,
        ports={"kafka": 9092, "controller": 9093},
        ready="kafka:kafka",
        process=Process(_command, stop_grace=15.0),
        url_variable="KAFKA_BOOTSTRAP",
        start_timeout=90.0,
    )


def _command(at: Place) -> Command:
    data = at.directory / "data"
    _format(data)
    properties = at.directory / "server.properties"
    properties.write_text(_properties(at, data), encoding="utf-8")
    return Command(
        (
            str(provide("java").path),
            *_JVM,
            "-cp",
            f"{provide('kafka').path}/*",
            "kafka.Kafka",
            str(properties),
        )
    )


def _properties(at: Place, data: Path) -> str:
    broker, controller = at.port("kafka"), at.port("controller")
    settings = {
        "process.roles": "broker,controller",
        "node.id": _NODE,
        "controller.quorum.voters": f"{_NODE}@127.0.0.1:{controller}",
        "listeners": f"PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{broker}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": data,
        "auto.create.topics.enable": "false",
        "num.partitions": PARTITIONS,
        # one node: whatever Kafka keeps for itself has one replica, and few partitions to open at start
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "share.coordinator.state.topic.num.partitions": 1,
        "group.initial.rebalance.delay.ms": 0,
    }
    return "".join(f"{key}={value}\n" for key, value in settings.items())


def _format(data: Path) -> None:
    """Give the storage its identity, once.

    This is what ``kafka-storage format`` leaves for a node whose voters are
    listed in its configuration, less the records that only say the defaults;
    written here it costs no second JVM start.
    """
    identity = data / "meta.properties"
    if identity.exists():
        return
    data.mkdir(parents=True, exist_ok=True)
    identity.write_text(
        f"version=1\ncluster.id={_kafka_uuid()}\nnode.id={_NODE}\ndirectory.id={_kafka_uuid()}\n",
        encoding="utf-8",
    )


def _kafka_uuid() -> str:
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        if not text.startswith("-"):  # Kafka's own tools take such a one for an option
            return text


def live_brokers(endpoint: Endpoint, timeout: float) -> int:
    """Ask a Kafka-API broker how many live brokers it knows of: one request of its wire protocol.

    An open port says little: a frozen broker's kernel accepts connections, and
    a fenced broker names no live one.

    Args:
        endpoint: where the broker listens.
        timeout: seconds for each step.

    Raises:
        OSError: it can't be reached, or does not answer in time.
        ValueError: what answers does not speak the protocol.
    """
    client = b"harness"
    body = struct.pack(">hhih", _METADATA, _METADATA_VERSION, _CORRELATION, len(client)) + client
    body += struct.pack(">i?", 0, False)  # no topics, and create none
    with socket.create_connection((endpoint.host, endpoint.port), timeout) as connection:
        connection.settimeout(timeout)
        connection.sendall(struct.pack(">i", len(body)) + body)
        (length,) = struct.unpack(">i", _exactly(connection, 4))
        if not 12 <= length <= _MAX_ANSWER:  # noqa: PLR2004 - correlation, throttle time and count
            raise ValueError(f"not a Kafka answer: {length} bytes announced")
        correlation, _throttled, brokers = struct.unpack(">iii", _exactly(connection, 12))
    if correlation != _CORRELATION:
        raise ValueError(f"not a Kafka answer: correlation id {correlation}")
    return int(brokers)


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise ConnectionError("the connection was closed in the middle of an answer")
        data += part
    return data
