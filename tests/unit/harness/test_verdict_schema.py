"""The schema of verdict.json: it is strict, it has what was promised, and it refuses what is broken.

That documents of whole runs follow it, ``judged`` (conftest.py) and the tests of whole sessions hold.
"""

import copy
import json

import jsonschema
import pytest

from tests import verdict_schema
from tests.verdict_schema import SCHEMA
from verdict_harness.report import page

ONE_OF_EACH = """
from types import SimpleNamespace
from verdict_harness.loads import Figures, Found

@pytest.fixture
def load():
    found = (Found("p99", "a", ms, p99(20)), Found("p50", "", ms, Empty("p50", "nobody looked")))
    return SimpleNamespace(trouble=(), figures=Figures("A2", found))

@criterion("A2.p99")
def test_p99(judge, load):
    judge(p99(20), LIMIT)

@criterion("A2.gc")
def test_gc(judge):
    judge(p99(300), LIMIT)

@criterion("B2.rate", asr="ASR 2")
def test_rate(judge):
    judge.inconclusive("nobody looked")
"""


def objects(schema):
    """Every schema of an object in ``schema``."""
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        for each in schema.values():
            yield from objects(each)


def test_it_is_a_schema_of_the_version_that_is_written():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["properties"]["schema"]["const"] == page.SCHEMA


def test_it_is_strict():
    found = list(objects(SCHEMA))
    assert len(found) > 8
    for one in found:
        if "properties" in one:
            assert one["additionalProperties"] is False
            assert set(one["properties"]) - set(one["required"]) <= {"comparison"}
        else:
            assert one["additionalProperties"]["$ref"] == "#/$defs/verdict"


def test_the_promised_fields_are_there_for_good():
    """Others read them: they stay, whatever is added."""
    run = {"run_id", "profile", "backend", "verdict", "criteria"}
    each = {"id", "experiment", "verdict", "value", "unit", "limit", "query", "samples", "reason"}
    assert run <= set(SCHEMA["required"])
    assert each <= set(SCHEMA["$defs"]["criterion"]["required"])
    assert set(SCHEMA["$defs"]["verdict"]["enum"]) == {"PASS", "CONDITIONAL", "FAIL", "INCONCLUSIVE"}


def test_what_a_running_session_leaves_follows_it_too(judged):
    ended = judged(
        """
        from pathlib import Path
        from tests import verdict_schema

        @criterion("A2.p99")
        def test_p99(judge, run):
            assert verdict_schema.read(run.directory / "verdict.json")["finished"] is None
            judge(p99(20), LIMIT)

        @criterion("A2.gc")
        def test_gc(judge, run):
            assert verdict_schema.read(run.directory / "verdict.json")["finished"] is None
            judge(p99(300), LIMIT)
        """
    )
    assert ended.verdicts == {"A2.p99": "PASS", "A2.gc": "FAIL"}


def test_the_figures_of_a_load_are_in_it(document):
    (told,) = document["figures"]
    assert told["load"] == "A2"
    assert [(one["name"], one["value"]) for one in told["figures"]] == [("p99", 20.0), ("p50", None)]


@pytest.fixture
def document(judged):
    return judged(ONE_OF_EACH).verdict


def broken(path, value):
    """Return what puts ``value`` at ``path`` of a document, or takes away what is there."""

    def harm(document):
        *way, last = path
        for step in way:
            document = document[step]
        if value is None:
            del document[last]
        else:
            document[last] = value

    return harm


HARM = {
    "no version": broken(["schema"], None),
    "another version": broken(["schema"], page.SCHEMA + 1),
    "no verdict": broken(["verdict"], None),
    "a verdict that is none": broken(["verdict"], "MAYBE"),
    "a verdict of a requirement that is none": broken(["asrs", "ASR 1"], "pass"),
    "a field that nobody knows": broken(["extra"], 1),
    "a field of a criterion that nobody knows": broken(["criteria", 0, "extra"], 1),
    "no value": broken(["criteria", 0, "value"], None),
    "a value in words": broken(["criteria", 0, "value"], "20 ms"),
    "a value at infinity": broken(["criteria", 0, "value"], float("inf")),
    "an interval of one end": broken(["criteria", 0, "interval"], [1.0]),
    "no reason": broken(["criteria", 0, "reason"], ""),
    "fewer than no samples": broken(["criteria", 0, "samples"], -1),
    "no findings": broken(["criteria", 0, "findings"], []),
    "a figure without a reason": broken(["figures", 0, "figures", 1, "reason"], None),
    "a figure in words": broken(["figures", 0, "figures", 0, "value"], "20 ms"),
    "a field of a figure that nobody knows": broken(["figures", 0, "figures", 0, "extra"], 1),
    "figures of nothing": broken(["figures", 0, "load"], None),
    "an end that is no moment": broken(["finished"], "soon"),
    "a digest that is none": broken(["manifest"], "abc"),
    "compared with nothing": broken(["comparison"], {}),
    "a comparison where there is none": broken(
        ["comparison"],
        {
            "recorded": "PASS",
            "found": "PASS",
            "judged": 1,
            "of": 1,
            "same": True,
            "differences": [],
            "damage": [],
            "notes": [],
        },
    ),
}


def test_what_is_broken_is_refused(document, tmp_path):
    path = tmp_path / "verdict.json"
    path.write_text(json.dumps(document))
    assert verdict_schema.read(path) == document
    taken = []
    for what, harm in HARM.items():
        other = copy.deepcopy(document)
        harm(other)
        path.write_text(json.dumps(other))
        try:
            verdict_schema.read(path)
        except (jsonschema.ValidationError, AssertionError):
            continue
        taken.append(what)
    assert taken == []
