"""Making a program: once, whole or not at all, by one at a time, and with words that help."""

from __future__ import annotations

import errno
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import filelock
import pytest

from verdict_harness import programs
from verdict_harness.errors import ProgramError, UsageError
from verdict_harness.processes import Cancelled, progress
from verdict_harness.programs import catalogue, provide, provide_all, store
from verdict_harness.programs.model import Making, Recipe, Spec
from verdict_harness.programs.task import Task

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

VERSION = "1.2.3"


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the user is told."""
    lines: list[str] = []
    monkeypatch.setattr(progress, "say", lines.append)
    return lines


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]) -> Path:  # noqa: ARG001 - silence
    monkeypatch.setenv("VERDICT_HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(programs, "_said", set())
    monkeypatch.setattr(catalogue, "SPECS", {})
    return tmp_path / "cache"


def write_tool(making: Making, version: str = VERSION) -> None:
    path = making.directory / "tool"
    path.write_text(f"#!/bin/sh\necho tool {version}\n")
    path.chmod(0o755)


def offer(make: Callable[[Making], None] = write_tool, name: str = "tool", **changes: object) -> Spec:
    """Put a program into the catalogue that is made by ``make``."""
    settings = {"version": VERSION, "origin": "a test", "pins": (), "seconds": 1, "disk": 1, **changes}
    recipe = Recipe(name=name, make=make, **settings)  # type: ignore[arg-type]
    spec = Spec(name, f"TEST_{name.upper()}", "1.0", recipe, "tool", r"^tool (\S+)", ("--version",))
    catalogue.SPECS[name] = spec
    return spec


def left(cache: Path) -> list[str]:
    """What lies in the cache beside finished entries, locks and the empty directories for work."""
    return sorted(path.name for path in (cache / "making").iterdir())


def test_it_is_made_once_and_then_found(cache: Path, said: list[str]) -> None:
    made = []

    def make(making: Making) -> None:
        made.append(making.directory)
        write_tool(making)

    spec = offer(make)
    first, second = provide("tool"), provide("tool")
    assert first == second
    assert first.version == VERSION
    assert first.path == store.entry(spec.recipe) / "tool"
    assert len(made) == 1
    assert left(cache) == []
    assert "usually about 1 s" in said[0]
    assert "ready" in said[-1]


def test_a_name_that_is_none_is_the_users_error() -> None:
    offer()
    with pytest.raises(UsageError, match="tol"):
        provide("tol")


def test_a_failure_leaves_no_entry_and_the_next_try_may_succeed(cache: Path) -> None:
    tries = []

    def make(making: Making) -> None:
        write_tool(making)
        tries.append(1)
        if len(tries) == 1:
            raise ProgramError("no network")

    offer(make)
    with pytest.raises(ProgramError, match="no network"):
        provide("tool")
    assert not (cache / "entries").exists()
    assert left(cache) == []
    assert provide("tool").version == VERSION


@pytest.mark.parametrize("version", ["1.2.4", "9"])
def test_what_is_not_what_was_pinned_is_not_kept(cache: Path, version: str) -> None:
    offer(lambda making: write_tool(making, version))
    with pytest.raises(ProgramError) as caught:
        provide("tool")
    assert (caught.value.expected, caught.value.found) == (VERSION, version)
    assert not (cache / "entries").exists()


def test_a_wheel_may_have_a_part_more_in_its_version() -> None:
    offer(lambda making: write_tool(making, "25.0.2"), version="25.0.2.1")
    assert provide("tool").version == "25.0.2"


def test_a_damaged_entry_is_made_again(cache: Path) -> None:
    spec = offer()
    provide("tool").path.unlink()
    assert provide("tool").path.exists()
    assert [path.name for path in (cache / "entries").iterdir()] == [store.entry(spec.recipe).name]


def test_what_a_killed_try_left_is_swept(cache: Path) -> None:
    offer()
    (cache / "making" / "tool-killed" / "deep").mkdir(parents=True)
    (cache / "making" / "tool-killed" / "deep" / "file").touch()
    (cache / "making" / "tool-killed" / "deep").chmod(0o500)  # as Go's module cache is
    (cache / "making" / "trash-1-2").mkdir()
    (cache / "making" / "other-busy").mkdir()
    provide("tool")
    assert left(cache) == ["other-busy"]


def test_several_may_sweep_the_same_leftovers_at_once(cache: Path) -> None:
    doomed = cache / "making" / "trash-1-2"
    for number in range(300):
        (doomed / str(number)).mkdir(parents=True)
        (doomed / str(number) / "file").touch()
    errors = []

    def sweep() -> None:
        try:
            for path in (cache / "making").glob("trash-*"):
                store.remove(path)
        except Exception as error:  # noqa: BLE001 - a thread's errors are lost otherwise
            errors.append(error)

    threads = [threading.Thread(target=sweep) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_other_pins_are_another_entry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(store, "PINS", tmp_path)
    (tmp_path / "pin").write_text("one")
    spec = offer(pins=("pin",))
    before = provide("tool").path
    (tmp_path / "pin").write_text("two")
    assert store.entry(spec.recipe) != before.parent
    assert provide("tool").path != before
    assert before.exists()  # someone may be running it


def test_other_flags_are_another_entry() -> None:
    assert store.entry(offer(shape="-a").recipe) != store.entry(offer(shape="-b").recipe)


def test_a_portable_entry_does_not_name_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    portable, other = offer(portable=True).recipe, offer().recipe
    here = store.entry(portable), store.entry(other)
    monkeypatch.setattr(store, "which_platform", lambda: ("darwin", "arm64"))
    assert (store.entry(portable) == here[0], store.entry(other) == here[1]) == (True, False)


@pytest.mark.parametrize(("system", "machine"), [("win32", "AMD64"), ("linux", "riscv64")])
def test_a_platform_that_nothing_can_be_made_for(
    monkeypatch: pytest.MonkeyPatch, cache: Path, system: str, machine: str
) -> None:
    monkeypatch.setattr(store, "which_platform", lambda: (system, machine))
    offer()
    with pytest.raises(ProgramError) as caught:
        provide("tool")
    assert machine in caught.value.found
    assert "Linux or macOS" in caught.value.expected
    assert "KAFKA_LIBS" in caught.value.todo
    assert not cache.exists()


def test_too_little_room_is_said_before_anything_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_free", lambda _: 5_000_000)
    offer(lambda _: pytest.fail("began without room"), disk=7_000_000)
    with pytest.raises(ProgramError) as caught:
        provide("tool")
    assert (caught.value.expected, caught.value.found) == ("7 MB free", "5 MB free")
    assert "VERDICT_HARNESS_CACHE" in caught.value.todo


def test_what_earlier_tries_fetched_counts_as_room(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setattr(store, "_free", lambda _: 5_000_000)
    (cache / "work").mkdir(parents=True)
    (cache / "work" / "fetched").write_bytes(b"x" * 2_500_000)
    offer(disk=7_000_000)
    assert provide("tool").version == VERSION


@pytest.mark.parametrize(
    ("number", "expected"),
    [(errno.ENOSPC, "room on the disk"), (errno.EACCES, "a directory that may be written to")],
)
def test_a_disk_that_fails_on_the_way_is_explained(number: int, expected: str) -> None:
    def make(_: Making) -> None:
        raise OSError(number, "it failed")

    offer(make)
    with pytest.raises(ProgramError) as caught:
        provide("tool")
    assert caught.value.expected == expected
    assert "VERDICT_HARNESS_CACHE" in caught.value.todo


def test_a_cache_that_cannot_be_written_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("VERDICT_HARNESS_CACHE", str(tmp_path / "file" / "cache"))
    offer(lambda _: pytest.fail("began without a cache"))
    with pytest.raises(ProgramError) as caught:
        provide("tool")
    assert str(tmp_path / "file") in caught.value.where
    assert caught.value.todo


def test_two_at_once_make_it_once() -> None:
    made = []
    both = threading.Barrier(2)

    def make(making: Making) -> None:
        made.append(1)
        write_tool(making)

    offer(make)
    paths = []

    def one() -> None:
        both.wait()
        paths.append(provide("tool").path)

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert len(set(paths)) == 1
    assert len(paths) == 2


def test_who_waits_for_another_process_says_so(
    cache: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_TELL_AFTER", 0.02)
    offer()
    (cache / "locks").mkdir(parents=True)
    other = filelock.FileLock(cache / "locks" / "tool.lock", thread_local=False)
    other.acquire()
    monkeypatch.setattr(progress, "say", lambda line: (said.append(line), other.release()))
    assert provide("tool").version == VERSION
    assert "another process is busy with tool" in said[0]


def test_a_task_that_is_cancelled_does_not_wait_for_a_lock(cache: Path) -> None:
    (cache / "locks").mkdir(parents=True)
    cancelled = threading.Event()
    cancelled.set()
    with filelock.FileLock(cache / "locks" / "tool.lock"), pytest.raises(Cancelled):
        store.lock("tool", Task("tool", cancelled)).__enter__()


def test_several_are_made_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=10)

    def make(making: Making) -> None:
        both.wait()  # breaks unless the other one is being made now
        write_tool(making)

    offer(make, "one")
    offer(make, "two")
    assert set(provide_all(["one", "two"])) == {"one", "two"}


def test_the_first_failure_ends_the_others_and_is_the_one_that_is_told() -> None:
    runs, ended = threading.Event(), threading.Event()

    def wait_for_ever(making: Making) -> None:
        runs.set()
        while True:
            with suppress(TimeoutError):
                making.task.cancelled.wait(0.01)
            try:
                making.task.check()
            except Cancelled:
                ended.set()
                raise

    def fail(_: Making) -> None:
        assert runs.wait(30), "the other one is never begun"
        raise ProgramError("the hash is wrong")

    offer(wait_for_ever, "one")
    offer(fail, "two")
    with pytest.raises(ProgramError, match="the hash is wrong"):
        provide_all(["one", "two"])
    assert ended.is_set()


def test_a_recipe_may_use_another_program() -> None:
    used = []

    def make(making: Making) -> None:
        used.append(making.provide("compiler").version)
        write_tool(making)

    offer(name="compiler")
    offer(make)
    provide("tool")
    assert used == [VERSION]


def test_what_is_passed_over_on_path_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    old = tmp_path / "tool"
    old.write_text("#!/bin/sh\necho tool 0.9\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    offer()
    provide("tool")
    provide("tool")
    assert [line for line in said if "passed over" in line] == [
        f"tool: {old} is passed over: it is 0.9, and 1.0 or later is needed"
    ]


def test_caches_of_a_compiler_stay_while_someone_else_compiles(cache: Path) -> None:
    (cache / "locks").mkdir(parents=True)
    with filelock.FileLock(cache / "locks" / "one.lock"), store.lock_if_free(["one", "two"]) as alone:
        assert not alone
    with store.lock_if_free(["one", "two"]) as alone:
        assert alone
        with pytest.raises(filelock.Timeout):
            filelock.FileLock(cache / "locks" / "two.lock", is_singleton=False).acquire(timeout=0)


def test_a_cache_that_someone_empties_at_once_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = offer()
    monkeypatch.setattr(catalogue, "clean", lambda _name, _making: store.remove(store.entry(spec.recipe)))
    with pytest.raises(ProgramError, match="tool vanished from the cache") as caught:
        provide("tool")
    assert caught.value.where == str(store.entry(spec.recipe))


def test_a_link_is_removed_and_not_what_it_points_at(tmp_path: Path, cache: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    for path in (tmp_path / "to a tree", tmp_path / "to a file", tmp_path / "to nothing"):
        path.symlink_to({"to a tree": kept, "to a file": kept / "file"}.get(path.name, tmp_path / "gone"))
        store.remove(path)
        assert not path.is_symlink()
    store.remove(tmp_path / "never there")
    assert (kept / "file").exists()
    assert list(cache.rglob("trash-*")) == []


@pytest.mark.parametrize(
    ("recipe", "removed"),
    [("k6", {"go"}), ("prometheus", {"go"}), ("kafka", {"maven"}), ("go", set()), ("java", set())],
)
def test_what_a_recipe_no_longer_needs_is_removed_and_nothing_else(
    tmp_path: Path, recipe: str, removed: set[str]
) -> None:
    work = tmp_path / "work"
    for name in ("go", "maven"):
        (work / name / "downloads").mkdir(parents=True)
    task = Task(recipe)
    catalogue.clean(recipe, Making(tmp_path, tmp_path, work, task, pytest.fail))
    assert {"go", "maven"} - {path.name for path in work.iterdir()} == removed


def test_what_go_compiled_stays_for_a_build_that_still_needs_it(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "work" / "go").mkdir(parents=True)
    (cache / "locks").mkdir(parents=True)
    making = Making(tmp_path, tmp_path, tmp_path / "work", Task("k6"), pytest.fail)
    with filelock.FileLock(cache / "locks" / "prometheus.lock"):
        catalogue.clean("k6", making)
    assert (tmp_path / "work" / "go").exists()
