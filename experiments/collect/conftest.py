"""What judges a load by hand: the words that say when it was, and the load, looked up once."""

from __future__ import annotations

import time

import pytest

from experiments.collect import words
from experiments.collect.collected import ASR1, ASR2, Collected, collect
from experiments.figures import RECEIVED
from verdict_harness.errors import HarnessError
from verdict_harness.record import Run
from verdict_harness.samples import Window
from verdict_harness.systems import Address, check_past, prometheus_there

ASKED = pytest.StashKey[tuple[Address, Window]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the words that say when the load was."""
    group = parser.getgroup("collect", "a load that was run by hand")
    group.addoption("--window", metavar="TIME", help="how long it was, such as 5m")
    group.addoption(
        "--until",
        metavar="TIME",
        help="when it ended, such as 2026-01-02T15:04:05Z, or unix seconds (default: now)",
    )


def pytest_collection_finish(session: pytest.Session) -> None:
    """Look at what was typed, and whether the Prometheus has anything of it, before a run begins."""
    config = session.config
    chosen = any(item.get_closest_marker("collect") for item in session.items)
    if not chosen or config.getoption("verdict_judge") or config.option.collectonly:
        return
    try:
        window = words.window(config.getoption("--window"), config.getoption("--until"), time.time())
        prometheus = prometheus_there()
        check_past(prometheus, window.start, window.end, RECEIVED)
    except HarnessError as error:
        raise pytest.UsageError(str(error)) from error
    config.stash[ASKED] = prometheus, window


@pytest.fixture(scope="session")
def asr1(run: Run, pytestconfig: pytest.Config) -> Collected:
    """A load on one shard."""
    return collect(run, ASR1, lambda: pytestconfig.stash[ASKED])


@pytest.fixture(scope="session")
def asr2(run: Run, pytestconfig: pytest.Config) -> Collected:
    """A load on three shards behind the gateway."""
    return collect(run, ASR2, lambda: pytestconfig.stash[ASKED])
