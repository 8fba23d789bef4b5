"""A run as tests see it: its evidence, and what is done once in it however many criteria ask."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from .evidence import Evidence, Json
from .files import write_atomic

T = TypeVar("T")


class Watched(Evidence):
    """Evidence that remembers which facts were asked for, so that a criterion can say what it rests on."""

    asked: list[str] | None = None

    def fact(self, key: str, produce: Callable[[], Json]) -> Json:
        """See :meth:`Evidence.fact`."""
        if self.asked is not None and key not in self.asked:
            self.asked.append(key)
        return super().fact(key, produce)

    def watch(self) -> tuple[str, ...]:
        """Return the files of the facts got since the last call, relative to the folder, and start anew."""
        asked, self.asked = self.asked or [], []
        files = [self.where(key) for key in asked]
        return tuple(file.relative_to(self.directory).as_posix() for file in files if file.exists())


class Run:
    """One run, live or judged again from its evidence. Tests get it from the fixture ``run``.

    Attributes:
        evidence: everything that is judged is written here first.
        keep: whether the system stays up after the run.
    """

    def __init__(self, evidence: Watched, *, keep: bool = False) -> None:
        self.evidence = evidence
        self.keep = keep
        self._done: dict[str, Callable[[], Any]] = {}

    @property
    def directory(self) -> Path:
        """The run's folder."""
        return self.evidence.directory

    @property
    def run_id(self) -> str:
        """Unique, sorts by time, fit for a label."""
        return self.evidence.run_id

    @property
    def profile(self) -> str:
        """``"full"``, ``"quick"`` or ``"burst"``."""
        return str(self.evidence.run["profile"])

    @property
    def backend(self) -> str:
        """Name of the backend that the system runs on, or ran."""
        return str(self.evidence.run["backend"])

    @property
    def cores(self) -> int:
        """How many cores the machine that ran this has; with the local backend the system had no more."""
        machine = self.evidence.run.get("machine")
        cores = machine.get("cores") if isinstance(machine, Mapping) else None
        return cores if isinstance(cores, int) else 1

    @property
    def replaying(self) -> bool:
        """Whether stored evidence is judged again and nothing is run."""
        return self.evidence.replaying

    @property
    def quick(self) -> bool:
        """Whether this is a quick run: shorter loads, the same limits, and no evidence."""
        return self.profile == "quick"

    def once(self, name: str, produce: Callable[[], T]) -> T:
        """Return what ``produce`` returned the first time that ``name`` was asked for in this run.

        A load runs once however many criteria judge it; one that raised raises the
        same error again for each of them and is not tried again. What ends the
        program (Ctrl-C) is not kept.
        """
        if name not in self._done:
            self._done[name] = _outcome(produce)
        return cast("T", self._done[name]())


def _outcome(produce: Callable[[], T]) -> Callable[[], T]:
    try:
        result = produce()
    except Exception as error:  # noqa: BLE001 - kept for everyone who asks
        failure, trace = error, error.__traceback__

        def fail() -> T:
            raise failure.with_traceback(trace)

        return fail
    return lambda: result


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write a conclusion as strict JSON, whole or not at all: a NaN or an infinity becomes null.

    Raises:
        EvidenceError: if it can't be written.
    """
    text = json.dumps(strict(document), indent=2, ensure_ascii=False, allow_nan=False)
    write_atomic(path, f"{text}\n".encode())


def strict(value: Any) -> Any:
    """Return ``value`` as it is read back from a conclusion that :func:`write_json` wrote."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): strict(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [strict(each) for each in value]
    return value
