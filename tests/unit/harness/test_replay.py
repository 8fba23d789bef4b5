"""A stored run, judged again with nothing running."""

import hashlib
import json
import re
import shutil

import pytest

from tests.sealing import reseal
from verdict_harness.verdicts.replay import compare

ASKING = """
import json, pathlib

def measured(run, name):
    world = pathlib.Path(__file__).with_name("world.json")
    return p99(run.evidence.fact(name, lambda: json.loads(world.read_text())[name]))

@pytest.fixture(scope="session")
def system(run, backend):
    def deploy():
        if run.replaying:
            raise AssertionError("asked the world on replay")
        return "up"
    return run.evidence.fact("deployed", deploy)

@criterion("A2.p99")
def test_p99(judge, run, system):
    judge(measured(run, "p99"), LIMIT)

@criterion("A2.gc", fail_counts_as="CONDITIONAL")
def test_gc(judge, run, system):
    judge(measured(run, 'gc'), LIMIT)

@criterion("B2.p99", asr="ASR 2")
def test_b2(judge, run, system):
    judge(measured(run, "b2"), LIMIT)

def test_ordinary(pytestconfig):
    assert not pytestconfig.getoption("--judge")
"""


@pytest.fixture
def stored(judged, pytester):
    """A run whose world is gone."""

    def go(*words, **world):
        path = pytester.path / "world.json"
        path.write_text(json.dumps({"p99": 1, "gc": 120, "b2": 2} | world))
        ended = judged(ASKING, *words)
        path.unlink()
        return ended

    return go


def snapshot(folder):
    return {path: path.read_bytes() for path in folder.resolve().rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("world", "status", "verdict"),
    [({}, 0, "CONDITIONAL"), ({"p99": 300}, 1, "FAIL"), ({"gc": 300}, 1, "CONDITIONAL")],
)
def test_the_same_verdict_with_nothing_running(judged, stored, world, status, verdict):
    ended = stored("--profile=quick", "--backend=external", **world)
    assert (ended.status, ended.verdict["verdict"]) == (status, verdict)
    before = snapshot(ended.folder)
    again = judged("", "--judge", "runs/latest")
    assert again.status == status
    after = snapshot(ended.folder)
    assert {path.name for path in after.keys() - before.keys()} == {"verdict.rejudged.json"}
    assert {path: after[path] for path in before} == before
    for key in ("run_id", "verdict", "profile", "backend", "asrs", "started"):
        assert again.rejudged[key] == ended.verdict[key]
    assert again.rejudged["criteria"] == ended.verdict["criteria"]
    assert again.rejudged["comparison"]["same"] is True
    assert "the same verdict as recorded" in again.text
    assert "not evidence" in again.text
    assert len([path for path in (ended.root / "runs").iterdir() if not path.is_symlink()]) == 1


@pytest.mark.parametrize(
    ("gc", "change", "said"),
    [
        # neither a looser limit that forgives what failed, nor a stricter one, gives the recorded verdict
        (300, ("Below(200 * ms", "Below(400 * ms"), "recorded FAIL, now CONDITIONAL: 300 ms is below 400 ms"),
        (120, ("Below(200 * ms", "Below(100 * ms"), "recorded CONDITIONAL, now FAIL: 120 ms is not below"),
        (120, ("=50 * ms", "=150 * ms"), "recorded CONDITIONAL, now PASS: 120 ms"),
        (120, ("Below(200 * ms", "Below(210 * ms"), "its limit was < 200 ms and is < 210 ms"),
        (120, ('fail_counts_as="CONDITIONAL"', 'asr="ASR 3"'), "its asr was ASR 1 and is ASR 3"),
        (120, ("gc'), LIMIT)", "gc'), LIMIT); judge(p99(60), LIMIT)"), "it had 1 findings and has 2"),
        (120, ("return p99(", "return exact('p98', 0.12, at=0.0, n=9); ("), "its query was p99 and is p98"),
    ],
)
def test_whatever_differs_is_said(judged, stored, gc, change, said):
    ended = stored(gc=gc)
    path = ended.root / "test_it.py"
    assert change[0] in path.read_text()
    path.write_text(path.read_text().replace(*change))
    again = judged("", "--judge", "runs/latest")
    assert (again.status, again.rejudged["comparison"]["same"]) == (10, False)
    assert "NOT as recorded" in again.text
    assert said in next(line for line in again.text.splitlines() if "A2.gc: recorded" in line)
    assert "judged by other code than the run was: test_it.py" in again.text
    assert ended.criterion("A2.gc")["value"] == pytest.approx(gc)  # what is on record stays


