"""One shard: the stages that an order passes, in their order, and its life from start to stop.

::

    request ─▶ 1 validate ─▶ 2 log ─▶ ring ─▶ 3 find book ─▶ 4 match ─▶ 3 rest the remainder ─▶ 5 publish
               └──────── accept() ────────┘   └──────────────────── _consume() ───────────────────────┘

All of it runs in the thread of the event loop.  ``accept`` answers as soon as
the order is in the log and the ring; ``_consume`` is called by the loop a moment
later and works in small batches, so that neither requests nor matching starve.
The log's order is the order of execution, always: replays depend on it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence

from ..books import NO_FILLS, Matcher
from ..config import Config
from ..errors import WalError
from ..events import Broker
from ..log import ORDER, SEED, Wal
from ..metrics import GcWatch, LoopWatch, Metrics, settling
from ..orders import Order, Rejected, read_order, read_seed, split_seeds
from ..publishing import Publisher
from .exposition import expose
from .ring import Ring
from .summary import summarise

log = logging.getLogger(__name__)

CONSUME_BATCH = 64  # orders matched between two turns of the loop, about half a millisecond
SEED_CHUNK = 200
MAX_ORDER = 64 << 10  # bytes: decoding is not interrupted, so what is absurd is not begun


class MatchingError(Exception):
    """Matching failed at an order, and the books are not to be used any more."""


class Shard:
    """The engine without its HTTP.

    Use it so: :meth:`recover`, :meth:`start` in the loop, then :meth:`accept`
    and :meth:`seed`; at the end :meth:`stop`.

    Attributes:
        ready: whether it takes orders.
        failure: why it had to stop, or None.
        on_failure: called in the loop when that happens.
    """

    def __init__(self, config: Config, wal: Wal, broker: Broker) -> None:
        self.config = config
        self.metrics = Metrics(config.shard_id)
        self.matcher = Matcher(config.symbols)
        self.ring: Ring[Order] = Ring(config.ring_buffer_size)
        self.wal = wal
        self.publisher = Publisher(
            broker, wal, self.metrics, config.symbols, config.event_queue_size, lambda: self.matcher.sequence
        )
        self.ready = False
        self.failure: str | None = None
        self.on_failure: Callable[[], None] = lambda: None
        self.gc = GcWatch()
        self.loop = LoopWatch()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._scheduled = False
        self._broken = False
        self._summary: asyncio.Task[None] | None = None
        expose(self)

    # Life

    def recover(self) -> None:
        """Replay the log into the books.  Blocks: 100,000 orders take about a second.

        Raises:
            WalError: if the log is damaged, or holds symbols that are not this shard's.
        """
        began = time.perf_counter()
        position, matcher, hand = self.publisher.position, self.matcher, self.publisher.hand
        position.load()
        published = position.sequence
        with settling():
            for kind, order in self.wal.replay():
                if order.symbol not in matcher.books:
                    raise WalError(
                        f"the log in {self.wal.directory} holds orders for {order.symbol}, and SHARD_SYMBOLS "
                        f"is {','.join(self.config.symbols)}: add the symbol, or use another WAL_PATH"
                    )
                if kind == ORDER:
                    fills = matcher.execute(order)
                else:
                    fills = NO_FILLS
                    matcher.seed(order)
                if order.sequence > published:
                    hand(kind, order, fills)
        position.check()
        self.metrics.recovered_orders = self.wal.sequence
        self.metrics.recovery_seconds = time.perf_counter() - began
        log.info(
            "recovered",
            extra={
                "sequence": self.wal.sequence,
                "log": self.wal.identity.of(self.wal.sequence + 1),
                "matches": matcher.matches,
                "seconds": round(self.metrics.recovery_seconds, 3),
                "published_sequence": published,
            },
        )

    def start(self) -> None:
        """Begin to publish, summarise and take orders; needs the running loop."""
        self._loop = asyncio.get_running_loop()
        self.wal.on_sync = self.metrics.wal_sync.observe
        self.wal.on_failure = self._wal_failed
        self.gc.start()
        self.loop.start()
        self.publisher.start()
        self._summary = asyncio.create_task(summarise(self), name="summary")
        self.ready = True

    async def stop(self) -> None:
        """Refuse new orders, match what was accepted, sync the log and publish."""
        self.ready = False
        while len(self.ring) and not self._broken:
            with contextlib.suppress(MatchingError):
                self._consume()
            await asyncio.sleep(0)
        await asyncio.to_thread(self.wal.finish)  # first: what is not synced is not published
        await self.publisher.stop(self.config.drain_seconds)
        if self._summary is not None:
            self._summary.cancel()
            self.gc.stop()
            self.loop.stop()
        await asyncio.to_thread(self._close)
        log.info("stopped", extra={"sequence": self.wal.sequence, "matches": self.matcher.matches})

    def _close(self) -> None:
        with contextlib.suppress(OSError):  # then some events are sent again, which is allowed
            self.publisher.position.save(self.publisher.position.snapshot())  # nothing changes it now
        self.wal.close()

    def fail(self, why: str) -> None:
        """Take no more orders, and have the process end with an error."""
        self.ready = False
        if self.failure is None:
            self.failure = why
            log.critical("the engine stops", extra={"reason": why})
            self.on_failure()

    # Orders

    def accept(self, body: bytes, received: float | None = None) -> Order:
        """Validate, log and queue one order; it is sequenced when this returns.

        Args:
            body: as the client sent it.
            received: ``time.perf_counter()`` when its last bytes were read; now, if None.

        Raises:
            Rejected: with the answer's status; then it is not in the log.
        """
        began = time.perf_counter()
        try:
            order = self._sequence(body, began)
        except Rejected as refusal:
            self.metrics.rejected[refusal.label] += 1
            raise
        order.received = began if received is None else received
        if order.is_buy:
            self.metrics.received_buy += 1
        else:
            self.metrics.received_sell += 1
        self.ring.publish(order)
        if not self._scheduled:
            self._schedule()
        return order

    def _sequence(self, body: bytes, began: float) -> Order:
        """Stages 1 and 2, and between them the checks that a promise needs."""
        if len(body) > MAX_ORDER:
            raise Rejected("malformed", f"The body is larger than {MAX_ORDER} bytes")
        order = read_order(body, self.matcher.books)
        validated = time.perf_counter()
        self.metrics.validation.observe(validated - began)
        if not self.ready:
            raise Rejected("stopping", "The engine is stopping", status=503, order_id=order.order_id)
        # Before the log: what is in the log has been promised, so a slot must be certain.
        if self.ring.full:
            raise Rejected("ring_full", "Ring buffer full", status=503, order_id=order.order_id)
        order.accepted = time.time_ns() // 1_000_000
        try:
            self.wal.append(order)
        except WalError as error:
            raise Rejected("wal", str(error), status=503, order_id=order.order_id) from error
        order.queued = time.perf_counter()
        self.metrics.wal_append.observe(order.queued - validated)
        return order

    async def seed(self, body: bytes) -> int:
        """Rest many orders without matching them; return how many.

        All are checked before the first one rests.  Chunks of them alternate with other work.

        Raises:
            Rejected: with the index of the order that was wrong in its reason.
        """
        batch = split_seeds(body)
        if not self.ready:
            raise Rejected("stopping", "The engine is stopping", status=503)
        seeds: list[Order] = []
        for index, item in enumerate(batch):
            try:
                seeds.append(read_seed(item, self.matcher.books))
            except Rejected as refusal:
                reason = f"orders[{index}]: {refusal.reason}"
                raise Rejected(refusal.label, reason, order_id=refusal.order_id) from None
            if index % SEED_CHUNK == SEED_CHUNK - 1:
                await asyncio.sleep(0)
        for start in range(0, len(seeds), SEED_CHUNK):
            # What is in the log before the seeds must be matched before they rest.
            self._consume()
            while len(self.ring):
                await asyncio.sleep(0)
                self._consume()
            self._rest(seeds[start : start + SEED_CHUNK], start)
            await asyncio.sleep(0)
        return len(seeds)

    def _rest(self, chunk: Sequence[Order], done: int) -> None:
        if not self.ready:
            raise Rejected("stopping", f"The engine is stopping; {done} orders were seeded", status=503)
        accepted = time.time_ns() // 1_000_000
        for order in chunk:
            order.accepted = accepted
        try:
            self.wal.append_seeds(chunk)
        except WalError as error:
            raise Rejected("wal", f"{error}; {done} orders were seeded", status=503) from error
        for order in chunk:
            self.matcher.seed(order)
            self.publisher.hand(SEED, order, NO_FILLS)
        self.metrics.seeded += len(chunk)

    def _schedule(self) -> None:
        if self._loop is not None:
            self._scheduled = True
            self._loop.call_soon(self._consume_batch)

    def _consume_batch(self) -> None:
        self._scheduled = False
        with contextlib.suppress(MatchingError):
            self._consume()
            if len(self.ring):
                self._schedule()

    def _consume(self) -> None:
        """Execute the oldest orders of the ring, a batch at most."""
        if self._broken:
            raise MatchingError
        try:
            self._execute_batch()
        except Exception as error:
            # The order is in the log, and the books are not what a replay makes of it: no way on.
            self._broken = True
            log.exception("matching failed")
            self.fail(f"matching failed: {error!r}")
            raise MatchingError from error

    def _execute_batch(self) -> None:
        ring, matcher, metrics = self.ring, self.matcher, self.metrics
        clock, hand = time.perf_counter, self.publisher.hand
        for _ in range(min(len(ring), CONSUME_BATCH)):
            order = ring.take()
            began = clock()
            book = matcher.books[order.symbol]  # stage 3
            found = clock()
            fills = matcher.match(book, order)  # stage 4
            matched = clock()
            matcher.settle(book, order)  # stage 3 again: the remainder rests
            settled = clock()
            hand(ORDER, order, fills)  # stage 5
            metrics.publish.observe(clock() - settled)
            metrics.insertion.observe(found - began + settled - matched)
            metrics.matching.observe(matched - found)
            metrics.ring_wait.observe(began - order.queued)
            metrics.match.observe(settled - order.received)
            metrics.matched += 1
            if fills is not NO_FILLS:
                metrics.matches += len(fills)
                metrics.executed += 1

    def _wal_failed(self) -> None:
        """Called by the log's thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.fail, str(self.wal.failure))
