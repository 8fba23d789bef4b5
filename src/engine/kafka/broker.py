"""The Kafka side of publishing: topics, partitions, acknowledgements, and every way they can hang."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, TypeVar

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner

from ..config import Config
from ..events import TOPICS, Event, Mark, Marks, Place
from .patience import let_go, within
from .refusal import Overheard, explain
from .retained import retains
from .topics import ensure_topics

log = logging.getLogger(__name__)

T = TypeVar("T")

PARTITIONS = 12
_REQUEST_SECONDS = 5.0
_CONNECT_SECONDS = 10.0
# aiokafka would go on for up to twice that before it gives a batch up, and nobody would know meanwhile.
_SEND_SECONDS = _REQUEST_SECONDS + 1.0
_BATCH_BYTES = 1 << 18


class BrokerError(Exception):
    """The broker refused or did not answer; trying again later may help."""


class KafkaBroker:
    """Publishes to Kafka, or whatever speaks its protocol.

    After a failed send it must be closed and connected again: an idempotent
    producer that has given a batch up leaves a gap in its numbering, and the
    broker refuses all that follows.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._options: dict[str, Any] = {}
        self._producer: Any = None
        self._counts: dict[str, int] = {}
        self._partitions: dict[tuple[str, bytes], int] = {}
        self._partitioner = DefaultPartitioner()

    async def connect(self) -> None:
        """Create what topics are missing, and connect a producer.

        Raises:
            BrokerError: with the reason, as far as anybody told it.
            ConfigError: the files of keys and passwords are not in order any more.
        """
        # In a thread: it reads files.
        options = await asyncio.to_thread(connection_options, self._config)
        with Overheard() as overheard:
            try:
                await self._connect(options)
            except BrokerError as error:
                if overheard.reason is None:
                    raise
                raise BrokerError(f"{error}; {explain(overheard.reason)}") from error

    async def _connect(self, options: dict[str, Any]) -> None:
        self._options = options
        await _within(_CONNECT_SECONDS, ensure_topics(options, TOPICS, PARTITIONS))
        self._producer = AIOKafkaProducer(
            **options,
            acks="all",
            enable_idempotence=True,
            max_batch_size=_BATCH_BYTES,
        )
        self._producer.client._topics = _Nothing()  # noqa: SLF001 - see there
        await _within(_CONNECT_SECONDS, self._producer.start())
        self._partitions.clear()
        for topic in TOPICS:
            self._counts[topic] = len(await _within(_CONNECT_SECONDS, self._producer.partitions_for(topic)))
            if self._counts[topic] != PARTITIONS:
                log.warning(
                    "a topic has another number of partitions than expected",
                    extra={"topic": topic, "expected": PARTITIONS, "found": self._counts[topic]},
                )

    async def retains(self, marks: Marks, log_id: str) -> bool:
        """Read the marked events back, as a consumer."""
        if not marks:
            return True
        if any(partition >= self._counts.get(topic, 0) for (topic, partition), _ in marks.items()):
            return False
        return await _within(_CONNECT_SECONDS, retains(self._options, marks, self._config.shard_id, log_id))

    async def send(self, batch: Sequence[Event]) -> Mapping[Place, Mark]:
        """Send ``batch`` as one record batch for each partition, and wait until all replicas have it."""
        producer = self._producer
        last: dict[Place, int] = {}
        open_batches: dict[tuple[str, int], Any] = {}
        full: list[tuple[tuple[str, int], Any]] = []
        for event in batch:
            at = event.topic, self._partition(event)
            last[at] = event.sequence
            builder = open_batches.get(at)
            if builder is None:
                builder = open_batches[at] = producer.create_batch()
            if builder.append(key=event.key, value=event.value, timestamp=None) is None:
                full.append((at, builder))
                builder = open_batches[at] = producer.create_batch()
                if builder.append(key=event.key, value=event.value, timestamp=None) is None:
                    raise BrokerError(f"an event of {len(event.value)} bytes does not fit into a batch")
        offsets = await _within(_SEND_SECONDS, _deliver(producer, [*full, *open_batches.items()]))
        return {at: Mark(offsets[at], sequence) for at, sequence in last.items() if offsets[at] >= 0}

    async def close(self) -> None:
        """Stop the producer, and if that hangs, tear it down."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        # stop() flushes first and can wait for ever on a broker that is gone (aio-libs/aiokafka#1101).
        if await let_go(producer.stop()):
            return
        sender = producer._sender.sender_task  # noqa: SLF001 - there is no public way to end it
        if sender is not None and not sender.done():
            sender.cancel()
        await let_go(producer.client.close())

    def _partition(self, event: Event) -> int:
        """As Java's default partitioner, so that a symbol's events share one with every other producer's."""
        at = (event.topic, event.key)
        partition = self._partitions.get(at)
        if partition is None:
            numbers = list(range(self._counts[event.topic]))
            partition = self._partitions[at] = self._partitioner(event.key, numbers, numbers)
        return partition


class _Nothing(set[str]):
    """The topics that a producer's metadata requests name: none, which asks for all that there are.

    A request that names a topic has many brokers create it, with a number of
    partitions of their own; and a producer names its topics whenever its
    connection breaks, as when the broker comes back with an empty disk.
    """

    def add(self, _topic: str) -> None:
        """Stay empty."""


def connection_options(config: Config) -> dict[str, Any]:
    """Return what every Kafka client is given.  Blocks while it reads keys and passwords from their files.

    Raises:
        ConfigError: they are not what they have to be.
    """
    return {
        "bootstrap_servers": config.kafka_bootstrap,
        "client_id": f"me-shard-{config.shard_id}",
        "request_timeout_ms": int(_REQUEST_SECONDS * 1000),
        **config.kafka_security.options(),
    }


async def _deliver(producer: Any, batches: Sequence[tuple[Place, Any]]) -> dict[Place, int]:
    """Return the offset of each partition's last event; -1 where the broker does not say."""
    futures = []
    for (topic, partition), builder in batches:
        builder.close()
        futures.append(await producer.send_batch(builder, topic, partition=partition))
    last: dict[Place, int] = {}
    for (at, builder), result in zip(
        batches, await asyncio.gather(*futures, return_exceptions=True), strict=True
    ):
        if isinstance(result, BaseException):
            raise result
        last[at] = result.offset + builder.record_count() - 1 if result.offset >= 0 else -1
    return last


async def _within(seconds: float, what: Awaitable[T]) -> T:
    try:
        return await within(seconds, what)
    except TimeoutError as error:
        raise BrokerError(f"no answer within {seconds:g} s") from error
    except (KafkaError, ConnectionError) as error:
        raise BrokerError(explain(error)) from error
