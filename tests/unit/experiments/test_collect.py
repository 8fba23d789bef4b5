"""A load that was run by hand: which window, what its Prometheus carries of a requirement, and what not."""

import json

import pytest

from experiments.collect import collected, words
from experiments.collect.collected import ASR1, ASR2, UNCARRIED_1, UNCARRIED_2, Collected, collect
from experiments.figures import of_load
from experiments.judging import shards
from experiments.judging.standing import GATEWAY, STANDING
from tests.recorded import START, WINDOW, evenly, exchange
from verdict_harness.errors import UsageError
from verdict_harness.loads import Seen
from verdict_harness.loads.server import Watched
from verdict_harness.record import Run
from verdict_harness.record import Watched as Kept
from verdict_harness.samples import Window
from verdict_harness.systems import Address
from verdict_harness.verdicts import Judge, Verdict

WHOLE = Window(START - 10, START + 305)
NOW = 1_700_000_000.0


def by_hand(asked, prometheus):
    record = {
        "window": [WINDOW.start, WINDOW.end],
        "whole": [WHOLE.start, WHOLE.end],
        "prometheus": "http://x",
        "rules": {},
        "counted": "orders",
    }
    seen = Seen(f"{asked.name} by hand", record, None, "facts/it.json")
    seen.watched, seen._prometheus = Watched(prometheus, WHOLE, {}, "orders"), prometheus
    return Collected(asked, seen)


def judged(load, by, *given, **more):
    judge = Judge()
    judge.loads = (load,)
    by(judge, *given, **more)
    return max(judge.findings, key=lambda found: found.verdict)


# -- which window


@pytest.mark.parametrize(
    ("length", "until", "seconds", "end"),
    [
        ("5m", None, 300, NOW),
        ("90s", "now", 90, NOW),
        ("1h30m", "1699999000", 5400, 1_699_999_000),
        ("30s", "2023-11-14T20:00:00Z", 30, 1_699_992_000),
        ("30s", "2023-11-14T21:00:00+01:00", 30, 1_699_992_000),
        ("30s", "2023-11-14T20:00:00", 30, 1_699_992_000),
    ],
)
def test_the_window_that_is_meant(length, until, seconds, end):
    found = words.window(length, until, NOW)
    assert (found.seconds, found.end) == (seconds, end)


@pytest.mark.parametrize(
    ("length", "until", "said"),
    [
        (None, None, "no --window"),
        ("5x", None, "'5x'"),
        ("", None, "5m, 90s or 1h30m"),
        ("0s", None, "'0s'"),
        ("5 m", None, "'5 m'"),
        ("-5m", None, "'-5m'"),
        ("9999999d", None, "before 1970"),
        ("5m", "yesterday", "unix seconds"),
        ("5m", "2033-01-01", "not over yet"),
        ("5m", "inf", "unix seconds"),
        ("5m", "nan", "unix seconds"),
    ],
)
def test_a_window_that_is_none(length, until, said):
    with pytest.raises(UsageError) as caught:
        words.window(length, until, NOW)
    assert said in str(caught.value)


# -- what Prometheus carries


def test_what_it_carries_is_judged_by_the_experiments_own_limits():
    load = by_hand(ASR1, exchange("a", rate=17))
    assert load.trouble == ()
    assert judged(load, shards.fed, load.trial, "a").verdict is Verdict.PASS
    assert judged(load, shards.pauses, load.trial, "a").verdict is Verdict.PASS
    found = judged(load, shards.matching, load.views, load.views, shards.BUDGET)
    assert (found.limit, found.verdict) == ("< 200 ms", Verdict.INCONCLUSIVE)
    assert "recording rule" in found.sentence, "this Prometheus evaluates none"


def test_what_is_slow_fails():
    load = by_hand(ASR1, exchange("a", rate=17, slow=400))
    assert judged(load, shards.matching, load.views, load.views, shards.BUDGET).verdict is Verdict.FAIL


def test_each_shard_is_judged_by_itself():
    load = by_hand(ASR2, exchange(rate=84, slow=400))
    assert [*load.views] == ["a", "b", "c"]
    found = judged(load, shards.matching, load.views, load.views)
    assert found.verdict is Verdict.FAIL
    assert 'shard=~"a"' in found.query


def test_a_gentler_load_passes_nothing():
    load = by_hand(ASR1, exchange("a", rate=10))
    (trouble,) = load.trouble
    assert trouble.against == "PASS"
    assert "10 orders/s were accepted in the window, and the load is one of 17/s" in trouble.text
    assert judged(load, shards.fed, load.trial, "a").verdict is Verdict.INCONCLUSIVE
    slow = by_hand(ASR1, exchange("a", rate=10, slow=400))
    assert judged(slow, shards.matching, slow.views, slow.views).verdict is Verdict.FAIL


def test_of_a_heavier_load_nothing_is_concluded():
    load = by_hand(ASR1, exchange("a", rate=30, slow=900))
    assert judged(load, shards.matching, load.views, load.views).verdict is Verdict.INCONCLUSIVE
    assert load.gentle == ""


def test_where_it_is_not_known_what_came_nothing_passes():
    load = by_hand(ASR2, exchange("a", rate=84))
    (trouble,) = load.trouble
    assert (trouble.against, "no series with shard b, c" in trouble.text) == ("PASS", True)
    assert judged(load, shards.continuous, load.trial, ("a",)).verdict is Verdict.INCONCLUSIVE


