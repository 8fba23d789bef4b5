"""What publishing asks of a broker; who speaks to a real one is above this room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from .event import Event
from .marks import Mark, Marks, Place


class Broker(Protocol):
    """Where events go."""

    async def connect(self) -> None:
        """Get ready to send; raise any exception if that is not possible now."""

    async def retains(self, marks: Marks, log_id: str) -> bool:
        """Return whether the marked events, which were acknowledged, are still there."""

    async def send(self, batch: Sequence[Event]) -> Mapping[Place, Mark]:
        """Return where the last events are, once all are acknowledged; after an error some may be there."""

    async def close(self) -> None:
        """Let go of everything, in bounded time, without raising."""
