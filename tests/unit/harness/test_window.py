from __future__ import annotations

import math

import pytest

from verdict_harness.errors import Inconclusive, UsageError
from verdict_harness.figures import clock
from verdict_harness.samples import Window


def test_points_are_counted_in_whole_milliseconds():
    assert Window(0.0, 0.3).points(0.1) == 4
    assert Window(100.0, 400.0).points(5) == 61
    assert Window(100.0, 404.999).points(5) == 61
    assert Window(0.0, 1.0).points(5) == 1


def test_skip_drops_the_beginning():
    assert Window(1000.0, 1300.0).skip(30) == Window(1030.0, 1300.0)


def test_nothing_left_is_inconclusive_and_not_an_empty_window():
    with pytest.raises(Inconclusive, match="nothing is left") as caught:
        Window(0.0, 30.0).skip(30)
    assert caught.value.expected == "more than 30 s"


@pytest.mark.parametrize(
    ("start", "end"), [(5.0, 5.0), (6.0, 5.0), (0.0, 0.0001), (math.nan, 5.0), (0.0, math.inf)]
)
def test_only_a_stretch_of_time_is_a_window(start, end):
    with pytest.raises(UsageError):
        Window(start, end)


def test_clock_is_utc_whatever_the_zone(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert clock(0.0) == "00:00:00Z"
