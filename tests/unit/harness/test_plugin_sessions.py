"""Whole sessions: options, exit statuses, interrupts, what is left behind and what is shown."""

import json
import re
from contextlib import contextmanager

import pytest

from verdict_harness.errors import EvidenceError, UsageError

PASSING = """
@criterion("A2.p99")
def test_p99(judge):
    judge(p99(1), LIMIT)
"""
MIXED = """
@criterion("A2.gc")
def test_gc(judge):
    "The longest pause stays below 200 ms."
    judge(p99(120), LIMIT)

@criterion("A2.p99")
def test_p99(judge, run):
    "p99 stays below 200 ms."
    judge(run.evidence.fact("p99 of everything", lambda: 0.3) and p99(300), LIMIT)

@criterion("B2.rate", asr="ASR 2")
def test_rate(judge):
    judge(Empty("me:rate", "no series"), LIMIT)

@criterion("B2.ok", asr="ASR 2")
def test_ok(judge):
    judge(p99(1), LIMIT)
"""


def test_a_session_without_criteria_is_left_alone(judged):
    ended = judged("def test_a():\n    pass\ndef test_b():\n    assert False", "-v")
    assert ended.status == 1
    assert not (ended.root / "runs").exists()
    assert "verdict" not in ended.text.replace("verdict-harness-", "")
    ended.result.assert_outcomes(passed=1, failed=1)


def test_a_mark_that_comes_after_the_markers_were_read_makes_no_run(judged, pytester):
    """Such a test is judged by nobody, and a run of no criterion would say something of none."""
    pytester.makeconftest("""
        import pytest
        @pytest.hookimpl(trylast=True)
        def pytest_collection_modifyitems(items):
            for item in items:
                item.add_marker(pytest.mark.criterion("A2.late", "A2"))
        """)
    ended = judged("def test_a():\n    pass", "-v")
    assert ended.status == 0
    assert not (ended.root / "runs").exists()


@pytest.mark.parametrize(
    "words", [("--collect-only",), ("--setup-plan",), ("-k", "nothing"), ("--markers",), ("--fixtures",)]
)
def test_no_run_without_a_test_that_runs(judged, words):
    ended = judged(PASSING, *words)
    assert ended.status == (pytest.ExitCode.NO_TESTS_COLLECTED if words[0] == "-k" else 0)
    assert not (ended.root / "runs").exists()


def test_a_broken_file_starts_no_run(judged, pytester):
    pytester.makepyfile(test_broken="import nothing_of_that_name")
    ended = judged(PASSING)
    assert ended.status == pytest.ExitCode.INTERRUPTED
    assert not (ended.root / "runs").exists()


def test_a_broken_file_that_is_passed_over_is_not_forgotten(judged, pytester):
    pytester.makepyfile(test_broken="import nothing_of_that_name")
    ended = judged(PASSING, "--continue-on-collection-errors")
    assert (ended.status, ended.verdict["verdict"]) == (1, "INCONCLUSIVE")
    assert ended.verdicts == {"A2.p99": "PASS"}


@pytest.mark.parametrize("name", ["kubernetes", "Local", "none"])
@pytest.mark.parametrize("way", ["option", "variable"])
def test_an_unknown_backend_is_a_usage_error(judged, monkeypatch, name, way):
    if way == "variable":
        monkeypatch.setenv("HARNESS_BACKEND", name)
    ended = judged(PASSING, *(["--backend", name] if way == "option" else []))
    assert ended.status == pytest.ExitCode.USAGE_ERROR
    assert "local, k3d, kube, external" in ended.text
    assert not (ended.root / "runs").exists()


