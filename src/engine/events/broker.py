"""What publishing asks of a broker; who speaks to a real one is above this room."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from .event import Event
from .marks import Mark, Marks, Place


class BrokerError(Exception):
    """The broker refused or did not answer; trying again later may help.

    Attributes:
        reason: one of :data:`REASONS`.
        lasting: whether it stays until somebody changes something at the broker.
        at_once: whether the next attempt does it in another way, and so need not wait.
    """

    def __init__(
        self, text: str, reason: str = "unreachable", *, lasting: bool = False, at_once: bool = False
    ) -> None:
        super().__init__(text)
        self.reason = reason
        self.lasting = lasting
        self.at_once = at_once


REASONS = ("unreachable", "too_large", "not_permitted", "refused", "other")
"""Values of the label ``reason`` of ``me_event_publish_failures_total``."""


class Told(NamedTuple):
    """An order of this shard that the broker was told of.

    Attributes:
        log: identity under which its record was written.
        sequence: of the record.
        place: where the event lies.
    """

    log: str
    sequence: int
    place: Place


class Broker(Protocol):
    """Where events go.

    Attributes:
        throttled: seconds, in all, for which the broker has asked to send nothing.
        throttled_until: ``time.monotonic()`` before which it reads nothing for that reason.
        expired: partitions of whose marked events the broker's retention has left nothing.
    """

    throttled: float
    throttled_until: float
    expired: int

    async def connect(self) -> None:
        """Get ready to send; raise any exception if that is not possible now."""

    async def retains(self, marks: Marks) -> bool:
        """Return whether the marked events, which were acknowledged, are still there."""

    def told(self, marks: Marks, keys: Iterable[bytes]) -> AsyncIterator[Told]:
        """Yield this shard's orders that the broker has now: those behind each mark, or all there are."""

    async def send(self, batch: Sequence[Event]) -> Mapping[Place, Mark]:
        """Return where the last events are, once all are acknowledged; after an error some may be there."""

    async def close(self) -> None:
        """Let go of everything, in bounded time, without raising."""
