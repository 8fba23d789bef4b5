"""Against: this version of the exchange beside another one, both up at once, orders to each in turn.

Base and change one after the other differ by more on the same system than most changes do. So each gets
its share of the same load at the same time, and the other version against itself says what can be told.
"""

import pytest

from experiments.against.comparison import CLIENT, LIMIT, PARTS, Comparison
from verdict_harness.samples import percent
from verdict_harness.verdicts import Below, Judge

pytestmark = [pytest.mark.asr1, pytest.mark.asr2, pytest.mark.against]


@pytest.mark.parametrize(
    "figure",
    [
        pytest.param(name, marks=pytest.mark.criterion(f"against.client-{name}", experiment="against"))
        for name in CLIENT
    ],
)
def test_a_client_waits_as_long_as_before(against: Comparison, judge: Judge, figure: str) -> None:
    """At the client, from when each order was due, this quantile is at most 10 % higher than before."""
    judge(against.samples[figure], Below(100 * LIMIT * percent))


@pytest.mark.criterion("against.cpu", experiment="against")
def test_an_order_takes_as_much_work_as_before(against: Comparison, judge: Judge) -> None:
    """Shard and gateway use at most 10 % more CPU for an order than they did before."""
    judge({part: against.samples[part] for part in PARTS}, Below(100 * LIMIT * percent))
