"""Many defects, one after the other or a few at once; what was seen is kept, and not made again."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..figures import duration
from ..processes import progress
from ..record import commit, describe, write_atomic
from . import tree
from .attempt import Outcome, Project, Seen, attempt
from .defect import Defect

_USUAL = 75.0  # seconds for one that was never seen


@dataclass(frozen=True, slots=True)
class Kept:
    """What was seen of a defect, where and of what.

    Attributes:
        seen: what came of it.
        digest: of the defect and of the source that it was planted in.
        commit: of that source, where there is one.
        machine: as a run describes it.
    """

    seen: Seen
    digest: str
    commit: Any = None
    machine: Any = None


class Store:
    """What was seen, one file a defect.

    Args:
        directory: where the files are.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def log(self, name: str) -> Path:
        """Where pytest's words on a defect go."""
        self._directory.mkdir(parents=True, exist_ok=True)
        return self._directory / f"{name}.log"

    def keep(self, kept: Kept) -> None:
        """Write down what was seen."""
        self._directory.mkdir(parents=True, exist_ok=True)
        data = dataclasses.asdict(kept)
        data["seen"]["outcome"] = kept.seen.outcome.value
        path = self._directory / f"{kept.seen.name}.json"
        write_atomic(path, (json.dumps(data, indent=1) + "\n").encode())

    def found(self) -> dict[str, Kept]:
        """Return what was seen of each defect; a file that can't be read is as none."""
        return {kept.seen.name: kept for kept in self._read()}

    def _read(self) -> Iterator[Kept]:
        for path in sorted(self._directory.glob("*.json")):
            try:
                data = json.loads(path.read_text(encoding="utf-8"))
                data["seen"]["outcome"] = Outcome(data["seen"]["outcome"])
                yield Kept(**{**data, "seen": Seen(**data["seen"])})
            except (OSError, ValueError, KeyError, TypeError):
                continue


def digest_of(defect: Defect, source: str) -> str:
    """Return the digest of a defect and of what it is planted in."""
    return hashlib.sha256(f"{source}\0{defect!r}".encode()).hexdigest()


def chosen(defects: Sequence[Defect], words: str) -> list[Defect]:
    """Return the defects whose name or kind has all of ``words`` in it, in any order.

    >>> from .defect import Variable
    >>> one = Defect("gateway-delays", "gateway", "", [Variable("A", "b")], "a1", turns=["A1.errors"])
    >>> [len(chosen([one], words)) for words in ("", "gateway", "delays gateway", "engine")]
    [1, 1, 1, 0]
    """
    return [one for one in defects if all(word in f"{one.kind} {one.name}" for word in words.split())]


def sample(defects: Sequence[Defect], seed: str, seconds: float, found: Mapping[str, Kept]) -> list[Defect]:
    """Return some defects, others for another seed, that take no longer than ``seconds`` together.

    How long each takes is known from when it was seen last; of one that never was, it is guessed.
    """
    drawn = list(defects)
    random.Random(seed).shuffle(drawn)  # noqa: S311 - to be the same for the same commit
    some, left = [], seconds
    for one in drawn:
        takes = found[one.name].seen.seconds if one.name in found else _USUAL
        if takes <= left:
            some.append(one)
            left -= takes
    return some


def run(
    project: Project, defects: Sequence[Defect], store: Store, *, at_once: int = 1, again: bool = False
) -> list[Seen]:
    """Try defects; return what was seen of each, now or before.

    Args:
        project: what they are planted in.
        defects: which.
        store: what was seen before, of the same source, is not made again; and what is seen is kept there.
        at_once: how many at a time.
        again: make it anew all the same.
    """
    source = tree.digest(project.root)
    before = store.found()
    known = (
        {}
        if again
        else {
            one.name: before[one.name].seen
            for one in defects
            if one.name in before
            and before[one.name].digest == digest_of(one, source)
            and before[one.name].seen.outcome is not Outcome.BROKEN
        }
    )
    left = [one for one in defects if one.name not in known]
    if known:
        progress.say(f"{len(known)} of {len(defects)} defects were seen before, in the same source")
    clock = _Clock(left, before, at_once)
    lock = threading.Lock()

    def make(defect: Defect) -> Seen:
        with lock:
            progress.say(f"{defect.name}: {defect.story}")
            progress.status(clock.told())
        seen = attempt(project, defect, store.log(defect.name))
        told = f" ({seen.reason})" if seen.reason else ""
        with lock:
            store.keep(Kept(seen, digest_of(defect, source), commit(project.root), describe()))
            clock.done += 1
            progress.say(f"{defect.name}: {seen.outcome.value} in {duration(seen.seconds)}{told}")
        return seen

    made: dict[str, Seen] = {}
    with ThreadPoolExecutor(max_workers=at_once) as pool:
        trying = {pool.submit(make, one): one for one in left}
        try:
            for future in as_completed(trying):
                made[trying[future].name] = future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    progress.done()
    return [known.get(one.name) or made[one.name] for one in defects]


class _Clock:
    """How many are done, and how long the others may take."""

    def __init__(self, left: Sequence[Defect], before: Mapping[str, Kept], at_once: int) -> None:
        takes = [before[one.name].seen.seconds if one.name in before else _USUAL for one in left]
        self._expected = sum(takes) / at_once
        self._began = time.monotonic()
        self._of = len(left)
        self.done = 0

    def told(self) -> str:
        spent = time.monotonic() - self._began
        rate = spent / self.done * (self._of - self.done) if self.done else self._expected
        return f"{self.done} of {self._of} defects, about {duration(rate)} to go"


__all__ = ["Kept", "Store", "chosen", "digest_of", "run", "sample"]
