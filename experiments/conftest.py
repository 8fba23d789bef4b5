"""What the experiments share: the system that is up, and the loads, each run once a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from verdict_harness.loads import Stage
from verdict_harness.record import Run
from verdict_harness.systems import Backend, chaos

from .judging.perform import perform
from .judging.performed import Performed
from .outage import Outage, outage

BY_HAND = Path(__file__).resolve().parent / "collect"
DEPTHS = (100, 1000, 10000)
FAULTS = {"pause": chaos.pause, "kill": chaos.kill}
ORDER = ("smoke", "smoke_single", "A1", "A2", "A3", "A4", "B1", "B2", "B3", "B4", "against")
VERSIONS = Path(__file__).resolve().parent / "against"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the word that names another version to judge this one against."""
    parser.getgroup("exchange").addoption(
        "--against",
        metavar="REF",
        help="judge besides what changed since that commit, branch or tag: both versions are up, in turn",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make ``-m asr1`` and ``-m a2`` known words."""
    for marker in ("asr1", "asr2", "collect", *(name.lower() for name in ORDER)):
        config.addinivalue_line("markers", f"{marker}: select the experiment or requirement of that name")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what judges loads that others ran, or another version, unless that is asked for or was."""
    if collection_path not in {BY_HAND, VERSIONS} or config.getoption("verdict_judge"):
        return None
    if collection_path == VERSIONS:
        return None if config.getoption("--against") else True
    asked = (config.invocation_params.dir / word.partition("::")[0] for word in config.args)
    return None if any(one.resolve().is_relative_to(BY_HAND) for one in asked) else True


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep each load's criteria together, whatever shuffled them.

    A load's Prometheus has to be asked before the next system replaces it. So what judges one load of
    several (A3's depths, A4's faults) comes load by load, and what has loads of its own comes last.
    """

    def place(item: pytest.Item) -> tuple[int, int, bool, int, tuple[int, ...]]:
        names = {marker.name.upper() for marker in item.iter_markers()}
        experiment = next((i for i, name in enumerate(ORDER) if name.upper() in names), len(ORDER))
        indices = (
            item.callspec.indices if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        )
        load = next((indices[one] for one in ("a3", "a4") if one in indices), len(DEPTHS))
        own = not {*getattr(item, "fixturenames", ())} & {one.lower() for one in (*ORDER, "load")}
        return experiment, load, own, item.location[1] or 0, tuple(indices.values())

    for item in items:
        item.add_marker(pytest.mark.timeout(0))  # loads have their own ends, and take minutes
    items.sort(key=place)


@pytest.fixture(scope="session")
def stage(run: Run, backend: Backend) -> Iterator[Stage]:
    """The system that is up, one at a time."""
    with Stage(run, backend) as stage:
        yield stage


@pytest.fixture(scope="session")
def a1(stage: Stage) -> Performed:
    """A1: warm-up; what is measured of it is discarded."""
    return perform(stage, "A1")


@pytest.fixture(scope="session")
def a2(stage: Stage, a1: Performed) -> Performed:  # noqa: ARG001 - A2 runs on the system that A1 warmed up
    """A2: normal load on one shard, warmed up."""
    return perform(stage, "A2")


@pytest.fixture(scope="session", params=DEPTHS)
def a3(stage: Stage, request: pytest.FixtureRequest) -> Performed:
    """A3: normal load at one depth, on a book that was fresh."""
    return perform(stage, "A3", str(request.param))


@pytest.fixture(scope="session", params=FAULTS)
def a4(stage: Stage, request: pytest.FixtureRequest) -> Outage:
    """A4: normal load while the broker is gone."""
    return outage(stage, request.param, FAULTS[request.param])


@pytest.fixture(scope="session")
def b1(stage: Stage) -> Performed:
    """B1: the baseline, one shard."""
    return perform(stage, "B1")


@pytest.fixture(scope="session")
def b2(stage: Stage) -> Performed:
    """B2: sustained peak over three shards."""
    return perform(stage, "B2")


@pytest.fixture(scope="session")
def b3(stage: Stage) -> Performed:
    """B3: the ramp."""
    return perform(stage, "B3")


@pytest.fixture(scope="session")
def b4(stage: Stage) -> Performed:
    """B4: sustained peak, most of it for one symbol."""
    return perform(stage, "B4")
