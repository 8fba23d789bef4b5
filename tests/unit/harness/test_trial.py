"""A trial's questions that are answered without Prometheus."""

from unittest.mock import Mock

from verdict_harness.loads import Load, Trial
from verdict_harness.samples import Empty, Partial, Window, exact


def trial(**fields):
    window = Window(1010.0, 1030.0)
    load = Load("l", "t", "s", 990, 1031, window, 0, 0, 100, 100, 0, 0.0, **fields)
    record = {"load": load.to_json(), "settle": 10.0, "whole": [985, 1036], "prometheus": "http://x"}
    return Trial({**record, "scraped": []}, None)


def test_the_pace_of_a_part():
    whole = trial(begun=(4,) * 30, succeeded=(4,) * 20 + (1,) * 10)
    assert (whole.pace().value, whole.pace("begun").value) == (2.5, 4)
    assert whole.part(20).pace() == exact(
        "k6 raw samples of l: succeeded in seconds 20 to 30", 1, 1030.0, n=10
    )
    assert whole.part(0, 15).pace().value == 4, "the settling time is left out"
    assert whole.entire.part(0, 15).window == Window(1000.0, 1015.0)


def test_a_pace_of_nothing_is_no_number():
    assert isinstance(trial().pace(), Empty)
    assert isinstance(trial(begun=(4,) * 30).pace(), Empty)


def test_seconds_that_are_missing_count_as_nothing():
    assert trial(succeeded=(4,) * 20).pace().value == 2


def test_what_k6_could_not_hand_over_speaks_against_its_own_series_alone():
    torn = trial(unpushed="k6 could not hand its samples over 1 times")
    torn._prometheus = Mock()
    for ask in (torn.over, torn.final, torn.afterwards, lambda query: torn.at(query, 1.0)):
        assert isinstance(ask("sum(k6_http_reqs_total)"), Partial)
        assert not isinstance(ask("sum(me_matches_total)"), Partial)
