"""Every reason why nothing may be concluded from a load. Pure functions of what was left behind."""

from __future__ import annotations

import json
import re
import signal
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .raw import Raw

#: Share of the planned iterations that may be missing: an arrival rate may lose one at each end.
MISSING_TOLERANCE = 0.01
#: Share of the iterations that may be dropped: none. What was not sent is what a slow system is spared.
DROPPED_TOLERANCE = 0.0

_THRESHOLDS = 99  # crossed thresholds: for the criteria to judge, and no trouble
_EXITS = {
    100: "its set-up took too long",
    101: "its tear-down took too long",
    102: "it took too long",
    103: "it was stopped through its REST API",
    104: "its configuration is not valid",
    105: "it was interrupted",
    106: "its REST API could not be started",
    107: "its script threw an exception, or can't be read",
    108: "its script aborted it",
    109: "it panicked",
}
_FIELD = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)')
_SHOWN = 600
_NAMES_SHOWN = 5


@dataclass(frozen=True)
class Log:
    """What k6 logged that matters.

    Attributes:
        thrown: exceptions that ended an iteration, by their first words.
        pushes: messages of the remote write output that failed.
        errors: every other message of level error, in order.
    """

    thrown: Counter[str] = field(default_factory=Counter)
    pushes: Counter[str] = field(default_factory=Counter)
    errors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ending:
    """How a load ended, apart from its samples.

    Attributes:
        exit_status: of k6; minus the signal's number if one ended it.
        stopped: why we stopped it, or what else went wrong around it; empty if nothing did.
        summary: what ``--summary-export`` wrote; ``None`` if it wrote nothing readable.
        log: what k6 logged.
    """

    exit_status: int | None
    stopped: Sequence[str]
    summary: Mapping[str, Any] | None
    log: Log


def read_log(path: Path) -> Log:
    """Read k6's log, as it writes it where there is no terminal."""
    thrown: Counter[str] = Counter()
    pushes: Counter[str] = Counter()
    errors = []
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return Log()
    for line in text.splitlines():
        if not line.startswith("time="):
            continue
        fields = {key: _unquoted(value) for key, value in _FIELD.findall(line)}
        if fields.get("level") not in ("error", "fatal", "panic"):
            continue
        message = fields.get("msg", line)
        if "output" in fields:
            pushes[f"{message}: {fields.get('error', '')}".strip(": ")] += 1
        elif "executor" in fields:
            thrown[" ".join(message.split())[:_SHOWN]] += 1
        else:
            errors.append(" ".join(message.split())[:_SHOWN])
    return Log(thrown, pushes, tuple(errors))


def read_summary(path: Path) -> Mapping[str, Any] | None:
    """Read what ``--summary-export`` wrote; ``None`` if there is nothing readable."""
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))["metrics"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return metrics if isinstance(metrics, dict) else None


def find(raw: Raw, ending: Ending, planned: int | None, tags: Mapping[str, str]) -> tuple[str, ...]:
    """Return every reason why nothing may be concluded, most telling first; none of a sound load."""
    return (
        *ending.stopped,
        *_of_exit(ending),
        *_of_requests(raw, tags),
        *_of_iterations(raw, planned),
        *_of_log(ending.log, raw.iterations),
        *_of_samples(raw, ending.summary),
    )


def _of_exit(ending: Ending) -> list[str]:
    status = ending.exit_status
    if status in (0, _THRESHOLDS):
        return []
    if status is None:
        return ["how k6 ended is not known"]
    if status < 0:
        return [f"k6 was ended by {_signal_name(-status)}"]
    meaning = _EXITS.get(status, "it failed")
    said = f"; it said: {ending.log.errors[-1]}" if ending.log.errors else ""
    return [f"k6 ended with exit status {status}: {meaning}{said}"]


def _of_requests(raw: Raw, tags: Mapping[str, str]) -> list[str]:
    if not raw.requests:
        if not raw.names:
            return ["no request was made"]
        wanted = ", ".join(f"{key}={value}" for key, value in tags.items())
        seen = ", ".join(f"{name} ({count})" for name, count in raw.names.most_common(_NAMES_SHOWN))
        return [f"no request carries the tags {wanted}; names seen: {seen}"]
    if not any(request.status for request in raw.requests):
        return [f"none of {len(raw.requests)} requests was answered: {_most(raw.errors)}"]
    # an iteration is there to make the request that is judged
    if len(raw.requests) < raw.iterations * (1 - MISSING_TOLERANCE):
        return [f"only {len(raw.requests)} requests in {raw.iterations} iterations"]
    return []


def _of_iterations(raw: Raw, planned: int | None) -> list[str]:
    found = []
    if planned is not None and raw.iterations < planned * (1 - MISSING_TOLERANCE):
        found.append(
            f"only {raw.iterations} of {planned} planned iterations ({raw.iterations / planned:.1%})"
        )
    if raw.dropped > DROPPED_TOLERANCE * (raw.iterations + raw.dropped):
        found.append(f"{raw.dropped} of {raw.iterations + raw.dropped} iterations were dropped by k6")
    return found


def _of_log(log: Log, iterations: int) -> list[str]:
    found = []
    if log.thrown:
        found.append(f"{log.thrown.total()} of {iterations} iterations threw: {_most(log.thrown)}")
    if log.pushes:
        found.append(f"k6 could not hand its samples over {log.pushes.total()} times: {_most(log.pushes)}")
    return found


def _of_samples(raw: Raw, summary: Mapping[str, Any] | None) -> list[str]:
    found = [raw.damage] if raw.damage else []
    if summary is None:
        return [*found, "k6 left no summary"]
    for what, metric, here in (
        ("requests", "http_reqs", raw.all_requests),
        ("iterations", "iterations", raw.iterations),
        ("dropped iterations", "dropped_iterations", raw.dropped),
    ):
        there = summary.get(metric, {}).get("count", 0)
        if there != here:
            found.append(f"the raw samples hold {here} {what}, k6's summary says {there:g}")
    return found


def _most(counter: Counter[str]) -> str:
    return ", ".join(f"{text} ({count} times)" for text, count in counter.most_common(2)) or "no reason given"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _unquoted(text: str) -> str:
    if not text.startswith('"'):
        return text
    try:
        return str(json.loads(text))
    except ValueError:
        return text.strip('"')
