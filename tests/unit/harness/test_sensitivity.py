"""Defects planted in a small project: which are caught, missed or can't be tried, and what is kept of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from verdict_harness.errors import UsageError
from verdict_harness.sensitivity import RUN, Defect, Patch, Variable, Wrapper, campaign, planting, table, tree
from verdict_harness.sensitivity import __main__ as command
from verdict_harness.sensitivity.attempt import Outcome, Project, attempt, held
from verdict_harness.sensitivity.campaign import Kept, Store

SERVICE = "LATENCY = 0.010\nERRORS = 0\n"
CRITERIA = """
import os, subprocess, sys
import pytest
from service import ERRORS, LATENCY
from verdict_harness.samples import count, exact, ms
from verdict_harness.verdicts import Below

pytestmark = pytest.mark.a1

@pytest.mark.criterion("A1.p99", "A1", "ASR 1")
def test_p99(judge):
    # as a service is asked that was started with an environment of its own
    ask = [sys.executable, "-c", "import service; print(service.LATENCY)"]
    found = subprocess.run(ask, env={"PATH": os.defpath}, capture_output=True, text=True, check=True, cwd="/")
    assert float(found.stdout) == LATENCY
    judge(exact("p99", LATENCY, at=0.0, n=900), Below(200 * ms))

