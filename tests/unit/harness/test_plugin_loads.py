"""Every judgement of a test rests on the loads among its fixtures, whether or not it says so."""

import copy
from unittest.mock import Mock

import pytest

from verdict_harness.samples import Empty, exact, ms
from verdict_harness.verdicts import Below, Judge, Verdict, carriers

LOADS = """
import copy
from types import SimpleNamespace
from unittest.mock import MagicMock

class Load:
    def __init__(self, *trouble, name="A2"):
        self.trouble, self.name = trouble, name

    def part(self):
        return copy.copy(self)

@pytest.fixture(scope="session")
def good():
    return Load()

@pytest.fixture(scope="session")
def bad():
    return Load("437 iterations dropped", "no request was made")

@pytest.fixture(scope="session")
def through(bad):
    return {"answers": 3}

@pytest.fixture
def depths(good, request):
    return {100: good, 1000: Load("starved", name="A3")}

@pytest.fixture
def parts(bad):
    return [bad.part(), bad.part()]

@pytest.fixture
def mock():
    return MagicMock()

@pytest.fixture
def early(judge):
    judge(p99(1), LIMIT)

@pytest.fixture
def later():
    return Load("too late", name="")
"""


@pytest.mark.parametrize(
    ("arguments", "body", "verdict", "reason"),
    [
        ("good", "judge(p99(1), LIMIT)", "PASS", ""),
        ("good", "judge(p99(300), LIMIT)", "FAIL", "300 ms is not below 200 ms"),
        ("bad", "judge(p99(1), LIMIT)", "INCONCLUSIVE", "A2: 437 iterations dropped; no request was made ("),
        (
            "bad",
            "judge(p99(300), LIMIT)",
            "INCONCLUSIVE",
            "A2: 437 iterations dropped; no request was made (",
        ),
        ("bad", "judge({'x': p99(1)}, LIMIT)", "INCONCLUSIVE", "A2: 437"),
        ("bad", "judge(Empty('q', 'no series'), LIMIT)", "INCONCLUSIVE", "(otherwise: Empty: no series)"),
        (
            "bad",
            "judge(p99(1), LIMIT, load=bad)",
            "INCONCLUSIVE",
            "A2: 437 iterations dropped; no request was",
        ),
        ("bad", "judge(p99(1), LIMIT, load=bad.part())", "INCONCLUSIVE", "made (otherwise: 1 ms"),
        ("bad", "pass", "INCONCLUSIVE", "made (otherwise: the test ended without judging anything)"),
        ("bad", "assert not 'a breach'", "INCONCLUSIVE", "A2: 437"),
        ("bad", "judge(p99(300), LIMIT); 1 / 0", "INCONCLUSIVE", "A2: 437"),
        ("through", "judge(p99(1), LIMIT)", "INCONCLUSIVE", "A2: 437"),
        ("depths", "judge(p99(1), LIMIT)", "INCONCLUSIVE", "A3: starved (otherwise"),
        ("parts", "judge(p99(300), LIMIT)", "INCONCLUSIVE", "made (otherwise: 300 ms"),
        ("mock, good", "judge(p99(1), LIMIT)", "PASS", ""),
        ("early, later", "pass", "INCONCLUSIVE", "too late (otherwise: 1 ms"),
        ("early, later", "assert False", "INCONCLUSIVE", "too late"),
        ("good", "judge(p99(1), LIMIT, load=Load('by hand', name='X'))", "INCONCLUSIVE", "X: by hand (other"),
    ],
)
def test_no_test_has_to_name_its_load(judged, arguments, body, verdict, reason):
    ended = judged(
        f"""{LOADS}
@criterion("A2.p99")
def test_p99(judge, {arguments}):
    {body}
"""
    )
    assert (ended.verdicts, ended.status) == (
        {"A2.p99": verdict},
        {"PASS": 0, "FAIL": 1, "INCONCLUSIVE": 10}[verdict],
    )
    entry = ended.criterion("A2.p99")
    assert reason in entry["reason"]
    assert entry["reason"].count("437") <= 1
    if "p99(300)" in body:
        assert entry["value"] == pytest.approx(300)  # for the reader