def edit(folder):
    (gc,) = folder.glob("facts/gc-*.json")
    gc.write_text(lessened(gc.read_text()))


def lessened(text):
    """Return a text with another value; the digits of it that a digest may have stay."""
    return re.sub(r"\b120\b", "119", text)


def test_the_manifest_has_a_digest_and_copies_of_it_are_elsewhere(stored):
    ended = stored()
    digest = hashlib.sha256((ended.folder / "manifest.json").read_bytes()).hexdigest()
    assert ended.verdict["manifest"] == digest
    (told,) = ended.suite.iterfind("properties/property[@name='manifest']")
    assert told.get("value") == f"sha256 {digest}"
    assert digest in ended.text
    assert digest in (ended.folder / "report.html").read_text()


def test_an_edited_fact_is_noticed_though_the_manifest_was_edited_too(judged, stored):
    """The verdict stays what it was, and so does every digest in the manifest."""
    ended = stored()
    edit(ended.folder)
    then, now = ended.verdict["manifest"], reseal(ended.folder)
    again = judged("", "--judge", "runs/latest")
    assert again.status == 10
    assert {entry["verdict"] for entry in again.rejudged["criteria"]} == {"PASS", "CONDITIONAL"}
    assert again.rejudged["comparison"]["damage"] == [
        f"the manifest is not that of the run, whose verdict names sha256 {then}"
    ]
    (difference,) = again.rejudged["comparison"]["differences"]
    assert difference["reason"].startswith("its value was 120.0 and is 11")
    assert f"sha256 {now}" in again.text  # to be held against a copy
    path = ended.folder / "verdict.json"
    path.write_text(lessened(path.read_text().replace(then, now)))
    again = judged("", "--judge", "runs/latest")  # only the copy in JUnit is left
    assert (again.status, again.rejudged["comparison"]["damage"]) == (
        10,
        [f"junit.xml names another manifest: sha256 {then}"],
    )


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda folder: (folder / "loads/raw.csv.gz").unlink(), "loads/raw.csv.gz is missing"),
        (lambda folder: (folder / "loads/raw.csv.gz").write_bytes(b"other"), "loads/raw.csv.gz was changed"),
        (lambda folder: (folder / "loads/more.csv").write_bytes(b"more"), "loads/more.csv was added"),
    ],
)
def test_raw_files_that_nobody_asks_for_are_checked_too(judged, harm, said):
    ended = judged("""
        @criterion("A2.p99")
        def test_p99(judge, run):
            if not run.replaying:
                (run.evidence.folder("loads") / "raw.csv.gz").write_bytes(b"raw")
            judge(p99(300), LIMIT)
        """)
    assert ended.status == 1
    harm(ended.folder)
    again = judged("", "--judge", "runs/latest")
    assert (again.status, again.rejudged["comparison"]["damage"]) == (10, [said])
    assert said in again.text


