"""The exchange's planted defects are what they say: they can be planted, and name criteria that there are."""

import ast
import json
import re
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest
import yaml

from experiments.defects import DEFECTS
from verdict_harness.programs.catalogue import SPECS
from verdict_harness.sensitivity import RUN, Patch, Wrapper
from verdict_harness.verdicts import requirements

ROOT = Path(__file__).parents[3]
LIST = """
import json, os, pathlib

def pytest_collection_finish(session):
    found = {}
    for item in session.items:
        id_ = item.get_closest_marker("criterion").args[0]
        params = item.callspec.params if hasattr(item, "callspec") else {}
        markers = [marker.name for marker in item.iter_markers()]
        found[id_.format_map(params) if "{" in id_ else id_] = [item.nodeid, *markers]
    pathlib.Path(os.environ["FOUND"]).write_text(json.dumps(found))
"""

#: What a gate has to notice, and which defect is of that kind.
KINDS = {
    "engine": {
        "slow by a constant": "slow-by-a-constant",
        "slow tail": "slow-tail",
        "one long stall": "one-long-stall",
        "recurring stalls": "recurring-stalls",
        "slow only at the end": "slow-only-at-the-end",
        "slow only once books are deep": "slow-once-books-are-deep",
        "errors": "refuses-each-fifth",
        "forgets each third": "forgets-each-third",
        "forgets one in 300": "forgets-one-in-300",
        "forgets one in 2,500": "forgets-one-in-2500",
        "wrong price": "wrong-price",
        "wrong priority": "wrong-priority-in-time",
        "wrong quantity": "wrong-quantity",
        "self-made lots": "self-made-lots",
        "market order that rests": "market-order-rests",
        "duplicate fills": "duplicate-fills",
        "wrong symbol's book": "wrong-symbols-book",
        "log skipped": "skips-its-log",
        "acknowledged before logged": "acknowledges-before-it-logs",
        "lost on restart": "forgets-its-log-on-restart",
        "events lost": "loses-one-event-in-50",
        "events repeated without sequence": "repeats-events-without-sequence",
        "events late": "sends-events-late",
        "events of a wrong type": "sends-events-of-another-type",
        "events of a wrong key": "sends-events-under-another-key",
        "publisher that blocks": "publisher-blocks-matching",
        "counters doubled": "counter-doubled",
        "counters halved": "counter-halved",
        "counters frozen": "counter-frozen",
        "counters reset": "counter-reset",
        "labels renamed": "labels-renamed",
        "histogram halved": "histogram-halved",
        "gauges stuck": "depth-gauge-stuck",
        "pauses of the collector": "collects-garbage-for-long",
        "leaks of 20 bytes an order": "leaks-20-bytes-an-order",
        "leaks of 60 kB an order": "leaks-60-kb-an-order",
        "threads": "leaks-threads",
        "descriptors": "leaks-descriptors",
    },
    "gateway": {
        "delays": "gateway-delays",
        "refuses": "gateway-refuses",
        "misroutes": "gateway-misroutes",
        "sends twice": "gateway-sends-twice",
        "swallows errors into 200": "gateway-swallows-errors",
        "loses one shard": "gateway-loses-a-shard",
    },
    "shared parts": {
        "shards behind one lock": "shards-behind-one-lock",
        "one shard doing another's work": "one-shard-does-anothers-work",
        "a neighbour that takes a core": "a-neighbor-takes-every-core",
    },
    "surroundings": {
        "k6 throttled": "k6-throttled",
        "k6 stopped for 8 s": "k6-stopped-for-8-s",
        "k6 exiting early": "k6-ends-early",
        "k6 replaying older samples": "k6-replays-an-earlier-load",
        "k6 losing half of its raw file": "k6-raw-file-cut",
        "k6 at a third of the rate": "k6-at-a-third-of-the-rate",
        "k6 10 % too fast": "k6-10-percent-too-fast",
        "Prometheus restarted": "prometheus-restarted",
        "Prometheus emptied": "prometheus-emptied",
        "Prometheus slow": "prometheus-slow",
        "Prometheus answering NaN": "prometheus-answers-nan",
        "Prometheus answering nothing": "prometheus-answers-nothing",
        "Prometheus answering two series": "prometheus-answers-twice",
        "Prometheus stale": "prometheus-stale",
        "rules missing": "rules-missing",
        "rules constant": "rules-constant",
        "scrape gaps": "scrape-gap",
        "old series of an earlier run": "prometheus-has-an-earlier-run",
        "clocks apart": "k6-clock-ahead",
        "a fault that does not bite": "fault-does-not-bite",
        "a broker that never comes back": "broker-never-comes-back",
        "a full disk under runs/": "no-room-for-evidence",
    },
    "people": {
        "a criterion deselected": "criterion-deselected",
        "a criterion deleted": "criterion-deleted",
        "a limit loosened after the run": "limit-loosened-after-the-run",
        "a load renamed": "load-renamed",
        "quick taken for full": "quick-taken-for-full",
    },
}