def test_options_reach_the_run(judged, monkeypatch):
    monkeypatch.setenv("HARNESS_BACKEND", "kube")
    source = """
        @criterion("A2.p99")
        def test_p99(judge, run):
            assert (run.backend, run.profile, run.quick, run.keep) == {}
            judge(p99(1), LIMIT)
        """
    ended = judged(source.format('("kube", "full", False, False)'))
    assert (ended.verdict["backend"], ended.verdict["profile"], ended.verdict["note"]) == ("kube", "full", "")
    ended = judged(
        source.format('("external", "quick", True, True)'), "--backend=external", "--profile=quick", "--keep"
    )
    assert (ended.verdict["backend"], ended.verdict["profile"]) == ("external", "quick")
    assert ended.verdicts == {"A2.p99": "PASS"}
    assert "not evidence" in ended.verdict["note"]
    assert ended.text.count("quick profile: not evidence") == 2
    assert "Not evidence." in (ended.folder / "report.html").read_text()


def test_a_burst_is_evidence(judged):
    ended = judged(
        """
        @criterion("B2.p99")
        def test_p99(judge, run):
            assert (run.profile, run.quick) == ("burst", False)
            judge(p99(1), LIMIT)
        """,
        "--profile=burst",
    )
    assert (ended.verdicts, ended.verdict["profile"]) == ({"B2.p99": "PASS"}, "burst")
    assert ended.verdict["note"] == ""
    assert "profile burst" in ended.text
    assert "not evidence" not in ended.text.lower()
    assert "not evidence" not in (ended.folder / "report.html").read_text().lower()


def test_everything_is_left_behind_and_shown(judged):
    ended = judged(MIXED)
    assert ended.status == 1
    assert ended.verdict["verdict"] == "FAIL"
    assert ended.verdict["asrs"] == {"ASR 1": "FAIL", "ASR 2": "INCONCLUSIVE"}
    assert ended.verdict["run_id"] == ended.folder.resolve().name
    files = {path.name for path in ended.folder.iterdir()}
    assert files == {"facts", "run.json", "manifest.json", "verdict.json", "junit.xml", "report.html"}
    assert not [path for path in (ended.root / "runs").iterdir() if path.name.startswith(".")]
    (fact,) = ended.criterion("A2.p99")["evidence"]
    assert (ended.folder / fact).exists()
    shown = ended.text
    for line in ("FAIL  A2.p99", "value:       300 ms", "limit:       < 200 ms", "p99 stays below 200 ms."):
        assert line in shown
    assert "Traceback" not in shown
    assert not re.search(r"test_it\.py:\d", shown)  # no Python for a finding
    assert "1 failed, 1 passed, 1 conditional, 1 inconclusive" in shown
    table = shown[shown.index("= verdicts") :].splitlines()
    assert max(len(line) for line in table) <= 100
    ids = [line.split()[0] for line in table if line.startswith((" A2", " B2"))]
    assert ids == ["A2.gc", "A2.p99", "B2.rate", "B2.ok"]
    assert any(line.split() == ["run", "FAIL"] for line in table)


def test_junit_says_the_verdicts(judged, pytester):
    ended = judged(MIXED, "--junitxml", "theirs/ours.xml")
    tags = {name: [child.tag for child in case][1:] for name, case in ended.cases.items()}
    assert tags == {"A2.gc": [], "A2.p99": ["failure"], "B2.rate": ["error"], "B2.ok": []}
    found = {p.get("name"): p.get("value") for p in ended.cases["A2.p99"].iterfind("properties/property")}
    assert float(found.pop("value")) == pytest.approx(300)
    assert found.pop("evidence").startswith("facts/p99-of-everything")
    assert found == {
        "criterion": "A2.p99",
        "verdict": "FAIL",
        "unit": "ms",
        "limit": "< 200 ms",
        "query": "p99",
        "interval": "",
        "samples": "9",
        "decides": "",
        "doubts": "",
        "reason": "300 ms is not below 200 ms",
    }
    assert (pytester.path / "theirs/ours.xml").read_bytes() == (ended.folder / "junit.xml").read_bytes()


def test_verbose_lines_show_value_and_limit(judged):
    lines = judged(MIXED, "-v").text
    assert "test_p99 FAIL 300 ms (limit < 200 ms)" in lines
    assert "test_gc CONDITIONAL 120 ms (limit < 200 ms)" in lines
    assert "test_rate INCONCLUSIVE" in lines


