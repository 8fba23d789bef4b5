"""Every question about the system's metrics, asked of whatever can be wrong with them: no number, and why."""

import math

import pytest

from tests.unit.harness.samples.test_server import Recorded, evenly
from verdict_harness.samples import count
from verdict_harness.samples.sample import Failed, NoValue
from verdict_harness.verdicts import AtLeast, Below, Judge, Verdict

COUNTS = [10 * i for i in range(61)]

QUESTIONS = {
    "quantile": lambda server: server.quantile(0.99, "lat_seconds"),
    "quantile of what was due": lambda server: server.quantile(0.99, "lat_seconds", due="a_total"),
    "windows": lambda server: server.windows(0.99, "lat_seconds"),
    "growth": lambda server: server.growth("a_total"),
    "growth of": lambda server: server.growth("b_total", of="a_total"),
    "rate": lambda server: server.rate("a_total"),
    "rates": lambda server: server.rates("a_total"),
    "ratio": lambda server: server.ratio("b_total", "a_total"),
    "ratio, above": lambda server: server.ratio("a_total", "b_total"),
    "gauge": lambda server: server.gauge("level"),
    "gauge_max": lambda server: server.gauge_max("level"),
}


def sound(up=None):
    it = Recorded(up).observe("lat_seconds", evenly(0.002)).add("level", [1.0] * 61)
    return it.add("a_total", COUNTS).add("b_total", COUNTS)


class Mute(Recorded):
    """Does not answer questions of some kind."""

    def __init__(self, what):
        super().__init__()
        self.tracks = sound().tracks
        self._what = what

    def raw(self, selector, span):
        if self._what(selector):
            return selector, Failed(selector, "no answer")
        return super().raw(selector, span)


def without(*names):
    it = sound()
    it.tracks = [one for one in it.tracks if not one.labels["__name__"].startswith(names)]
    return it


def all_of(values):
    it = without("a_total", "b_total", "lat_seconds", "level")
    for name in ("a_total", "b_total", "level"):
        it.add(name, values)
    for edge in ("1", "+Inf"):
        it.add("lat_seconds_bucket", values, le=edge)
    return it


TROUBLES = {
    "nothing answers": lambda: Mute(lambda _: True),
    "when it was scraped is not told": lambda: Mute(lambda selector: selector.startswith("{")),
    "no such series": lambda: without("a_total", "b_total", "lat_seconds", "level"),
    "all of them are NaN": lambda: all_of([math.nan] * 61),
    "two targets of one name": lambda: sound().add("up", [1] * 61, other="x"),
    "nothing in the window": lambda: all_of([1.0, 2.0, *[None] * 59]),
}


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("trouble", TROUBLES)
def test_there_is_no_number_and_so_no_pass(question, trouble):
    found = QUESTIONS[question](TROUBLES[trouble]().server())
    assert isinstance(found, NoValue), found
    assert found.reason
    for expectation in (Below(1e9 * count), AtLeast(0 * count)):
        assert Judge()(found, expectation).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("question", QUESTIONS)
def test_of_sound_metrics_there_is_one(question):
    assert not isinstance(QUESTIONS[question](sound().server()), NoValue)