def test_refusals_can_fail_and_never_pass():
    few = by_hand(ASR1, exchange("a", rate=17))
    found = judged(few, shards.refused, few.trial, ("a",))
    assert (found.verdict, found.interval[1]) == (Verdict.INCONCLUSIVE, 100.0)
    assert "the client's own word would decide" in found.sentence
    prometheus = exchange("a", rate=17)
    prometheus.add("me_orders_rejected_total", [5 * i for i in range(61)], shard="a", reason="ring_full")
    many = by_hand(ASR1, prometheus)
    assert judged(many, shards.refused, many.trial, ("a",)).verdict is Verdict.FAIL


# -- and what not


@pytest.mark.parametrize(("what", "one"), [*UNCARRIED_1.items(), *UNCARRIED_2.items()])
def test_what_it_does_not_carry_is_open_and_says_what_would_carry_it(what, one):
    found = judged(by_hand(ASR1, exchange("a", rate=17)), one)
    assert found.verdict is Verdict.INCONCLUSIVE, what
    assert found.value is None
    assert one.why in found.sentence
    assert f"{one.cure} would decide" in found.sentence


def test_nothing_that_every_load_is_judged_by_is_left_out():
    standing = {one.name for one in (*STANDING, GATEWAY)}
    assert standing - {*UNCARRIED_1} == {"match-p99", "errors", "gateway"}, "these are asked"
    assert standing - {*UNCARRIED_2} == {"match-p99", "errors", "gateway"}


def test_it_has_the_figures_that_every_load_has():
    load = by_hand(ASR2, exchange(rate=84))
    found = {(one.name, one.of): one for one in load.figures.found}
    other = of_load(load.trial, ASR2.shards)
    assert [*found] == [(one.name, one.of) for one in other.found]
    assert found["matches/min", ""].value == pytest.approx(84 * 1.2 * 60)
    assert found["client response p99", ""].reason == "no such series"
    assert {one.reason for (name, _), one in found.items() if "client" not in name} == {""}


def test_a_stored_one_is_what_it_was_with_nothing_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "verdict_harness.samples.promql.fetch", lambda *_: {"error": "it is gone", "asked": 0}
    )
    live = Run(Kept.create(tmp_path, profile="full", backend="external", argv=[]))
    asked = Address.of("http://me:s3cret@p:1"), Window(NOW - 300, NOW)
    first = collect(live, ASR1, lambda: asked)
    assert first.figures.found[-1].reason == "Prometheus could not be asked: it is gone"
    live.evidence.seal()
    texts = [path.read_text() for path in live.directory.rglob("*.json")]
    assert not any("s3cret" in text for text in texts)

    def never():
        raise AssertionError("asked again")

    again = collect(Run(Kept.replay(live.directory)), ASR1, never)
    assert again.figures == first.figures
    assert again.trial.window == first.trial.window == Window(NOW - 300, NOW)
    assert (
        json.loads((live.directory / first.evidence[0]).read_text())["answer"]["prometheus"] == "http://p:1"
    )


def test_the_requirements_are_about_the_loads_of_the_experiments():
    assert (ASR1.rate, ASR2.rate) == (17, 84)
    assert collected.ASIDE < 0.5


# -- asr2, whose criteria ask three shards


def starved(prometheus):
    """Half of what should have matched did not, on each shard."""
    tracks = [one for one in prometheus.tracks if one.labels["__name__"] != "me_matches_total"]
    for one in prometheus.tracks:
        if one not in tracks:
            half = tuple(point._replace(value=point.value / 2) for point in one.points)
            tracks.append(type(one)(one.labels, half))
    prometheus.tracks = tracks
    return prometheus


def test_throughput_fails_only_where_enough_was_offered():
    load = by_hand(ASR2, exchange(rate=84))
    found = judged(load, collected.sustained, load, quick=False)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "recording rule" in found.sentence
    load = by_hand(ASR2, starved(exchange(rate=84)))
    assert judged(load, collected.sustained, load, quick=False).verdict is Verdict.FAIL
    load = by_hand(ASR2, exchange(rate=40))
    gentle = judged(load, collected.sustained, load, quick=False)
    assert gentle.verdict is Verdict.INCONCLUSIVE
    assert "only the client knows whether more were offered" in gentle.sentence


@pytest.mark.parametrize(("slow", "verdict"), [(0, Verdict.PASS), (400, Verdict.FAIL)])
def test_a_spike_on_one_shard_shows(slow, verdict):
    load = by_hand(ASR2, exchange(rate=84, slow=slow))
    assert judged(load, shards.continuous, load.trial, ASR2.shards).verdict is verdict


@pytest.mark.parametrize(("took", "verdict"), [(0.0035, Verdict.PASS), (0.3, Verdict.INCONCLUSIVE)])
def test_the_gateway_is_passed_and_never_failed_where_its_cores_are_not_known(took, verdict):
    prometheus = exchange(rate=84)
    for shard in ASR2.shards:
        prometheus.observe("gw_request_duration_seconds", evenly(took), "me-shard-a", shard=shard)
    load = by_hand(ASR2, prometheus)
    assert judged(load, collected.adds, load).verdict is verdict
