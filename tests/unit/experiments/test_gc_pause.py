"""The longest pause: how long the gauge remembers it, and each one counted, which stands beside that."""

import math
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine.metrics import longest
from engine.metrics.buckets import GC_BUCKETS
from experiments.judging import shards
from tests.recorded import SCRAPES, Recorded, evenly
from verdict_harness.verdicts import Judge, Verdict

CRITERIA = Path(__file__).parents[3] / "experiments" / "judging" / "shards.py"


def test_the_gauge_remembers_as_long_as_the_criterion_says():
    said = re.search(r"^GC_MEMORY = ([\d.]+)", CRITERIA.read_text(), re.MULTILINE)
    assert said
    assert float(said[1]) == longest.MAX_WINDOW


@pytest.mark.parametrize(
    ("gauge", "pause", "verdict"),
    [
        (0.002, 0.002, Verdict.PASS),
        (0.007, 0.007, Verdict.CONDITIONAL),
        (0.05, 0.05, Verdict.FAIL),
        (0.05, 0.002, Verdict.FAIL),  # it may have come before the first scrape
    ],
)
def test_the_longest_pause_is_what_the_gauge_says(gauge, pause, verdict):
    found = judged(gauge, pause)
    assert found.verdict is verdict
    assert "me_gc_pause_max_seconds" in found.query


@pytest.mark.parametrize(
    ("gauge", "pause", "verdict"),
    [
        (0.0, 0.05, Verdict.FAIL),
        (0.002, 0.02, Verdict.FAIL),
        (0.002, 0.007, Verdict.INCONCLUSIVE),
    ],
)
def test_a_gauge_below_a_pause_that_was_counted_is_not_believed(gauge, pause, verdict):
    found = judged(gauge, pause)
    assert found.verdict is verdict
    assert "me_gc_pause_seconds" in found.query


def test_where_none_was_counted_the_gauge_is_believed():
    assert judged(0.0, None).verdict is Verdict.PASS


def judged(gauge, pause):
    """Judge a shard of whose 30 pauses one took ``pause`` seconds, or that had none, by such a gauge."""
    prometheus, labels = Recorded(**{"me-shard-a": None}), {"shard": "a"}
    prometheus.add("me_gc_pause_max_seconds", [gauge] * SCRAPES, "me-shard-a", **labels)
    took = [] if pause is None else [*evenly(0.001, 29), (150.0, pause)]
    prometheus.observe("me_gc_pause_seconds", took, "me-shard-a", edges=(*GC_BUCKETS, math.inf), **labels)
    judge = Judge()
    shards.pauses(judge, SimpleNamespace(server=prometheus.server()), "a")
    (found,) = judge.findings
    return found
