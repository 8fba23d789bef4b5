"""Whole sessions of pytest on criteria that are made up, in a folder of their own."""

import json
import textwrap
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

import numpy as np  # noqa: F401 - a session in a session that imports it first would take it away again
import pytest

import verdict_harness.plugin.opening  # noqa: F401 - likewise
from tests import verdict_schema

PRELUDE = """
import numpy as np  # noqa: F401 - a session in a session that imports it first would take it away again
import pytest
from verdict_harness.errors import CriterionFailed, FaultError, HarnessError, LoadError
from verdict_harness.verdicts import Below
from verdict_harness.samples import Empty, Point, Series, exact
from verdict_harness.samples import ms

LIMIT = Below(200 * ms, conditional=50 * ms)

def criterion(name, asr="ASR 1", **more):
    return pytest.mark.criterion(name, name.partition(".")[0], asr, **more)

def p99(milliseconds):
    return exact("p99", milliseconds / 1000, at=0.0, n=9)
"""


@dataclass
class Ended:
    """A session that is over, and what it left."""

    result: pytest.RunResult
    root: Path

    @property
    def status(self) -> int:
        return int(self.result.ret)

    @property
    def text(self) -> str:
        return self.result.stdout.str() + self.result.stderr.str()

    @property
    def folder(self) -> Path:
        return self.root / "runs" / "latest"

    @property
    def verdict(self) -> dict:
        return json.loads((self.folder / "verdict.json").read_text())

    @property
    def rejudged(self) -> dict:
        return json.loads((self.folder / "verdict.rejudged.json").read_text())

    @property
    def verdicts(self) -> dict[str, str]:
        return {entry["id"]: entry["verdict"] for entry in self.verdict["criteria"]}

    def criterion(self, name: str) -> dict:
        return next(entry for entry in self.verdict["criteria"] if entry["id"] == name)

    @property
    def suite(self) -> ET.Element:
        return ET.parse(self.folder / "junit.xml").getroot().find("testsuite")

    @property
    def cases(self) -> dict[str, ET.Element]:
        return {
            found.get("value"): case
            for case in self.suite.iter("testcase")
            for found in case.iterfind("properties/property[@name='criterion']")
        }


@pytest.fixture
def judged(pytester, monkeypatch):
    """Run a session on the source of a test module; an empty source runs what is there."""
    monkeypatch.setattr("verdict_harness.plugin.backends.backend", lambda _name, _options: object())
    for name in ("HARNESS_BACKEND", "HARNESS_RUN_ID"):
        monkeypatch.delenv(name, raising=False)

    def go(source: str, *words: str) -> Ended:
        if source:
            pytester.makepyfile(test_it=PRELUDE + textwrap.dedent(source))
        # Hypothesis would be imported anew by every session, which takes a second and, done often
        # enough with its native part, upsets the interpreter.
        plain = ("-p", "no:randomly", "-p", "no:cacheprovider", "-p", "no:hypothesispytest")
        runs = pytester.path / "runs"
        before = verdict_schema.written(runs)
        result = pytester.runpytest_inprocess(*plain, *words, no_reraise_ctrlc=True)
        verdict_schema.check(runs, before)
        return Ended(result, pytester.path)

    return go
