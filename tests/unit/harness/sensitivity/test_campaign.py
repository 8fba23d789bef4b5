"""Many defects: what was seen is kept and not seen again, a sample keeps to its time, an end is in order."""

import dataclasses
import threading
import time

import pytest

from verdict_harness.errors import UsageError
from verdict_harness.processes import Cancelled
from verdict_harness.sensitivity import Defect, Patch, campaign
from verdict_harness.sensitivity.campaign import Campaign
from verdict_harness.sensitivity.records import Origin, Records, origin
from verdict_harness.sensitivity.run import Project
from verdict_harness.sensitivity.seeing import Outcome, Seen, broken

NOW = Origin("source", "abc", {"cores": 2})


def defect(name, kind="shop", **more):
    return Defect(name, kind, "It is dear.", (), "", fails=["S.price"], **more)


DEFECTS = [defect(f"d{number}") for number in range(6)]


def caught(took=10.0):
    return Seen(Outcome.CAUGHT, "", took / 2, took, {"S.price": "FAIL"})


@pytest.fixture(autouse=True)
def said(monkeypatch):
    said = []
    monkeypatch.setattr("verdict_harness.sensitivity.campaign.progress.say", said.append)
    monkeypatch.setattr("verdict_harness.sensitivity.campaign._REFRESH", 0.01)
    return said


@pytest.fixture
def made(tmp_path):
    """A campaign with a stand-in for the runs, by name of the defect; and the names that were tried."""

    def make(results=None, **more):
        tried = []

        def attempt(one, _project, cancelled, _evidence):
            tried.append(one.name)
            result = (results or {}).get(one.name, caught())
            return result(cancelled) if callable(result) else result

        records = Records(tmp_path / "seen", more.pop("now", NOW))
        return Campaign(Project(tmp_path), records, attempt=attempt, **more), tried

    return make


def test_all_are_tried_and_kept(made, said):
    made_here, tried = made({"d1": Seen(Outcome.MISSED, "S.price is PASS,\nand has to FAIL", None, 7.0)})
    made_here.go(DEFECTS)
    assert tried == [one.name for one in DEFECTS]
    record = made_here.records.of(DEFECTS[0])
    assert (record.seen, record.current, record.origin) == (caught(), True, NOW)
    assert "missed  d1, S.price is PASS, and has to FAIL" in said
    assert "caught  d0, noticed after 5 s" in said


def test_it_goes_on_where_it_was(made):
    first, _ = made({"d1": broken("no k6"), "d2": Seen(Outcome.MISSED, "PASS", None, 1.0)})
    first.go(DEFECTS[:3])
    second, tried = made()
    second.go(DEFECTS[:4])
    assert tried == ["d1", "d3"], "of what is broken nothing is known"
    third, tried = made()
    third.go(DEFECTS[:4], again=True)
    assert tried == ["d0", "d1", "d2", "d3"]


def test_what_was_seen_of_something_else_is_not_known(made):
    first, _ = made()
    first.go(DEFECTS[:2])
    second, tried = made(now=dataclasses.replace(NOW, source="other"))
    assert second.records.of(DEFECTS[0]).current is False
    second.go(DEFECTS[:1])
    assert tried == ["d0"]
    third, tried = made()
    other = dataclasses.replace(DEFECTS[1], plants=[Patch("a", "b", "c")])
    third.go([DEFECTS[1], other])
    assert tried == ["d1"], "the defect has changed"


def test_what_was_seen_of_a_project_that_changes_meanwhile_is_not_kept(made, tmp_path):
    (tmp_path / "shop.py").write_text("PRICE = 1\n")
    now = origin(Project(tmp_path))

    def changed(_):
        (tmp_path / "shop.py").write_text("PRICE = 2\n")
        return caught()

    here, tried = made({"d1": changed}, now=now)
    here.records = Records(tmp_path / "runs", now, lambda: origin(Project(tmp_path)))
    with pytest.raises(UsageError, match="the project has changed since this began"):
        here.go(DEFECTS[:3])
    assert tried == ["d0", "d1"]
    assert [one.seen.outcome for one in map(here.records.of, DEFECTS[:2]) if one] == [Outcome.CAUGHT]


def test_a_file_that_can_not_be_read_is_nothing_seen(made):
    here, _ = made()
    here.go(DEFECTS[:1])
    (here.records.folder / "d0.json").write_text('{"seen": ')
    assert here.records.of(DEFECTS[0]) is None


def test_several_at_once(made):
    together = threading.Barrier(3, timeout=30)

    def met(_):
        together.wait()
        return caught()

    here, tried = made(dict.fromkeys(["d0", "d1", "d2"], met), at_once=3)
    here.go(DEFECTS[:3])
    assert sorted(tried) == ["d0", "d1", "d2"]


