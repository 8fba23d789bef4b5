"""What needs a container engine says so in one line where there is none, and ``--require-docker`` minds."""

from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[2] / "conftest.py"
TESTS = """
    import pytest

    def test_without():
        pass

    @pytest.mark.parametrize("number", range(3))
    def test_with(container_engine, number):
        raise AssertionError("there is no engine")

    def test_a_tool(can_not_be_had):
        can_not_be_had("there is no kubectl:\\n  it was not found")
"""


@pytest.fixture(autouse=True)
def _no_engine(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    # short, wherever pytest has its directories: a path of more than 107 bytes is another error
    monkeypatch.setenv("DOCKER_HOST", "unix:///nobody.sock")
    pytester.makeconftest(CONFTEST.read_text())
    pytester.makepyfile(TESTS)


def session(pytester: pytest.Pytester, *words: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess("-ra", "-p", "no:verdict-harness", "-p", "no:randomly", *words)


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "workers"])
def test_what_needs_an_engine_is_skipped_and_counted_with_one_line(
    pytester: pytest.Pytester, words: tuple[str, ...]
) -> None:
    result = session(pytester, *words)
    result.assert_outcomes(passed=1, skipped=4)
    lines = [line for line in result.outlines if line.startswith("SKIPPED")]
    (engine,) = [line for line in lines if "no container engine answers" in line]
    (tool,) = [line for line in lines if "there is no kubectl: it was not found; --require-docker" in line]
    assert engine.startswith("SKIPPED [3]")
    assert "nobody.sock" in engine or "No such file" in engine
    assert engine.endswith("--require-docker makes this a failure")
    assert tool.startswith("SKIPPED [1]")
    assert result.ret == 0


def test_it_fails_where_an_engine_is_required(pytester: pytest.Pytester) -> None:
    result = session(pytester, "--require-docker")
    result.assert_outcomes(passed=1, errors=3, failed=1)
    result.stdout.fnmatch_lines(["*--require-docker: no container engine answers: *"])
    result.stdout.fnmatch_lines(["*--require-docker: there is no kubectl: it was not found"])
    assert result.ret == 1
