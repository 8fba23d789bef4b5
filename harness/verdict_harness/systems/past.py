"""What a Prometheus still has of the past: looked at before anybody rests a verdict on it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ..errors import UsageError
from ..figures import moment
from ..processes import Pending, web
from .address import Address
from .prometheus import query, unix
from .recorded import seconds

_LOOK_BACK = "5m"  # a sample stands for so long at most where nobody has set it otherwise


def check_past(prometheus: Address, start: float, end: float, series: str) -> None:
    """Check that a Prometheus has anything of some series from one moment to another.

    Args:
        prometheus: one that answers.
        start: unix seconds.
        end: unix seconds.
        series: a selector, such as ``me_matches_total``.

    Raises:
        UsageError: it keeps nothing as old as ``start``, was not there yet, or has no such series.
    """
    with web.client(prometheus) as client:
        told = _told(client, "/api/v1/status/runtimeinfo")
        # by time; by size nobody can tell beforehand
        kept = seconds(str(told.get("storageRetention", "")).partition(" ")[0])
        if kept and start < time.time() - kept:
            from_ = moment(time.time() - kept)
            raise _lacks(
                prometheus,
                "Prometheus keeps nothing that old",
                expected=f"a window from {from_} on: it keeps {told['storageRetention']}",
                start=start,
                todo="judge a load sooner, or start Prometheus with a longer --storage.tsdb.retention.time",
            )
        began = _began(told)
        # one that was started anew may have what an earlier one has written
        if began is not None and start < began and not _had(client, prometheus, "up", start, _LOOK_BACK):
            raise _lacks(
                prometheus,
                "Prometheus was not there yet",
                expected=f"a window from {moment(began)} on: it was started then, and has nothing of before",
                start=start,
                todo="make the window shorter, or its end later",
            )
        if not _had(client, prometheus, series, end, f"{max(1, round(end - start))}s"):
            raise UsageError(
                "Prometheus has nothing of that load",
                expected=f"series such as {series} from {moment(start)} to {moment(end)}",
                found="not one",
                where=str(prometheus),
                todo="look whether it scrapes the system, and whether the load was in that window",
            )


def _lacks(prometheus: Address, what: str, *, expected: str, start: float, todo: str) -> UsageError:
    found = f"one from {moment(start)} on"
    return UsageError(what, expected=expected, found=found, where=str(prometheus), todo=todo)


def _told(client: web.Client, path: str) -> dict[str, Any]:
    """Return what Prometheus tells of itself; nothing of a relative that does not."""
    try:
        return query(client, path, dict[str, Any])
    except Pending:
        return {}


def _began(told: Mapping[str, Any]) -> float | None:
    """Return when it was started; ``None`` of a relative that does not say so."""
    try:
        return unix(told["startTime"])
    except (LookupError, TypeError, ValueError):
        return None


def _had(client: web.Client, prometheus: Address, series: str, at: float, back: str) -> bool:
    """Say whether there was a sample of a series in the time before a moment."""
    question = f"count(count_over_time({series}[{back}]))"
    when = f"{at:.3f}"
    try:
        return query(client, "/api/v1/query", lambda data: bool(data["result"]), query=question, time=when)
    except Pending as refused:
        raise UsageError(
            "Prometheus does not say what it has",
            expected=f"an answer to {question}",
            found=str(refused),
            where=str(prometheus),
        ) from refused
