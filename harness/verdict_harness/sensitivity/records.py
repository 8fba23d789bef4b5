"""What was seen, one JSON file a defect, and what it was seen of: an interrupted campaign goes on."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..record import commit, describe, of_package, write_json
from . import tree
from .defect import Defect
from .run import Project
from .seeing import Ended, Outcome, Seen

_HARNESS = Path(__file__).parents[1]
_MACHINE = ("cores", "cpu", "memory", "system", "python")  # the load of a moment is none of a machine's


@dataclass(frozen=True, slots=True)
class Origin:
    """What something was seen of, and where.

    Attributes:
        source: digest of all that a run depends on: the project's files, the harness, pytest's words.
        commit: of the project; empty where there is no git. A ``+`` says that files were changed since.
        machine: cores, CPU, memory (bytes), system and Python.
    """

    source: str
    commit: str
    machine: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Record:
    """What is kept of a defect.

    Attributes:
        seen: what came of it.
        current: whether it was seen of what is there now, the defect included.
        origin: what it was seen of.
        when: ISO 8601, UTC.
    """

    seen: Seen
    current: bool
    origin: Origin
    when: str


def origin(project: Project, apart: Sequence[Path] = ()) -> Origin:
    """Return what would be seen now.

    Args:
        project: whose gate is tried.
        apart: directories of the defects, each of which has a digest of its own.
    """
    files = tree.digest(project.root, apart)
    parts = [files, of_package(_HARNESS), project.criteria, list(project.words)]
    found = commit(project.root)
    known = found if isinstance(found, Mapping) else {}
    name = str(known.get("commit", ""))[:12] + ("+" if known.get("changed") else "")
    machine = describe()
    return Origin(_digest(json.dumps(parts)), name, {key: machine[key] for key in _MACHINE})


class Records:
    """The folder in which it is kept.

    Args:
        folder: made when first written to.
        now: what is there to be seen.
        look: asked again before anything is kept, since a campaign takes long and people go on working.
    """

    def __init__(self, folder: Path, now: Origin, look: Callable[[], Origin] | None = None) -> None:
        self.folder = folder
        self.now = now
        self._look = look

    def of(self, defect: Defect) -> Record | None:
        """Return what was seen last of ``defect``; ``None`` if nothing was, or it can't be read any more."""
        entry = _read(self.folder / f"{defect.name}.json")
        try:
            told, source = entry["seen"], entry["origin"]
            seen = Seen(**{**told, "outcome": Outcome(told["outcome"])})
            found = Origin(**source)
            current = found.source == self.now.source and entry["defect"] == _digest(repr(defect))
            return Record(seen, current, found, str(entry["when"]))
        except (LookupError, TypeError, ValueError):
            return None

    def keep(self, defect: Defect, seen: Seen) -> None:
        """Keep what was seen of ``defect`` in the place of what was seen before.

        Raises:
            EvidenceError: if it can't be written.
            UsageError: the project has changed meanwhile.
        """
        self._write(defect.name, {"defect": _digest(repr(defect)), "seen": asdict(seen)})

    def evidence(self, name: str) -> Path:
        """Where the verdict, the report and the words of a session are."""
        return self.folder / "evidence" / name

    def sound(self) -> dict[str, list[dict[str, str]]]:
        """Return the verdicts of each run of nothing planted, of what is there now, by what was selected."""
        found: dict[str, list[dict[str, str]]] = {}
        for path in sorted((self.folder / "sound").glob("*.json")):
            entry = _read(path)
            if entry.get("origin", {}).get("source") == self.now.source:
                found.setdefault(str(entry.get("select")), []).append(dict(entry.get("verdicts", {})))
        return found

    def keep_sound(self, select: str, ended: Ended) -> None:
        """Keep a run of nothing planted.

        Raises:
            EvidenceError: if it can't be written.
            UsageError: the project has changed meanwhile.
        """
        number = len(list((self.folder / "sound").glob("*.json"))) + 1
        document = {"select": select, "verdicts": ended.verdicts, "took": ended.seconds}
        self._write(f"sound/{number:04}", document)

    def forget_sound(self) -> None:
        """Forget the runs of nothing planted."""
        for path in (self.folder / "sound").glob("*.json"):
            path.unlink()

    def _write(self, name: str, document: Mapping[str, Any]) -> None:
        if self._look is not None and self._look().source != self.now.source:
            raise UsageError(
                "the project has changed since this began",
                expected="the source that the first run was made of",
                found=f"another when {name} was over, of which is not known what it was seen of",
                todo="run it again, in a work tree where nobody works meanwhile",
            )
        path = self.folder / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        when = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        write_json(path, {**document, "when": when, "origin": asdict(self.now)})


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
