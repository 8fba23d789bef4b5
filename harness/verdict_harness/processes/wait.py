"""Wait for something, end at once when it can't come any more, and say what was last seen."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryCallState, RetryError, Retrying, retry_if_exception_type, stop_after_delay

from ..errors import WaitTimeout
from . import progress

T = TypeVar("T")


class Pending(Exception):  # noqa: N818 - not an error: the word for "not yet"
    """Raised by a probe: not yet, and this is what was seen instead.

    Args:
        seen: for whoever waited in vain.
        brief: for the person who waits, in a few words; ``seen`` unless given.
    """

    def __init__(self, seen: str, brief: str = "") -> None:
        super().__init__(seen)
        self.seen = seen
        self.brief = brief or seen


def until(
    what: str,
    probe: Callable[[], T | None],
    *,
    timeout: float,
    interval: float = 0.1,
    alive: Callable[[], None] | None = None,
) -> T:
    """Call ``probe`` until it returns what is awaited, and return that.

    The probe is called at least once, and once more when the time is up, so
    that a late success is not taken for none.  A probe that may hang needs a
    timeout of its own; nothing here can interrupt it.

    Args:
        what: what is awaited, to be read after "waiting for", such as ``"the broker to answer"``.
        probe: returns the awaited thing; ``None`` or ``False`` means not yet, and so does
            raising :class:`Pending`, which also says what was seen. Any other exception ends the wait.
        timeout: seconds.
        interval: seconds between two looks.
        alive: called before each look; raises (as a rule :class:`~verdict_harness.errors.ServiceDied`)
            when waiting has no sense any more.

    Raises:
        WaitTimeout: with what was awaited, for how long, and what was last seen.

    >>> until("an answer", lambda: 42, timeout=1)
    42
    """
    started = time.monotonic()
    shown: tuple[str, int] | None = None

    def look() -> T:
        if alive is not None:
            alive()
        found = probe()
        if found is None or found is False:
            raise Pending("nothing yet")
        return found

    def tell(state: RetryCallState) -> None:
        nonlocal shown
        now = _brief(state), int(time.monotonic() - started)
        if now != shown:
            shown = now
            progress.status(f"waiting for {what} ({now[1]} s): {now[0]}")

    def pause(_state: RetryCallState) -> float:
        return max(0.0, min(interval, started + timeout - time.monotonic()))

    looks = Retrying(
        retry=retry_if_exception_type(Pending), stop=stop_after_delay(timeout), wait=pause, before_sleep=tell
    )
    try:
        return looks(look)
    except RetryError as error:
        attempt = error.last_attempt
        last = attempt.exception()
        seen = last.seen if isinstance(last, Pending) else str(last)
        raise WaitTimeout(
            f"waited {timeout:g} s in vain for {what}",
            expected=what,
            found=f"{seen} (at the last of {attempt.attempt_number} looks)",
            todo="look at the log of what was awaited; allow more time if it was merely slow",
        ) from last
    finally:
        if shown:
            progress.done()


def _brief(state: RetryCallState) -> str:
    error = state.outcome.exception() if state.outcome is not None else None
    return error.brief if isinstance(error, Pending) else str(error)
