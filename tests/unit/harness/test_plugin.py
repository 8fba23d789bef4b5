"""What happens in a test of a criterion, and what verdict comes of it."""

import pytest

JUDGE = """
@criterion("A2.p99")
def test_p99(judge):
    "p99 stays below its limit."
    judge(p99({}), LIMIT)
"""


@pytest.mark.parametrize(
    ("milliseconds", "verdict", "status"),
    [(12, "PASS", 0), (49.9, "PASS", 0), (50, "CONDITIONAL", 0), (199.9, "CONDITIONAL", 0), (200, "FAIL", 1)],
)
def test_the_limit_decides(judged, milliseconds, verdict, status):
    ended = judged(JUDGE.format(milliseconds))
    assert (ended.verdicts, ended.verdict["verdict"], ended.status) == ({"A2.p99": verdict}, verdict, status)
    entry = ended.criterion("A2.p99")
    assert entry["value"] == pytest.approx(milliseconds)
    assert (entry["unit"], entry["limit"], entry["query"], entry["samples"]) == ("ms", "< 200 ms", "p99", 9)
    assert (entry["experiment"], entry["asr"]) == ("A2", "ASR 1")
    assert entry["criterion"] == "p99 stays below its limit."


@pytest.mark.parametrize(
    ("body", "verdict", "reason"),
    [
        ("judge(Empty('up', 'no series'), LIMIT)", "INCONCLUSIVE", "no series"),
        ("pass", "INCONCLUSIVE", "without judging"),
        ("judge({}, LIMIT)", "INCONCLUSIVE", "nothing to judge"),
        ("1 / 0", "INCONCLUSIVE", "ZeroDivisionError: division by zero"),
        ("judge(p99(1), LIMIT); 1 / 0", "INCONCLUSIVE", "ZeroDivisionError"),
        ("judge(p99(300), LIMIT); 1 / 0", "FAIL", "300 ms is not below 200 ms"),
        ("judge(p99(300), LIMIT); pytest.skip('x')", "FAIL", "300 ms is not below 200 ms"),
        ("judge(p99(1), LIMIT); judge(p99(300), LIMIT); judge(p99(2), LIMIT)", "FAIL", "300 ms"),
        ("judge(p99(1), LIMIT); judge.inconclusive('clock stepped')", "INCONCLUSIVE", "clock stepped"),
        ("assert 1 == 2, 'they differ'", "FAIL", "they differ"),
        ("judge(p99(1), LIMIT); assert False", "FAIL", "assert"),
        ("raise CriterionFailed('two events lost')", "FAIL", "two events lost"),
        ("raise FaultError('it did not bite', todo='try kill')", "INCONCLUSIVE", "to do:    try kill"),
        ("pytest.fail('by hand')", "FAIL", "by hand"),
        ("pytest.fail('Timeout (>1.0s) from pytest-timeout.')", "INCONCLUSIVE", "out of time"),
        ("pytest.skip('no cores')", "INCONCLUSIVE", "not measured: skipped: no cores"),
        ("pytest.xfail('known')", "FAIL", "expected to fail: known"),
        ("raise SystemExit(0)", "INCONCLUSIVE", "SystemExit"),
        ("raise ExceptionGroup('two', [AssertionError(), ValueError()])", "INCONCLUSIVE", "two"),
    ],
)
def test_whatever_a_test_does_has_a_verdict(judged, body, verdict, reason):
    ended = judged(f"""
        @criterion("A2.p99")
        def test_p99(judge):
            {body}
        """)
    entry = ended.criterion("A2.p99")
    assert (entry["verdict"], ended.status) == (verdict, 1 if verdict == "FAIL" else 10)
    assert reason in entry["reason"]
    tag = "failure" if verdict == "FAIL" else "error"
    assert [child.tag for child in ended.cases["A2.p99"]] == ["properties", tag]
    assert {name: ended.suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "1",
        "failures": "1" if verdict == "FAIL" else "0",
        "errors": "0" if verdict == "FAIL" else "1",
        "skipped": "0",
    }


LIBRARY = """
def check(value):
    assert value < 0, "an invariant of ours"

def shout(value):
    __tracebackhide__ = True
    assert value < 0, "too much"
"""


@pytest.mark.parametrize(
    ("call", "verdict", "reason"),
    [
        ("library.check(1)", "INCONCLUSIVE", "library.py, which is not the test's own file"),
        ("library.shout(1)", "FAIL", "too much"),  # a helper that asserts for the test, and hides itself
        ("own(1)", "FAIL", "mine"),
        ("import json.decoder; json.decoder.scanner.c_make_scanner(None)", "INCONCLUSIVE", "the test broke"),
    ],
)
def test_an_assertion_of_a_library_says_nothing_of_the_system(judged, pytester, call, verdict, reason):
    pytester.makepyfile(library=LIBRARY)
    ended = judged(
        f"""
        import sys
        sys.path.insert(0, {str(pytester.path)!r})
        import library

        def own(value):
            assert value < 0, "mine"

        @criterion("A2.p99")
        def test_p99(judge):
            judge(p99(1), LIMIT)
            {call}
        """
    )
    assert (ended.verdicts, ended.status) == ({"A2.p99": verdict}, 1 if verdict == "FAIL" else 10)
    assert reason in ended.criterion("A2.p99")["reason"]


