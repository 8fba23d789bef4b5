"""How long a switch from one arm to the other may take."""

from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

from experiments import changes
from experiments.exchange import BROKER, TWIN, twins
from verdict_harness.systems import Endpoint


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


def test_of_two_shards_each_has_a_broker_of_its_own_and_the_one_that_is_paused_is_the_first_ones():
    system = twins()
    asked = []

    def endpoint(service, _port):
        asked.append(service)
        return Endpoint(service, 9092)

    at = SimpleNamespace(directory=Path("here"), port=lambda _: 1, endpoint=endpoint)
    for service in system.services:
        if service.name.startswith("me-shard"):
            service.process.command(at)
    assert asked == [BROKER, TWIN.name(BROKER)]
    assert [one.name for one in system.services if one.url_variable == "KAFKA_BOOTSTRAP"] == [BROKER]
