import dataclasses
import math

import pytest

from verdict_harness.samples import Empty, exact, ms
from verdict_harness.verdicts import Below, Finding, Judge, Verdict

GOOD = Finding(Verdict.PASS, value=1.0, unit="ms", limit="< 2 ms", query="q", samples=3, reason="it is below")


@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.CONDITIONAL])
@pytest.mark.parametrize(
    "lie",
    [{"value": None}, {"value": math.nan}, {"value": math.inf}, {"value": -math.inf}, {"samples": 0}],
    ids=str,
)
def test_nothing_passes_on_nothing(verdict, lie):
    judge = Judge()
    recorded = judge.record(dataclasses.replace(GOOD, verdict=verdict, **lie))
    assert recorded.verdict is Verdict.INCONCLUSIVE
    assert str(verdict) in recorded.reason
    assert judge.findings == [recorded]


@pytest.mark.parametrize("verdict", list(Verdict))
def test_an_honest_finding_is_recorded_as_it_is(verdict):
    finding = dataclasses.replace(GOOD, verdict=verdict)
    assert Judge().record(finding) is finding


def test_demoting_keeps_the_number_and_never_saves_a_fail():
    judge = Judge()
    judge.record(GOOD)
    judge.demote("the broker did not come back")
    assert max(judge.findings, key=lambda f: f.verdict) == dataclasses.replace(
        GOOD,
        verdict=Verdict.INCONCLUSIVE,
        reason="the broker did not come back (otherwise: it is below)",
    )
    judge.record(dataclasses.replace(GOOD, verdict=Verdict.FAIL))
    judge.demote("again")
    assert max(judge.findings, key=lambda f: f.verdict).verdict is Verdict.FAIL


def test_demoting_without_a_finding():
    judge = Judge()
    judge.demote("interrupted")
    (finding,) = judge.findings
    assert (finding.verdict, finding.value, finding.reason) == (Verdict.INCONCLUSIVE, None, "interrupted")


def test_the_worst_of_several_samples_is_the_finding():
    judge = Judge()
    samples = {
        "a": exact("q", 0.001, at=0, n=1),
        "b": exact("q", 0.3, at=0, n=1),
        "c": Empty("q", "no series"),
    }
    finding = judge(samples, Below(200 * ms))
    assert finding.verdict is Verdict.FAIL
    assert finding.value == pytest.approx(300)
    assert finding.reason.startswith("b: ")
    assert judge.findings == [finding]
    assert [exhibit.label for exhibit in judge.exhibits] == ["a", "b", "c"]


def test_trouble_of_any_load_counts():
    class Load:
        def __init__(self, *trouble):
            self.trouble = trouble

    judge = Judge()
    finding = judge(
        exact("q", 0.001, at=0, n=1), Below(200 * ms), load=iter([Load(), Load("one"), Load("two")])
    )
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert finding.sentence == "one; two (otherwise: 1 ms is below 200 ms)"
    assert finding.value == pytest.approx(1)