@pytest.mark.parametrize("way", ['@pytest.mark.usefixtures("through")', "autouse"])
def test_a_load_that_no_argument_names(judged, way):
    loads = LOADS
    if way == "autouse":
        way, loads = (
            "",
            LOADS.replace('(scope="session")\ndef through', '(scope="session", autouse=True)\ndef through'),
        )
    ended = judged(
        f"""{loads}
{way}
@criterion("A2.p99")
def test_p99(judge):
    judge(p99(1), LIMIT)
"""
    )
    assert (ended.verdicts, ended.status) == ({"A2.p99": "INCONCLUSIVE"}, 10)


def test_a_fixture_that_judges_and_then_breaks(judged):
    ended = judged(
        f"""{LOADS}
@pytest.fixture
def breaks(judge, bad):
    judge(p99(300), LIMIT)
    1 / 0

@criterion("A2.p99")
def test_p99(breaks):
    pass
"""
    )
    assert (ended.verdicts, ended.status) == ({"A2.p99": "INCONCLUSIVE"}, 10)


def test_the_trouble_of_one_test_is_not_anothers(judged):
    ended = judged(
        f"""{LOADS}
@criterion("A2.bad")
def test_bad(judge, bad):
    judge(p99(1), LIMIT)

@criterion("A2.good")
def test_good(judge, good):
    judge(p99(1), LIMIT)
"""
    )
    assert ended.verdicts == {"A2.bad": "INCONCLUSIVE", "A2.good": "PASS"}


def test_a_test_is_told_what_is_recorded(judged):
    ended = judged(
        f"""{LOADS}
@criterion("A2.bad")
def test_bad(judge, bad):
    told = judge(p99(1), LIMIT).verdict
    bad.trouble = ()
    raise CriterionFailed("told " + str(told))
"""
    )
    assert "told INCONCLUSIVE" in ended.criterion("A2.bad")["reason"]


class Load:
    def __init__(self, *trouble, name=""):
        self.trouble, self.name = trouble, name


def test_carriers_are_found_once_each():
    one, two, three = Load(), Load("x"), Load()
    values = [one, "text", {"a": two, "b": one}, (three, 4), [], Mock(), None, [[Load()]]]
    assert carriers(values) == (one, two, three)
    assert carriers([]) == ()


def test_trouble_that_shows_up_after_the_judgement_counts():
    judge = Judge()
    load = Load()
    judge.loads = (load,)
    assert judge(exact("q", 0.001, at=0, n=1), Below(200 * ms)).verdict is Verdict.PASS
    load.trouble = ("the guard was lost",)
    (finding,) = judge.findings
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert finding.sentence.startswith("the guard was lost (otherwise: ")


def test_reasons_are_told_once_and_under_their_load():
    judge = Judge()
    warm = Load("k6 died", name="A1")
    load = Load("k6 died", "too few", name="A2")
    judge.loads = (warm, load, copy.copy(load))
    finding = judge(Empty("q", "no series"), Below(200 * ms), load=load)
    assert finding.sentence == "A2: k6 died; too few; A1: k6 died (otherwise: Empty: no series)"
    assert judge.exhibits[0].loads == (load, warm, judge.loads[2])


def test_demoting_does_not_tell_a_load_twice():
    judge = Judge()
    judge.loads = (Load("k6 died"),)
    judge(exact("q", 0.3, at=0, n=1), Below(200 * ms))
    judge.demote("interrupted")
    assert {finding.verdict for finding in judge.findings} == {Verdict.INCONCLUSIVE}
    assert judge.findings[-1].sentence.startswith("k6 died (otherwise: interrupted (otherwise: 300 ms")


def test_the_evidence_of_a_load_is_named_by_whoever_rests_on_it(judged):
    ended = judged(
        f"""{LOADS}
Load.evidence = ("facts/load.json",)

@criterion("A2.client")
def test_client(judge, good):
    judge(p99(1), LIMIT)

@criterion("A2.asked")
def test_asked(judge, good, run):
    run.evidence.fact("p99 of it", lambda: 1)
    judge(p99(1), LIMIT)

@criterion("A2.nothing")
def test_nothing(judge):
    judge(p99(1), LIMIT)
"""
    )
    assert ended.criterion("A2.client")["evidence"] == ["facts/load.json"]
    asked, load = ended.criterion("A2.asked")["evidence"]
    assert asked.startswith("facts/p99-of-it-")
    assert load == "facts/load.json"
    assert ended.criterion("A2.nothing")["evidence"] == []
