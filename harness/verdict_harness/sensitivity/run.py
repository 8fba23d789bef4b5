"""One defect: copy the project, plant, run what has to notice, look at what it says."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .. import processes
from ..errors import HarnessError
from ..processes import Cancelled
from ..record import forget
from . import planting, seeing
from .defect import Defect
from .seeing import Ended, Seen
from .tree import Tree, copied

VERDICT, REJUDGED = "verdict.json", "verdict.rejudged.json"
_KEPT = (VERDICT, REJUDGED, "report.html", "junit.xml", "run.json")


@dataclass(frozen=True, slots=True)
class Project:
    """The project whose gate is tried.

    Attributes:
        root: of the project.
        criteria: the directory of its criteria, from there.
        words: for pytest, before those of a defect.
        patience: seconds after which a session counts as stuck.
    """

    root: Path
    criteria: str = "experiments"
    words: tuple[str, ...] = ("--profile", "quick")
    patience: float = 3600.0


def run(
    defect: Defect, project: Project, cancelled: threading.Event | None = None, evidence: Path | None = None
) -> Seen:
    """Try ``defect`` in a copy of the project, and say what came of it.

    Args:
        defect: what is planted, and who has to notice.
        project: in a copy of which.
        cancelled: once set, the session is ended.
        evidence: folder for what the session concluded and said, emptied first; none if not wanted.

    Raises:
        Cancelled: it was.
        OSError: the project could not be copied.
    """
    with _copy(project, cancelled, evidence) as copy:
        try:
            return _tried(defect, copy)
        except Cancelled:
            raise
        except HarnessError as error:
            return seeing.broken(str(error))


def sound(
    select: str, project: Project, cancelled: threading.Event | None = None, evidence: Path | None = None
) -> Ended:
    """Run what ``select`` selects in a copy in which nothing is planted; see :func:`run`.

    Raises:
        CommandError: the session was cancelled, or did not end in time.
        OSError: the project could not be copied.
    """
    with _copy(project, cancelled, evidence) as copy:
        return copy.judged(select)


def _tried(defect: Defect, copy: _Copy) -> Seen:
    if not defect.later:
        return seeing.told(
            defect, copy.judged(defect.select, defect.words, planting.plant(defect, copy.tree))
        )
    first = copy.judged(defect.select, defect.words)
    if first.unsound:
        return seeing.broken(first.unsound, first.seconds, first.verdicts)
    return seeing.told_later(defect, first, copy.judged_again(planting.plant(defect, copy.tree)))


@dataclass(frozen=True, slots=True)
class _Copy:
    """A copy of a project, and sessions of pytest in it."""

    project: Project
    tree: Tree
    cancelled: threading.Event | None

    @property
    def latest(self) -> Path:
        return self.tree.root / "runs" / "latest"

    @property
    def said(self) -> Path:
        return self.tree.root.parent / "said.txt"

    def judged(
        self, select: str, words: Sequence[str] = (), variables: Mapping[str, str] | None = None
    ) -> Ended:
        forget(self.latest)  # a run that never begins must not find one there
        marker = ("-m", select) if select else ()
        return self._session((*marker, *self.project.words, *words), variables or {}, VERDICT)

    def judged_again(self, variables: Mapping[str, str]) -> Ended:
        return self._session(("--judge", "runs/latest"), variables, REJUDGED)

    def _session(self, words: Sequence[str], variables: Mapping[str, str], name: str) -> Ended:
        done = processes.run(
            [self.tree.python, "-m", "pytest", self.project.criteria, *words],
            cwd=self.tree.root,
            env={**self.tree.environment(), **variables},
            timeout=self.project.patience,
            check=False,
            cancelled=self.cancelled,
        )
        with self.said.open("a", encoding="utf-8") as file:
            file.write(f"{done.stdout}\n{done.stderr}")
        return Ended.read(done, self.latest, name)


@contextmanager
def _copy(project: Project, cancelled: threading.Event | None, evidence: Path | None) -> Iterator[_Copy]:
    with copied(project.root) as tree:
        copy = _Copy(project, tree, cancelled)
        try:
            yield copy
        finally:
            if evidence is not None:
                _keep(copy, evidence)


def _keep(copy: _Copy, evidence: Path) -> None:
    """Keep what people look at who want to know why: not the raw samples, which are large."""
    shutil.rmtree(evidence, ignore_errors=True)
    evidence.mkdir(parents=True)
    for path in (copy.said, *(copy.latest / name for name in _KEPT)):
        if path.is_file():
            shutil.copy(path, evidence / path.name)
