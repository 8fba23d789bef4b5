"""Beside plugins of other people, the real ones: Allure, pytest-cov and pytest-profiling."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

LOCK = Path(__file__).with_name("requirements.lock")
CRITERIA = """
import pytest
from verdict_harness.samples import Empty, exact, ms
from verdict_harness.verdicts import Below

LIMIT = Below(200 * ms)

def p99(milliseconds):
    return exact("p99", milliseconds / 1000, at=0.0, n=900)

@pytest.mark.criterion("A.met", "A", "ASR")
def test_met(judge): judge(p99(1), LIMIT)

@pytest.mark.criterion("A.missed", "A", "ASR")
def test_missed(judge): judge(p99(300), LIMIT)

@pytest.mark.xfail
@pytest.mark.criterion("A.expected", "A", "ASR")
def test_expected(judge): judge(p99(300), LIMIT)

@pytest.mark.criterion("A.unknown", "A", "ASR")
def test_unknown(judge): judge(Empty("up", "no series"), LIMIT)

@pytest.mark.criterion("A.broke", "A", "ASR")
def test_broke(judge): 1 / 0
"""


@pytest.fixture(scope="session")
def others(tmp_path_factory):
    """Where they are installed, to be added to a Python's path."""
    folder = tmp_path_factory.mktemp("beside")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"),
            *("--require-hashes", "--target", str(folder), "-r", str(LOCK)),
        ],
        check=True,
    )
    return folder


@pytest.fixture
def session(others, tmp_path):
    """Run a session with all of them, as a person would; return its status, text and verdict."""
    (tmp_path / "test_it.py").write_text(CRITERIA)
    (tmp_path / "covered.py").write_text("def unused():\n    return 1\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -p no:randomly -p no:cacheprovider\n")

    def go(*words):
        mine = {
            key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "HARNESS_"))
        }
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *words],
            cwd=tmp_path,
            env={**mine, "PYTHONPATH": str(others)},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        verdict = json.loads((tmp_path / "runs/latest/verdict.json").read_text())
        return done.returncode, done.stdout + done.stderr, verdict

    return go


def test_allure_has_each_verdict_as_what_it_is(session, tmp_path):
    status, text, _ = session("--alluredir", "allure")
    assert status == 1, text
    found = [json.loads(path.read_text()) for path in (tmp_path / "allure").glob("*-result.json")]
    assert {one["name"]: one["status"] for one in found} == {
        "test_met": "passed",
        "test_missed": "failed",
        "test_expected": "failed",
        "test_unknown": "broken",
        "test_broke": "broken",
    }
    told = {one["name"]: one.get("statusDetails", {}).get("message", "") for one in found}
    assert "300 ms is not below 200 ms" in told["test_missed"]
    assert "no series" in told["test_unknown"]


def test_profile_is_the_word_of_who_has_it_and_a_gate_of_coverage_holds(session, tmp_path):
    words = ("--profile", "--verdict-profile=quick", "--cov=covered", "--cov-fail-under=90", "-k", "met")
    status, text, verdict = session(*words)
    assert (verdict["verdict"], verdict["profile"]) == ("PASS", "quick")
    assert list((tmp_path / "prof").glob("*.prof")), text
    assert "Required test coverage of 90% not reached" in text
    assert status == 1, text
    status, text, verdict = session("--cov=covered", "-k", "met")
    assert (status, verdict["verdict"], verdict["profile"]) == (0, "PASS", "full"), text
