"""The folder of a run: what was found out is on disk before anybody judges it.

::

    runs/latest -> 20260102T030405Z-7f3a
    runs/20260102T030405Z-7f3a/
        run.json            what ran, with which words, where, when
        facts/…json         one answer of the outside world a file, numbered in order
        <folder>/…          files: logs, raw samples
        manifest.json       sha256 of all of the above, written last
        verdict.json, …     conclusions, written by others and not evidence

A run is *live* while it happens and is *replayed* later: the same code asks the
same questions by the same keys, and :meth:`Evidence.fact` answers from disk
what it once answered from the world.  What the manifest does not vouch for is
not evidence: a damaged, missing or added fact is an
:class:`~verdict_harness.errors.EvidenceError`, never a guess, and :attr:`Evidence.damage`
names every such file, asked for or not.  Who changes a file and the manifest with
it changes :attr:`Evidence.digest`, of which a run leaves copies elsewhere.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self, TypeAlias

from .. import errors
from ..errors import EvidenceError, HarnessError, UsageError
from . import machine
from .digests import of_file
from .files import make_new, make_unique, point, write_atomic, writing
from .stored import another_version, damaged, differing, load, unlike

__all__ = ["Evidence", "Json", "write_atomic"]

Json: TypeAlias = bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"] | None

_FORMAT = (
    2  # of the folder and of the questions in it; of 1 there are runs, judged by a model that is no more
)
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}")
_RUN, _MANIFEST, _FACTS, _LATEST = "run.json", "manifest.json", "facts", "latest"
_FIELDS = ("what", "expected", "found", "where", "todo")


class Evidence:
    """A run's folder. Made by :meth:`create` or :meth:`replay`.

    Safe to use from several threads: each key is asked for once, and different
    keys at the same time.

    Attributes:
        directory: the folder.
        run_id: its name; letters, digits and ``-``, fit for a label.
        replaying: whether facts are read back and not produced.
        digest: sha256 of the manifest, which has those of all files; empty before the end of a live run.
        damage: on replay, every file that is not as the manifest says, one sentence each.
        differences: on replay, what raw files no longer give as it was recorded; see :meth:`confirm`.
    """

    def __init__(
        self, directory: Path, run: Mapping[str, Json], digests: Mapping[str, str] | None = None
    ) -> None:
        self.directory = directory
        self.run_id = directory.name
        self.replaying = digests is not None
        self.digest = ""
        self.damage: tuple[str, ...] = ()
        self.differences: list[str] = []
        self._digests = dict(digests or {})
        self._run = dict(run)
        self._known: dict[str, dict[str, Json]] = {}
        self._sealed = False
        self._lock = threading.RLock()
        self._asking: defaultdict[str, threading.RLock] = defaultdict(threading.RLock)

    @classmethod
    def create(
        cls,
        root: Path = Path("runs"),
        *,
        profile: str,
        backend: str,
        argv: Sequence[str] | None = None,
        run_id: str = "",
    ) -> Self:
        """Start a live run: make its folder under ``root`` and point ``root/latest`` at it.

        Args:
            root: where runs are kept.
            profile: ``"full"``, ``"quick"`` or ``"burst"``.
            backend: its name.
            argv: the command line; that of this process if not given.
            run_id: the folder's name, by whoever has to know it beforehand; made up if empty.

        Raises:
            UsageError: there is such a run already, or can't be one of that name.
            EvidenceError: the folder can't be made or written.
        """
        root = root.absolute()
        if run_id and not _RUN_ID.fullmatch(run_id):
            raise UsageError("no name for a run", expected="letters, digits and -", found=repr(run_id))
        started = dt.datetime.now(dt.UTC)
        with writing(root):
            root.mkdir(parents=True, exist_ok=True)
            directory = make_new(root, run_id) if run_id else make_unique(root, f"{started:%Y%m%dT%H%M%SZ}")
            (directory / _FACTS).mkdir()
        words: list[Json] = list(sys.argv if argv is None else argv)
        run: dict[str, Json] = {
            "format": _FORMAT,
            "run_id": directory.name,
            "profile": profile,
            "backend": backend,
            "command": words,
            "started": started.isoformat(timespec="milliseconds"),
            "ended": None,
            "git": machine.commit(Path.cwd()),
            "machine": machine.describe(),
            "versions": machine.versions(),
            "packages": machine.packages(),
        }
        evidence = cls(directory, run)
        evidence._write_run()
        point(root / _LATEST, directory.name)
        return evidence

    @classmethod
    def replay(cls, directory: Path) -> Self:
        """Open the folder of a run that has ended.

        Raises:
            EvidenceError: it is not one, was never sealed, is of another version, or its description or
                manifest is damaged. What else is damaged is in :attr:`damage`.
        """
        directory = directory.resolve()
        manifest = load(directory / _MANIFEST, "a run whose end was reached leaves a manifest")
        if manifest.get("format") != _FORMAT:
            another_version(directory, manifest.get("format"), _FORMAT)
        digests = manifest.get("sha256")
        if not isinstance(digests, dict):
            damaged(directory / _MANIFEST, "the digest of every file", "none")
        evidence = cls(directory, {}, {name: str(digest) for name, digest in digests.items()})
        evidence._run = evidence._read(_RUN)
        evidence.digest = of_file(directory / _MANIFEST)
        evidence.damage = tuple(unlike(directory, evidence._digests, set(evidence._covered())))
        return evidence

    @property
    def run(self) -> Mapping[str, Json]:
        """What ``run.json`` says: of *that* run and its machine, also when it is replayed elsewhere."""
        return self._run

    def note(self, **facts: Json) -> None:
        """Add fields to ``run.json``, such as versions that became known; mappings are merged.

        On replay nothing is added: the run is what it was.
        """
        if self.replaying:
            return
        with self._lock:
            self._refuse_if_sealed(", ".join(facts))
            for key, value in facts.items():
                old = self._run.get(key)
                both = isinstance(old, Mapping) and isinstance(value, Mapping)
                self._run[key] = {**old, **value} if both else value  # type: ignore[dict-item]
            self._write_run()

    def fact(self, key: str, produce: Callable[[], Json]) -> Json:
        """Return the answer to ``key``: from the world when live, from disk on replay.

        Live, ``produce`` is called once a key; what it returns is on disk before
        this returns, and the caller gets what was written (tuples have become
        lists).  A :class:`~verdict_harness.errors.HarnessError` that it raises is an
        answer too: it is recorded and raised, live and on replay alike as its
        nearest kind in :mod:`verdict_harness.errors`.  Anything else it raises is a bug
        or an interrupt and is not recorded.

        Args:
            key: what was asked, wholly: two questions never share a key. Times in
                it must come from other facts (a load's window), not from the
                clock, or a replay will not find it.
            produce: asks the outside world.

        Raises:
            EvidenceError: it could not be written; on replay, it is missing or damaged.
        """
        with self._lock:
            asking = self._asking[key]
        with asking:
            cause = None
            record = self._known.get(key)
            if record is None:
                record, cause = (self._recall(key), None) if self.replaying else self._produce(key, produce)
                self._known[key] = record
        if "error" in record:
            # Live too, what is raised is what a replay will raise; the trace still shows where it came from.
            raise _revive(record["error"]) from cause
        return record["answer"]

    def confirm(self, what: str, recorded: Json, derive: Callable[[], Json]) -> None:
        """On replay, derive from raw files again what was recorded as derived from them.

        What differs, or can't be derived any more, is added to :attr:`differences`: a figure that was changed
        and the manifest with it still has to agree with the raw samples. Live, nothing is done.

        Args:
            what: of what, for people, such as ``"load A2"``.
            recorded: a mapping or another plain value, as it is on record.
            derive: reads the raw files.
        """
        if not self.replaying:
            return
        try:
            found = json.loads(json.dumps(derive()))
        except (HarnessError, OSError, ValueError, LookupError, TypeError) as error:
            self.differences.append(f"{what} can't be derived from raw samples again: {errors.named(error)}")
        else:
            self.differences += differing(what, recorded, found)

    def where(self, key: str) -> Path:
        """Return the file that holds the answer to ``key``, or will."""
        return self.directory / _file_name(key)

    def folder(self, name: str) -> Path:
        """Return a subfolder for files, such as logs and raw samples. On replay it is never made.

        Args:
            name: relative, ``/`` between its parts; not ``facts``.
        """
        path = self.directory / name
        if not path.resolve().is_relative_to(self.directory) or path == self.directory / _FACTS:
            raise EvidenceError("not a subfolder of the run", found=name, where=str(self.directory))
        if not self.replaying:
            with writing(path):
                path.mkdir(parents=True, exist_ok=True)
        return path

    def seal(self) -> None:
        """End a live run: note the time, then write the manifest. Twice is fine.

        To be called once nothing writes into the run's folders any more: what changes afterwards is damaged.

        Raises:
            EvidenceError: the manifest could not be written; the run can't be replayed then.
        """
        with self._lock:
            if self.replaying or self._sealed:
                return
            self._run["ended"] = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
            self._write_run()
            with writing(self.directory / _MANIFEST):
                digests: dict[str, Json] = {name: of_file(self.directory / name) for name in self._covered()}
            _write_json(
                self.directory / _MANIFEST, {"format": _FORMAT, "run_id": self.run_id, "sha256": digests}
            )
            self.digest = of_file(self.directory / _MANIFEST)
            self._sealed = True

    def _covered(self) -> list[str]:
        """Names of all that is evidence: run.json and the regular files of every subfolder."""
        names = [_RUN]
        for folder in sorted(
            path for path in self.directory.iterdir() if path.is_dir() and not path.is_symlink()
        ):
            names.extend(
                path.relative_to(self.directory).as_posix()
                for path in sorted(folder.rglob("*"))
                if path.is_file() and not path.is_symlink()
            )
        return names

    def _produce(self, key: str, produce: Callable[[], Json]) -> tuple[dict[str, Json], HarnessError | None]:
        self._refuse_if_sealed(key)
        cause = None
        begun, at = time.monotonic(), time.time()
        outcome: dict[str, Json]
        try:
            outcome = {"answer": produce()}
        except EvidenceError:
            raise  # of a fact within this fact: about the folder, not about the world
        except HarnessError as error:
            cause = error
            fields: dict[str, Json] = {field: getattr(error, field) for field in _FIELDS}
            kind = next(kind for kind in type(error).__mro__ if kind.__module__ == errors.__name__)
            outcome = {"error": {"type": kind.__name__, **fields}}
        name = _file_name(key)
        with self._lock:
            self._refuse_if_sealed(key)
            record: dict[str, Json] = {
                "format": _FORMAT,
                "sequence": len(self._known) + 1,
                "key": key,
                "at": dt.datetime.fromtimestamp(at, dt.UTC).isoformat(timespec="milliseconds"),
                "seconds": round(time.monotonic() - begun, 6),
                **outcome,
            }
            written = _write_json(self.directory / name, record)
            self._known[key] = written
        return written, cause

    def _recall(self, key: str) -> dict[str, Json]:
        name = _file_name(key)
        if name not in self._digests and not (self.directory / name).exists():
            raise EvidenceError(
                "the run holds no answer to this question",
                expected=key,
                found="no such fact was recorded",
                where=str(self.directory),
                todo="judge it with the version that ran it, or run it again",
            )
        record = self._read(name)
        if record.get("key") != key or ("answer" in record) == ("error" in record):
            damaged(self.directory / name, f"the answer to {key}", f"key {record.get('key')}")
        return record

    def _read(self, name: str) -> dict[str, Json]:
        path = self.directory / name
        expected = self._digests.get(name)
        if expected is None:
            damaged(path, "a file that the manifest lists", "a file that it does not")
        try:
            found = of_file(path)
        except OSError as error:
            raise EvidenceError(
                "evidence is missing", expected=f"sha256 {expected}", found=str(error), where=str(path)
            ) from error
        if found != expected:
            damaged(path, f"sha256 {expected}", f"sha256 {found}")
        return load(path, "the manifest lists it")

    def _write_run(self) -> None:
        _write_json(self.directory / _RUN, self._run)

    def _refuse_if_sealed(self, what: str) -> None:
        if self._sealed:
            raise EvidenceError(
                "the run is sealed; nothing can be added to it", found=what, where=str(self.directory)
            )


def _write_json(path: Path, data: Mapping[str, Json]) -> dict[str, Json]:
    try:
        text = json.dumps(data, indent=1, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise EvidenceError(
            "a fact must be plain JSON",
            expected="null, booleans, finite numbers, strings, lists, and mappings by string",
            found=str(error),
            where=str(data.get("key", path)),
            todo="record NaN and infinity as null or as text",
        ) from error
    write_atomic(path, text.encode())
    result: dict[str, Json] = json.loads(text)
    return result


def _file_name(key: str) -> str:
    """``facts/<words of the key>-<hash of the key>.json``: for people to find, and for us to tell apart."""
    slug = re.sub(r"[^a-z0-9]+", "-", key.lower()).strip("-")[:60].rstrip("-") or "fact"
    return f"{_FACTS}/{slug}-{hashlib.sha256(key.encode()).hexdigest()[:8]}.json"


def _revive(record: Json) -> HarnessError:
    """Make the recorded error again; a kind that no longer exists comes back as the root."""
    if not isinstance(record, Mapping):
        raise EvidenceError("evidence is damaged", expected="a recorded error", found=str(record))
    kind = getattr(errors, str(record.get("type")), None)
    fields = {field: str(record.get(field, "")) for field in _FIELDS}
    what = fields.pop("what")
    return (kind if isinstance(kind, type) and issubclass(kind, HarnessError) else HarnessError)(
        what, **fields
    )
