"""Figures of a load: shown under their names, absent with the reason, asked together and beside all else."""

import math

import pytest

from tests.recorded import START, WINDOW, Recorded, evenly
from verdict_harness.errors import EvidenceError
from verdict_harness.loads import Figure, Figures, Found, ServerSide, figures_of
from verdict_harness.loads.server import Watched
from verdict_harness.samples import Empty, Estimate, Failed, Window, count, exact, ms, per_minute

WHOLE = Window(START - 10, START + 305)


class Seen(ServerSide):
    """A load as a Prometheus saw it."""

    def __init__(self, prometheus):
        self.window, self.whole = WINDOW, WHOLE
        self.ended, self._prometheus = WINDOW.end, prometheus
        self.watched = Watched(prometheus, WHOLE, {}, "orders")


def record():
    prometheus = Recorded(one=None, two=None).observe("lat_seconds", evenly(0.003), job="one")
    return prometheus.add("done_total", [85 * i for i in range(61)], job="two")


RATE = Figure("done/min", "", per_minute, lambda seen: seen.server.rate("done_total", per=60))
P99 = Figure("latency, p99", "one", ms, lambda seen: seen.server.quantile(0.99, "lat_seconds"))
TOTAL = Figure("done", "", count, lambda seen: seen.totals.growth("done_total"))
METRICS = ("done_total", "lat_seconds_bucket")


def test_they_have_names_units_and_numbers():
    rate, p99, total = figures_of("it", Seen(record()), [RATE, P99, TOTAL], METRICS).found
    assert (rate.name, rate.of, rate.value) == ("done/min", "", pytest.approx(1020))
    assert p99.value == pytest.approx(4.96)
    assert p99.interval == (1.0, 5.0)
    assert total.value == 85 * 60
    assert p99.reason == ""


def test_all_of_them_take_two_questions():
    prometheus = record()
    figures_of("it", Seen(prometheus), [RATE, P99, TOTAL], METRICS)
    metrics, scrapes = prometheus.asked
    assert metrics == '{__name__=~"done_total|lat_seconds_bucket"}'
    assert 'job=~"one|two", instance=~"one:9091|two:9091"' in scrapes


def test_what_is_asked_together_is_what_is_asked_alone():
    together = figures_of("it", Seen(record()), [RATE, P99, TOTAL], METRICS)
    assert together == figures_of("it", Seen(record()), [RATE, P99, TOTAL], ())


def test_failed_scrapes_widen_a_figure_of_their_own_target_alone():
    up = [1] * 50 + [0] * 11
    prometheus = Recorded(one=None).observe("lat_seconds", evenly(0.003), job="one").add("up", up, job="two")
    prometheus.add("done_total", [85 * i if ok else None for i, ok in enumerate(up)], job="two")
    rate, p99 = figures_of("it", Seen(prometheus), [RATE, P99], METRICS).found
    assert "of two at two:9091 failed" in rate.sample.doubts[-1].text
    assert p99 == figures_of("it", Seen(record()), [P99], METRICS).found[0]


def test_what_is_absent_says_why_and_is_not_zero():
    prometheus = record()
    prometheus.tracks = [one for one in prometheus.tracks if one.labels["__name__"] != "done_total"]
    rate, p99 = figures_of("it", Seen(prometheus), [RATE, P99], METRICS).found
    assert (rate.value, rate.interval, rate.sample.samples) == (None, None, 0)
    assert rate.reason == "no raw sample of done_total"
    assert rate.to_json()["value"] is None
    assert p99.value is not None


@pytest.mark.parametrize("error", [EvidenceError("the run holds no answer"), ZeroDivisionError("oh")])
def test_whatever_goes_wrong_in_asking_is_the_reason(error):
    prometheus = record()

    def fail(*_):
        raise error

    prometheus.raw = fail
    for found in figures_of("it", Seen(prometheus), [RATE, P99], METRICS).found:
        assert isinstance(found.sample, Failed)
        assert found.reason == f"{type(error).__name__}: {error}"


def test_a_prometheus_that_refuses_is_the_reason_for_all():
    prometheus = record()
    prometheus.raw = lambda selector, _span: (selector, Failed(selector, "it hangs"))
    found = figures_of("it", Seen(prometheus), [RATE, P99, TOTAL], METRICS).found
    assert [one.reason for one in found] == ["it hangs"] * 3


def test_what_is_judged_is_asked_by_itself():
    """A figure that failed leaves a criterion's own question as it is."""
    prometheus = record()
    seen, answers = Seen(prometheus), prometheus.raw
    prometheus.raw = lambda selector, _span: (selector, Failed(selector, "it hangs"))
    figures_of("it", seen, [RATE], METRICS)
    prometheus.raw = answers
    assert isinstance(seen.server.rate("done_total", per=60), Estimate)


def test_a_number_beyond_all_that_is_known_is_bounded_from_below():
    beyond = exact("p99", 1.0, at=0.0, n=9).widened("resolution", "no bucket", hi=math.inf)
    found = Found("p99", "", ms, Estimate(**{**_fields(beyond), "value": None}))
    assert (found.value, found.interval) == (None, (1000.0, math.inf))
    assert found.reason == "only known to be above 1000 ms"
    assert found.to_json()["interval"] == [1000.0, None]


def _fields(estimate):
    return {name: getattr(estimate, name) for name in Estimate.__dataclass_fields__}


def test_as_json_they_are_of_their_load():
    one = Found("x", "a", count, Empty("q", "nothing there"))
    entry = Figures("A2", (one,)).to_json()
    assert entry["load"] == "A2"
    assert entry["figures"] == [
        {
            "name": "x",
            "of": "a",
            "value": None,
            "unit": "",
            "interval": None,
            "samples": 0,
            "query": "q",
            "reason": "nothing there",
        }
    ]
