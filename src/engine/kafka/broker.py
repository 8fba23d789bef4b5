"""The Kafka side of publishing: topics, partitions, acknowledgements, and every way they can hang."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner

from ..config import Config
from ..events import TOPICS, BrokerError, Event, Mark, Marks, Place, Told
from .patience import let_go, within
from .refusal import TOO_LARGE, Overheard, explain, reason_of
from .retained import retains, told
from .topics import ensure_topics

log = logging.getLogger(__name__)

T = TypeVar("T")

PARTITIONS = 12
_REQUEST_SECONDS = 5.0
_CONNECT_SECONDS = 10.0
# aiokafka would go on for up to twice that before it gives a batch up, and nobody would know meanwhile.
_SEND_SECONDS = _REQUEST_SECONDS + 1.0
_BATCH_BYTES = 1 << 18
_SLICE = 100  # events encoded between two turns of the loop, about half a millisecond


class KafkaBroker:
    """Publishes to Kafka, or whatever speaks its protocol.

    After a failed send it must be closed and connected again: an idempotent
    producer that has given a batch up leaves a gap in its numbering, and the
    broker refuses all that follows.

    Attributes:
        throttled: seconds, in all, for which the broker has asked to send nothing.
        throttled_until: ``time.monotonic()`` before which it reads nothing for that reason.
        expired: partitions of whose marked events the broker's retention has left nothing.
        batch_bytes: size of the largest batch that is sent, which shrinks to what the broker takes.
    """

    def __init__(self, config: Config) -> None:
        self.throttled = 0.0
        self.throttled_until = 0.0
        self.expired = 0
        self.batch_bytes = _BATCH_BYTES
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
                reason, lasting = reason_of(overheard.reason)
                raise BrokerError(f"{error}; {explain(overheard.reason)}", reason, lasting=lasting) from error

    async def _connect(self, options: dict[str, Any]) -> None:
        self._options = options
        await _within(_CONNECT_SECONDS, ensure_topics(options, TOPICS, PARTITIONS))
        self._producer = AIOKafkaProducer(
            **options,
            acks="all",
            enable_idempotence=True,
            max_batch_size=self.batch_bytes,
        )
        client = self._producer.client
        client._topics = _Nothing()  # noqa: SLF001 - see there
        client.send = self._heeding(client.send)
        await _within(_CONNECT_SECONDS, self._producer.start())
        self._partitions.clear()
        for topic in TOPICS:
            self._counts[topic] = len(await _within(_CONNECT_SECONDS, self._producer.partitions_for(topic)))
            if self._counts[topic] != PARTITIONS:
                log.warning(
                    "a topic has another number of partitions than expected",
                    extra={"topic": topic, "expected": PARTITIONS, "found": self._counts[topic]},
                )

    async def retains(self, marks: Marks) -> bool:
        """Read the marked events back, as a consumer."""
        if not marks:
            return True
        if any(partition >= self._counts.get(topic, 0) for (topic, partition), _ in marks.items()):
            return False
        found = await _within(_CONNECT_SECONDS, retains(self._options, marks, self._config.shard_id))
        if found.expired > self.expired:
            log.warning(
                "the broker's retention has removed all that was told in some partitions: "
                "whoever had not read it by then has missed it",
                extra={"partitions": found.expired},
            )
        self.expired = found.expired
        return found.whole

    def told(self, marks: Marks, keys: Iterable[bytes]) -> AsyncIterator[Told]:
        """Read this shard's orders back, as a consumer."""
        partitions = {self._partition("orders", key) for key in keys}
        return told(self._options, marks, sorted(partitions), self._config.shard_id)

    async def send(self, batch: Sequence[Event]) -> Mapping[Place, Mark]:
        """Send ``batch`` as one record batch for each partition, and wait until all replicas have it."""
        producer = self._producer
        last: dict[Place, Event] = {}
        open_batches: dict[Place, Any] = {}
        full: list[tuple[Place, Any]] = []
        for number, event in enumerate(batch, 1):
            if number % _SLICE == 0:
                await asyncio.sleep(0)
            at = event.topic, self._partition(event.topic, event.key)
            last[at] = event
            builder = open_batches.get(at)
            if builder is None:
                builder = open_batches[at] = producer.create_batch()
            if builder.append(key=event.key, value=event.value, timestamp=None) is None:
                full.append((at, builder))
                builder = open_batches[at] = producer.create_batch()
                if builder.append(key=event.key, value=event.value, timestamp=None) is None:
                    raise BrokerError(f"an event of {len(event.value)} bytes does not fit into a batch")
        batches = [*full, *open_batches.items()]
        try:
            offsets = await _within(_SEND_SECONDS, _deliver(producer, batches))
        except BrokerError as error:
            if isinstance(error.__cause__, TOO_LARGE):
                raise self._shrink(batches, error) from error
            raise
        return {at: Mark(offsets[at], it.sequence, it.log) for at, it in last.items() if offsets[at] >= 0}

    def _shrink(self, batches: Sequence[tuple[Place, Any]], error: BrokerError) -> BrokerError:
        """Send smaller batches from now on, if there are smaller ones; return what to raise."""
        largest, records = max((builder.size(), builder.record_count()) for _, builder in batches)
        if all(builder.record_count() == 1 for _, builder in batches):
            text = f"an event of {largest} bytes is larger than the broker takes: {error}"
            return BrokerError(text, "too_large", lasting=True)
        self.batch_bytes = min(largest, self.batch_bytes) // 2
        log.warning(
            "the broker takes no batch of this size; smaller ones are sent from now on",
            extra={"bytes": largest, "events": records, "bytes_from_now_on": self.batch_bytes},
        )
        return BrokerError(str(error), "too_large", at_once=True)

    def _heeding(self, send: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """Have a client's ``send`` notice when the broker asks for a pause; aiokafka does not."""

        async def heeding(*words: Any, **more: Any) -> Any:
            answer = await send(*words, **more)
            seconds = getattr(answer, "throttle_time_ms", 0) / 1000
            if seconds:
                until = time.monotonic() + seconds
                self.throttled += max(0.0, until - max(self.throttled_until, time.monotonic()))
                self.throttled_until = max(self.throttled_until, until)
            return answer

        return heeding

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

    def _partition(self, topic: str, key: bytes) -> int:
        """As Java's default partitioner, so that a symbol's events share one with every other producer's."""
        at = (topic, key)
        partition = self._partitions.get(at)
        if partition is None:
            numbers = list(range(self._counts[topic]))
            partition = self._partitions[at] = self._partitioner(key, numbers, numbers)
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
        reason, lasting = reason_of(error)
        raise BrokerError(explain(error), reason, lasting=lasting) from error
