"""Which window people mean: ``--window 5m``, and ``--until`` some time where it does not end now."""

from __future__ import annotations

import datetime as dt
import re

from verdict_harness.errors import UsageError
from verdict_harness.figures import moment
from verdict_harness.samples import Window
from verdict_harness.systems import seconds

_DURATION = re.compile(r"(\d+(\.\d+)?(ms|[smhdwy]))+")
_NUMBER = re.compile(r"\d+(\.\d+)?")
_NOW = "now"


def window(length: str | None, until: str | None, now: float) -> Window:
    """Return the window that ends at ``until`` and is that long.

    Args:
        length: such as ``"5m"`` or ``"1h30m"``.
        until: unix seconds, or a time such as ``2026-01-02T15:04:05+01:00``, in UTC if it says no zone; now
            if nothing is said.
        now: unix seconds.

    Raises:
        UsageError: either is none, or the window is empty or not over yet.

    >>> print(window("1m30s", "1970-01-01T00:02", now=1000.0))
    00:00:30Z to 00:02:00Z
    """
    if length is None:
        raise UsageError(
            "how long the load was is not said",
            expected="--window 5m, or another duration",
            found="no --window",
            todo="take the time from the load's settling, some 30 s, to its end",
        )
    if not _DURATION.fullmatch(length) or not seconds(length):
        raise UsageError(
            "how long the load was can't be understood",
            expected="a duration such as 5m, 90s or 1h30m",
            found=repr(length),
            where="--window",
        )
    end = now if until in {None, _NOW} else _unix(str(until))
    if end > now:
        raise UsageError(
            "the window is not over yet",
            expected=f"an end before {moment(now)}",
            found=str(until),
            where="--until",
            todo="wait until then, or leave --until out: the window ends now",
        )
    if seconds(length) >= end:
        raise UsageError("nothing was measured before 1970", found=repr(length), where="--window")
    return Window(end - seconds(length), end)


def _unix(text: str) -> float:
    if _NUMBER.fullmatch(text):
        return float(text)
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            "when the load ended can't be understood",
            expected="a time such as 2026-01-02T15:04:05Z, or unix seconds",
            found=repr(text),
            where="--until",
        ) from error
    return (found if found.tzinfo else found.replace(tzinfo=dt.UTC)).timestamp()
