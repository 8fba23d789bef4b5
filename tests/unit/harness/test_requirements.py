"""A requirement names its criteria: a run of fewer has not judged it whole, and says so everywhere."""

import pytest

from verdict_harness.errors import UsageError
from verdict_harness.verdicts import Verdict, requirements
from verdict_harness.verdicts.requirements import Requirement, gaps

TABLE = """
["ASR 1"]
criteria = ["A1.warm-up", "A2.p99", "A2.errors"]
["ASR 2"]
criteria = ["B2.p99"]
"""
TESTS = """
@pytest.mark.a1
@criterion("A1.warm-up")
def test_warm_up(judge): judge(p99(1), LIMIT)

@criterion("A2.p99")
def test_p99(judge): judge(p99(1), LIMIT)

@criterion("A2.errors")
def test_errors(judge): judge(p99({errors}), LIMIT)

@criterion("B2.p99", asr="ASR 2")
def test_b2(judge): judge(p99(1), LIMIT)
"""
NOT_WHOLE = "ASR 1: not judged whole, 1 of 3"


@pytest.fixture
def declared(pytester):
    """Declare the table in the project's settings."""

    def go(table=TABLE):
        (pytester.path / "requirements.toml").write_text(table)
        pytester.makeini("[pytest]\nverdict_requirements = requirements.toml\nmarkers = a1\n")

    return go


@pytest.mark.parametrize("words", [("-m", "a1"), ("-k", "warm_up"), ("test_it.py::test_warm_up",)])
@pytest.mark.parametrize("table", [True, False])
def test_a_part_is_not_the_whole(judged, declared, pytester, words, table):
    if table:
        declared()
    else:  # then a requirement has what was collected
        pytester.makeini("[pytest]\nmarkers = a1\n")
        if "::" in words[0]:
            pytest.skip("nothing is known of what was not collected")
    ended = judged(TESTS.format(errors=1), *words)
    assert ended.status == 0  # that of what was selected
    assert (ended.verdicts, ended.verdict["verdict"]) == ({"A1.warm-up": "PASS"}, "PASS")
    assert ended.verdict["asrs"] == {"ASR 1": "INCONCLUSIVE"}
    (found,) = ended.verdict["requirements"]
    assert (found["text"], found["judged"], found["of"]) == (NOT_WHOLE, 1, 3)
    assert sorted(found["missing"]) == ["A2.errors", "A2.p99"]
    assert ended.verdict["summary"] == f"PASS; {NOT_WHOLE}"
    assert "ASR 1  not judged whole, 1 of 3" in ended.text
    assert [one.get("value") for one in ended.suite.iterfind("properties/property[@name='requirement']")] == [
        NOT_WHOLE
    ]
    page = (ended.folder / "report.html").read_text()
    assert "not judged whole, 1 of 3" in page
    again = judged("", "--judge", "runs/latest")
    assert (again.status, again.rejudged["summary"]) == (0, f"PASS; {NOT_WHOLE}")


def test_the_whole_is_the_whole(judged, declared):
    declared()
    ended = judged(TESTS.format(errors=1))
    assert (ended.status, ended.verdict["summary"]) == (0, "PASS; ASR 1: PASS; ASR 2: PASS")
    assert "not judged whole" not in ended.text + (ended.folder / "report.html").read_text()


def test_a_part_that_fails_has_failed(judged, declared):
    declared()
    ended = judged(TESTS.format(errors=300), "-k", "errors")
    assert (ended.status, ended.verdict["asrs"]) == (1, {"ASR 1": "FAIL"})
    assert ended.verdict["summary"] == f"FAIL; {NOT_WHOLE}, FAIL"


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        ('@criterion("A2.errors")', "", "ASR 1 lists A2.errors, and no test judges it"),
        ('"A2.errors"', '"A2.erors"', "A2.erors is said to be of ASR 1, and the table"),
        ('"A2.errors")', '"A2.errors", asr="ASR 2")', "A2.errors is said to be of ASR 2, and the table"),
    ],
)
def test_what_was_deleted_or_misspelt_is_no_pass(judged, declared, was, now, said):
    declared()
    source = TESTS.format(errors=1).replace(was, now)
    if not now:
        source = source.replace("def test_errors(judge): judge(p99(1), LIMIT)", "")
    ended = judged(source)
    assert (ended.status, ended.verdict["verdict"]) == (10, "INCONCLUSIVE")
    assert any(said in trouble for trouble in ended.verdict["troubles"])
    assert said in ended.text
    assert ended.verdict["asrs"]["ASR 1"] == "INCONCLUSIVE"
    assert "ASR 1: not judged whole, 2 of 3" in ended.verdict["summary"]
    again = judged("", "--judge", "runs/latest")
    assert (again.status, again.rejudged["comparison"]["same"]) == (10, True)


def test_what_nobody_selected_is_no_gap(judged, declared):
    declared()
    ended = judged(TESTS.format(errors=1).replace("A2.errors", "A2.erors"), "-m", "a1")
    assert (ended.status, ended.verdict["troubles"]) == (0, [])


@pytest.mark.parametrize(
    "table", ["", "no TOML [", '["ASR 1"]\n', '["ASR 1"]\ncriteria = []\n', '["A"]\ncriteria = ["x", "x"]\n']
)
def test_a_table_that_says_nothing_is_refused(judged, declared, table):
    declared(table)
    ended = judged(TESTS.format(errors=1))
    if table:
        assert ended.status == pytest.ExitCode.USAGE_ERROR
        assert "the table of requirements can't be used" in ended.text
        assert not (ended.root / "runs").exists()
        with pytest.raises(UsageError):
            requirements.read(ended.root / "requirements.toml")
    else:  # it lists nothing, so everything that claims a requirement is a gap
        assert ended.status == 10


def test_gaps_are_those_of_the_selected():
    table = {"R": ("a", "b"), "S": ("c",)}
    every = [("R", "a"), ("R", "b"), ("S", "c"), ("", "free")]
    assert gaps(table, every, every) == []
    assert gaps(table, every, every[:1]) == []
    assert gaps(table, every[1:], every[1:]) == ["R lists a, and no test judges it"]
    assert gaps(table, [("R", "a"), ("R", "x")], [("R", "a")]) == []
    assert len(gaps(table, [("R", "a"), ("R", "x")], [("R", "a"), ("R", "x")])) == 2


@pytest.mark.parametrize("found", list(Verdict))
def test_what_was_not_judged_whole_never_passes(found):
    assert Requirement("R", found, 1, ("b",)).verdict is max(found, Verdict.INCONCLUSIVE)
    assert Requirement("R", found, 2).verdict is found
    assert "PASS" not in str(Requirement("R", found, 1, ("b",)))
