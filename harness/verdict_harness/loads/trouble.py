"""Every reason to conclude less from a load than its numbers say. Pure functions of what was left behind.

What the system did is no such reason: that it refused, hung or died is in the
numbers, and makes them bad.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..processes import signal_name
from ..samples import Trouble
from .raw import Raw, Tally

#: Share of the iterations that may be missing or too many: an arrival rate may be off by one at each end.
TOLERANCE = 0.01

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
_INSUFFICIENT = "Insufficient VUs"
_STOPPING = "Stopping output 0 failed"  # the first one, which hands samples to Prometheus
_CROSSED = re.compile(r"^thresholds on metrics? .* (has|have) been crossed")  # for the criteria to judge
_FIELD = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)')
_INTERRUPTED = 105
_EXACT = 1e-5  # relative: the raw samples have six digits behind the point
_ERRORS_SHOWN = 3
_SHOWN = 600
_NAMES_SHOWN = 5


@dataclass(frozen=True)
class Log:
    """What k6 logged that matters.

    Attributes:
        thrown: exceptions that ended an iteration, by their first words.
        pushes: messages of the remote write output that failed.
        errors: every other message of level error, in order.
        full: whether k6 had as many virtual users as it may when an order found none free.
    """

    thrown: Counter[str] = field(default_factory=Counter)
    pushes: Counter[str] = field(default_factory=Counter)
    errors: tuple[str, ...] = ()
    full: bool = False

    @property
    def unpushed(self) -> str:
        """Why what Prometheus has of k6's samples is not whole; empty if it is."""
        if not self.pushes:
            return ""
        return f"k6 could not hand its samples over {self.pushes.total()} times: {_most(self.pushes)}"


@dataclass(frozen=True)
class Ending:
    """How a load ended, apart from its samples.

    Attributes:
        exit_status: of k6; minus the signal's number if one ended it.
        stopped: why we stopped it, or what else went wrong around it; empty if nothing did.
        died: which service's death the load was ended for; empty if none's.
        summary: what ``--summary-export`` wrote; ``None`` if it wrote nothing readable.
        log: what k6 logged.
    """

    exit_status: int | None
    stopped: Sequence[Trouble]
    summary: Mapping[str, Any] | None
    log: Log
    died: str = ""


def read_log(path: Path) -> Log:
    """Read k6's log, as it writes it where there is no terminal."""
    thrown: Counter[str] = Counter()
    pushes: Counter[str] = Counter()
    errors = []
    full = False
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return Log()
    for line in text.splitlines():
        if not line.startswith("time="):
            continue
        fields = {key: _unquoted(value) for key, value in _FIELD.findall(line)}
        full = full or fields.get("msg", "").startswith(_INSUFFICIENT)
        if fields.get("level") not in ("error", "fatal", "panic"):
            continue
        message = fields.get("msg", line)
        if "output" in fields or message.startswith(_STOPPING):
            pushes[f"{message}: {fields.get('error', '')}".strip(": ")] += 1
        elif "executor" in fields:
            thrown[" ".join(message.split())[:_SHOWN]] += 1
        elif fields.get("source") != "console" and not _CROSSED.search(message):
            errors.append(" ".join(message.split())[:_SHOWN])
    return Log(thrown, pushes, tuple(errors), full)


