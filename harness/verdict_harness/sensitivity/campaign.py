"""Many defects, one after the other or several at once; what was seen is kept as soon as it is."""

from __future__ import annotations

import random
import statistics
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from ..errors import UsageError
from ..figures import about, duration
from ..processes import Cancelled, progress
from . import run
from .defect import Defect
from .records import Records
from .run import Project
from .seeing import Outcome, Seen, broken

_USUAL = 60.0  # seconds of a defect, as long as none has been seen
_REFRESH = 1.0


def chosen(defects: Sequence[Defect], words: Sequence[str]) -> list[Defect]:
    """Return the defects that have any of the ``words`` in their name or kind; without words, all.

    Raises:
        UsageError: if there are none, or two of one name.
    """
    names = [defect.name for defect in defects]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError("two defects have one name", expected="each name once", found=", ".join(twice))
    found = [one for one in defects if not words or any(w in f"{one.kind} {one.name}" for w in words)]
    if not found:
        raise UsageError(
            "no defect was chosen",
            expected=f"a part of a name or a kind; kinds are {', '.join(sorted({d.kind for d in defects}))}",
            found=", ".join(words) or "no defects at all",
        )
    return found


def expected(defects: Sequence[Defect], records: Records) -> dict[str, float]:
    """Return how many seconds each defect is expected to take, by name.

    What was seen before tells, be it of other source; who was not seen is expected to take as long as others.
    """
    known = {one.name: record.seen.took for one in defects if (record := records.of(one)) is not None}
    known = {name: took for name, took in known.items() if took > 0}
    usual = statistics.fmean(known.values()) if known else _USUAL
    return {one.name: known.get(one.name, usual) for one in defects}


def sampled(defects: Sequence[Defect], seed: str, seconds: float, takes: Mapping[str, float]) -> list[Defect]:
    """Return some of ``defects``, in an order that the ``seed`` tells, that together take at most that long.

    Args:
        defects: to choose from.
        seed: the same chooses the same.
        seconds: that they may take, one after the other.
        takes: seconds that each is expected to take, by name.
    """
    shuffled = sorted(defects, key=lambda one: one.name)
    random.Random(seed).shuffle(shuffled)  # noqa: S311 - to choose, not to hide
    found, rest = [], seconds
    for one in shuffled:
        if takes[one.name] <= rest:
            found.append(one)
            rest -= takes[one.name]
    return found


@dataclass
class Campaign:
    """Tries defects.

    Attributes:
        project: in copies of which.
        records: where what is seen is kept.
        at_once: how many are tried at the same time.
        seconds: after which none is begun that would not be over by then.
        attempt: tries one.
    """

    project: Project
    records: Records
    at_once: int = 1
    seconds: float = float("inf")
    attempt: Callable[..., Seen] = run.run
    _cancelled: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _running: dict[str, float] = field(default_factory=dict)
    _outcomes: list[Outcome] = field(default_factory=list)

    def go(self, defects: Sequence[Defect], *, again: bool = False) -> None:
        """Try each of ``defects``, but for those of which it is known already what comes of them.

        Args:
            defects: in that order.
            again: try those as well.

        Raises:
            KeyboardInterrupt: it was interrupted; what ran has ended by then, what was seen is kept.
            EvidenceError: what was seen can't be kept.
        """
        waiting = [one for one in defects if again or not self.known(one)]
        takes = expected(defects, self.records)
        if known := len(defects) - len(waiting):
            progress.say(f"{known} of {len(defects)} defects were seen before, of the same source")
        started = time.monotonic()
        total = len(waiting)
        with ThreadPoolExecutor(self.at_once) as pool:
            workers = [pool.submit(self._work, waiting, takes, started) for _ in range(self.at_once)]
            try:
                while wait(workers, _REFRESH).not_done:
                    progress.status(self._state(waiting, takes, total))
            except KeyboardInterrupt:
                progress.say("ending in order: what was seen is kept")
                raise
            finally:
                self._cancelled.set()
                progress.done()
        for worker in workers:
            worker.result()

    def known(self, defect: Defect) -> bool:
        """Whether it is known what comes of ``defect``; of one that is broken it is not."""
        record = self.records.of(defect)
        return record is not None and record.current and record.seen.outcome is not Outcome.BROKEN

    def _work(self, waiting: list[Defect], takes: Mapping[str, float], started: float) -> None:
        try:
            while (defect := self._next(waiting, takes, started)) is not None:
                self._one(defect)
        except Cancelled:
            return
        except BaseException:
            self._cancelled.set()  # nothing else could be kept either
            raise

    def _next(self, waiting: list[Defect], takes: Mapping[str, float], started: float) -> Defect | None:
        with self._lock:
            while waiting and not self._cancelled.is_set():
                defect = waiting.pop(0)
                if time.monotonic() - started + takes[defect.name] <= self.seconds:
                    self._running[defect.name] = time.monotonic()
                    return defect
                progress.say(f"not begun: {defect.name}, it would not be over in time")
            return None

    def _one(self, defect: Defect) -> None:
        try:
            seen = self.attempt(defect, self.project, self._cancelled, self.records.evidence(defect.name))
        except OSError as error:
            seen = broken(f"the project could not be copied: {error}")
        finally:
            with self._lock:
                self._running.pop(defect.name, None)
        self.records.keep(defect, seen)
        with self._lock:
            self._outcomes.append(seen.outcome)
        progress.say(f"{seen.outcome:<7} {defect.name}, {told(seen)}")

    def _state(self, waiting: Sequence[Defect], takes: Mapping[str, float], total: int) -> str:
        with self._lock:
            now = time.monotonic()
            on = [f"{name} since {duration(now - since)}" for name, since in self._running.items()]
            rest = sum(takes[one.name] for one in waiting)
            rest += sum(max(takes[name] - (now - since), 0.0) for name, since in self._running.items())
            counts = [f"{self._outcomes.count(one)} {one}" for one in Outcome if one in self._outcomes]
            done = ", ".join([f"{len(self._outcomes)} of {total}", *counts])
            return f"{done}; {', '.join(on) or 'nothing runs'}; {about(rest / self.at_once)} left"


def told(seen: Seen) -> str:
    """Say in one line what was seen."""
    if seen.noticed is not None:
        return f"noticed after {duration(seen.noticed)}"
    return " ".join(seen.why.split())