def test_colours(judged):
    shown = judged(MIXED, "-v", "--color=yes").text
    for code, word in ((32, "PASS"), (33, "CONDITIONAL"), (31, "FAIL"), (35, "INCONCLUSIVE")):
        assert f"\x1b[{code}m{word}" in shown  # while it runs
        assert f"\x1b[1;{code}m{word}" in shown  # in the table


@pytest.mark.parametrize(
    "words", [("-q",), ("-qq",), ("--no-summary",), ("--tb=no",), ("-p", "no:junitxml"), ("-s",)]
)
def test_other_ways_of_talking(judged, words):
    ended = judged(MIXED, *words)
    assert ended.status == 1
    assert ended.verdict["verdict"] == "FAIL"
    assert ended.suite.get("tests") == "4"
    assert "run    FAIL" in ended.text


def test_without_a_terminal(judged):
    ended = judged(MIXED, "-p", "no:terminal")
    assert ended.status == 1
    assert ended.verdict["verdict"] == "FAIL"
    assert (ended.folder / "report.html").exists()


def test_from_another_directory(judged, pytester, monkeypatch):
    judged(PASSING)
    elsewhere = pytester.mkdir("elsewhere")
    monkeypatch.chdir(elsewhere)
    ended = judged("", "--rootdir", str(pytester.path), str(pytester.path))
    assert ended.status == 0
    assert len([path for path in (pytester.path / "runs").iterdir() if not path.is_symlink()]) == 2
    assert not (elsewhere / "runs").exists()
    ended = judged("", "--runs", "mine", str(pytester.path))
    assert (elsewhere / "mine/latest/verdict.json").exists()


CUT_SHORT = """
@criterion("A2.first")
def test_first(judge):
    judge(p99(300), LIMIT)

@criterion("A2.second")
def test_second(judge):
    judge(p99(1), LIMIT)
    {}

@criterion("A2.third")
def test_third(judge):
    judge(p99(1), LIMIT)
"""


@pytest.mark.parametrize("what", ["raise KeyboardInterrupt", "pytest.exit('enough')"])
def test_an_interrupt_leaves_what_was_learnt(judged, what):
    ended = judged(CUT_SHORT.format(what))
    assert ended.status == pytest.ExitCode.INTERRUPTED
    assert ended.verdicts == {"A2.first": "FAIL", "A2.second": "INCONCLUSIVE", "A2.third": "INCONCLUSIVE"}
    assert ended.criterion("A2.third")["reason"] == "interrupted"
    assert ended.criterion("A2.second")["value"] == pytest.approx(1)
    assert sorted(ended.cases) == ["A2.first", "A2.second", "A2.third"]
    assert (ended.suite.get("tests"), ended.suite.get("failures"), ended.suite.get("errors")) == (
        "3",
        "1",
        "2",
    )
    assert (ended.folder / "report.html").exists()
    assert "A2.third" in ended.text
    assert (ended.folder / "manifest.json").exists()


def test_leaving_early_with_status_0_is_no_pass(judged):
    ended = judged(CUT_SHORT.replace("p99(300)", "p99(1)").format("pytest.exit('enough', returncode=0)"))
    assert ended.status == 10
    assert ended.verdicts["A2.third"] == "INCONCLUSIVE"


def test_an_interrupt_in_a_session_fixture_is_an_interrupt_too(judged):
    ended = judged("""
        @pytest.fixture(scope="session")
        def system():
            yield
            raise KeyboardInterrupt

        @criterion("A2.p99")
        def test_p99(judge, system):
            judge(p99(1), LIMIT)
        """)
    assert ended.status == pytest.ExitCode.INTERRUPTED
    assert ended.verdicts == {"A2.p99": "PASS"}  # judged before
    assert (ended.folder / "report.html").exists()


def test_stopping_at_the_first_failure(judged):
    ended = judged(CUT_SHORT.format("pass"), "-x")
    assert ended.status == 1
    assert ended.verdicts == {"A2.first": "FAIL", "A2.second": "INCONCLUSIVE", "A2.third": "INCONCLUSIVE"}
    assert "stopping after 1 failures" in ended.criterion("A2.third")["reason"]


