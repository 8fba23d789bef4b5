"""What the experiments share: the system that is up, and the loads, each run once a run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from verdict_harness.loads import Stage, Trial
from verdict_harness.record import Run
from verdict_harness.systems import Backend, chaos

from .exchange import SYMBOLS
from .latency import match_p99
from .loads import Workload
from .outage import Outage, perform
from .workload import throughput

DEPTHS = (100, 1000, 10000)
FAULTS = {"pause": chaos.pause, "kill": chaos.kill}
ORDER = ("smoke", "A1", "A2", "A3", "A4", "B1", "B2", "B3", "B4")


def pytest_configure(config: pytest.Config) -> None:
    """Make ``-m asr1`` and ``-m a2`` known words."""
    for marker in ("smoke", "asr1", "asr2", *(name.lower() for name in ORDER[1:])):
        config.addinivalue_line("markers", f"{marker}: select the experiment or requirement of that name")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep each load's criteria together, whatever shuffled them.

    A load's Prometheus has to be asked before the next system replaces it. So what judges one load of
    several (A3's depths, A4's faults) comes load by load, and what needs them all comes last.
    """

    def place(item: pytest.Item) -> tuple[int, int, int, tuple[int, ...]]:
        names = {marker.name.upper() for marker in item.iter_markers()}
        experiment = next((i for i, name in enumerate(ORDER) if name.upper() in names), len(ORDER))
        indices = (
            item.callspec.indices if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        )
        load = next((indices[one] for one in ("a3", "a4") if one in indices), len(DEPTHS))
        return experiment, load, item.location[1] or 0, tuple(indices.values())

    for item in items:
        item.add_marker(pytest.mark.timeout(0))  # loads have their own ends, and take minutes
    items.sort(key=place)


@pytest.fixture(scope="session")
def stage(run: Run, backend: Backend) -> Iterator[Stage]:
    """The system that is up, one at a time."""
    with Stage(run, backend) as stage:
        yield stage


def _trial(stage: Stage, experiment: str, variant: str = "") -> Trial:
    workload = Workload.of(experiment, stage.run.profile, variant)
    return stage.trial(workload.plan(stage.run.run_id), workload.suspicions)


@pytest.fixture(scope="session")
def a1(stage: Stage) -> Trial:
    """A1: warm-up; what is measured of it is discarded."""
    return _trial(stage, "A1")


@pytest.fixture(scope="session")
def a2(stage: Stage, a1: Trial) -> Trial:  # noqa: ARG001 - A2 runs on the system that A1 warmed up
    """A2: normal load on one shard, warmed up."""
    return _trial(stage, "A2")


def _deep(stage: Stage, depth: int) -> Trial:
    trial = _trial(stage, "A3", str(depth))
    match_p99(trial, "a")  # asked now and on record: the next depth's system takes this Prometheus away
    return trial


@pytest.fixture(scope="session", params=DEPTHS)
def a3(stage: Stage, request: pytest.FixtureRequest) -> Trial:
    """A3: normal load at one depth, on a book that was fresh."""
    return _deep(stage, request.param)


@pytest.fixture(scope="session")
def a3_all(stage: Stage) -> dict[int, Trial]:
    """A3 at each depth."""
    return {depth: _deep(stage, depth) for depth in DEPTHS}


@pytest.fixture(scope="session", params=FAULTS)
def a4(stage: Stage, request: pytest.FixtureRequest) -> Outage:
    """A4: normal load while the broker is gone."""
    return perform(stage, request.param, FAULTS[request.param])


@pytest.fixture(scope="session")
def b1(stage: Stage) -> Trial:
    """B1: the baseline, one shard."""
    trial = _trial(stage, "B1")
    throughput(trial, "a")  # asked now and on record: B3 is compared with it when its Prometheus is gone
    return trial


@pytest.fixture(scope="session")
def b2(stage: Stage) -> Trial:
    """B2: sustained peak over three shards."""
    return _trial(stage, "B2")


@pytest.fixture(scope="session")
def isolation(stage: Stage) -> Trial:
    """B2's share on shard a all through, and a rising load on shard b."""
    return _trial(stage, "isolation")


@pytest.fixture(scope="session")
def b3(stage: Stage) -> Trial:
    """B3: the ramp."""
    return _trial(stage, "B3")


@pytest.fixture(scope="session")
def b3_stages(stage: Stage, b3: Trial) -> list[Trial]:
    """Each stage of the ramp."""
    stages = Workload.of("B3", stage.run.profile).stages(b3)
    throughput(stages[-1], *SYMBOLS)  # as B1's
    return stages


@pytest.fixture(scope="session")
def b4(stage: Stage) -> Trial:
    """B4: sustained peak, most of it for one symbol."""
    return _trial(stage, "B4")