def test_a_figure_has_to_agree_with_its_raw_samples(judged):
    ended = judged("""
        @criterion("A2.p99")
        def test_p99(judge, run):
            raw = run.evidence.folder("loads") / "raw.txt"
            def load():
                raw.write_text("1 2 3")
                return {"p99": 3, "requests": 3}
            def derive():
                found = [int(word) for word in raw.read_text().split()]
                return {"p99": max(found), "requests": len(found)}
            record = run.evidence.fact("load A2", load)
            run.evidence.confirm("load A2", record, derive)
            judge(p99(record["p99"]), LIMIT)
        """)
    assert judged("", "--judge", "runs/latest").status == ended.status == 0
    (load,) = ended.folder.glob("facts/load-a2-*.json")
    load.write_text(load.read_text().replace('"p99": 3', '"p99": 2'))
    then, digest = ended.verdict["manifest"], reseal(ended.folder)
    for name in ("verdict.json", "junit.xml"):
        path = ended.folder / name
        text = path.read_text().replace(then, digest)
        path.write_text(text.replace("3.0", "2.0").replace("3 ms", "2 ms"))
    again = judged("", "--judge", "runs/latest")
    assert (again.status, again.rejudged["comparison"]["damage"]) == (
        10,
        ["load A2: p99 is recorded as 2, and the raw samples give 3"],
    )


def test_a_run_of_another_version_says_which_one_reads_it(judged, stored):
    ended = stored()
    path = ended.folder / "manifest.json"
    path.write_text(path.read_text().replace('"format": 2', '"format": 1'))
    again = judged("", "--judge", "runs/latest")
    assert again.status == pytest.ExitCode.USAGE_ERROR
    assert "format 1" in again.text
    assert "judge it with the version that made it: verdict-harness" in again.text


def test_a_question_that_was_never_asked_is_inconclusive(judged, stored, pytester):
    stored()
    path = pytester.path / "test_it.py"
    path.write_text(path.read_text().replace('"b2"', '"b3"'))
    again = judged("", "--judge", "runs/latest")
    assert again.status == 10
    (difference,) = again.rejudged["comparison"]["differences"]
    assert (difference["id"], difference["found"]) == ("B2.p99", "INCONCLUSIVE")
    assert "no answer" in difference["reason"]


def test_missing_evidence_is_inconclusive_and_damaged_too(judged, stored):
    ended = stored()
    (gc,) = ended.folder.glob("facts/gc-*.json")
    gc.unlink()
    (b2,) = ended.folder.glob("facts/b2-*.json")
    b2.write_text(b2.read_text().replace("2", "1"))
    again = judged("", "--judge", "runs/latest")
    assert again.status == 10
    verdicts = {entry["id"]: entry["verdict"] for entry in again.rejudged["criteria"]}
    assert verdicts == {"A2.p99": "PASS", "A2.gc": "INCONCLUSIVE", "B2.p99": "INCONCLUSIVE"}


def test_a_test_that_is_gone_is_inconclusive(judged, stored, pytester):
    stored()
    path = pytester.path / "test_it.py"
    path.write_text(path.read_text().replace('@criterion("B2.p99", asr="ASR 2")', ""))
    again = judged("", "--judge", "runs/latest")
    assert again.status == 10
    assert {entry["id"]: entry["verdict"] for entry in again.rejudged["criteria"]}["B2.p99"] == "INCONCLUSIVE"
    assert "its test no longer exists" in again.text


@pytest.mark.parametrize("words", [("-k", "gc"), ("test_it.py::test_gc",)])
def test_some_criteria_can_be_judged_again(judged, stored, words):
    stored(p99=300)
    again = judged("", "--judge", "runs/latest", *words)
    assert again.status == 0
    assert [entry["id"] for entry in again.rejudged["criteria"]] == ["A2.gc"]
    assert again.rejudged["comparison"]["same"] is True
    assert "(1 of 3 criteria)" in again.text


def test_only_what_the_run_judged_is_judged_again(judged, stored):
    ended = stored("-k", "gc or ordinary")
    assert sorted(ended.verdicts) == ["A2.gc"]
    again = judged("", "--judge", "runs/latest")
    assert [entry["id"] for entry in again.rejudged["criteria"]] == ["A2.gc"]
    assert again.status == 0
    assert again.rejudged["comparison"]["same"] is True


