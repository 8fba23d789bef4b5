from __future__ import annotations

import errno
import hashlib
import json
import os
import platform
import re
import subprocess
import threading

import pytest

from tests.sealing import reseal
from verdict_harness.errors import CommandError, EvidenceError, HarnessError, LoadError, UsageError
from verdict_harness.record import Evidence, Run, files, machine, write_atomic
from verdict_harness.record.digests import of_files


@pytest.fixture
def live(tmp_path):
    return Evidence.create(tmp_path / "runs", profile="quick", backend="local", argv=["pytest", "-m", "asr1"])


def never():
    raise AssertionError("nothing may be asked on replay")


def sealed(evidence):
    evidence.seal()
    return Evidence.replay(evidence.directory)


# -- the folder


def test_a_run_says_what_ran_where_and_with_which_words(live):
    run = json.loads((live.directory / "run.json").read_text())
    assert (run["profile"], run["backend"], run["command"]) == ("quick", "local", ["pytest", "-m", "asr1"])
    assert run["run_id"] == live.run_id == live.directory.name
    assert run["machine"]["cores"] >= 1
    assert run["machine"]["memory"] > 0
    assert run["machine"]["python"].startswith("CPython 3.")
    assert run["versions"]["httpx"]
    assert (run["started"][-6:], run["ended"]) == ("+00:00", None)
    assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{4}", live.run_id)


def test_runs_that_start_together_do_not_meet(tmp_path, monkeypatch):
    tokens = iter(["aaaa", "aaaa", "aaaa", "bbbb"])
    monkeypatch.setattr(files.secrets, "token_hex", lambda _: next(tokens, "cccc"))
    first = files.make_unique(tmp_path, "20260102T030405Z")
    second = files.make_unique(tmp_path, "20260102T030405Z")
    assert (first.name[-4:], second.name[-4:]) == ("aaaa", "bbbb")


def test_latest_is_the_last_run_by_a_relative_link(tmp_path):
    first = Evidence.create(tmp_path, profile="full", backend="local")
    assert (tmp_path / "latest").readlink().name == first.run_id
    second = Evidence.create(tmp_path, profile="full", backend="local")
    assert (tmp_path / "latest").readlink().name == second.run_id
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([first.run_id, second.run_id, "latest"])


def test_a_root_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(EvidenceError, match="could not be written") as caught:
        Evidence.create(tmp_path / "runs", profile="full", backend="local")
    assert str(tmp_path / "runs") in caught.value.where


def test_notes_are_merged_and_kept(live):
    live.note(versions={"k6": "1.8.1"}, loads=["a2"])
    live.note(versions={"prometheus": "3.15.0"})
    replayed = sealed(live)
    assert {"k6", "prometheus", "httpx"} <= set(replayed.run["versions"])
    assert replayed.run["loads"] == ["a2"]
    assert replayed.run["ended"]
    replayed.note(versions={"k6": "another"})
    assert replayed.run["versions"]["k6"] == "1.8.1"


def test_a_folder_stays_within_the_run(live):
    assert live.folder("loads/a2").is_dir()
    for name in ("../elsewhere", "/tmp", "facts"):
        with pytest.raises(EvidenceError, match="not a subfolder"):
            live.folder(name)


# -- facts, live


def test_a_fact_is_on_disk_before_anybody_sees_it(live):
    answer = live.fact("up at 12:00", lambda: {"points": (1, 2.5), 7: None})
    assert answer == {"points": [1, 2.5], "7": None}
    record = json.loads(live.where("up at 12:00").read_text())
    assert (record["key"], record["sequence"], record["answer"]) == ("up at 12:00", 1, answer)


def test_file_names_can_be_read_and_told_apart(live):
    one, two = (
        'rate(x{shard="a"}[30s]) ' + 60 * "long " + "1",
        'rate(x{shard="a"}[30s]) ' + 60 * "long " + "2",
    )
    assert re.fullmatch(r"rate-x-shard-a-30s-long-[a-z-]{1,50}-[0-9a-f]{8}\.json", live.where(one).name)
    assert live.where(one) != live.where(two)
    assert re.fullmatch(r"fact-[0-9a-f]{8}\.json", live.where("§").name)


def test_a_key_is_asked_for_once(live):
    answers = iter([1, 2])
    assert live.fact("k", lambda: next(answers)) == live.fact("k", lambda: next(answers)) == 1


def test_facts_are_numbered_in_order(live):
    live.fact("outer", lambda: [live.fact("inner", lambda: 1)])
    numbers = {key: json.loads(live.where(key).read_text())["sequence"] for key in ("inner", "outer")}
    assert numbers == {"inner": 1, "outer": 2}


