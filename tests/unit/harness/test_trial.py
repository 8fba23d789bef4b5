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


def asked(of, answer=None):
    """Let Prometheus say ``answer`` to whatever a trial asks; return what it is asked."""
    of._prometheus = Mock(instant=Mock(return_value=answer))
    return of._prometheus.instant.call_args_list


def test_an_expression_is_asked_at_the_end_of_the_window_with_its_length_and_the_loads_tag():
    part = trial().part(0, 25)
    questions = asked(part, exact("q", 3.0, 1025.0, n=1))
    assert part.promql('increase(k6_x{testid="$testid"}[$window])').value == 3.0
    assert [tuple(one.args) for one in questions] == [('increase(k6_x{testid="t"}[15s])', 1025.0)]


def test_what_is_absent_is_handed_on_as_that():
    none = Empty("me:x", "no such series")
    of = trial()
    asked(of, none)
    assert of.promql("me:x") is none


def test_what_k6_could_not_hand_over_speaks_against_its_own_series_alone():
    torn = trial(unpushed="k6 could not hand its samples over 1 times")
    asked(torn, exact("q", 3.0, 1030.0, n=1))
    found = torn.promql("sum(k6_http_reqs_total)")
    assert (type(found), found.reason) == (Partial, "k6 could not hand its samples over 1 times")
    assert torn.promql("sum(me_matches_total)").value == 3.0


def test_a_target_that_was_down_may_hide_in_any_expression():
    lame = trial()
    lame._down = ("target me-shard-a: down at 00:17:00Z (1 scrapes failed)",)
    asked(lame, exact("q", 3.0, 1030.0, n=1))
    found = lame.promql("sum(me_matches_total)")
    assert (type(found), found.reason) == (Partial, lame._down[0])
