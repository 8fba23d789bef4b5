"""Beside other plugins: they see what a criterion came to, keep their words, and their gates hold."""

import json

import pytest

CRITERIA = """
@criterion("A2.met")
def test_met(judge): judge(p99(1), LIMIT)

@criterion("A2.missed")
def test_missed(judge): judge(p99(300), LIMIT)

@criterion("A2.unknown")
def test_unknown(judge): judge(Empty("up", "no series"), LIMIT)

@criterion("A2.broke")
def test_broke(judge): raise ZeroDivisionError

@pytest.mark.xfail
@criterion("A2.expected")
def test_expected(judge): judge(p99(300), LIMIT)

@criterion("A2.asserted-in-vain")
def test_asserted(judge):
    judge(p99(300), LIMIT)
    raise KeyError("after it was missed")
"""
WATCHER = """
import json, pathlib, pytest

seen = {}

@pytest.hookimpl(wrapper=True%s)
def pytest_runtest_makereport(item, call):
    report = yield
    if call.when == "call":
        kind = "assertion" if call.excinfo and call.excinfo.errisinstance(AssertionError) else (
            "error" if call.excinfo else "")
        seen[item.name] = report.outcome, kind, hasattr(report, "wasxfail")
    return report

def pytest_sessionfinish():
    pathlib.Path("seen.json").write_text(json.dumps(seen))
"""


@pytest.mark.parametrize("order", ["", ", tryfirst=True", ", trylast=True"])
def test_others_see_what_it_is(judged, pytester, order):
    pytester.makeconftest(WATCHER % order)
    ended = judged(CRITERIA)
    assert ended.status == 1
    assert json.loads((ended.root / "seen.json").read_text()) == {
        "test_met": ["passed", "", False],
        "test_missed": ["failed", "assertion", False],
        "test_unknown": ["failed", "error", False],
        "test_broke": ["failed", "error", False],
        "test_expected": ["failed", "assertion", False],
        "test_asserted": ["failed", "assertion", False],
    }


def test_nobody_turns_a_fail_into_a_pass(judged, pytester):
    pytester.makeconftest("""
        import pytest

        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_makereport():
            report = yield
            report.outcome = "passed"
            return report
        """)
    ended = judged(CRITERIA)
    assert ended.status == 1
    assert "3 failed, 1 passed, 2 inconclusive" in ended.text
    assert len([tag for case in ended.cases.values() for tag in case if tag.tag != "properties"]) == 5


@pytest.fixture
def installed(pytester, monkeypatch):
    """Install a plugin, as pip would: one that an entry point names."""

    def go(name, source):
        (pytester.path / "site").mkdir(exist_ok=True)
        (pytester.path / "site" / f"{name}.py").write_text(source)
        info = pytester.path / "site" / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[pytest11]\n{name} = {name}\n")
        monkeypatch.syspath_prepend(pytester.path / "site")
        monkeypatch.setenv("PYTHONPATH", str(pytester.path / "site"))

    return go


OTHER = """
import pytest

def pytest_addoption(parser):
    parser.getgroup("other").addoption("--profile", action="store_true", help="write a profile")

@pytest.fixture
def backend():
    return "of another plugin"
"""


@pytest.mark.parametrize("early", [True, False])
def test_words_that_another_plugin_has_are_its_own(judged, installed, pytester, early):
    installed("a_profiler", OTHER)
    source = """
        @criterion("A2.p99")
        def test_p99(judge, run, backend, verdict_backend, pytestconfig):
            assert backend == "of another plugin"
            assert verdict_backend != backend
            assert pytestconfig.getoption("--profile") is True
            assert run.profile == "quick"
            judge(p99(1), LIMIT)
        """
    pytester.makepyfile(test_it="")
    words = ("-p", "verdict-harness") if early else ()
    ended = judged(source, *words, "--profile", "--verdict-profile=quick", "--backend=external")
    assert (ended.status, ended.verdicts) == (0, {"A2.p99": "PASS"}), ended.text
    assert (ended.verdict["profile"], ended.verdict["backend"]) == ("quick", "external")