def test_threads_ask_one_key_once_and_different_keys_at_the_same_time(live):
    both, asked, got = threading.Barrier(2, timeout=5), [], []

    def produce(key):
        asked.append(key)
        both.wait()  # only passes if both keys are being asked for at once
        return key

    threads = [
        threading.Thread(target=lambda key=key: got.append(live.fact(key, lambda: produce(key))))
        for key in ("a", "b", "a", "b")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sorted(asked), sorted(got)) == (["a", "b"], ["a", "a", "b", "b"])


class SpecialError(CommandError):
    """A kind that lives elsewhere."""


@pytest.mark.parametrize("kind", [LoadError, CommandError, HarnessError])
def test_an_error_is_an_answer_too(live, kind):
    asked = []

    def produce():
        asked.append(1)
        raise kind("k6 died", expected="exit status 0", found="137", where="k6/a2.js", todo="see its log")

    for open_run in (lambda: live, lambda: live, lambda: sealed(live)):
        evidence = open_run()
        with pytest.raises(kind) as caught:
            evidence.fact("load a2", produce)
        assert type(caught.value) is kind
        assert (caught.value.what, caught.value.found, caught.value.todo) == ("k6 died", "137", "see its log")
    assert asked == [1]


def test_an_error_of_an_unknown_kind_comes_back_as_the_nearest_known_one(live):
    def produce():
        raise SpecialError("it ended")

    with pytest.raises(CommandError, match="it ended") as first:
        live.fact("k", produce)
    assert isinstance(first.value.__cause__, SpecialError)
    with pytest.raises(CommandError, match="it ended") as again:
        sealed(live).fact("k", never)
    assert type(first.value) is type(again.value) is CommandError


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_a_bug_or_an_interrupt_is_no_answer(live, error):
    def produce():
        raise error

    with pytest.raises(error):
        live.fact("k", produce)
    assert not live.where("k").exists()
    assert live.fact("k", lambda: 1) == 1


@pytest.mark.parametrize("answer", [float("nan"), [float("inf")], {"a": object()}, b"raw"])
def test_what_is_not_plain_json_is_refused_and_leaves_nothing(live, answer):
    with pytest.raises(EvidenceError, match="plain JSON") as caught:
        live.fact("k", lambda: answer)
    assert caught.value.where == "k"
    assert list((live.directory / "facts").iterdir()) == []


# -- replay


def test_a_replay_answers_from_disk_even_when_moved(live, tmp_path):
    live.fact("k", lambda: {"status": 200, "µ": "ü\ud800"})
    live.seal()
    moved = tmp_path / "copied elsewhere"
    live.directory.rename(moved)
    replayed = Evidence.replay(moved)
    assert replayed.replaying
    assert replayed.fact("k", never) == {"status": 200, "µ": "ü\ud800"}
    assert replayed.run["backend"] == "local"


def test_a_question_that_was_never_asked_has_no_answer(live):
    with pytest.raises(EvidenceError, match="no answer") as caught:
        sealed(live).fact("p99 of shard z", never)
    assert caught.value.expected == "p99 of shard z"


def damage(path):
    path.write_text(path.read_text().replace("0.012", "0.011"))


def cut(path):
    path.write_bytes(path.read_bytes()[:20])


@pytest.mark.parametrize(
    "harm", [damage, cut, lambda path: path.unlink(), lambda path: path.write_bytes(b"")]
)
def test_a_damaged_or_missing_fact_is_an_error_and_spoils_no_other(live, harm):
    live.fact("p99", lambda: 0.012)
    live.fact("p50", lambda: 0.002)
    live.seal()
    harm(live.where("p99"))
    replayed = Evidence.replay(live.directory)
    with pytest.raises(EvidenceError, match=r"damaged|missing"):
        replayed.fact("p99", never)
    assert replayed.fact("p50", never) == 0.002


def test_a_fact_added_later_is_no_evidence(live):
    live.fact("p99", lambda: 0.5)
    forged = live.where("p99").read_text().replace('"p99"', '"p50"')
    live.seal()
    live.where("p50").write_text(forged)
    with pytest.raises(EvidenceError, match="damaged") as caught:
        Evidence.replay(live.directory).fact("p50", never)
    assert "manifest" in caught.value.expected


def test_a_fact_under_anothers_name_is_no_evidence(live):
    live.fact("p99", lambda: 0.5)
    live.where("p99").rename(live.where("p50"))
    with pytest.raises(EvidenceError, match="damaged"):
        sealed(live).fact("p50", never)


