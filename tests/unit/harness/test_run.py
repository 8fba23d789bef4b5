import traceback

import pytest

from verdict_harness.errors import LoadError
from verdict_harness.record import Run, Watched


@pytest.fixture
def run(tmp_path):
    return Run(Watched.create(tmp_path, profile="quick", backend="external", argv=["x"]), keep=True)


def test_a_run_is_what_its_evidence_says(run, tmp_path):
    assert (run.profile, run.backend, run.quick, run.keep) == ("quick", "external", True, True)
    assert run.directory == tmp_path / run.run_id
    assert not run.replaying
    run.evidence.seal()
    again = Run(Watched.replay(run.directory))
    assert (again.profile, again.backend, again.replaying, again.keep) == ("quick", "external", True, False)


def test_once_asks_once_for_each_name(run):
    asked = []

    def produce(what):
        asked.append(what)
        return {"what": what}

    first = run.once("a", lambda: produce(1))
    assert run.once("a", lambda: produce(2)) is first
    assert run.once("b", lambda: produce(3)) == {"what": 3}
    assert run.once("none", lambda: asked.append("none")) is None
    assert run.once("none", lambda: asked.append("none")) is None
    assert asked == [1, 3, "none"]


def test_once_keeps_failures_with_their_traceback(run):
    tries = []

    def produce():
        tries.append("try")
        raise LoadError("k6 died")

    lengths = set()
    for _ in range(3):
        with pytest.raises(LoadError, match="k6 died") as caught:
            run.once("a", produce)
        lengths.add(len(traceback.extract_tb(caught.value.__traceback__)))
    assert tries == ["try"]
    assert max(lengths) - min(lengths) <= 1  # it does not grow with each criterion


def test_once_does_not_keep_an_interrupt(run):
    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.once("a", interrupt)
    assert run.once("a", lambda: 1) == 1


def test_watching_names_the_files_of_facts(run):
    run.evidence.fact("before", lambda: 1)
    assert run.evidence.watch() == ()
    run.evidence.fact("p99 of all", lambda: 1)
    run.evidence.fact("p99 of all", lambda: 1)
    run.evidence.fact("before", lambda: 1)
    files = run.evidence.watch()
    assert [name.split("-")[0] for name in files] == ["facts/p99", "facts/before"]
    assert all((run.directory / name).exists() for name in files)
    assert run.evidence.watch() == ()


def test_a_machine_that_nobody_described_has_one_core(run, monkeypatch):
    assert run.cores >= 1
    for told in ({}, {"machine": "?"}, {"machine": {"cores": "many"}}):
        monkeypatch.setattr(type(run.evidence), "run", told)
        assert run.cores == 1
