"""Programs that come as Maven artifacts: fetched by jgo, every jar pinned by SHA-256.

The lock names each jar, so nothing is resolved when a broker is provided: the
jars are fetched in parallel, and each is checked before it is used.

jgo knows where Maven's repositories are and how they are read.  It comes with
the extra ``kafka`` and is imported when a jar is wanted: most users never ask
for one, and it costs more than half of what importing this package would.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import sys
import threading
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ..errors import ProgramError
from ..figures import megabytes
from . import store
from .model import PINS
from .trouble import disk_error, wrong_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from jgo.maven import Artifact, MavenContext

    from .model import Making
    from .task import Task

    _Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]

VARIABLE = "VERDICT_HARNESS_MAVEN"
_PARALLEL = 6
_TIMEOUT = 20  # seconds without a byte
_TRIES = 3
_HEADER = "# Written by `python -m verdict_harness.programs lock`: coordinate, SHA-256, bytes.\n"
_NETWORK = (
    f"check the network. In a closed one set {VARIABLE} to the URL of your Maven mirror\n"
    "(or name it in jgo's settings), and HTTPS_PROXY if you need one"
)


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of a lock.

    Attributes:
        coordinate: ``group:artifact:version``.
        sha256: of its content, in hexadecimal digits.
        size: bytes.
    """

    coordinate: str
    sha256: str
    size: int


def read_lock(pins: str) -> list[Jar]:
    """Return the jars that the lock ``pins`` names."""
    jars = []
    for line in (PINS / pins).read_text().splitlines():
        if line and not line.startswith("#"):
            coordinate, sha256, size = line.split()
            jars.append(Jar(coordinate, sha256, int(size)))
    return jars


def repositories() -> dict[str, str]:
    """Return where jars are looked for: the user's variable alone, or jgo's settings and then its default."""
    given = os.environ.get(VARIABLE)
    if given:
        return {"given": given.rstrip("/")}
    from jgo.config import GlobalSettings  # noqa: PLC0415 - as said above
    from jgo.constants import MAVEN_CENTRAL_URL  # noqa: PLC0415

    return {**GlobalSettings.load().repositories, "central": MAVEN_CENTRAL_URL}


def install(making: Making, pins: str) -> None:
    """Put every jar of the lock ``pins`` into ``lib``; what an earlier try fetched is not fetched again."""
    jars = read_lock(pins)
    _need_jgo()
    fetcher = _Fetcher(jars, making.task, making.work / "maven")
    # jgo logs what it tries; whatever matters of it reaches the user through errors
    logging.getLogger("jgo").setLevel(logging.ERROR)
    paths = fetcher.all(jars)
    library = making.directory / "lib"
    library.mkdir()
    for path in paths:
        shutil.copyfile(path, library / path.name)


def _need_jgo() -> None:
    """Raise `ProgramError` unless jgo is installed."""
    if find_spec("jgo") is None:
        raise ProgramError(
            "Kafka's jars can't be fetched: what reads Maven's repositories is not installed",
            expected="the package jgo, which comes with the extra kafka",
            found=f"no jgo in {sys.prefix}",
            todo="pip install 'verdict-harness[kafka]', or name the jars of a Kafka you have in KAFKA_LIBS",
        )


def _context(work: Path, progress: _Progress | None = None) -> MavenContext:
    """Return what jgo fetches with, into ``work``."""
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415 - as said above

    return MavenContext(
        resolver=PythonResolver(progress_callback=progress),
        repo_cache=work,
        remote_repos=repositories(),
        timeout=_TIMEOUT,
    )


def clean(work: Path) -> None:
    """Remove the downloads: the entry has its own copies."""
    store.remove(work / "maven")