def test_a_run_without_its_end_is_not_replayed(live):
    with pytest.raises(EvidenceError, match="missing") as caught:
        Evidence.replay(live.directory)
    assert "manifest.json" in caught.value.where


@pytest.mark.parametrize("name", ["manifest.json", "run.json"])
def test_a_damaged_description_is_noticed(live, name):
    live.seal()
    damaged = json.loads((live.directory / name).read_text()) | {"sha256": None}
    (live.directory / name).write_text(json.dumps(damaged))
    with pytest.raises(EvidenceError, match="damaged"):
        Evidence.replay(live.directory)


def test_a_run_of_another_format_names_the_version_that_reads_it(live):
    live.note(versions={"verdict-harness": "0.0.7"})
    live.seal()
    path = live.directory / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 1}))
    with pytest.raises(EvidenceError, match="another version") as caught:
        Evidence.replay(live.directory)
    assert "verdict-harness 0.0.7" in caught.value.todo


def test_every_file_is_checked_and_the_manifest_has_a_digest(live):
    live.fact("one", lambda: 1)
    (live.folder("loads") / "raw.csv").write_text("1,2")
    assert live.digest == ""
    live.seal()
    again = Evidence.replay(live.directory)
    manifest = (live.directory / "manifest.json").read_bytes()
    assert again.digest == live.digest == hashlib.sha256(manifest).hexdigest()
    assert again.damage == ()
    (live.directory / "loads" / "raw.csv").write_text("1,3")
    live.where("one").unlink()
    (live.directory / "loads" / "more.csv").write_text("")
    assert set(Evidence.replay(live.directory).damage) == {
        "loads/raw.csv was changed",
        f"{live.where('one').relative_to(live.directory)} is missing",
        "loads/more.csv was added",
    }


def test_what_was_derived_is_derived_again(live):
    live.confirm("load A2", {"p99": 3}, never)  # live, nobody asks
    live.seal()
    again = Evidence.replay(live.directory)
    again.confirm("load A2", {"p99": 3, "counts": [1, 2]}, lambda: {"p99": 3, "counts": (1, 2)})
    assert again.differences == []
    again.confirm("load A2", {"p99": 3, "inner": {"n": 1}}, lambda: {"p99": 4, "inner": {"n": 2}})
    again.confirm("load A3", 1, lambda: json.loads(""))
    assert again.differences[:2] == [
        "load A2: p99 is recorded as 3, and the raw samples give 4",
        "load A2: inner: n is recorded as 1, and the raw samples give 2",
    ]
    assert "load A3 can't be derived from raw samples again: JSONDecodeError" in again.differences[2]


def test_a_run_can_be_named_beforehand_once(tmp_path):
    def create(name):
        return Evidence.create(tmp_path, profile="full", backend="local", run_id=name)

    assert create("nightly-7").run_id == "nightly-7"
    with pytest.raises(UsageError, match="such a run already"):
        create("nightly-7")
    for name in ("../up", "a b", "-x", "x" * 64):
        with pytest.raises(UsageError, match="no name for a run"):
            create(name)


def test_the_manifest_vouches_for_all_files_but_the_conclusions(live):
    live.fact("k", lambda: 1)
    log = live.folder("systems/x/logs") / "engine.log"
    log.write_text("hello\n")
    log.with_name("link").symlink_to("/etc/hostname")
    (live.directory / "verdict.json").write_text("{}")
    live.seal()
    manifest = json.loads((live.directory / "manifest.json").read_text())
    fact = live.where("k").relative_to(live.directory).as_posix()
    assert set(manifest["sha256"]) == {"run.json", fact, "systems/x/logs/engine.log"}
    assert manifest["sha256"]["systems/x/logs/engine.log"] == hashlib.sha256(b"hello\n").hexdigest()


def test_nothing_is_added_after_the_seal(live):
    live.fact("k", lambda: 1)
    live.seal()
    live.seal()
    assert live.fact("k", never) == 1
    for late in (lambda: live.fact("late", lambda: 1), lambda: live.note(a=1)):
        with pytest.raises(EvidenceError, match="sealed"):
            late()


def test_a_replay_makes_no_folder_and_seals_nothing(live):
    replayed = sealed(live)
    before = (live.directory / "manifest.json").read_bytes()
    assert not replayed.folder("logs").exists()
    replayed.seal()
    assert (live.directory / "manifest.json").read_bytes() == before


# -- writing


