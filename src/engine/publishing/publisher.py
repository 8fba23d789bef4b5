"""The task that moves events from the queue to the broker, and from the log when the queue was full."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import islice

from ..books import Fill
from ..errors import WalError
from ..events import EXECUTED, PLACED, SEEDED, TOPICS, TYPES, Broker, BrokerError, Entry, events
from ..log import SEED, Wal
from ..metrics import Metrics
from ..orders import Order
from .lost import Lost
from .portion import Portion
from .position import Position
from .queue import EventQueue
from .shadow import Shadow
from .trouble import Trouble

log = logging.getLogger(__name__)

_BATCH = 400  # records taken at once: bounds what is sent twice after a failure
_PORTION = 400  # events sent at once, of which a single record may have made thousands
_LINGER = 0.05  # seconds that a small batch waits for company; a batch costs the loop more than its events do
_SYNC_POLL = 0.005  # seconds until it is seen whether more of the log is synced
_SLICE = 50  # records replayed between two turns of the loop, about half a millisecond
_FIRST_BACKOFF, _LAST_BACKOFF = 0.2, 5.0
_PERSIST_SECONDS = 1.0
_SHADOW_SECONDS = 60.0
_CHECK_SECONDS = 30.0  # without an event, until the broker is asked whether it still has the last ones


class Publisher:
    """Owns the queue, the position and the task between them.

    Args:
        matched: returns the sequence of the last record that live matching has executed or seeded.

    Attributes:
        resends: how often the broker had lost what it had acknowledged, and everything was sent again.
        broker: where the events go.
        trouble: what keeps events from the broker.
        lost: what the broker has and the log has not.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what it connects
        self,
        broker: Broker,
        wal: Wal,
        metrics: Metrics,
        symbols: tuple[str, ...],
        queue_limit: int,
        matched: Callable[[], int],
    ) -> None:
        self.queue = EventQueue(queue_limit)
        self.position = Position(wal)
        self.trouble = Trouble()
        self.lost = Lost(broker, wal, symbols)
        self.resends = 0
        metrics.published.update(dict.fromkeys(TOPICS, 0))
        for counts in (metrics.events_made, metrics.events_sent, metrics.events_acknowledged):
            counts.update(dict.fromkeys(TYPES, 0))
        self.broker = broker
        self._wal = wal
        self._metrics = metrics
        self._symbols = symbols
        self._matched = matched
        self._portion = Portion(_PORTION)
        self._shadow: Shadow | None = None
        self._wake = asyncio.Event()
        self._idle = False
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []

    def hand(self, kind: int, order: Order, fills: tuple[Fill, ...]) -> None:
        """Take the events of an executed record.  O(1); never waits, whatever the broker does."""
        made = self._metrics.events_made
        made[SEEDED if kind == SEED else PLACED] += 1
        if fills:
            made[EXECUTED] += len(fills)
        self.queue.hand(kind, order, fills)
        if self._idle:
            self._idle = False
            self._wake.set()

    @property
    def backlog(self) -> int:
        """Records executed since the last published one; 0 once every event is acknowledged."""
        return self._matched() - self.position.sequence

    def problems(self) -> list[str]:
        """Return, in words, what somebody should do something about."""
        found = [self.trouble.lasting, self.lost.problem]
        wait = self.broker.throttled_until - time.monotonic()
        if wait > 0:
            found.append(f"events are held back by the broker's quota, for another {wait:.0f} s")
        return [problem for problem in found if problem is not None]

    def start(self) -> None:
        """Begin to publish; needs the running loop."""
        self._tasks = [
            asyncio.create_task(self._run(), name="publish"),
            asyncio.create_task(self._persist(), name="persist-position"),
        ]

    async def stop(self, seconds: float) -> None:
        """Publish what is queued, for ``seconds`` at most; the owner saves the position."""
        self._stopping = True
        self._wake.set()
        if self._tasks:
            await asyncio.wait(self._tasks[:1], timeout=seconds)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.lost.stop()
        await self.broker.close()
        if self._shadow is not None:
            self._shadow.close()
        if self.queue.depth or self.queue.overflowed:
            log.warning(
                "not all events reached the broker; they are sent after the next start", extra=self._state()
            )

    async def _run(self) -> None:
        backoff = _FIRST_BACKOFF
        connected = False
        while not self._stopping or self._sendable():
            try:
                if not connected:
                    await self.broker.connect()
                    self.lost.look(self.position.marks)
                    await self._check()
                    connected = True
                    log.info("connected to the broker", extra=self._state())
                await self._next()
                backoff = _FIRST_BACKOFF
            except Exception as error:  # noqa: BLE001 - whatever it was, the events are still here
                self._metrics.publish_errors += 1
                self.trouble.failed(error, self._state())
                connected = False
                await self.broker.close()
                if isinstance(error, BrokerError) and error.at_once:
                    continue
                # A stop does not cut this short: an attempt at once would fail the same way.
                await asyncio.sleep(backoff)
                backoff = min(2 * backoff, _LAST_BACKOFF)

    async def _next(self) -> None:
        """Send one batch, or wait for one to be there."""
        queue = self.queue
        if not queue and queue.overflowed and not self._stopping:
            await self._refill()
        if not queue:
            if not self._stopping and not queue.overflowed:
                self._retire_shadow()
                if not await self._wait(_CHECK_SECONDS):
                    await self._check()
            return
        if len(queue) < _BATCH and not self._stopping:
            await asyncio.sleep(_LINGER)
        batch = self._synced()
        if not batch:
            await asyncio.sleep(_SYNC_POLL)
            return
        if not await self._send(batch):
            self._begin_again()
            return
        queue.drop(len(batch))
        self.position.sequence = batch[-1].order.sequence

    def _synced(self) -> list[Entry]:
        """Return the oldest entries that power loss can't take: new orders would reuse their sequences."""
        synced = self._wal.synced
        return [entry for entry in self.queue.first(_BATCH) if entry.order.sequence <= synced]

    def _sendable(self) -> bool:
        """Return whether anything queued can still be sent; what a failed log has not synced never can."""
        return bool(self.queue if self._wal.failure is None else self._synced())

    async def _send(self, batch: list[Entry]) -> bool:
        """Send the events; return False if they arrived, and what had arrived before them is gone."""
        metrics, identity = self._metrics, self._wal.identity
        names = (identity.of(entry.order.sequence) for entry in batch)
        left = (
            event
            for name, entry in zip(names, batch, strict=True)
            for event in events(metrics.shard, name, entry)
        )
        forward = True
        while portion := list(islice(left, self._portion.size)):
            await self._throttle()
            types = Counter(event.type for event in portion)
            _add(metrics.events_sent, types)
            try:
                marks = await self.broker.send(portion)
            except Exception:
                self._portion.failed()
                raise
            self._portion.sent()
            self.trouble.over()
            _add(metrics.events_acknowledged, types)
            _add(metrics.published, Counter(event.topic for event in portion))
            forward = self.position.marks.advance(marks) and forward
        return forward

    async def _throttle(self) -> None:
        """Wait for as long as the broker has asked for: it would read nothing before."""
        while (wait := self.broker.throttled_until - time.monotonic()) > 0:
            self.trouble.say(
                "the broker's quota holds events back", "quota", {"seconds": wait, **self._state()}
            )
            await asyncio.sleep(min(wait, 1.0))

    async def _check(self) -> None:
        if not await self.broker.retains(self.position.marks):
            self._begin_again()

    def _begin_again(self) -> None:
        """Send everything from the log's first record on: the broker has lost what it acknowledged."""
        log.warning(
            "the broker has lost events that it had acknowledged; all are sent again", extra=self._state()
        )
        self.resends += 1
        self.position.sequence = 0
        self.position.marks.clear()
        self.queue.begin_again()
        if self._shadow is not None:
            self._shadow.close()
            self._shadow = None

    async def _refill(self) -> None:
        """Fill the queue from the log, until it is full or the log has nothing more than the live books."""
        if self._shadow is None:
            self._shadow = Shadow(self._wal.directory, self._symbols)
            log.warning("the event queue is not complete; events are read from the log", extra=self._state())
        shadow, queue, published = self._shadow, self.queue, self.position.sequence
        try:
            while queue.has_room() and len(queue) < _BATCH:
                for _ in range(_SLICE):
                    if shadow.sequence >= self._matched():
                        # No turn of the loop lies between this and the next live order, so nothing is missed.
                        queue.overflowed = False
                        shadow.used = time.monotonic()
                        return
                    executed = shadow.step()
                    if executed is not None and executed.order.sequence > published:
                        queue.refill(executed)
                        if not queue.has_room():
                            break
                await asyncio.sleep(0)
        except WalError:
            shadow.close()  # what it had read is lost with it; the next one begins at the beginning
            self._shadow = None
            raise

    def _retire_shadow(self) -> None:
        """Free the second books some time after they were last needed: overflows come in bursts."""
        if self._shadow is not None and time.monotonic() - self._shadow.used > _SHADOW_SECONDS:
            self._shadow.close()
            self._shadow = None

    async def _wait(self, seconds: float) -> bool:
        """Wait for an event or the stop; return False if neither came in time."""
        self._wake.clear()
        self._idle = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), seconds)
        self._idle = False
        return self._wake.is_set()

    async def _persist(self) -> None:
        while True:
            await asyncio.sleep(_PERSIST_SECONDS)
            try:
                await asyncio.to_thread(self.position.save, self.position.snapshot())
            except OSError as error:
                log.error("the published position can't be written", extra={"error": str(error)})  # noqa: TRY400

    def _state(self) -> dict[str, object]:
        return {
            "event_queue_depth": self.queue.depth,
            "overflowed": self.queue.overflowed,
            "published_sequence": self.position.sequence,
            "publish_errors": self._metrics.publish_errors,
        }


def _add(counts: dict[str, int], more: Mapping[str, int]) -> None:
    for name, count in more.items():
        counts[name] += count
