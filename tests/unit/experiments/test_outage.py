"""When an outage was none."""

from types import SimpleNamespace

import pytest

from experiments.judging.ledger import Ledger
from experiments.loads import Workload
from experiments.outage import Outage as Real
from verdict_harness.errors import Inconclusive
from verdict_harness.samples import Empty, Trouble, exact

FAULT = {"fault": "pause", "injected": 1060, "bit": 1062, "healing": 1170, "healed": 1180, "answered": 1181}


def Outage(load, fault):  # noqa: N802 - the real one, of a load whose books nobody asks about
    class Unbooked(Real):
        def _books(self):
            return ()

    return Unbooked(Workload.of("A4", "full", "pause"), load, Ledger("", "", {}, {}, None), fault)


class Load:
    """A load that began at 1000; what it was asked for is kept."""

    name = "A4-pause"
    began = 1000.0
    trouble = ()
    evidence = ()
    load = SimpleNamespace(requests=3060)
    window = SimpleNamespace(start=1030, end=1180, seconds=150)

    def __init__(self, errors=7.0, sent=0.0):
        self.errors, self.sent = errors, sent
        self.asked = []

    def aside(self, _metrics):
        return self

    def part(self, start, end):
        self.asked.append((start, end))
        return self

    @property
    def server(self):
        return self

    def growth(self, counter, *, of, shard):
        assert (of, shard) == ("me_orders_received_total", "a")
        number = {"me_event_publish_errors_total": self.errors, "me_events_published_total": self.sent}[
            counter
        ]
        return Empty(counter, "no series") if number is None else exact(counter, number, at=0.0, n=1)


def test_an_outage_that_was_seen():
    load = Load()
    outage = Outage(load, FAULT)
    assert outage.trouble == ()
    assert load.asked == [(60, 180), (64, 165)]
    assert outage.before is load
    assert load.asked[-1] == (0, 60)


def test_the_report_says_by_which_means_the_broker_was_gone():
    told = Outage(Load(), {**FAULT, "means": "paused by scaling redpanda to 0"})
    assert list(told.views) == ["before", "during, paused by scaling redpanda to 0"]
    assert list(Outage(Load(), FAULT).views) == ["before", "during"], "an older run, judged again"


@pytest.mark.parametrize("fault", [{}, {"fault": "pause", "injected": 1060.0}, {**FAULT, "healed": None}])
def test_no_fault_that_bit(fault):
    fault = {key: value for key, value in fault.items() if value is not None}
    assert [one.text for one in Outage(Load(), fault).trouble] == ["the broker was never gone: no fault bit"]


def test_an_outage_that_the_shard_did_not_notice():
    (said,) = (one.text for one in Outage(Load(errors=0.0, sent=900.0), FAULT).trouble)
    assert said == "the shard did not miss the broker: no publish errors, and 900 events sent"
    for unknown in ({"errors": None}, {"sent": None}):
        assert "no series" in Outage(Load(**unknown), FAULT).trouble[0].text


def test_a_shard_that_hangs_counts_no_errors_but_its_events_stand_still():
    assert Outage(Load(errors=0.0, sent=0.0), FAULT).trouble == ()


def test_a_broker_that_came_back_early_was_not_gone_all_the_while():
    (said,) = (one.text for one in Outage(Load(errors=3.0, sent=40.0), FAULT).trouble)
    assert said == "the shard did not miss the broker: 3 publish errors, and 40 events sent"


@pytest.mark.parametrize("when", [{"injected": 1100.0, "bit": 1101.0}, {"healing": 1130}])
def test_an_outage_that_was_much_shorter_than_planned(when):
    assert Outage(Load(), {**FAULT, "planned": 120.0}).trouble == ()
    (said,) = (one.text for one in Outage(Load(), {**FAULT, **when, "planned": 120.0}).trouble)
    assert said == "the broker was gone for 70 s of the load, and was to be for 120 s"


def test_what_lasted_beyond_the_load_was_no_outage_of_it():
    (said,) = (
        one.text
        for one in Outage(Load(), {**FAULT, "injected": 1150.0, "healing": 1300.0, "planned": 120.0}).trouble
    )
    assert "gone for 30 s" in said


def test_the_loads_own_trouble_stays():
    load = Load()
    load.trouble = (Trouble("437 iterations were dropped", "k6"),)
    assert Outage(load, FAULT).trouble == load.trouble


def test_nothing_can_be_asked_of_an_outage_that_never_was():
    with pytest.raises(Inconclusive, match="never gone"):
        _ = Outage(Load(), {}).before
