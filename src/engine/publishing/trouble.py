"""What keeps events from the broker: said in the log, counted, and told to whoever asks for health."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

from ..events import REASONS, BrokerError

log = logging.getLogger(__name__)

_REPORT_SECONDS = 30.0


class Trouble:
    """Keeps account of failures; a reason that lasts is logged now and then, as it may come back for hours.

    Attributes:
        failures: how many there were, by reason.
        lasting: the last one, if waiting alone won't end it; None once something was sent.
    """

    def __init__(self) -> None:
        self.failures = dict.fromkeys(REASONS, 0)
        self.lasting: str | None = None
        self._reported: dict[str, float] = {}

    def failed(self, error: Exception, state: Mapping[str, object]) -> None:
        """Take note of an attempt that failed."""
        known = isinstance(error, BrokerError)
        self.failures[error.reason if isinstance(error, BrokerError) else "other"] += 1
        if isinstance(error, BrokerError) and error.lasting:
            self.lasting = f"events do not reach the broker: {error}"
        text = str(error) if known else f"{type(error).__name__}: {error}"
        self.say("publishing failed; it is tried again for as long as it takes", text, state)

    def over(self) -> None:
        """Take note that something was sent."""
        self.lasting = None

    def say(self, what: str, reason: str, state: Mapping[str, object]) -> None:
        """Log a reason at once if it is a new one, then only now and then."""
        now = time.monotonic()
        fresh = {text: at for text, at in self._reported.items() if now - at < _REPORT_SECONDS}
        if reason not in fresh:
            fresh[reason] = now
            log.warning(what, extra={"error": reason, **state})
        self._reported = fresh