def test_a_full_disk_says_so_and_leaves_the_old_file(live, monkeypatch):
    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    path = live.directory / "verdict.json"
    path.write_text("old")
    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(EvidenceError, match="the disk is full") as caught:
        write_atomic(path, b"new")
    assert "make room" in caught.value.todo
    assert path.read_text() == "old"
    with pytest.raises(EvidenceError, match="the disk is full"):
        live.fact("k", lambda: 1)
    monkeypatch.undo()
    assert [path.name for path in live.directory.iterdir() if path.name.startswith(".")] == []
    assert live.fact("k", lambda: 2) == 2


def test_a_file_is_synced_before_it_gets_its_name(tmp_path, monkeypatch):
    calls = []
    real_sync, real_replace = os.fsync, files.Path.replace
    monkeypatch.setattr(files.os, "fsync", lambda fd: (calls.append("sync"), real_sync(fd)))
    monkeypatch.setattr(files.Path, "replace", lambda a, b: (calls.append("rename"), real_replace(a, b)))
    write_atomic(tmp_path / "x", b"data")
    assert calls == ["sync", "rename", "sync"]
    assert (tmp_path / "x").read_bytes() == b"data"


# -- what a run ran on


def test_what_a_machine_does_not_tell_is_told_otherwise(monkeypatch, tmp_path):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)  # as on macOS
    monkeypatch.setattr(machine, "Path", lambda _: tmp_path / "no cpuinfo")
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    monkeypatch.setattr(platform, "processor", lambda: "")
    found = machine.describe()
    assert found["cores"] == 7
    assert found["cpu"] == platform.machine()


def test_what_is_not_installed_has_no_version(monkeypatch):
    monkeypatch.setattr(machine, "_DISTRIBUTIONS", ("pytest", "no-such-distribution"))
    assert machine.versions() == {"pytest": pytest.__version__, "no-such-distribution": None}


@pytest.mark.parametrize("git", [None, "#!/bin/sh\nexit 128\n", "#!/bin/sh\nexec sleep 60\n"])
def test_without_a_git_that_answers_there_is_no_commit(monkeypatch, tmp_path, git):
    real = subprocess.run
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin" if git else str(tmp_path))
    monkeypatch.setattr(
        machine.subprocess, "run", lambda *words, **more: real(*words, **{**more, "timeout": 0.3})
    )
    if git:
        (tmp_path / "git").write_text(git)
        (tmp_path / "git").chmod(0o755)
    assert machine.commit(tmp_path) is None


def test_cores_are_those_of_the_machine_that_ran_it(live):
    assert Run(live).cores == live.run["machine"]["cores"]
    for odd in (None, {"cores": "two"}):
        assert Run(Evidence(live.directory, {"machine": odd})).cores == 1


def test_digests_are_of_what_can_be_read(tmp_path):
    (tmp_path / "a.py").write_text("a")
    (tmp_path / "folder").mkdir()
    found = of_files([tmp_path / name for name in ("gone.py", "folder", "a.py", "a.py")], tmp_path)
    assert found == {"a.py": hashlib.sha256(b"a").hexdigest()}
    assert list(of_files([tmp_path / "a.py"], tmp_path / "folder")) == [(tmp_path / "a.py").as_posix()]


# -- what is damaged


@pytest.mark.parametrize("name", ["run.json", "manifest.json"])
@pytest.mark.parametrize("text", ["[]", "7", "null"])
def test_json_that_is_no_object_is_damage(live, name, text):
    live.seal()
    path = live.directory / name
    path.write_text(text)
    if name == "run.json":
        reseal(live.directory)
    with pytest.raises(EvidenceError, match="evidence is damaged") as caught:
        Evidence.replay(live.directory)
    assert caught.value.expected == "a JSON object"
    assert caught.value.where == str(path)


def test_a_recorded_error_that_is_none_is_damage(live):
    def fail():
        raise LoadError("k6 died")

    with pytest.raises(LoadError):
        live.fact("a", fail)
    live.seal()
    path = live.where("a")
    path.write_text(json.dumps({**json.loads(path.read_text()), "error": "k6 died"}))
    reseal(live.directory)
    with pytest.raises(EvidenceError, match="evidence is damaged") as caught:
        Evidence.replay(live.directory).fact("a", never)
    assert (caught.value.expected, caught.value.found) == ("a recorded error", "k6 died")


def test_what_goes_wrong_with_the_folder_is_no_answer_of_the_world(live):
    """A fact within a fact could not be written: the outer one can be asked again."""

    def outer():
        return live.fact("inner", lambda: {1: object()})

    with pytest.raises(EvidenceError, match="plain JSON"):
        live.fact("outer", outer)
    assert not live.where("outer").exists()
    assert live.fact("outer", lambda: 7) == 7
