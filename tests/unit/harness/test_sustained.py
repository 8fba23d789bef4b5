"""When a rate was sustained, when it was not, and when the trial says nothing."""

import dataclasses
import math
import re
from types import SimpleNamespace

import pytest

from verdict_harness.loads.capacity import Ask, Outcome
from verdict_harness.loads.orders import Fate, Order
from verdict_harness.loads.sustained import Inside, Meter, Used, judge, used
from verdict_harness.processes import Pending
from verdict_harness.samples import Empty, exact

ASK = Ask((0,), 100.0, 10.0, "")
SPAN = (1000.0, 1010.0)
SPENT = Used({"a": 0.05}, busy=0.5, seconds=10.0)


def orders(waited=lambda _n: 0.01, fate=lambda _n: Fate.ACCEPTED):
    made = []
    for n in range(1000):
        due, took, what = 1000.0 + n / 100, waited(n), fate(n)
        made.append(Order(due, due, what, took, took, took if what is Fate.ACCEPTED else math.inf))
    return made


def judged(made, **more):
    return judge(ASK, made, SPAN, **{"spent": SPENT, "share": 0.05, "parts": ["a"], **more})


def test_a_rate_that_is_sustained():
    found = judged(orders())
    assert (found.outcome, found.broke, found.full) == (Outcome.SUSTAINED, "", pytest.approx(1.0))


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (
            orders(fate=lambda n: Fate.REFUSED if n % 50 == 0 else Fate.ACCEPTED),
            "20 of 1000 orders were not accepted",
        ),
        (
            orders(fate=lambda n: Fate.BUSY if n > 980 else Fate.ACCEPTED),
            "19 of 1000 orders were not accepted",
        ),
        (orders(lambda n: 0.3 if n % 50 == 0 else 0.01), "p99 at the client was 300 ms"),
        (orders(lambda n: 0.01 + n / 1000 * 0.18), "orders under way grew by 1.8/s"),
    ],
)
def test_what_breaks_is_said(made, said):
    found = judged(made)
    assert found.outcome is Outcome.EXCEEDED
    assert found.broke.startswith(said)


def test_latency_that_reaches_the_limit_for_many_is_not_sustained():
    found = judged(orders(lambda n: 5.0 if n >= 500 else 0.01))
    assert found.outcome is Outcome.EXCEEDED


def inside(p99=0.002, backlog=(0.0, 30.0)):
    return Inside(exact("p99", p99, at=SPAN[1], n=1000), backlog)


def test_a_backlog_that_grows():
    assert judged(orders(), inside=inside(backlog=(0.0, 400.0))).broke == "the backlog grew from 0 to 400"
    assert judged(orders(), inside=inside(backlog=(30.0, 60.0))).outcome is Outcome.SUSTAINED


def test_a_latency_that_only_the_parts_see():
    """Orders that are answered at once and matched much later are not sustained."""
    assert judged(orders(), inside=inside(0.45)).broke == "p99 at the server was 450 ms"
    beyond = exact("p99", 0.1, at=SPAN[1], n=1000).widened("resolution", "no bucket above", hi=math.inf)
    above = dataclasses.replace(beyond, value=None, lo=0.25, doubts=())
    assert (
        judged(orders(), inside=dataclasses.replace(inside(), p99=above)).broke
        == "p99 at the server was 250 ms"
    )


NEVER = exact("p99", 0.002, at=SPAN[1], n=1000).widened("missing", "40 orders are missing", hi=math.inf)


@pytest.mark.parametrize(
    ("unknown", "said"),
    [
        (Inside(Empty("p99", "no scrape")), "the p99 at the server is not known: no scrape"),
        (inside(backlog=(0.0, None)), "the backlog could not be read"),
        (inside(backlog=(None, 20.0)), "the backlog could not be read"),
        (Inside(NEVER), "the p99 at the server is not known: 40 orders are missing"),
    ],
)
def test_what_the_parts_saw_is_not_guessed(unknown, said):
    """Orders that were received and never matched have no latency, and a rate at which they are is none."""
    found = judged(orders(), inside=unknown)
    assert (found.outcome, found.broke) == (Outcome.VOID, said)
    assert judged(orders(lambda _n: 3.0), inside=unknown).outcome is Outcome.EXCEEDED


def test_a_few_that_are_missing_leave_a_p99_that_is_known():
    few = exact("p99", 0.002, at=SPAN[1], n=1000).widened("missing", "1 order is missing", hi=0.004)
    assert judged(orders(), inside=Inside(few)).outcome is Outcome.SUSTAINED


def test_what_broke_is_said_although_the_rest_is_not_known():
    broke = judged(orders(), inside=dataclasses.replace(inside(0.45), backlog=(0.0, None)))
    assert (broke.outcome, broke.broke) == (Outcome.EXCEEDED, "p99 at the server was 450 ms")


