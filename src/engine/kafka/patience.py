"""Waiting for aiokafka's clients: not for ever, and not when they cancel themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")

CLOSE_SECONDS = 1.0
"""How long a client may take to let go of its connections."""


async def within(seconds: float, what: Awaitable[T]) -> T:
    """Return what comes of ``what``.

    Raises:
        TimeoutError: nothing did; it is cancelled.
        ConnectionError: it was cancelled, and not by who waits for it: aiokafka's
            clients await what they have cancelled themselves when they are closed.
    """
    try:
        return await asyncio.wait_for(what, seconds)
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise ConnectionError("the client was closed meanwhile") from error


async def let_go(closing: Awaitable[None]) -> bool:
    """Wait until a client is closed, whatever comes of it; return False if it did not come to an end."""
    try:
        await within(CLOSE_SECONDS, closing)
    except Exception:  # noqa: BLE001 - it is given up anyway
        return False
    return True