def test_failures_are_what_last_failed(judged, pytester):
    pytester.makeini("[pytest]\n")
    judged(MIXED, "-p", "cacheprovider")
    ended = judged("", "-p", "cacheprovider", "--lf")
    assert sorted(ended.verdicts) == ["A2.p99", "B2.rate"]


@pytest.mark.parametrize("where", ["test", "setup", "teardown"])
def test_an_ordinary_failure_fails_the_session(judged, where):
    ended = judged(f"""
        @pytest.fixture
        def fixture():
            assert "{where}" != "setup"
            yield
            assert "{where}" != "teardown"

        def test_ordinary(fixture):
            assert "{where}" != "test"

        @criterion("A2.p99")
        def test_p99(judge):
            judge(p99(1), LIMIT)
        """)
    assert ended.status == 1
    assert ended.verdicts == {"A2.p99": "PASS"}
    assert ended.verdict["verdict"] == "INCONCLUSIVE"
    assert "test_ordinary" in ended.verdict["failures"][0]
    assert "test_ordinary" in (ended.folder / "report.html").read_text()


def test_a_killed_run_has_no_verdict_but_inconclusive(judged):
    """What is on disk while the second test runs is all that SIGKILL would leave."""
    source = (
        MIXED
        + """
import json, pathlib

@criterion("C.seen")
def test_seen(judge, run):
    seen = json.loads((run.directory / "verdict.json").read_text())
    pathlib.Path("seen.json").write_text(json.dumps(seen))
    judge(p99(1), LIMIT)
"""
    )
    ended = judged(source)
    seen = json.loads((ended.root / "seen.json").read_text())
    assert seen["finished"] is None
    assert {entry["id"]: entry["verdict"] for entry in seen["criteria"]} == {
        "A2.gc": "CONDITIONAL",
        "A2.p99": "FAIL",
        "B2.rate": "INCONCLUSIVE",
        "B2.ok": "PASS",
        "C.seen": "INCONCLUSIVE",
    }


def test_a_session_without_criteria_can_have_a_run(judged):
    ended = judged("""
        def test_it(run):
            assert run.evidence.fact("health", lambda: "UP") == "UP"
        """)
    assert ended.status == 0
    assert {path.name for path in ended.folder.iterdir()} == {"facts", "run.json", "manifest.json"}


def test_a_skip_is_shown_and_does_not_stop_the_rest(judged):
    ended = judged(
        CUT_SHORT.replace("p99(300)", "p99(1)").format("pytest.skip('one core')"), "-x", "-p", "no:randomly"
    )
    assert ended.verdicts == {"A2.first": "PASS", "A2.second": "INCONCLUSIVE", "A2.third": "PASS"}
    assert ended.status == 10
    assert "reason:      not measured: skipped: one core" in ended.text


def test_the_order_of_the_table_is_not_that_of_running(judged):
    source = """
        @criterion("B2.a", asr="ASR 2")
        def test_1(judge): judge(p99(1), LIMIT)
        @criterion("S.a", asr="")
        def test_2(judge): judge(p99(1), LIMIT)
        @criterion("A3.z")
        def test_3(judge): judge(p99(1), LIMIT)
        @criterion("A3.y")
        def test_4(judge): judge(p99(1), LIMIT)
        @criterion("A2.x")
        def test_5(judge): judge(p99(1), LIMIT)
        """
    assert list(judged(source).verdicts) == ["A2.x", "A3.z", "A3.y", "B2.a", "S.a"]


def test_criteria_refuse_workers(judged):
    ended = judged(PASSING, "-n", "1")
    assert ended.status == pytest.ExitCode.USAGE_ERROR
    assert "run without -n" in ended.text
    assert not (ended.root / "runs").exists()


def test_a_report_that_breaks_costs_no_verdict(judged, monkeypatch):
    def broken(_outcome):
        raise RuntimeError("no font")

    monkeypatch.setattr("verdict_harness.report.html", broken)
    ended = judged(PASSING)
    assert (ended.status, ended.verdict["verdict"]) == (0, "PASS")
    assert "no font" in ended.text


