"""One invocation of nox is one run, and its last line says what came out: real nox, made-up criteria."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import verdict_schema

ROOT = Path(__file__).parents[2]
MOST = 120.0  # seconds until a session counts as stuck
PROJECT = """
[tool.pytest.ini_options]
addopts = ["-p", "no:randomly", "-p", "no:cacheprovider"]
markers = ["smoke", "smoke_single", "asr1", "asr2", "a1", "a2"]
verdict_requirements = "experiments/requirements.toml"
"""
TABLE = """
["ASR 1"]
criteria = ["A1.x", "A2.x"]
["ASR 2"]
criteria = ["B1.x"]
"""
EXPERIMENTS = """
import pathlib, time
import pytest
from verdict_harness.samples import exact, ms
from verdict_harness.verdicts import Below

def judge_it(judge, milliseconds):
    judge(exact("p99", milliseconds / 1000, at=0.0, n=900), Below(200 * ms))

@pytest.mark.smoke
@pytest.mark.criterion("smoke.x", "smoke")
def test_smoke(judge): judge_it(judge, 1)

@pytest.mark.smoke_single
@pytest.mark.criterion("smoke.x-single", "smoke")
def test_smoke_of_one_shard(judge): judge_it(judge, 1)

@pytest.mark.asr1
@pytest.mark.a1
@pytest.mark.criterion("A1.x", "A1", "ASR 1")
def test_a1(judge): judge_it(judge, 1)

@pytest.fixture(scope="session")
def system():
    yield
    time.sleep(STOPPING)
    pathlib.Path("stopped").touch()

@pytest.mark.asr1
@pytest.mark.a2
@pytest.mark.criterion("A2.x", "A2", "ASR 1")
def test_a2(judge, system):
    pathlib.Path("loading").touch()
    time.sleep(LOADING)
    judge_it(judge, 1)

@pytest.mark.asr2
@pytest.mark.criterion("B1.x", "B1", "ASR 2")
def test_b1(judge): judge_it(judge, MILLISECONDS)
"""


@dataclass
class Project:
    """A project with our noxfile, and an environment that is there already."""

    root: Path

    def criteria(self, *, milliseconds: float = 1, loading: float = 0, stopping: float = 0) -> None:
        settings = f"MILLISECONDS, LOADING, STOPPING = {milliseconds}, {loading}, {stopping}\n"
        (self.root / "experiments/test_it.py").write_text(settings + EXPERIMENTS)

    def start(self, *words: str) -> subprocess.Popen[str]:
        mine = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "HARNESS_", "NOX"))}
        return subprocess.Popen(
            [sys.executable, "-m", "nox", *words],
            cwd=self.root,
            env=mine,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def nox(self, *words: str) -> tuple[int, str]:
        process = self.start(*words)
        text, _ = process.communicate(timeout=MOST)
        return process.returncode, text

    @property
    def runs(self) -> list[Path]:
        return [path for path in (self.root / "runs").glob("*") if not path.is_symlink()]

    @property
    def verdict(self) -> dict:
        (run,) = self.runs
        return verdict_schema.read(run / "verdict.json")


@pytest.fixture
def project(tmp_path):
    """One whose locked environment is the one that runs this test."""
    for name, text in {
        "pyproject.toml": PROJECT,
        "requirements.lock": "",
        "requirements-runtime.lock": "",
    }.items():
        (tmp_path / name).write_text(text)
    shutil.copy(ROOT / "noxfile.py", tmp_path)
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "requirements.toml").write_text(TABLE)
    environment = tmp_path / ".nox" / f"env-{sys.version_info.major}.{sys.version_info.minor}"
    (environment / "bin").mkdir(parents=True)
    python = environment / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    wanted = hashlib.sha256(PROJECT.encode() + str(tmp_path).encode()).hexdigest()
    (environment / "installed").write_text(wanted)
    return Project(tmp_path)


def last(text: str) -> str:
    return text.rstrip().splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        (["--", "single", "--keep"], {"smoke.x-single"}),
        (["--", "--keep", "multi"], {"smoke.x"}),
        (["asr1", "--", "single"], {"smoke.x-single", "A1.x", "A2.x"}),
        (["--", "single", "-k", "single"], {"smoke.x-single"}),
        (["--", "single", "--context", "multi"], {"smoke.x-single"}),
    ],
)
def test_smoke_is_of_three_shards_or_of_one(project, words, ids):
    project.criteria()
    status, text = project.nox("-s", "smoke", *words)
    assert status == 0, text
    assert {one["id"] for one in project.verdict["criteria"]} == ids


def test_a_shape_is_for_smoke_alone(project):
    project.criteria()
    status, text = project.nox("-s", "asr1", "--", "single")
    assert status == 1
    assert "single is for smoke" in text
    assert project.runs == []


def test_all_that_was_asked_for_is_one_run(project):
    project.criteria(milliseconds=300)
    status, text = project.nox("-s", "asr2", "smoke", "asr1")
    assert status == 1, text
    (run,) = project.runs
    assert {one["id"] for one in project.verdict["criteria"]} == {"smoke.x", "A1.x", "A2.x", "B1.x"}
    assert (project.root / "runs/latest").resolve() == run
    assert text.count("= verdicts =") == 1
    assert last(text) == f"verdict: FAIL; ASR 1: PASS; ASR 2: FAIL (runs/{run.name})"
    for name, outcome in (("asr1", "success"), ("smoke", "success"), ("asr2", "fail")):
        assert any(name in line and outcome in line for line in text.splitlines()), text


def test_what_is_of_no_requirement_fails_every_session_that_ran_it(project):
    project.criteria()
    with (project.root / "experiments/test_it.py").open("a") as file:
        file.write(
            '@pytest.mark.asr1\n@pytest.mark.asr2\n@pytest.mark.criterion("besides", "against")\n'
            "def test_besides(judge): judge_it(judge, 300)\n"
        )
    status, text = project.nox("-s", "asr1", "asr2", "smoke")
    assert status == 1, text
    for name in ("asr1", "asr2", "smoke"):
        assert any(name in line and "fail" in line for line in text.splitlines()), text


def test_a_part_that_was_selected_is_judged_and_says_that_it_is_one(project):
    project.criteria(milliseconds=300)
    status, text = project.nox("-s", "asr1", "asr2", "--", "-m", "a1")
    assert status == 0, text
    (run,) = project.runs
    assert last(text) == f"verdict: PASS; ASR 1: not judged whole, 1 of 2 (runs/{run.name})"
    assert "nothing of ASR 2 was selected" in text


@pytest.mark.parametrize("words", [("--backend", "nowhere"), ("-m", "nothing"), ("--no-such-word",)])
def test_a_run_that_never_began_leaves_no_verdict_of_an_earlier_one(project, words):
    project.criteria()
    (project.root / "runs/earlier").mkdir(parents=True)
    (project.root / "runs/latest").symlink_to("earlier")
    status, text = project.nox("-s", "asr1", "--", *words)
    assert (status, last(text)) == (1, "verdict: no verdict: the run never began"), text
    assert not (project.root / "runs/latest").is_symlink()
    assert (project.root / "runs/earlier").exists()


def test_a_list_of_tests_is_no_run(project):
    project.criteria()
    (project.root / "runs/earlier").mkdir(parents=True)
    (project.root / "runs/latest").symlink_to("earlier")
    status, text = project.nox("-s", "asr1", "--", "--collect-only")
    assert status == 0, text
    assert (project.root / "runs/latest").is_symlink()


@pytest.mark.parametrize(("milliseconds", "verdict", "ended"), [(1, "PASS", 0), (300, "FAIL", 1)])
def test_a_load_by_hand_is_judged_by_one_requirement(project, milliseconds, verdict, ended):
    project.criteria(milliseconds=milliseconds)
    (project.root / "experiments/collect").mkdir()
    for name in ("asr1", "asr2"):
        its = f"""