@pytest.mark.criterion("A1.errors", "A1", "ASR 1")
def test_errors(judge):
    errors = int(os.environ.get("ERRORS", ERRORS))
    judge(exact("errors", errors, at=0.0, n=900), Below(1 * count))
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    root = tmp_path / "project"
    (root / "criteria").mkdir(parents=True)
    (root / "src").mkdir()
    (root / "src" / "service.py").write_text(SERVICE)
    (root / "criteria" / "test_it.py").write_text(CRITERIA)
    (root / "pytest.ini").write_text("[pytest]\nmarkers = a1: the first\naddopts = -p no:randomly\n")
    (root / "runs").mkdir()
    (root / "runs" / "old").write_text("of an earlier run")
    # as an editable installation would have it
    monkeypatch.setattr(sys, "path", [str(root), str(root / "src"), *sys.path])
    for name in ("HARNESS_BACKEND", "HARNESS_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    return Project(root, "criteria", ())


def slow(**more: object) -> Defect:
    told = {"fails": ["A1.p99"], "holds": ["A1.errors"], **more}
    patch = Patch("src/service.py", "LATENCY = 0.010", "LATENCY = 0.500")
    return Defect("slow", "service", "Each answer takes half a second.", [patch], "a1", **told)  # type: ignore[arg-type]


def test_a_defect_that_is_noticed_is_caught_and_the_project_stays_as_it_is(project: Project) -> None:
    seen = attempt(project, slow(), project.root / "log")
    assert (seen.outcome, seen.reason) == (Outcome.CAUGHT, ""), (project.root / "log").read_text()
    assert seen.verdicts == {"A1.p99": "FAIL", "A1.errors": "PASS"}
    assert (project.root / "src" / "service.py").read_text() == SERVICE
    assert [path.name for path in (project.root / "runs").iterdir()] == ["old"]
    assert seen.seconds > 0


def test_one_that_nobody_notices_is_missed(project: Project) -> None:
    seen = attempt(project, slow(fails=["A1.errors"], holds=[]), project.root / "log")
    assert seen.outcome is Outcome.MISSED
    assert seen.reason == "nobody noticed: A1.errors PASS"


def test_a_bystander_that_turns_is_told(project: Project) -> None:
    variable = Variable("ERRORS", "3")
    seen = attempt(
        project,
        Defect(
            "both", "service", "", [*slow().plants, variable], "a1", fails=["A1.p99"], holds=["A1.errors"]
        ),
        project.root / "log",
    )
    assert seen.outcome is Outcome.STRAYED
    assert "A1.errors FAIL" in seen.reason


def test_an_anchor_that_is_gone_tries_nothing(project: Project) -> None:
    gone = Defect("gone", "service", "", [Patch("src/service.py", "LATENCY = 7", "")], "a1", fails=["A1.p99"])
    seen = attempt(project, gone, project.root / "log")
    assert seen.outcome is Outcome.BROKEN
    assert "the code has moved" in seen.reason
    assert "it is there 0 times" in seen.reason


def test_a_run_that_never_began_has_caught_nothing(project: Project) -> None:
    broken = Patch("criteria/test_it.py", "import pytest\n", "import pytest\nraise RuntimeError('no')\n")
    seen = attempt(
        project, Defect("broken", "service", "", [broken], "a1", turns=["A1.p99"]), project.root / "log"
    )
    assert seen.outcome is Outcome.BROKEN
    assert seen.reason.startswith("no run was made: ")


def test_what_people_do_once_a_run_is_over_is_noticed_when_it_is_judged_again(project: Project) -> None:
    looser = Patch("criteria/test_it.py", "Below(200 * ms)", "Below(2000 * ms)")
    later = Defect("looser", "people", "", [looser], "a1", turns=[RUN], later=True)
    seen = attempt(project, later, project.root / "log")
    assert seen.outcome is Outcome.CAUGHT, (project.root / "log").read_text()
    deleted = Patch("criteria/test_it.py", '@pytest.mark.criterion("A1.errors", "A1", "ASR 1")\n', "")
    assert (
        attempt(
            project,
            Defect("deleted", "people", "", [deleted], "a1", turns=[RUN], later=True),
            project.root / "log",
        ).outcome
        is Outcome.CAUGHT
    )


def test_a_wrapper_stands_for_a_program(project: Project) -> None:
    copy = tree.copy(project.root, project.root.parent / "copy")
    script = "import os\nos.execv(REAL, [REAL, '-c', 'print(\"wrapped\", ' + repr(sys.argv[1:]) + ')'])\n"
    name = Path(sys.executable).name
    told = planting.plant([Wrapper(name, "PYTHON", script)], copy)
    done = subprocess.run([told["PYTHON"], "a", "b"], capture_output=True, text=True, check=True)
    assert done.stdout == "wrapped ['a', 'b']\n"
    with pytest.raises(UsageError, match="no program nobody-has-this"):
        planting.plant([Wrapper("nobody-has-this", "X", "")], copy)


@pytest.mark.parametrize(
    ("verdicts", "outcome"),
    [
        ({}, Outcome.BROKEN),
        ({"a": "FAIL", "b": "PASS"}, Outcome.BROKEN),
        ({"a": "FAIL", "b": "INCONCLUSIVE", "c": "CONDITIONAL"}, Outcome.CAUGHT),
        ({"a": "INCONCLUSIVE", "b": "FAIL", "c": "PASS"}, Outcome.MISSED),
        ({"a": "FAIL", "b": "CONDITIONAL", "c": "PASS"}, Outcome.MISSED),
        ({"a": "FAIL", "b": "FAIL", "c": "INCONCLUSIVE"}, Outcome.STRAYED),
    ],
)
def test_who_has_to_turn_and_who_must_not(verdicts: dict[str, str], outcome: Outcome) -> None:
    defect = Defect("d", "k", "", [Variable("A", "b")], "a1", fails=["a"], turns=["b"], holds=["c"])
    assert held(defect, verdicts)[0] is outcome


def test_a_defect_that_nobody_has_to_notice_is_none() -> None:
    with pytest.raises(ValueError, match="nobody has to notice"):
        Defect("d", "k", "", [], "a1")
    with pytest.raises(ValueError, match="has to turn what it must not turn"):
        Defect("d", "k", "", [], "a1", fails=["a"], holds=["a"])


def test_files_are_those_of_git_or_without_it_all_but_what_is_made(tmp_path: Path) -> None:
    for name in ("kept.py", "ignored.log", "runs/x.json", ".nox/y", "src/__pycache__/z.pyc", "docs/a.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    assert tree.files(tmp_path) == ["docs/a.md", "ignored.log", "kept.py"]
    before = tree.digest(tmp_path)
    (tmp_path / "docs" / "a.md").write_text("other words")
    assert tree.digest(tmp_path) == before, "words change no run"
    (tmp_path / "kept.py").write_text("other code")
    assert tree.digest(tmp_path) != before
    (tmp_path / ".gitignore").write_text("*.log\nruns\n.nox\n__pycache__\n")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    assert tree.files(tmp_path) == [".gitignore", "docs/a.md", "kept.py"]


# -- many


def never(*_: object) -> None:
    raise AssertionError("it was seen before")


def test_what_was_seen_is_kept_and_made_again_only_when_asked_or_changed(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(project.root.parent / "kept")
    first = campaign.run(project, [slow()], store)
    assert [one.outcome for one in first] == [Outcome.CAUGHT]
    kept = store.found()["slow"]
    assert kept.seen == first[0]
    assert kept.machine["cores"] == len(os.sched_getaffinity(0))
    with monkeypatch.context() as patch:
        patch.setattr(campaign, "attempt", never)
        assert campaign.run(project, [slow()], store) == first
        with pytest.raises(AssertionError, match="seen before"):
            campaign.run(project, [slow()], store, again=True)
        (project.root / "src" / "service.py").write_text(f"{SERVICE}# changed\n")
        with pytest.raises(AssertionError, match="seen before"):
            campaign.run(project, [slow()], store)
    (project.root.parent / "kept" / "torn.json").write_text('{"seen": {')
    assert set(store.found()) == {"slow"}, "half a file is as none"


def many(names: str) -> list[Defect]:
    return [
        Defect(name, "service", f"It is {name}.", [Variable("A", name)], "a1", turns=[f"A1.{name}"])
        for name in names.split()
    ]


def test_a_sample_changes_with_its_seed_and_stays_within_its_time() -> None:
    defects = many("a b c d e f g h")
    drawn = {tuple(one.name for one in campaign.sample(defects, seed, 200.0, {})) for seed in "123456"}
    assert all(len(one) == 2 for one in drawn), "75 s each, as long as nobody knows better"
    assert len(drawn) > 3
    assert campaign.sample(defects, "1", 200.0, {}) == campaign.sample(defects, "1", 200.0, {})
    quick = {one.name: Kept(campaign.Seen(one.name, Outcome.CAUGHT, seconds=20.0), "") for one in defects}
    assert len(campaign.sample(defects, "1", 200.0, quick)) == 8


def test_several_at_once_come_back_in_order(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        campaign,
        "attempt",
        lambda _project, defect, _log: campaign.Seen(defect.name, Outcome.CAUGHT, seconds=1.0),
    )
    store = Store(project.root.parent / "kept")
    found = campaign.run(project, many("a b c d e"), store, at_once=3)
    assert [one.name for one in found] == list("abcde")


def test_the_page_says_what_was_seen_what_is_open_and_what_nobody_has_put_to_the_test() -> None:
    defects = many("caught missed unseen")
    seen = {
        "caught": campaign.Seen("caught", Outcome.CAUGHT, "", {"A1.caught": "FAIL"}, 61.0, 1_700_000_000.0),
        "missed": campaign.Seen("missed", Outcome.MISSED, "nobody noticed", {}, 60.0, 1_700_000_000.0),
    }
    told = {"commit": "0123456789abcdef", "changed": False}
    machine = {"cores": 2, "cpu": "some | thing", "python": "CPython 3.11.7"}
    found = {
        name: Kept(one, campaign.digest_of(defects[n], "source"), told, machine)
        for n, (name, one) in enumerate(seen.items())
    }
    page = table.page(defects, found, ["A1.caught", "A1.missed", "A1.unseen", "A1.other"], "source")
    assert "2 of 3 defects were seen, 1 of them caught" in page
    assert "Seen 2023-11-14, at `012345678`, on 2 cores" in page
    assert "| `caught`: It is caught. | A1.caught | caught: A1.caught FAIL | 61 |" in page
    assert "| `unseen`: It is unseen. | A1.unseen | not run |  |" in page
    assert "- missed: It is missed." in page
    unproven = page[page.index("## Unproven") :]
    assert [line for line in unproven.splitlines() if line.startswith("-")] == [
        "- A1.missed",
        "- A1.other",
        "- A1.unseen",
    ]
    assert "other source" not in page
    assert "2 of them in other source than there is now" in table.page(defects, found, [], "another source")
    assert table.unnamed(defects, ["A1.caught", "A1.other"]) == ["A1.other"]
    assert "Nothing was seen yet" in table.page(defects, {}, [], "")


# -- the command


@pytest.fixture
def told(project: Project, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    (project.root / "planted.py").write_text(
        "from verdict_harness.sensitivity import Defect, Patch\n"
        "DEFECTS = [Defect('slow', 'service', 'It is slow.', "
        "[Patch('src/service.py', 'LATENCY = 0.010', 'LATENCY = 0.500')], 'a1', fails=['A1.p99'])]\n"
    )
    monkeypatch.chdir(project.root)
    monkeypatch.delitem(sys.modules, "planted", raising=False)
    (project.root / "listed.toml").write_text('["ASR 1"]\ncriteria = ["A1.p99", "A1.errors"]\n')
    return ["planted", "--criteria", "criteria", "--requirements", "listed.toml", "--kept", "kept"]


def test_the_command_says_what_there_is_tries_it_and_writes_the_page(
    told: list[str], project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command.main([*told, "--list"]) == 0
    assert "It is slow." in capsys.readouterr().out
    monkeypatch.setattr(command, "Project", lambda root, criteria: Project(root, criteria, ()))
    assert command.main(told) == 0
    assert command.main([*told, "--table", "page.md"]) == 0
    page = (project.root / "page.md").read_text()
    assert "1 of 1 defects were seen, 1 of them caught" in page
    assert "- A1.errors" in page
    assert command.main([*told, "--sound", "1"]) == 0
    sound = json.loads((project.root / "kept" / "sound.runs").read_text())
    assert sound["verdicts"]["A1.p99"] == ["PASS"]


@pytest.mark.parametrize(
    ("outcome", "status"),
    [(Outcome.CAUGHT, 0), (Outcome.MISSED, 1), (Outcome.STRAYED, 1), (Outcome.BROKEN, 10)],
)
def test_its_exit_status(
    told: list[str], monkeypatch: pytest.MonkeyPatch, outcome: Outcome, status: int
) -> None:
    monkeypatch.setattr(
        campaign, "run", lambda _project, some, *_, **__: [campaign.Seen(one.name, outcome) for one in some]
    )
    assert command.main(told) == status


def test_what_cannot_be_understood_is_said(told: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([*told, "-k", "nothing-like-it"]) == 10
    assert "no defect has such a name" in capsys.readouterr().err
    assert command.main(["no_such_module"]) == 10
    assert "lists no defects" in capsys.readouterr().err