READERS = {".py": ast.parse, ".json": json.loads, ".toml": tomllib.loads, ".yml": yaml.safe_load}

each = pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)


@pytest.fixture(scope="module")
def criteria(tmp_path_factory):
    """Each criterion's id, the id of its test, and the markers of that."""
    folder = tmp_path_factory.mktemp("criteria")
    (folder / "lister.py").write_text(textwrap.dedent(LIST))
    words = ("-m", "pytest", "experiments", "--collect-only", "-q", "-p", "lister", "-p", "no:randomly")
    done = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={"PYTHONPATH": str(folder), "FOUND": str(folder / "found.json"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((folder / "found.json").read_text())


def named(defect):
    return {*defect.fails, *defect.turns, *defect.holds} - {RUN}


def selects(defect, test, markers):
    """Whether the words select a test; of pytest's expressions only what the defects are written in."""
    words = dict(zip(defect.words[::2], defect.words[1::2], strict=True))
    marked = any(name in markers for name in defect.select.split(" or "))
    return marked and any(part in test for part in words.get("-k", "").split(" or "))


def patched(defect):
    """Return the files that a defect's patches make, by path; each of its anchors has to be there once."""
    files = {}
    for plant in defect.plants:
        if isinstance(plant, Patch):
            text = (ROOT / plant.path).read_text()
            assert text.count(plant.anchor) == 1, f"{plant.path} has not once: {plant.anchor}"
            text = files.get(plant.path, text)
            assert text.count(plant.anchor) == 1, f"another patch has taken: {plant.anchor}"
            files[plant.path] = text.replace(plant.anchor, plant.text)
    return files


def test_there_are_enough():
    assert len(DEFECTS) >= 60


def test_names_are_well_formed_and_unique():
    names = [defect.name for defect in DEFECTS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) for name in names)


def test_every_kind_is_there():
    assert {defect.kind for defect in DEFECTS} == KINDS.keys()
    kinds = {defect.name: defect.kind for defect in DEFECTS}
    for kind, asked in KINDS.items():
        lacking = [what for what, name in asked.items() if kinds.get(name) != kind]
        assert not lacking, f"{kind}: no defect of {lacking}"


def test_every_criterion_of_a_requirement_has_a_defect():
    table = requirements.read(ROOT / "experiments" / "requirements.toml")
    turning = {one for defect in DEFECTS for one in (*defect.fails, *defect.turns)}
    assert [one for ids in table.values() for one in ids if one not in turning] == []


@each
def test_it_names_criteria_that_it_runs(defect, criteria):
    assert named(defect) <= criteria.keys()
    assert [
        one for one in sorted(named(defect)) if not selects(defect, *criteria[one][:1], criteria[one])
    ] == []


@each
def test_it_can_be_planted(defect):
    for path, text in patched(defect).items():
        assert text != (ROOT / path).read_text()
        READERS.get(Path(path).suffix, str)(text)
    for plant in defect.plants:
        if isinstance(plant, Wrapper):
            assert SPECS[plant.program].variable == plant.variable
            ast.parse(plant.script)


def test_whatever_plants_nothing_leaves_something_out():
    assert [one.name for one in DEFECTS if not one.plants and "--deselect" not in one.words] == []


def test_stories_are_sentences():
    stories = [one.story for one in DEFECTS]
    assert [one for one in stories if not re.fullmatch(r"(k6|[A-Z]).*\.", one) or ". " in one] == []


def test_what_comes_later_has_to_differ_when_it_is_judged_again():
    later = [one for one in DEFECTS if one.later]
    assert later
    assert all(list(one.turns) == [RUN] and not one.fails for one in later)