def test_errors_are_judged_again_as_they_were(judged):
    ended = judged("""
        @criterion("A2.p99")
        def test_p99(judge, run):
            def break_down():
                raise LoadError("k6 died", found="exit status 99")
            run.evidence.fact("load", break_down)
        """)
    assert ended.status == 10
    again = judged("", "--judge", "runs/latest")
    assert again.status == 10
    assert again.rejudged["criteria"] == ended.verdict["criteria"]


def test_what_disturbed_the_run_disturbs_the_replay(judged):
    ended = judged("""
        @pytest.fixture
        def fault(run):
            yield
            if not run.replaying:
                raise FaultError("did not heal")

        @criterion("A4.p99")
        def test_p99(judge, fault):
            judge(p99(1), LIMIT)

        def test_ordinary(pytestconfig):
            assert pytestconfig.getoption("--judge")
        """)
    assert (ended.status, ended.verdicts) == (1, {"A4.p99": "INCONCLUSIVE"})
    again = judged("", "--judge", "runs/latest")
    assert again.status == 1
    assert again.rejudged["criteria"] == ended.verdict["criteria"]
    assert again.rejudged["comparison"]["same"] is True


def test_a_verdict_that_is_gone_is_judged_anew_and_said_to_be_gone(judged, stored):
    (stored().folder / "verdict.json").unlink()
    again = judged("", "--judge", "runs/latest")
    assert again.status == 10
    assert again.rejudged["verdict"] == "CONDITIONAL"
    assert again.rejudged["comparison"]["same"] is False
    assert "NOT as recorded" in again.text


def test_what_was_judged_again_and_cannot_be_written_is_told(judged, stored):
    (stored().folder / "verdict.rejudged.json").mkdir()
    again = judged("", "--judge", "runs/latest")
    assert again.status == 10
    (trouble,) = [line for line in again.text.splitlines() if line.startswith("trouble")]
    assert "evidence could not be written" in trouble


def test_an_older_run_says_nothing_of_the_code_that_judged_it(judged, stored):
    folder = stored().folder
    run = json.loads((folder / "run.json").read_text())
    del run["code"]
    (folder / "run.json").write_text(json.dumps(run))
    reseal(folder)
    again = judged("", "--judge", "runs/latest")
    assert "other code" not in again.text
    assert not [one for one in again.rejudged["comparison"]["differences"] if "code" in one]


def test_an_interrupted_run_is_no_better_when_it_is_judged_again(judged):
    judged("""
        @criterion("A2.a")
        def test_a(judge, run):
            judge(p99(run.evidence.fact("a", lambda: 1)), LIMIT)

        @criterion("A2.b")
        def test_b(judge, run):
            def interrupt():
                raise KeyboardInterrupt
            judge(p99(run.evidence.fact("b", interrupt)), LIMIT)

        @criterion("A2.c")
        def test_c(judge, run):
            judge(p99(run.evidence.fact("c", lambda: 1)), LIMIT)
        """)
    again = judged("", "--judge", "runs/latest")
    assert again.status == 10
    verdicts = {entry["id"]: entry["verdict"] for entry in again.rejudged["criteria"]}
    assert verdicts == {"A2.a": "PASS", "A2.b": "INCONCLUSIVE", "A2.c": "INCONCLUSIVE"}
    assert again.rejudged["comparison"]["same"] is True


def test_nothing_can_be_deployed(judged):
    judged("""
        @criterion("A2.p99")
        def test_p99(judge, run, backend):
            if run.replaying:
                assert backend.name == "local"
                with backend.deploy("system", run.directory):
                    pass
            judge(p99(1), LIMIT)
        """)
    again = judged("", "--judge", "runs/latest")
    assert again.status == 10
    assert "nothing is deployed when a stored run is judged again" in again.text


@pytest.mark.parametrize("words", [("--backend=kube",), ("--profile=quick",)])
def test_how_the_run_was_made_cannot_be_changed(judged, stored, words):
    stored()
    again = judged("", "--judge", "runs/latest", *words)
    assert again.status == pytest.ExitCode.USAGE_ERROR
    assert "can't be changed" in again.text
    assert not (again.folder / "verdict.rejudged.json").exists()


