"""Another clock, asked as ours goes on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from verdict_harness.systems import difference
from verdict_harness.systems.clock import Difference


def clocks(ahead: float, cut: float) -> tuple[list[float], Callable[[], tuple[float, float]]]:
    """Our time, and a clock that is ``ahead`` of it, cut off to ``cut``, and takes 0.23 s to be asked."""
    ours = [1000.3]

    def ask() -> tuple[float, float]:
        ours[0] += 0.2
        shown = ours[0] + ahead
        ours[0] += 0.03
        return (shown - shown % cut if cut else shown), cut

    return ours, ask


@pytest.mark.parametrize("ahead", [-90.0, -0.4, 0.0, 0.4, 1.7, 3600.0])
@pytest.mark.parametrize("cut", [0.0, 1.0])
def test_the_difference_is_within_what_is_said(ahead: float, cut: float) -> None:
    ours, ask = clocks(ahead, cut)
    found = difference(ask, now=lambda: ours[0])
    assert found.least <= ahead <= found.most
    assert found.most - found.least < 1.0, "several answers narrow it down"
    assert found.beyond(1.0) == (abs(ahead) > 1.0)
    assert found.ahead == pytest.approx(ahead, abs=0.5)


def test_an_exact_clock_is_asked_once() -> None:
    ours, ask = clocks(0.0, 0.0)
    asked = []

    def counted() -> tuple[float, float]:
        asked.append(1)
        return ask()

    difference(counted, now=lambda: ours[0])
    assert len(asked) == 1


def test_what_may_be_nothing_is_nothing() -> None:
    assert Difference(-0.9, 0.2).ahead == 0.0
    assert not Difference(0.2, 1.4).beyond(1.0)
    assert Difference(1.1, 1.4).beyond(1.0)
    assert Difference(-1.4, -1.1).beyond(1.0)
