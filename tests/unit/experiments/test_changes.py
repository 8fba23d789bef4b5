"""How long a switch from one arm to the other may take."""

from itertools import pairwise
from types import SimpleNamespace

import pytest

from experiments import changes


def schedules(backend, *, quick):
    stage = SimpleNamespace(run=SimpleNamespace(backend=backend, quick=quick))
    return changes.broker_gone(stage).schedules


@pytest.mark.parametrize("quick", [True, False])
def test_a_broker_that_is_scaled_to_0_and_back_has_longer_than_one_that_is_frozen(quick):
    scaled = schedules("kube", quick=quick)
    frozen = schedules("k3d", quick=quick)
    assert frozen == changes.schedules(quick=quick)
    assert schedules("local", quick=quick) == changes.schedules(quick=quick, pairs=8)
    assert [one.pairs for one in scaled] == [one.pairs for one in frozen]
    assert all(one.switch < 10 for one in frozen)
    for schedule in scaled:
        assert {after.start - before.end for before, after in pairwise(schedule.spans)} == {0.0, 30.0}