def test_a_word_that_another_plugin_told_argparse_itself_is_its_own(judged, installed):
    adds = 'parser.optparser.add_argument("--profile", action="store_true")'
    installed("a_loner", f"def pytest_addoption(parser): {adds}")
    ended = judged(
        """
        @criterion("A2.p99")
        def test_p99(judge, run, pytestconfig):
            assert pytestconfig.option.profile is True
            judge(p99(1), LIMIT)
        """,
        "--profile",
        "--verdict-profile=quick",
    )
    assert (ended.status, ended.verdicts) == (0, {"A2.p99": "PASS"}), ended.text
    assert ended.verdict["profile"] == "quick"


def test_a_plugin_that_was_not_asked_for_stays_away(pytester, installed, monkeypatch):
    installed("a_profiler", OTHER)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(
        test_it="def test_it(pytestconfig):\n    assert not pytestconfig.getoption('--profile')"
    )
    done = pytester.runpytest_subprocess("-p", "verdict-harness")
    assert (done.ret, "a_profiler" in done.stdout.str()) == (0, False)
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    done = pytester.runpytest_subprocess("-p", "verdict-harness", "--disable-plugin-autoload")
    assert (done.ret, "a_profiler" in done.stdout.str()) == (0, False)


def test_short_words_work_where_nobody_has_them(judged):
    source = """
        @criterion("A2.p99")
        def test_p99(judge, run, verdict_run, backend, verdict_backend, verdict_judge):
            assert (run, backend, judge) == (verdict_run, verdict_backend, verdict_judge)
            assert run.quick
            judge(p99(1), LIMIT)
        """
    assert judged(source, "--profile", "quick").status == 0
    assert judged("", "--verdict-profile", "quick").status == 0


COVERAGE = """
@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session):
    found = yield
    session.testsfailed += 1
    return found
"""
STATUS = """
def pytest_sessionfinish(session):
    session.exitstatus = 77
"""


@pytest.mark.parametrize(("gate", "status"), [(COVERAGE, 1), (STATUS, 77)])
@pytest.mark.parametrize("milliseconds", [1, 300])
def test_the_gate_of_another_plugin_keeps_its_status(judged, pytester, gate, status, milliseconds):
    pytester.makeconftest(f"import pytest\n{gate}")
    ended = judged(f"""
        @criterion("A2.p99")
        def test_p99(judge): judge(p99({milliseconds}), LIMIT)

        @criterion("A2.unknown")
        def test_unknown(judge): judge(Empty("up", "no series"), LIMIT)
        """)
    assert ended.status == status
    assert ended.verdict["verdict"] == ("INCONCLUSIVE" if milliseconds == 1 else "FAIL")


def test_subtests_are_parts(judged):
    ended = judged("""
        @criterion("A2.met")
        def test_met(judge, subtests):
            for milliseconds in (1, 2):
                with subtests.test(milliseconds=milliseconds):
                    judge(p99(milliseconds), LIMIT)

        @criterion("A2.missed")
        def test_missed(judge, subtests):
            for milliseconds in (1, 300):
                with subtests.test(milliseconds=milliseconds):
                    judge(p99(milliseconds), LIMIT)

        @criterion("A2.asserted")
        def test_asserted(judge, subtests):
            judge(p99(1), LIMIT)
            with subtests.test("one"):
                assert False, "not so"

        @criterion("A2.broke")
        def test_broke(judge, subtests):
            judge(p99(1), LIMIT)
            with subtests.test("one"):
                raise LoadError("k6 died")

        @criterion("A2.none")
        def test_none(judge, subtests):
            with subtests.test("one"):
                pass
        """)
    assert ended.verdicts == {
        "A2.met": "PASS",
        "A2.missed": "FAIL",
        "A2.asserted": "FAIL",
        "A2.broke": "INCONCLUSIVE",
        "A2.none": "INCONCLUSIVE",
    }
    assert ended.status == 1
    assert "not so" in ended.criterion("A2.asserted")["reason"]
    assert "k6 died" in ended.criterion("A2.broke")["reason"]
    tags = {name: [child.tag for child in case][1:] for name, case in ended.cases.items()}
    assert (tags["A2.met"], tags["A2.missed"], tags["A2.broke"]) == ([], ["failure"], ["error"])