def test_an_assertion_in_the_projects_conftest_is_the_tests_own(judged, pytester):
    pytester.makeconftest("""
        import pytest

        @pytest.fixture
        def check():
            def check(value):
                assert value < 0, "measured, and not met"
            return check
        """)
    ended = judged("""
        @criterion("A2.p99")
        def test_p99(judge, check):
            check(1)
        """)
    assert ended.verdicts == {"A2.p99": "FAIL"}


def test_an_async_def_that_never_ran_is_not_measured(judged):
    ended = judged("""
        @criterion("A2.p99")
        async def test_p99(judge):
            judge(p99(300), LIMIT)
        """)
    assert (ended.verdicts, ended.status) == ({"A2.p99": "INCONCLUSIVE"}, 10)
    assert "never ran" in ended.criterion("A2.p99")["reason"]


@pytest.mark.parametrize(
    ("mark", "milliseconds", "verdict"),
    [
        ("xfail", 300, "FAIL"),
        ("xfail(strict=False)", 300, "FAIL"),
        ("xfail(raises=ZeroDivisionError)", 300, "FAIL"),
        ("xfail(strict=True)", 10, "PASS"),
        ("xfail(run=False)", 10, "INCONCLUSIVE"),
        ("skip(reason='later')", 10, "INCONCLUSIVE"),
        ("skipif(True, reason='later')", 10, "INCONCLUSIVE"),
    ],
)
def test_marks_launder_nothing(judged, mark, milliseconds, verdict):
    ended = judged(f"@pytest.mark.{mark}{JUDGE.format(milliseconds)}")
    assert ended.verdicts == {"A2.p99": verdict}
    assert ended.status == {"PASS": 0, "FAIL": 1, "INCONCLUSIVE": 10}[verdict]


def test_xfail_does_not_launder_a_plain_assertion(judged):
    ended = judged("""
        @pytest.mark.xfail
        @criterion("A2.p99")
        def test_p99(judge):
            assert not "a breach"
        """)
    assert (ended.verdicts, ended.status) == ({"A2.p99": "FAIL"}, 1)


def test_an_xfailed_breach_stops_a_session_that_stops_at_failures(judged):
    ended = judged(
        "@pytest.mark.xfail" + JUDGE.format(300) + JUDGE.format(1).replace("p99", "after", 2), "-x"
    )
    assert ended.verdicts == {"A2.p99": "FAIL", "A2.after": "INCONCLUSIVE"}


def test_what_another_plugin_fails_has_failed(judged, pytester):
    pytester.makeconftest("""
        import pytest

        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_makereport(call):
            report = yield
            if call.when == "call":
                report.outcome, report.longrepr = "failed", "a thread died"
            return report
        """)
    ended = judged(JUDGE.format(1))
    assert (ended.verdicts, ended.status) == ({"A2.p99": "FAIL"}, 1)
    assert ended.criterion("A2.p99")["reason"] == "a thread died"


def test_a_failed_subtest_is_a_failed_criterion(judged):
    ended = judged("""
        @criterion("A2.p99")
        def test_p99(judge, subtests):
            with subtests.test("one"):
                assert False
            judge(p99(1), LIMIT)
        """)
    assert (ended.verdicts, ended.status) == ({"A2.p99": "FAIL"}, 1)


@pytest.mark.parametrize("what", ["assert False", "raise LoadError('k6 died')", "pytest.skip('no k6')"])
def test_a_fixture_that_fails_is_no_failed_criterion(judged, what):
    ended = judged(f"""
        @pytest.fixture(scope="session")
        def load():
            {what}

        @criterion("A2.p99")
        def test_p99(judge, load):
            judge(p99(1), LIMIT)

        @criterion("A2.errors")
        def test_errors(judge, load):
            judge(p99(1), LIMIT)
        """)
    assert (ended.verdicts, ended.status) == ({"A2.p99": "INCONCLUSIVE", "A2.errors": "INCONCLUSIVE"}, 10)
    assert {len(case.findall("error")) for case in ended.cases.values()} == {1}