def test_the_backlog_is_read_with_the_cpu_at_both_ends():
    """A scrape some seconds after the load would find it gone: it drains when nothing comes any more."""
    left = [3.0, Pending("no answer")]

    def behind():
        found = left.pop(0)
        if isinstance(found, Pending):
            raise found
        return found

    meter = Meter(SimpleNamespace(used=lambda _service: 0.5), ["a"], behind)
    for _, read in meter.actions(3.0, 10.0):
        read()
    assert [one["backlog"] for one in meter.readings] == [3.0, None]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"trouble": "k6 sent 40 orders late"}, "k6 sent 40 orders late"),
        ({"spent": Used({"a": 0.05}, busy=0.9, seconds=10.0)}, "the machine was 90% busy"),
    ],
)
def test_what_says_nothing_is_void_whatever_the_orders_say(more, said):
    for made in (orders(), orders(lambda _n: 3.0)):
        found = judged(made, **more)
        assert (found.outcome, found.broke) == (Outcome.VOID, said)


def test_orders_that_k6_did_not_send_are_void_and_no_order_is():
    found = judged(orders(fate=lambda n: Fate.UNSENT if n % 100 == 0 else Fate.ACCEPTED))
    assert found.broke == "k6 did not send 10 of 1000 orders"
    assert judged([]).outcome is Outcome.VOID


def test_how_full_a_part_was_is_not_guessed():
    assert judged(orders(), spent=None).full is None
    assert used([]) is None
    one = {"at": 5.0, "used": {"a": 1.0}, "idle": 3.0, "cores": 2}
    assert used([one, one]) is None


def test_a_backlog_that_cannot_be_read_is_none_that_is_known():
    def unread():
        raise Pending("it does not say")

    deployment = SimpleNamespace(used=lambda _service: 1.0)
    meter = Meter(deployment, ["a"], unread)
    meter.read()
    assert meter.readings[0]["backlog"] is None
    plain = Meter(deployment, ["a"])
    plain.read()
    assert plain.readings[0]["backlog"] == 0.0, "where nothing ever waits"


def test_orders_that_are_under_way_at_the_end_though_each_was_answered_in_time():
    """25 are more than a latency of 0.2 s makes of 100/s."""
    crowd = [Order(1009.99, 1009.99, Fate.ACCEPTED, 0.19, 0.19, 0.19)] * 25
    found = judged([*orders()[:990], *crowd])
    assert found.outcome is Outcome.EXCEEDED
    assert found.broke == "25 orders were under way at the end"


def test_orders_that_pile_up_at_the_end_though_nearly_all_were_quick():
    """Little's law: at 100/s and 0.2 s no more than 20 are under way."""
    found = judged(orders(lambda n: 15.0 if 900 <= n < 910 else 0.19 if n > 950 else 0.01))
    assert found.outcome is Outcome.EXCEEDED
    assert re.fullmatch(r"(2[5-9]|30) orders were under way at the end", found.broke)


def test_a_span_too_short_for_a_trend_shows_none():
    made = orders()[:20]
    assert judge(ASK, made, (1000.0, 1000.2), spent=SPENT, share=0.05, parts=["a"]).broke == ""


def test_a_reading_of_what_waits_to_be_handed_on():
    deployment = SimpleNamespace(used=lambda _service: 1.5)

    def unread():
        raise Pending("no answer")

    found = []
    for backlog in (None, lambda: 7.0, unread):
        meter = Meter(deployment, ["a"], backlog)
        (_, first), (_, last) = meter.actions(1.0, 2.0)
        first()
        last()
        found.append([one["backlog"] for one in meter.readings])
        assert [one["used"] for one in meter.readings] == [{"a": 1.5}] * 2
    assert found == [[0.0, 0.0], [7.0, 7.0], [None, None]], "what can't be read is not none"


SLOW = orders(lambda n: 0.3 if n % 50 == 0 else 0.01)
EACH = {"a": 0.05, "b": 0.05, "c": 0.05}


def of_three(made, *, busy=0.8, **cores):
    ask = dataclasses.replace(ASK, parts=(0, 1, 2))
    spent = Used(EACH | cores, busy=busy, seconds=10.0)
    return judge(ask, made, SPAN, spent=spent, share=0.05, parts=["a", "b", "c"])


def test_of_three_that_had_their_share_on_a_crowded_machine_nobody_knows_what_broke():
    found = of_three(SLOW)
    assert found.outcome is Outcome.EXCEEDED
    assert found.crowded
    assert (
        found.broke == "p99 at the client was 300 ms, while all had their share and the machine was 80% busy"
    )
    found = of_three(orders())
    assert found.outcome is Outcome.SUSTAINED, "which is so all the more on a crowded machine"
    assert not found.crowded


@pytest.mark.parametrize("other", [{"busy": 0.71}, {"c": 0.02}, {"b": 0.04}])
def test_three_that_wait_for_each_other_or_had_the_machine_broke_themselves(other):
    found = of_three(SLOW, **other)
    assert found.outcome is Outcome.EXCEEDED
    assert not found.crowded


def test_one_that_breaks_while_others_crowd_the_machine_did_break():
    found = judged(SLOW, spent=Used({"a": 0.05}, busy=0.8, seconds=10.0))
    assert found.outcome is Outcome.EXCEEDED
    assert not found.crowded