def read_summary(path: Path) -> Mapping[str, Any] | None:
    """Read what ``--summary-export`` wrote; ``None`` if there is nothing readable."""
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))["metrics"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return metrics if isinstance(metrics, dict) else None


def find(raw: Raw, ending: Ending, planned: int | None, tags: Mapping[str, str]) -> tuple[Trouble, ...]:
    """Return every reason to conclude less, most telling first; none of a sound load.

    Args:
        raw: its raw samples.
        ending: how it ended.
        planned: iterations, where nobody knows when each was due; else ``None``.
        tags: of the requests that are the load itself.
    """
    return (
        *ending.stopped,
        *_foreign(raw, ending.summary),
        *(Trouble(text, "k6", "PASS") for text in _of_exit(ending)),
        *(Trouble(text, "the script", "PASS") for text in _of_requests(raw, tags)),
        *_of_iterations(raw, planned),
        *_of_log(ending.log, raw.iterations),
        *(Trouble(text, "k6", "PASS") for text in _of_files(raw, ending.summary)),
    )


def _foreign(raw: Raw, summary: Mapping[str, Any] | None) -> list[Trouble]:
    """Return what shows that the raw samples are not this load's."""
    found = []
    if raw.foreign:
        found.append(f"{raw.foreign} of the raw samples do not carry this load's tag: they are another's")
    if summary is not None and not raw.damage:
        found += _of_samples(raw, summary)
    return [Trouble(text, "k6", "ANY") for text in found]


def _of_exit(ending: Ending) -> list[str]:
    status = ending.exit_status
    if status in (0, _THRESHOLDS) or (ending.died and status == _INTERRUPTED):
        return []
    if status is None:
        return ["how k6 ended is not known"]
    if status < 0:
        return [f"k6 was ended by {signal_name(-status)}"]
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
    # an iteration is there to make the request that is judged, unless it is said to be of another scenario
    iterations = raw.iterations
    if "scenario" in tags:
        iterations -= sum(one.key.scenario != tags["scenario"] for one in raw.done)
    if len(raw.requests) < iterations * (1 - TOLERANCE):
        return [f"only {len(raw.requests)} requests in {iterations} iterations"]
    return []


def _of_iterations(raw: Raw, planned: int | None) -> list[Trouble]:
    if planned is None:
        return []
    made = raw.iterations + raw.dropped
    said = (
        f"of {planned} planned iterations ({made / planned:.1%})"
        if planned
        else "iterations, and none planned"
    )
    if made < planned * (1 - TOLERANCE):
        return [Trouble(f"only {made} {said}", "k6", "PASS")]
    if made > planned * (1 + TOLERANCE) + 1:
        return [Trouble(f"{made} {said}", "k6", "ANY")]
    return []


def _of_log(log: Log, iterations: int) -> list[Trouble]:
    found = []
    if log.thrown:
        text = f"{log.thrown.total()} of {iterations} iterations threw: {_most(log.thrown)}"
        found.append(Trouble(text, "the script", "PASS"))
    if log.errors:
        found.append(Trouble(f"k6 said: {'; '.join(log.errors[:_ERRORS_SHOWN])}", "k6", "PASS"))
    return found


def _of_files(raw: Raw, summary: Mapping[str, Any] | None) -> list[str]:
    return [*([raw.damage] if raw.damage else []), *(["k6 left no summary"] if summary is None else [])]


def _of_samples(raw: Raw, summary: Mapping[str, Any]) -> list[str]:
    found = []
    for what, metric, here in (
        ("requests", "http_reqs", raw.all_requests),
        ("iterations", "iterations", raw.iterations),
        ("dropped iterations", "dropped_iterations", raw.dropped),
    ):
        there = summary.get(metric, {}).get("count", 0)
        if there != here:
            found.append(f"the raw samples hold {here} {what}, k6's summary says {there:g}")
    return found or _of_durations(raw.tally, summary.get("http_req_duration", {}))


def _of_durations(tally: Tally, theirs: Mapping[str, Any]) -> list[str]:
    """Return how the durations differ from those that k6 summed up: as many are not the same."""
    if not tally.count or "avg" not in theirs:
        return []
    ours = {"avg": tally.total / tally.count, "min": tally.least, "max": tally.most}
    differing = [
        f"{name} {ours[name]:.6f} and not {theirs[name]:.6f} ms"
        for name in ours
        if abs(ours[name] - theirs.get(name, math.nan)) > _EXACT * max(1.0, ours[name])
    ]
    return (
        [f"the durations in the raw samples are not those that k6 summed up: {', '.join(differing)}"]
        if differing
        else []
    )


def _most(counter: Counter[str]) -> str:
    return ", ".join(f"{text} ({count} times)" for text, count in counter.most_common(2)) or "no reason given"


def _unquoted(text: str) -> str:
    if not text.startswith('"'):
        return text
    try:
        return str(ast.literal_eval(text))  # Go quotes as Python does, and not quite as JSON
    except (SyntaxError, ValueError):  # a line that breaks off
        return text.strip('"')
