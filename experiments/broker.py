"""Reads events back from the broker, as an independent consumer would: another client than the engine's."""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

from verdict_harness.errors import Inconclusive

TOPICS = ("orders", "matches")
PARTITIONS = 12

_AT_ONCE = 5000
_LOOK = 10.0  # seconds for the broker to say what it has

#: What the engine calls them, and what this client does (docs/broker.md).
_SECURITY = {
    "KAFKA_SECURITY_PROTOCOL": "security.protocol",
    "KAFKA_SASL_MECHANISM": "sasl.mechanism",
    "KAFKA_SASL_USERNAME": "sasl.username",
    "KAFKA_SASL_PASSWORD": "sasl.password",
    "KAFKA_SSL_CAFILE": "ssl.ca.location",
    "KAFKA_SSL_CERTFILE": "ssl.certificate.location",
    "KAFKA_SSL_KEYFILE": "ssl.key.location",
    "KAFKA_SSL_KEY_PASSWORD": "ssl.key.password",
}

Event = dict[str, Any]

_WORDS = {
    "type",
    "symbol",
    "side",
    "orderType",
    "takerSide",
    "shard",
    "log",
    "key",
}  # many events have the same


def read(bootstrap: str, security: Mapping[str, str] | None = None, timeout: float = 60.0) -> dict[str, Any]:
    """Return what both topics hold now.

    Args:
        bootstrap: ``host:port`` of the broker.
        security: an environment that says how to speak to it; a plain connection if there is none.
        timeout: seconds for each topic.

    Returns:
        For each topic, ``partitions``, how many it has, and ``events``, each with its ``key``.

    Raises:
        Inconclusive: the broker can't be read.
    """
    told = _spoken(security or {})
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"verdicts-{uuid.uuid4().hex}",  # needed, and never joined
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 50,
            **told,
        }
    )
    try:
        return {topic: _topic(consumer, topic, timeout) for topic in TOPICS}
    except KafkaException as error:
        raise Inconclusive("the broker can't be read", found=str(error), where=bootstrap) from error
    finally:
        consumer.close()


def _spoken(security: Mapping[str, str]) -> dict[str, str]:
    """Return how this client is told what the engine was told.

    >>> _spoken({"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CERTFILE": "/keys/me.pem"})["ssl.key.location"]
    '/keys/me.pem'
    """
    told = {name: value for word, name in _SECURITY.items() if (value := security.get(word))}
    for word in ("KAFKA_SASL_PASSWORD", "KAFKA_SSL_KEY_PASSWORD"):
        if file := security.get(f"{word}_FILE"):
            told[_SECURITY[word]] = _password(f"{word}_FILE", Path(file))
    if certificate := told.get("ssl.certificate.location"):
        told.setdefault("ssl.key.location", certificate)  # one file may hold both
    if security.get("KAFKA_SSL_CHECK_HOSTNAME", "").upper() == "FALSE":
        told["ssl.endpoint.identification.algorithm"] = "none"
    return told


def _password(word: str, file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Inconclusive(
            "the broker can't be read: its password can't",
            expected=f"a file of text, as {word} says",
            found=str(error),
            where=str(file),
        ) from error


def _topic(consumer: Consumer, topic: str, timeout: float) -> dict[str, Any]:
    known = consumer.list_topics(topic, timeout=_LOOK).topics[topic]
    partitions = [] if known.error else sorted(known.partitions)
    ends: dict[int, int] = {}
    for number in partitions:
        first, last = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=_LOOK)
        if last > first:
            ends[number] = last
    consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in ends])
    events = list(_events(consumer, topic, ends, time.monotonic() + timeout))
    return {"partitions": len(partitions), "events": events}


def _events(consumer: Consumer, topic: str, ends: dict[int, int], deadline: float) -> Iterator[Event]:
    """Yield each event up to the ends that the partitions had; what is added meanwhile may come, too."""
    left = dict(ends)
    while left:
        if time.monotonic() > deadline:
            raise Inconclusive(
                "the broker did not hand its events over in time",
                expected=f"all of {topic} up to {ends}",
                found=f"partitions {sorted(left)} were not read to their end",
            )
        for message in consumer.consume(_AT_ONCE, timeout=0.2):
            if problem := message.error():
                raise KafkaException(problem)
            number, offset = message.partition(), message.offset()
            if number is not None and offset is not None and offset + 1 >= left.get(number, 0):
                left.pop(number, None)
            yield _event(message.key(), message.value())


def decoded(text: str) -> Any:
    """Return what JSON says; the names in it, and words that many events have, are in memory once for all.

    Half an hour at the peak has 430,000 events: they take 330 MB like this, and 850 MB else.

    Raises:
        ValueError: it is no JSON.
    """
    return _DECODER.decode(text)


def _shared(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {
        sys.intern(name): sys.intern(value) if name in _WORDS and isinstance(value, str) else value
        for name, value in pairs
    }


_DECODER = json.JSONDecoder(object_pairs_hook=_shared)


def _event(key: bytes | None, value: bytes | None) -> Event:
    try:
        event = decoded((value or b"").decode())
    except ValueError:
        event = None
    if not isinstance(event, dict) or not {"type", "shard", "sequence", "symbol"} <= event.keys():
        raise Inconclusive(
            "what is on the broker is no event", expected="docs/events.md", found=repr(value)[:200]
        )
    return {**event, "key": sys.intern((key or b"").decode(errors="replace"))}
