"""A trial's questions that are answered without Prometheus."""

from unittest.mock import Mock

from verdict_harness.loads import Load, Trial
from verdict_harness.samples import Empty, Partial, Window, exact


def trial(**fields):
    window = Window(1010.0, 1030.0)
    load = Load("l", "t", "s", 990, 1031, window, 0, 0, 100, 100, 0, 0.0, **fields)
    record = {"load": load.to_json(), "settle": 10.0, "whole": [985, 1036], "prometheus": "http://x"}
    return Trial({**record, "scraped": []}, None)


def test_a_part_is_of_the_judged_seconds_and_an_entire_load_of_all():
    whole = trial()
    assert whole.part(0, 15).window == Window(1010.0, 1015.0), "the settling time is left out"
    assert whole.part(20).window == Window(1020.0, 1030.0)
    assert whole.entire.part(0, 15).window == Window(1000.0, 1015.0)


def test_a_load_that_ended_before_it_was_to_be_judged_began_when_it_did():
    assert trial().began == 1000.0, "an older record: the settling time before its window"
    ended = trial(began=1010.0)
    assert ended.began == 1010.0
    assert ended.part(0, 5).window == Window(1010.0, 1015.0)
    assert "began" not in trial().load.to_json()


def test_what_k6_could_not_hand_over_speaks_against_its_own_series_alone():
    torn = trial(unpushed="k6 could not hand its samples over 1 times")
    torn._prometheus = Mock()
    for ask in (torn.over, torn.final, torn.afterwards):
        assert isinstance(ask("sum(k6_http_reqs_total)"), Partial)
        assert not isinstance(ask("sum(me_matches_total)"), Partial)


def test_what_rests_on_a_target_that_was_down_is_not_known():
    """An expression may hide that one of its series is missing."""
    load = Load("l", "t", "s", 990, 1031, Window(1010.0, 1030.0), 0, 0, 100, 100, 0, 0.0)
    held = Trial(
        {"load": load.to_json(), "settle": 0.0, "whole": [985, 1036], "prometheus": "x", "scraped": []}, None
    )
    held._down = tuple(held._targets([]))
    figure = exact("memory", 1.0, at=0.0, n=9)
    held._prometheus = Mock()
    held._prometheus.each.return_value = {"a": figure, "b": Empty("memory", "no series")}
    held._prometheus.over.return_value = figure
    assert held.each("memory", "shard", "ab") == {"a": figure, "b": Empty("memory", "no series")}
    assert held.over("memory") is figure
    held._prometheus.target_trouble.side_effect = ["", "was down at 12:00"]
    held._down = tuple(held._targets(["engine", "gateway"]))
    found = held.each("memory", "shard", "ab")
    assert found["a"] == Partial("memory", "target gateway: was down at 12:00")
    assert found["b"] == Empty("memory", "no series"), "it says itself why there is none"
    assert held.over("memory") == found["a"]
