"""In what a recording rule may differ from what it is meant to be."""

import pytest

from verdict_harness.samples.answers import Track
from verdict_harness.samples.estimate import exact
from verdict_harness.samples.metrics import Metrics
from verdict_harness.samples.rules import Rules, differs
from verdict_harness.samples.sample import Empty, Failed, Point
from verdict_harness.samples.window import Window
from verdict_harness.systems import expressions

START = 1_700_000_000.0
WINDOW = Window(START, START + 295)
VALUES = [0.0036 + 0.0002 * (i % 7) for i in range(60)]
FILE = """
groups:
  - name: g
    rules:
      - record: lat:p99
        expr: >-
          histogram_quantile(0.99,
            sum by (shard, le) (rate(lat_seconds_bucket[30s])))
      - {alert: Ignored, expr: up == 0}
"""
EXPR = "histogram_quantile(0.99, sum by (shard, le) (rate(lat_seconds_bucket[30s])))"


def points(values, start=START):
    return tuple(Point(start + 5 * i, float(v)) for i, v in enumerate(values) if v is not None)


def test_the_same_is_the_same():
    assert differs(points(VALUES), points(VALUES)) == ""


def test_an_evaluation_that_came_a_little_before_its_scrape_is_forgiven():
    assert differs(points(VALUES[:1] + VALUES[:-1]), points(VALUES)) == ""


@pytest.mark.parametrize(
    ("recorded", "said"),
    [
        ([0.005] * 60, "says 0.005 at 22:13:20Z, where its expression gives 0.0036"),
        ([0.004] * 60, "says 0.004 all through, where its expression gives 0.0036 to 0.0048"),
        ([v if i < 30 else 0.001 for i, v in enumerate(VALUES)], "says 0.001 at 22:15:50Z"),
        ([*VALUES[:40], *[None] * 20], "lacks 20 of 60 values, the first at 22:16:40Z"),
    ],
)
def test_something_else_is_said(recorded, said):
    assert said in differs(points(recorded), points(VALUES))


def test_what_its_expression_does_not_give_is_something_else():
    assert "gives nothing" in differs(points(VALUES), points([None] * 30 + VALUES[30:]))


class Prometheus:
    """Records one rule and evaluates it, as told."""

    def __init__(self, recorded=VALUES, query=EXPR, given=VALUES, health="ok", name="lat:p99"):
        self.track = Track({"__name__": "lat:p99", "shard": "a"}, points(recorded))
        self.given = given
        self.groups = [
            {
                "interval": 5,
                "rules": [
                    {"name": name, "query": query, "health": health, "type": "recording", "lastError": "x"}
                ],
            }
        ]

    def raw(self, selector, _span):
        return selector, (self.track,) if self.track.points else ()

    def gone(self, empty, *_):
        return empty

    def rules(self, _at):
        return self.groups

    def formatted(self, query):
        return " ".join(query.split()).replace("( ", "(")

    def course(self, _query, start, _end, _step):
        there = [point for point in points(self.given) if point.time >= start]
        return (Track({"shard": "a"}, tuple(there)), Track({"shard": "b"}, points([9] * 60)))


def check(prometheus, tmp_path, **rest):
    (tmp_path / "rules.yml").write_text(FILE)
    written = expressions(tmp_path / "rules.yml")
    assert list(written) == ["lat:p99"]
    rules = Rules(prometheus, Metrics(prometheus, WINDOW), written, START + 300)
    return rules.check(rest.pop("name", "lat:p99"), WINDOW, {"shard": "a"}, **rest)


def test_a_sound_rule_is_no_trouble(tmp_path):
    rule = check(
        Prometheus(), tmp_path, like=exact("p99", 0.0045, 0.0, n=9).widened("chance", "", lo=0.001, hi=0.005)
    )
    assert rule.trouble == ()
    assert len(rule.points) == 60


@pytest.mark.parametrize(
    ("prometheus", "said"),
    [
        (
            Prometheus(query="vector(0.005)"),
            "is 'vector(0.005)' in Prometheus, and another in the system's file",
        ),
        (Prometheus(recorded=[0.005] * 60), "where its expression gives 0.0036"),
        (Prometheus(recorded=[]), "has no value: no raw sample"),
        (Prometheus(health="err"), "could not be evaluated: x"),
        (Prometheus(name="other"), "is not among those that Prometheus evaluates"),
        (
            Prometheus(recorded=[0.05] * 60, given=[0.05] * 60),
            "says 0.05, where the raw samples give 0.001 to 0.005",
        ),
    ],
)
def test_a_rule_that_is_another_speaks_against_a_pass(tmp_path, prometheus, said):
    like = exact("p99", 0.0045, 0.0, n=9).widened("chance", "", lo=0.001, hi=0.005)
    rule = check(prometheus, tmp_path, like=like)
    assert said in " ".join(one.text for one in rule.trouble)
    assert {(one.instrument, one.against) for one in rule.trouble} == {("recording rules", "PASS")}


def test_a_rule_that_is_in_no_file_and_one_that_can_not_be_asked(tmp_path):
    assert "is in no file of the system" in check(Prometheus(), tmp_path, name="lat:p9").trouble[0].text
    prometheus = Prometheus()
    prometheus.rules = lambda _at: Failed("rules", "no answer within 10 s")
    assert "can't be compared with its file: no answer" in check(prometheus, tmp_path).trouble[0].text
    prometheus = Prometheus()
    prometheus.course = lambda *_: Empty("q", "nothing")
    assert "can't be compared with its expression: nothing" in check(prometheus, tmp_path).trouble[0].text