def test_runs_that_cannot_be_made_are_a_usage_error(judged, pytester):
    pytester.makefile(".txt", taken="a file")
    ended = judged(PASSING, "--runs", "taken.txt")
    assert ended.status == pytest.ExitCode.USAGE_ERROR
    assert "taken.txt" in ended.text


def test_a_run_that_never_began_leaves_no_earlier_verdict_as_the_latest(judged, monkeypatch):
    first = judged(PASSING)
    assert first.folder.exists()
    kept = first.folder.resolve()
    ended = judged("", "--backend=nowhere")
    assert ended.status == pytest.ExitCode.USAGE_ERROR
    assert not ended.folder.is_symlink()
    judged("")
    assert ended.folder.exists()

    def refuse(_name, _options):
        raise UsageError("no target", todo="set PROMETHEUS_URL")

    monkeypatch.setattr("verdict_harness.plugin.backends.check", refuse)
    ended = judged("")
    assert (ended.status, ended.folder.is_symlink()) == (pytest.ExitCode.USAGE_ERROR, False)
    assert (kept / "verdict.json").exists()  # it is only not the latest


def test_who_has_to_know_the_folder_beforehand_names_it(judged, monkeypatch):
    monkeypatch.setenv("HARNESS_RUN_ID", "nightly-7")
    ended = judged(PASSING)
    assert ended.verdict["run_id"] == ended.folder.resolve().name == "nightly-7"
    ended = judged("")
    assert ended.status == pytest.ExitCode.USAGE_ERROR
    assert "there is such a run already" in ended.text
    monkeypatch.setenv("HARNESS_RUN_ID", "../elsewhere")
    assert "no name for a run" in judged("").text


def test_what_judged_and_what_it_ran_with_is_on_record(judged):
    ended = judged(MIXED)
    run = json.loads((ended.folder / "run.json").read_text())
    assert set(run["code"]) == {"test_it.py", "the harness"}
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in run["code"].values())
    assert run["packages"]["pytest"] == pytest.__version__
    assert run["requirements"] == {"ASR 1": ["A2.gc", "A2.p99"], "ASR 2": ["B2.rate", "B2.ok"]}


def test_a_disk_that_is_full_ends_the_session_with_what_is_known(pytester, monkeypatch):
    """No file may grow any more from the second criterion on, as where there is no room for it."""
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)  # what it has to write, it can't either
    pytester.makepyfile("""
        import resource
        import pytest
        from verdict_harness.samples import exact, ms
        from verdict_harness.verdicts import Below

        def judge_it(judge, query):
            judge(exact(query, 0.001, at=0.0, n=900), Below(200 * ms))

        @pytest.mark.criterion("A2.first", "A2", "ASR 1")
        def test_first(judge): judge_it(judge, "p99")

        @pytest.mark.criterion("A2.second", "A2", "ASR 1")
        def test_second(judge):
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
            judge_it(judge, "p99" * 9_000)

        @pytest.mark.criterion("A2.third", "A2", "ASR 1")
        def test_third(judge): judge_it(judge, "p99")
        """)
    ended = pytester.runpytest_subprocess("-p", "no:randomly", "-p", "no:cacheprovider")
    text = ended.stdout.str() + ended.stderr.str()
    assert ended.ret == 10, text
    assert "Traceback" not in text
    assert "INTERNALERROR" not in text
    troubles = [line for line in text.splitlines() if line.startswith("trouble")]
    assert len([line for line in troubles if "the disk is full" in line]) == 1
    table = text[text.index("= verdicts") :]
    for name, verdict in (
        ("first", "PASS"),
        ("second", "PASS"),
        ("third", "INCONCLUSIVE"),
        ("run", "INCONCLUSIVE"),
    ):
        assert re.search(rf"{name} .*{verdict}", table), table
    left = json.loads(
        (pytester.path / "runs/latest/verdict.json").read_text()
    )  # the last that could be written
    assert {one["verdict"] for one in left["criteria"]} == {"PASS", "INCONCLUSIVE"}
    assert left["finished"] is None


