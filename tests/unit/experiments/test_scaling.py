"""What the search for what three shards sustain asks the shards themselves."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from experiments import backlog, scaling
from verdict_harness.loads import Ask, Outcome
from verdict_harness.loads.capacity import Trial
from verdict_harness.processes import Answer, Pending
from verdict_harness.verdicts import Verdict


class Server:
    """Notes what it is asked."""

    def quantile(self, p, histogram, **labels):
        return p, histogram, labels


def ask(*parts):
    return Ask(parts, 100.0, 8.0, "")


@pytest.mark.parametrize(
    ("ask", "shards"),
    [(ask(0), ("a",)), (ask(2), ("c",)), (ask(0, 1, 2), ("a", "b", "c"))],
)
def test_an_order_that_is_never_matched_is_in_the_p99_of_those_that_are_loaded(ask, shards):
    asked = scaling.p99(SimpleNamespace(server=Server(), totals=None), ask)
    labels = {"due": "me_orders_received_total", "shard": shards}
    assert asked == (0.99, "me_match_duration_seconds", labels)


def test_a_trial_that_may_have_no_scrape_in_it_is_asked_about_with_its_settling_time():
    short = Ask((1,), 100.0, 4.0, "")
    assert scaling.p99(SimpleNamespace(server=None, totals=Server()), short)[2]["shard"] == ("b",)


def test_a_share_of_a_core_is_a_condition_with_the_rate_up_to_which_it_was_seen():
    kept, broke = Outcome.SUSTAINED, Outcome.EXCEEDED
    asks = [(ask(0), 900.0, kept), (ask(0, 1, 2), 191.0, kept), (ask(0, 1, 2), 300.0, broke)]
    trials = [Trial(replace(one, rate=rate), outcome) for one, rate, outcome in asks]
    found = scaling.hidden(SimpleNamespace(share=0.085, trials=trials, orders=7))
    assert found is not None
    assert (found.verdict, found.value, found.samples) == (Verdict.CONDITIONAL, 191.0, 7)
    assert "0.085 of a core" in found.reason
    assert "not known beyond 191/s" in found.reason
    assert scaling.hidden(SimpleNamespace(share=None, trials=trials, orders=7)) is None


@pytest.mark.parametrize(("ask", "sum_"), [(ask(0), 1.0), (ask(1), 10.0), (ask(0, 1, 2), 111.0)])
def test_the_backlog_is_that_of_those_that_are_loaded(monkeypatch, ask, sum_):
    monkeypatch.setattr(
        scaling, "backlog", lambda _deployment, shard: {"a": 1.0, "b": 10.0, "c": 100.0}[shard]
    )
    assert scaling.behind(None, ask) == sum_


def test_a_shard_that_does_not_tell_its_backlog_has_none_that_is_known(monkeypatch):
    said = ""

    def said_by(_url, pick, **_):
        try:
            return pick(Answer(200, said))
        except StopIteration as error:
            raise Pending("not there") from error

    monkeypatch.setattr(backlog, "ask", said_by)
    where = SimpleNamespace(endpoint=lambda *_: SimpleNamespace(url="http://x"))
    said = '# TYPE me_event_backlog_orders gauge\nme_event_backlog_orders{shard="a"} 34.0\n'
    assert backlog.backlog(where, "a") == 34.0
    said = "me_matches_total 3\n"
    with pytest.raises(Pending):
        backlog.backlog(where, "a")