def test_an_interrupt_ends_what_runs_and_keeps_what_was_seen(made, monkeypatch, said):
    def until_cancelled(cancelled):
        assert cancelled.wait(30)
        raise Cancelled("pytest was cancelled")

    here, tried = made({"d1": until_cancelled})
    wait = campaign.wait

    def interrupted(*words):
        if len(tried) == 2:
            raise KeyboardInterrupt
        return wait(*words)

    monkeypatch.setattr(campaign, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        here.go(DEFECTS)
    assert tried == ["d0", "d1"]
    assert here.records.of(DEFECTS[0]).seen.outcome is Outcome.CAUGHT
    assert here.records.of(DEFECTS[1]) is None
    assert "ending in order: what was seen is kept" in said


def test_what_can_not_be_copied_is_broken_and_the_others_are_tried(made):
    def fails(_):
        raise OSError(28, "No space left on device")

    here, tried = made({"d0": fails})
    here.go(DEFECTS[:2])
    assert tried == ["d0", "d1"]
    assert "No space left" in here.records.of(DEFECTS[0]).seen.why


def test_what_breaks_the_campaign_is_raised(made):
    def fails(_):
        raise ZeroDivisionError

    here, _ = made({"d0": fails})
    with pytest.raises(ZeroDivisionError):
        here.go(DEFECTS[:2])


def test_none_is_begun_that_would_not_be_over_in_time(made, said):
    here, tried = made(seconds=100.0)
    for one, took in zip(DEFECTS, (90.0, 110.0, 90.0), strict=False):
        here.records.keep(one, caught(took))
    here.go(DEFECTS[:3], again=True)
    assert tried == ["d0", "d2"]
    assert "not begun: d1, it would not be over in time" in said


def test_the_state_says_what_runs_and_what_is_left(made):
    here, _ = made(at_once=2)
    here._running = {"d0": time.monotonic() - 20}
    here._outcomes = [Outcome.CAUGHT, Outcome.MISSED, Outcome.CAUGHT]
    state = here._state(DEFECTS[1:3], {"d0": 50.0, "d1": 60.0, "d2": 70.0}, 6)
    assert state == "3 of 6, 2 caught, 1 missed; d0 since 20 s; about 80 s left"


def test_a_sample_changes_with_the_seed_and_keeps_to_its_time():
    takes = {one.name: 100.0 + index for index, one in enumerate(DEFECTS)}
    samples = {seed: campaign.sampled(DEFECTS, seed, 320.0, takes) for seed in "abcdefgh"}
    assert all(sum(takes[one.name] for one in sample) <= 320 for sample in samples.values())
    assert {len(sample) for sample in samples.values()} == {3}
    assert len({tuple(one.name for one in sample) for sample in samples.values()}) > 1
    assert campaign.sampled(DEFECTS[::-1], "a", 320.0, takes) == samples["a"], "whatever their order"


def test_what_was_not_seen_is_expected_to_take_as_long_as_others(made):
    here, _ = made()
    assert set(campaign.expected(DEFECTS, here.records).values()) == {60.0}
    here.records.keep(DEFECTS[0], caught(30.0))
    here.records.keep(DEFECTS[1], caught(50.0))
    here.records.keep(DEFECTS[2], broken("an anchor is gone"))
    assert list(campaign.expected(DEFECTS, here.records).values()) == [30.0, 50.0, 40.0, 40.0, 40.0, 40.0]


def test_some_are_chosen_by_name_or_kind():
    other = defect("slow", "gateway")
    assert campaign.chosen([*DEFECTS, other], ["gate"]) == [other]
    assert campaign.chosen([*DEFECTS, other], ["d1", "slow"]) == [DEFECTS[1], other]
    assert campaign.chosen(DEFECTS, []) == DEFECTS
    with pytest.raises(UsageError, match="no defect was chosen"):
        campaign.chosen(DEFECTS, ["nothing"])
    with pytest.raises(UsageError, match="two defects have one name"):
        campaign.chosen([*DEFECTS, defect("d0", "other")], [])


def test_an_origin_is_of_the_source_and_the_words(tmp_path):
    (tmp_path / "shop.py").write_text("PRICE = 1\n")
    first = origin(Project(tmp_path))
    assert first.machine["cores"] >= 1
    assert origin(Project(tmp_path)) == first
    assert origin(Project(tmp_path, words=("--profile", "full"))).source != first.source
    (tmp_path / "shop.py").write_text("PRICE = 2\n")
    assert origin(Project(tmp_path)).source != first.source
