"""One defect in a real session: caught, missed, or broken, and never caught by a run that was none."""

import threading

import pytest

from verdict_harness.processes import Cancelled
from verdict_harness.sensitivity import RUN, Defect, Patch, Variable, run
from verdict_harness.sensitivity.seeing import Outcome

DEAR = Patch("shop.py", "PRICE = 0.1", "PRICE = 0.3")
TEST = "criteria/test_shop.py"


def defect(*plants, fails=("S.price",), **more):
    return Defect("dear", "shop", "It is dear.", plants, "shop", fails=fails, **more)


def test_what_fails_is_caught_and_what_holds_is_seen(project, tmp_path):
    seen = run.run(defect(DEAR, holds=["S.wait"]), project, evidence=tmp_path / "kept")
    assert (seen.outcome, seen.why) == (Outcome.CAUGHT, "")
    assert seen.verdicts == {"S.price": "FAIL", "S.wait": "PASS"}
    assert 0 < seen.noticed < seen.took
    assert (project.root / "shop.py").read_text().startswith("PRICE = 0.1")
    assert not (project.root / "runs").exists()
    assert {"verdict.json", "said.txt", "report.html"} <= {one.name for one in (tmp_path / "kept").iterdir()}


def test_what_nothing_notices_is_missed(project):
    harmless = Patch("shop.py", "PRICE = 0.1", "PRICE = 0.11")
    seen = run.run(defect(harmless, turns=["S.wait"]), project)
    assert (seen.outcome, seen.noticed) == (Outcome.MISSED, None)
    assert seen.why == "S.price is PASS, and has to FAIL; S.wait is PASS, and has to turn"


def test_a_variable_reaches_the_session(project):
    (project.root / "shop.py").write_text("import os\nPRICE = float(os.environ.get('PRICE', '0.1'))\n")
    with (project.root / "shop.py").open("a") as file:
        file.write("def price():\n    return PRICE\n\n\ndef wait():\n    return 0.01\n")
    assert run.run(defect(Variable("PRICE", "0.3")), project).outcome is Outcome.CAUGHT


def test_a_bystander_that_turns_tells_that_something_else_was_broken(project):
    both = Patch("shop.py", "return 0.01", "return 0.4")
    seen = run.run(defect(DEAR, both, holds=["S.wait"]), project)
    assert (seen.outcome, seen.why) == (Outcome.BROKEN, "a bystander turned: S.wait is FAIL")


@pytest.mark.parametrize(
    ("plants", "why"),
    [
        ([Patch("shop.py", "PRICE = 9", "PRICE = 10")], "the code has moved"),
        ([Patch("shop.py", "PRICE = 0.1", "import nowhere")], "the session ended with status"),
        ([DEAR, Patch(TEST, "run.evidence.fact(name, value)", "nowhere")], "nothing was run"),
    ],
)
def test_a_run_that_never_began_has_caught_nothing(project, plants, why):
    seen = run.run(defect(*plants, fails=(), turns=["S.price"]), project)
    assert (seen.outcome, seen.noticed) == (Outcome.BROKEN, None)
    assert why in seen.why


def test_a_session_that_does_not_end_is_broken(project):
    stuck = Patch("shop.py", "    return PRICE", "    import time\n    time.sleep(60)")
    seen = run.run(defect(stuck), run.Project(project.root, "criteria", patience=3.0))
    assert seen.outcome is Outcome.BROKEN
    assert "did not end within 3 s" in seen.why


def test_a_criterion_that_the_run_does_not_have_tells_nothing(project):
    seen = run.run(defect(DEAR, holds=["S.other"]), project)
    assert (seen.outcome, seen.why) == (Outcome.BROKEN, "not judged in this run: S.other")


def test_a_run_that_is_not_whole_says_so(project):
    deleted = Patch(TEST, '@pytest.mark.criterion("S.wait", "S", asr="The shop")\ndef test_wait', "def no")
    seen = run.run(defect(deleted, fails=(), turns=[RUN], holds=["S.price"]), project)
    assert (seen.outcome, seen.verdicts) == (Outcome.CAUGHT, {"S.price": "PASS", RUN: "INCONCLUSIVE"})
    left_out = ("--deselect", f"{TEST}::test_wait")
    seen = run.run(defect(fails=(), turns=[RUN], words=left_out), project)
    assert (seen.outcome, seen.verdicts) == (Outcome.CAUGHT, {"S.price": "PASS", RUN: "INCONCLUSIVE"})
    unlisted = Patch("criteria/requirements.toml", ', "S.wait"]', "]")
    seen = run.run(defect(deleted, unlisted, fails=(), turns=[RUN]), project)
    assert (seen.outcome, seen.why) == (Outcome.MISSED, "run is PASS, and has to turn")


@pytest.mark.parametrize(
    ("plant", "outcome", "why"),
    [
        (Patch(TEST, "shop.price), Below(200", "shop.price), Below(2000"), Outcome.CAUGHT, ""),
        (
            Patch("runs/latest/verdict.json", '"limit": "< 200 ms"', '"limit": "< 2 s"'),
            Outcome.BROKEN,
            "4 times",
        ),
        (Patch("runs/latest/run.json", '"profile": "quick"', '"profile": "full"'), Outcome.CAUGHT, ""),
        (Patch("shop.py", "PRICE = 0.1", "PRICE = 0.2"), Outcome.MISSED, "run is PASS, and has to turn"),
        (Patch(TEST, "import shop", "import nowhere"), Outcome.BROKEN, "it could not be judged again"),
    ],
)
def test_what_people_do_later_is_found_when_the_run_is_judged_again(project, plant, outcome, why):
    seen = run.run(defect(plant, fails=(), turns=[RUN], later=True), project)
    assert seen.outcome is outcome, seen.why
    assert why in seen.why


def test_what_turns_before_it_is_planted_is_no_proof(project):
    (project.root / "shop.py").write_text((project.root / "shop.py").read_text().replace("0.1", "0.3"))
    loosened = Patch(TEST, "shop.price), Below(200", "shop.price), Below(250")
    seen = run.run(defect(loosened, later=True), project)
    assert (seen.outcome, seen.why) == (Outcome.BROKEN, "it turned before anything was planted: S.price")


def test_it_can_be_cancelled(project):
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(Cancelled):
        run.run(defect(DEAR), project, cancelled)


def test_nothing_planted(project):
    ended = run.sound("shop", project)
    assert (ended.unsound, ended.verdicts) == ("", {"S.price": "PASS", "S.wait": "PASS"})