def test_a_teardown_that_fails_takes_the_pass_but_not_the_value(judged):
    ended = judged("""
        @pytest.fixture
        def fault():
            yield
            raise FaultError("the broker did not come back")

        @criterion("A4.p99")
        def test_p99(judge, fault):
            judge(p99(7), LIMIT)

        @criterion("A4.lost")
        def test_lost(judge, fault):
            judge(p99(300), LIMIT)
        """)
    assert (ended.verdicts, ended.status) == ({"A4.p99": "INCONCLUSIVE", "A4.lost": "FAIL"}, 1)
    entry = ended.criterion("A4.p99")
    assert entry["value"] == pytest.approx(7)
    assert "the broker did not come back" in entry["reason"]
    assert (ended.suite.get("failures"), ended.suite.get("errors")) == ("1", "2")
    assert ended.cases["A4.p99"].find("error").get("type") == "INCONCLUSIVE"


def test_a_load_in_trouble_carries_no_verdict(judged):
    ended = judged("""
        class Load:
            trouble = ("437 iterations dropped", "no request was made")

        class Sound:
            trouble = ()

        @criterion("A2.low")
        def test_low(judge):
            judge(p99(1), LIMIT, load=Load())

        @criterion("A2.high")
        def test_high(judge):
            judge(p99(300), LIMIT, load=[Sound(), Load()])

        @criterion("A2.sound")
        def test_sound(judge):
            judge(p99(1), LIMIT, load=Sound())
        """)
    assert ended.verdicts == {"A2.low": "INCONCLUSIVE", "A2.high": "INCONCLUSIVE", "A2.sound": "PASS"}
    assert ended.criterion("A2.high")["value"] == pytest.approx(300)
    assert "437 iterations dropped; no request was made" in ended.criterion("A2.high")["reason"]


def test_a_criterion_that_is_only_a_budget_does_not_sink_its_requirement(judged):
    ended = judged("""
        @criterion("A2.budget", fail_counts_as="CONDITIONAL")
        def test_budget(judge):
            judge(p99(300), LIMIT)

        @criterion("A2.p99")
        def test_p99(judge):
            judge(p99(1), LIMIT)
        """)
    assert ended.verdict["asrs"] == {"ASR 1": "CONDITIONAL"}
    assert (ended.verdict["verdict"], ended.verdicts["A2.budget"], ended.status) == ("CONDITIONAL", "FAIL", 1)
    assert ended.criterion("A2.budget")["counts_as"] == "CONDITIONAL"


def test_parameters_name_criteria(judged):
    ended = judged("""
        @pytest.mark.parametrize("stage", ["wal", "publish"])
        @criterion("A2.budget-{stage}")
        def test_budget(judge, stage):
            judge(p99(1), LIMIT)
        """)
    assert ended.verdicts == {"A2.budget-wal": "PASS", "A2.budget-publish": "PASS"}


@pytest.mark.parametrize(
    ("marks", "said"),
    [
        ('@pytest.mark.criterion("A2.p99")', "experiment"),
        ('@pytest.mark.criterion("A2.p99", "A2", limit=3)', "limit"),
        ('@pytest.mark.criterion("A2.p99", "A2", fail_counts_as="PASS")', "must be one of"),
        ('@pytest.mark.criterion("A2.{stage}", "A2")', "stage"),
        ('@pytest.mark.criterion("", "A2")', "not empty"),
        (
            '@pytest.mark.criterion("A2.p99", "A2")\n@pytest.mark.criterion("A2.mean", "A2")',
            "one test judges one criterion",
        ),
        ('@pytest.mark.parametrize("n", [1, 2])\n@pytest.mark.criterion("A2.p99", "A2")', "two tests judge"),
    ],
)
def test_a_misused_marker_is_a_usage_error(judged, marks, said):
    argument = ", n" if "parametrize" in marks else ""
    ended = judged(f"{marks}\ndef test_p99(judge{argument}):\n    judge(p99(1), LIMIT)")
    assert ended.status == pytest.ExitCode.USAGE_ERROR
    assert said in ended.text
    assert not (ended.root / "runs").exists()


def test_judge_needs_a_criterion(judged):
    ended = judged("""
        def test_it(judge):
            judge(p99(1), LIMIT)
        """)
    assert ended.status == 1
    assert "nothing to judge for" in ended.text


def test_once_runs_a_load_once_and_its_failure_too(judged):
    ended = judged("""
        calls = []

        def produce():
            calls.append("load")
            raise LoadError(f"k6 died, try {len(calls)}")

        @criterion("A2.a")
        def test_a(judge, run):
            run.once("fine", lambda: calls.append("fine"))
            run.once("a2", produce)

        @criterion("A2.b")
        def test_b(judge, run):
            run.once("fine", lambda: calls.append("fine"))
            run.once("a2", produce)

        def test_calls():
            assert calls == ["fine", "load"]
        """)
    assert {entry["reason"] for entry in ended.verdict["criteria"]} == {"k6 died, try 2"}
    assert ended.status == 10
