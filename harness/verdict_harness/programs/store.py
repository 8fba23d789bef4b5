"""The cache: finished entries, moved into place whole, and the locks and leftovers beside them.

::

    <cache>/
      entries/k6-1.8.1-linux-x86_64-<digest>/    finished; entry.json is its birth certificate
      making/k6-<random>/                        being made; swept by whoever makes k6 next
      work/{go,maven}/                           downloads and compiler caches of unfinished tries
      locks/k6.lock

Reading takes no lock and writes nothing, so a warm cache may be on a read-only
disk.  Making takes the lock of the recipe, and looks again once it has it.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import filelock
import platformdirs

from ..errors import ProgramError
from ..figures import megabytes
from .model import PINS
from .trouble import CACHE_VARIABLE, disk_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .model import Recipe
    from .task import Task

_TELL_AFTER = 1.0  # seconds of waiting for a lock before it is worth a word
_held: set[str] = set()  # locks that this very process holds
_SYSTEMS = {"linux": "linux", "darwin": "macos"}
_MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}


def cache() -> Path:
    """Return the cache directory, whether it exists or not."""
    given = os.environ.get(CACHE_VARIABLE)
    return (
        Path(given).expanduser().absolute() if given else Path(platformdirs.user_cache_dir("verdict-harness"))
    )


def which_platform() -> tuple[str, str]:
    """Return what Python calls this system and its processor: the one place that asks."""
    return sys.platform, platform.machine()


def platform_key() -> str:
    """Return the name of this platform in entries.

    Raises:
        ProgramError: programs can't be provided for it.
    """
    names = which_platform()
    system, machine = _SYSTEMS.get(names[0]), _MACHINES.get(names[1].lower())
    if system is None or machine is None:
        raise ProgramError(
            "programs can't be provided for this platform",
            expected="Linux or macOS on x86_64 or aarch64",
            found=f"{names[0]} on {names[1]}",
            todo="install them yourself and name them: K6, PROMETHEUS, PROMTOOL, JAVA, KAFKA_LIBS",
        )
    return f"{system}-{machine}"


def digest(recipe: Recipe) -> str:
    """Return what the entry's content follows from: pins, flags and version."""
    sha = hashlib.sha256(f"{recipe.version}\n{recipe.shape}\n".encode())
    for pin in sorted(recipe.pins):
        sha.update(f"{pin}\n".encode() + (PINS / pin).read_bytes())
    return sha.hexdigest()


def entry(recipe: Recipe) -> Path:
    """Return where the entry of ``recipe`` is, or would be."""
    key = "any" if recipe.portable else platform_key()
    return cache() / "entries" / f"{recipe.name}-{recipe.version}-{key}-{digest(recipe)[:12]}"


def versions_in(place: Path) -> dict[str, str] | None:
    """Return which versions a finished entry holds; ``None`` if there is no such entry."""
    try:
        certificate = json.loads((place / "entry.json").read_text())
    except (OSError, ValueError):
        return None
    return {str(name): str(version) for name, version in certificate["versions"].items()}


@contextmanager
def lock(name: str, task: Task, what: str = "") -> Iterator[None]:
    """Hold the lock ``name`` of ``what``; while someone else has it, say so and wait."""
    what = what or name
    path = cache() / "locks" / f"{name}.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError as error:
        raise disk_error(
            error, f"{task.name} can't be provided: the cache can't be written", cache()
        ) from error
    guard = filelock.FileLock(path)
    told = False
    while True:
        task.check()
        try:
            guard.acquire(timeout=_TELL_AFTER)
            break
        except filelock.Timeout:
            task.status(f"waiting for {what}")
            if not told and name not in _held:
                told = True
                task.say(f"another process is busy with {what}; waiting for it, to go on from what it leaves")
    try:
        _held.add(name)
        yield
    finally:
        _held.discard(name)
        guard.release()


@contextmanager
def lock_if_free(names: list[str]) -> Iterator[bool]:
    """Hold all of the locks ``names``, unless one of them is held already; say which it was."""
    guards = [filelock.FileLock(cache() / "locks" / f"{name}.lock") for name in names]
    held: list[filelock.FileLock] = []
    try:
        for guard in guards:
            with suppress(filelock.Timeout):
                guard.acquire(timeout=0)
                held.append(guard)
        yield len(held) == len(guards)
    finally:
        for guard in held:
            guard.release()


def need_room(recipe: Recipe) -> None:
    """Raise :class:`ProgramError` if the disk has less room than ``recipe`` needs.

    What earlier tries left behind is counted as room, because it is used.
    """
    root = cache()
    need = max(recipe.disk - size(root / "work"), 0)
    free = _free(root)
    if free < need:
        raise ProgramError(
            f"too little disk space to provide {recipe.name}",
            expected=f"{megabytes(need)} free",
            found=f"{megabytes(free)} free",
            where=str(root),
            todo=f"free some, or set {CACHE_VARIABLE} to a directory on another disk",
        )


def _free(root: Path) -> int:
    """Return how many bytes the disk has left."""
    return shutil.disk_usage(root).free


@contextmanager
def making(recipe: Recipe) -> Iterator[Path]:
    """Give a directory to fill, on the same disk as the entries; call it with the recipe's lock held.

    What is left of it at the end, and of earlier tries that were killed, is removed.
    """
    parent = cache() / "making"
    parent.mkdir(parents=True, exist_ok=True)
    for stale in [*parent.glob(f"{recipe.name}-*"), *parent.glob("trash-*")]:
        remove(stale)
    directory = Path(tempfile.mkdtemp(prefix=f"{recipe.name}-", dir=parent))
    try:
        yield directory
    finally:
        remove(directory)


def finish(recipe: Recipe, directory: Path, versions: Mapping[str, str], seconds: float) -> Path:
    """Move a filled directory into place, in one step that either happens or does not."""
    certificate = {
        "recipe": recipe.name,
        "version": recipe.version,
        "digest": digest(recipe),
        "versions": dict(versions),
        "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seconds": round(seconds, 1),
        "bytes": size(directory),
    }
    (directory / "entry.json").write_text(json.dumps(certificate, indent=2) + "\n")
    directory.chmod(0o755)  # a temporary directory is the user's own; an entry may be shared
    place = entry(recipe)
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists():  # damaged, or we would not be here
        remove(place)
    directory.replace(place)
    return place


def remove(path: Path) -> None:
    """Remove a file or a tree. A tree vanishes from its name first, so that no one meets half of it."""
    if not path.is_dir() or path.is_symlink():
        path.unlink(missing_ok=True)
        return
    trash = cache() / "making"
    with suppress(OSError):
        trash.mkdir(parents=True, exist_ok=True)
        path = path.replace(trash / f"trash-{os.getpid()}-{time.monotonic_ns()}")
    shutil.rmtree(path, onerror=_make_writable)


def _make_writable(function: Callable[..., object], path: str, _: object) -> None:
    """Try again what failed; a directory must be writable to lose its files.

    That a file is gone already is as good: two processes may sweep at once.
    """
    with suppress(OSError):
        if function in {os.unlink, os.rmdir}:
            Path(path).parent.chmod(0o700)
            function(path)


def size(path: Path) -> int:
    """Return how many bytes the files below ``path`` hold."""
    total = 0
    for directory, _, files in os.walk(path):
        for file in files:
            with suppress(OSError):
                total += os.lstat(os.path.join(directory, file)).st_size  # noqa: PTH118 - 30,000 of them
    return total