class _Fetcher:
    """Fetches jars, several at once, and counts for the status line."""

    def __init__(self, jars: list[Jar], task: Task, work: Path) -> None:
        self._task = task
        self._total = sum(jar.size for jar in jars)
        self._jars = len(jars)
        self._work = work
        self._bytes = 0
        self._done = 0
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._context = _context(work, progress=self._progress)

    def all(self, jars: list[Jar]) -> list[Path]:
        """Return the paths of all ``jars``, their content checked; the first failure ends the others."""
        with ThreadPoolExecutor(_PARALLEL) as pool:
            try:
                futures = [pool.submit(self._jar, jar) for jar in jars]
                ended = wait(futures, return_when=FIRST_EXCEPTION).done
            finally:
                self._stop.set()  # nothing is left to do, or not wanted any more
        for future in ended:
            error = future.exception()
            if error is not None and not isinstance(error, _Stopped):
                raise error
        return [future.result() for future in futures]

    def _jar(self, jar: Jar) -> Path:
        path = self._verified(jar)
        with self._lock:
            self._done += 1
        self._say()
        return path

    def _verified(self, jar: Jar) -> Path:
        group, artifact, version = jar.coordinate.split(":")
        item = self._context.project(group, artifact).at_version(version).artifact()
        path = self._work / item.component.path_prefix / item.cached_filename
        if path.exists():
            if _sha256(path) == jar.sha256:
                with self._lock:
                    self._bytes += jar.size
                return path
            path.unlink()  # half of it: we were killed while it came in
        self._download(item, path, jar)
        found = _sha256(path)
        if found != jar.sha256:
            path.unlink()
            raise wrong_hash(
                f"{path.name} is not the file that was pinned",
                expected=f"SHA-256 {jar.sha256}",
                found=f"SHA-256 {found}",
                where=f"{jar.coordinate} from {_asked(self._context)}",
            )
        return path

    def _download(self, item: Artifact, path: Path, jar: Jar) -> None:
        for left in reversed(range(_TRIES)):
            self._check()
            try:
                self._context.resolver.download(item)
            except BaseException as error:
                path.unlink(missing_ok=True)
                if not isinstance(error, (OSError, RuntimeError)):
                    raise
                if isinstance(error, OSError) and error.errno is not None:  # ours; the network's have none
                    raise disk_error(error, f"{path.name} could not be stored", path.parent) from error
                if left:
                    continue
                raise _unanswered(
                    f"{jar.coordinate} could not be downloaded", error, self._context
                ) from error
            else:
                return

    def _check(self) -> None:
        self._task.check()
        if self._stop.is_set():
            raise _Stopped

    @contextmanager
    def _progress(self, _filename: str, _size: int) -> Iterator[Callable[[int], None]]:
        def advance(count: int) -> None:
            self._check()
            with self._lock:
                self._bytes += count
            self._say()

        yield advance

    def _say(self) -> None:
        bytes_ = f"{megabytes(self._bytes)} of {megabytes(self._total)}"
        self._task.status(f"downloading, {self._done} of {self._jars} jars, {bytes_}")


class _Stopped(Exception):  # noqa: N818 - never seen: what made the others stop is raised instead
    """Another jar could not be had, so this one is not wanted any more."""


def _unanswered(what: str, error: Exception, context: MavenContext) -> ProgramError:
    return ProgramError(
        what,
        expected="an answer from a Maven repository",
        found=_redacted(str(error)),
        where=_asked(context),
        todo=_NETWORK,
    )


def _asked(context: MavenContext) -> str:
    """Say which repositories were asked."""
    return _redacted(", ".join(context.remote_repos.values()))


def _redacted(text: str) -> str:
    """Return ``text`` without the passwords that URLs may hold.

    >>> _redacted("https://me:secret@mirror/maven")
    'https://mirror/maven'
    """
    return re.sub(r"//[^/@\s]*@", "//", text)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def repin(pins: str, coordinates: tuple[str, ...], alone: tuple[str, ...], work: Path) -> None:
    """Resolve ``coordinates`` and all that they need, and write the lock ``pins`` anew.

    Args:
        pins: the lock's file name.
        coordinates: ``group:artifact:version``.
        alone: likewise, but taken without what they need.
        work: for what is fetched.

    Raises:
        ProgramError: jgo is not installed, or something can't be had; the lock is as it was.
    """
    _need_jgo()
    context = _context(work)
    try:
        lines = _resolved(context, coordinates, alone)
    except (OSError, RuntimeError) as error:
        raise _unanswered(f"what belongs into {pins} could not be resolved", error, context) from error
    (PINS / pins).write_text(_HEADER + "".join(sorted(lines)))


def _resolved(context: MavenContext, coordinates: tuple[str, ...], alone: tuple[str, ...]) -> list[str]:
    """Return the lines of the lock."""
    from jgo.parse import Coordinate  # noqa: PLC0415 - as said above

    wanted = [replace(Coordinate.parse(text), scope="compile") for text in coordinates]
    given, needed = context.resolver.resolve([context.create_dependency(item) for item in wanted])
    lines = []
    single = [context.create_dependency(Coordinate.parse(text)) for text in alone]
    for dependency in [*given, *single, *(item for item in needed if item.scope in {"compile", "runtime"})]:
        artifact = dependency.artifact
        path = artifact.resolve()
        coordinate = f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}"
        lines.append(f"{coordinate} {_sha256(path)} {path.stat().st_size}\n")
    return lines