import pytest
from experiments.test_it import MILLISECONDS, judge_it

@pytest.mark.criterion("{name}.x", "collect")
def test_it(judge): judge_it(judge, MILLISECONDS)
"""
        (project.root / f"experiments/collect/test_{name}.py").write_text(its)
    status, text = project.nox("-s", "collect", "--", "asr2")
    assert status == ended, text
    (run,) = project.runs
    assert [one["id"] for one in project.verdict["criteria"]] == ["asr2.x"]
    assert project.verdict["backend"] == "external"
    assert last(text) == f"verdict: {verdict} (runs/{run.name})"


@pytest.mark.parametrize("words", [(), ("b1",), ("--window", "5m")])
def test_a_load_by_hand_is_judged_by_a_requirement_that_is_one(project, words):
    status, text = project.nox("-s", "collect", "--", *words)
    assert status == 1, text
    assert "nox -s collect -- asr1 --window 5m, or asr2" in text
    assert not (project.root / "runs").exists()


def test_ctrl_c_ends_it_in_order(project):
    """Stopping takes longer than nox would wait by itself, and is waited for."""
    project.criteria(loading=60, stopping=4)
    process = project.start("-s", "asr1")
    deadline = time.monotonic() + MOST
    while not (project.root / "loading").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    text, _ = process.communicate(timeout=MOST)
    assert process.returncode != 0
    assert (project.root / "stopped").exists(), text
    (run,) = project.runs
    assert {path.name for path in run.iterdir()} >= {"manifest.json", "report.html", "junit.xml"}
    assert project.verdict["finished"]
    found = {one["id"]: one["verdict"] for one in project.verdict["criteria"]}
    assert found == {"A1.x": "PASS", "A2.x": "INCONCLUSIVE"}
    assert last(text).startswith("verdict: INCONCLUSIVE; ASR 1: INCONCLUSIVE"), text