@pytest.mark.parametrize("where", ["runs/none", ".", "test_it.py"])
def test_no_run_there_is_a_usage_error(judged, stored, where):
    stored()
    again = judged("", "--judge", where)
    assert again.status == pytest.ExitCode.USAGE_ERROR


def test_a_run_that_was_moved_and_judged_from_elsewhere(judged, stored, pytester, monkeypatch):
    ended = stored()
    archive = pytester.path / "archive"
    shutil.copytree(ended.folder.resolve(), archive / "old")
    monkeypatch.chdir(archive)
    again = judged("", "--judge", "old", "--rootdir", str(pytester.path))
    assert again.status == 0
    rejudged = json.loads((archive / "old/verdict.rejudged.json").read_text())
    assert rejudged["comparison"]["same"] is True


def test_elsewhere_the_tests_are_looked_for_where_the_run_had_them(
    judged, stored, pytester, monkeypatch, tmp_path
):
    ended = stored()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "test_other.py").write_text("raise SystemExit('never read')")
    monkeypatch.chdir(elsewhere)
    again = judged("", "--judge", str(ended.folder))
    assert (again.status, again.rejudged["comparison"]["same"]) == (0, True)
    (pytester.path / "test_it.py").rename(pytester.path / "gone.py")
    again = judged("", "--judge", str(ended.folder))
    assert again.status == pytest.ExitCode.USAGE_ERROR
    assert "the tests that judged this run are not here" in again.text


def test_compare_sees_values():
    def entry(verdict, value):
        criterion = {"id": "A2", "verdict": verdict, "value": value, "reason": "so"}
        return {"verdict": verdict, "criteria": [criterion]}

    assert compare(entry("PASS", 1.0), entry("PASS", 1.0)).same
    assert not compare(entry("PASS", 1.0), entry("PASS", 2.0)).same
    assert not compare(entry("PASS", 1.0), entry("FAIL", 1.0)).same
    assert not compare({}, entry("PASS", 1.0)).same
    assert not compare(entry("PASS", 1.0), entry("PASS", 1.0), damage=["a file is missing"]).same


def test_a_run_that_is_another_as_a_whole_is_told_though_each_criterion_is_the_same():
    criteria = [{"id": "A2.p99", "verdict": "PASS"}]
    recorded = {"verdict": "PASS", "manifest": "1", "criteria": criteria}
    same = compare(recorded, recorded)
    assert same.differences == ()
    (told,) = compare(recorded, {**recorded, "verdict": "INCONCLUSIVE"}).differences
    assert str(told) == "the run was recorded as PASS and is INCONCLUSIVE now"


def test_compare_sees_figures():
    def document(value, reason=""):
        one = {"name": "p99", "of": "a", "value": value, "unit": "ms", "reason": reason}
        one |= {"interval": None, "samples": 9, "query": "q"}
        return {"verdict": "PASS", "criteria": [], "figures": [{"load": "A2", "figures": [one]}]}

    assert compare(document(1.0), document(1.0)).same
    assert compare(document(None, "it hung"), document(None, "nobody asked")).same
    (other,) = compare(document(1.0), document(2.0)).differences
    assert str(other) == "the value of the figure p99 of a of A2 was 1.0 and is 2.0"
    assert not compare(document(1.0), document(None)).same
    older = {"verdict": "PASS", "criteria": []}
    assert compare(older, document(None, "the run holds no answer to this question")).same


def test_compare_sees_a_run_that_came_out_otherwise_though_no_criterion_did():
    """Such as one whose troubles were taken out of its record."""

    def document(verdict):
        return {"verdict": verdict, "criteria": [{"id": "A2", "verdict": "PASS", "value": 1.0, "reason": ""}]}

    found = compare(document("INCONCLUSIVE"), document("PASS"))
    assert not found.same
    assert [str(one) for one in found.differences] == ["the run was recorded as INCONCLUSIVE and is PASS now"]