UNWRITABLE = """
@pytest.fixture(scope="session")
def spoilt(run):
    yield
    (run.directory / "{name}").unlink(missing_ok=True)
    (run.directory / "{name}").mkdir()

@criterion("A2.p99")
def test_p99(judge, run, spoilt):
    judge(p99(run.evidence.fact("a", lambda: 1)), LIMIT)
"""


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("verdict.json", ()),
        ("manifest.json", ()),
        ("junit.xml", ()),
        ("junit.xml", ("--junitxml", "theirs.xml")),
    ],
)
def test_a_conclusion_that_cannot_be_written_is_told_and_is_no_pass(judged, name, words):
    """A folder stands where the file should."""
    ended = judged(UNWRITABLE.format(name=name), *words)
    assert ended.status == 10
    assert "INTERNALERROR" not in ended.text
    table = ended.text[ended.text.index("= verdicts") :]
    assert re.search(r"trouble +evidence could not be written \(.*Is a directory", table)
    assert ("the run can't be judged again" in table) is (name == "manifest.json")
    assert re.search(r"A2\.p99 .* PASS ", table), "what was measured stands"
    assert re.search(r"run +INCONCLUSIVE", table)
    assert "evidence could not be written" in (ended.folder / "report.html").read_text()
    if name != "verdict.json":
        assert (ended.verdict["verdict"], ended.verdicts) == ("INCONCLUSIVE", {"A2.p99": "PASS"})
        assert ended.verdict["troubles"][0].startswith("evidence could not be written")


def test_a_run_that_cannot_begin_is_a_usage_error(judged, monkeypatch):
    def refuse(path, _document):
        raise EvidenceError("evidence could not be written: the disk is full", where=str(path))

    monkeypatch.setattr("verdict_harness.plugin.session.write_json", refuse)
    ended = judged(PASSING)
    assert ended.status == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: evidence could not be written: the disk is full" in ended.text
    assert "verdict.json" in ended.text
    ended.result.assert_outcomes()


def test_a_disk_that_is_full_when_a_fact_comes_ends_the_run(judged):
    ended = judged("""
        import errno, os

        @criterion("A2.first")
        def test_first(judge, run, monkeypatch):
            def full(_descriptor):
                raise OSError(errno.ENOSPC, "No space left on device")
            with monkeypatch.context() as patched:
                patched.setattr(os, "fsync", full)
                judge(p99(run.evidence.fact("a", lambda: 1)), LIMIT)

        @criterion("A2.second")
        def test_second(judge):
            judge(p99(1), LIMIT)
        """)
    assert ended.status == 10
    assert ended.verdicts == {"A2.first": "INCONCLUSIVE", "A2.second": "INCONCLUSIVE"}
    assert ended.criterion("A2.first")["reason"].startswith("evidence could not be written: the disk is full")
    assert ended.criterion("A2.second")["reason"].startswith("not judged: evidence could not be written")
    (trouble,) = ended.verdict["troubles"]
    assert "No space left on device" in trouble


def test_what_a_test_printed_stands_below_why_it_is_inconclusive(judged):
    ended = judged("""
        @criterion("A2.p99")
        def test_p99(judge):
            print("the target had been silent since 12:00")
            judge(Empty("up", "no series"), LIMIT)
        """)
    shown = ended.text[ended.text.index("= INCONCLUSIVE =") : ended.text.index("= verdicts =")]
    assert re.search(r"- Captured stdout call -+\nthe target had been silent since 12:00\n", shown)


def test_a_backend_that_keeps_something_gives_it_back_at_the_end(judged, monkeypatch):
    told = []

    @contextmanager
    def keeping(_name, _options):
        told.append("opened")
        yield object()
        told.append("closed")

    monkeypatch.setattr("verdict_harness.plugin.backends.backend", keeping)
    ended = judged("""
        @criterion("A2.a")
        def test_a(judge, backend): judge(p99(1), LIMIT)

        @criterion("A2.b")
        def test_b(judge, backend): judge(p99(1), LIMIT)
        """)
    assert (ended.status, told) == (0, ["opened", "closed"])
