"""One real shard, one real load, and what may be wrong with either; copied as a session's ``conftest.py``.

The load is A2's own, script, seeds and all that its books have to be, at a length that a test can wait for,
on books that nothing has touched. ``case.json`` beside this file says what is different.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from experiments import loads
from experiments.exchange import PORTS, RULES, SYMBOLS, shard_service
from experiments.judging.perform import read
from experiments.judging.performed import Performed
from verdict_harness.loads import Stage, trial
from verdict_harness.record import Run
from verdict_harness.samples import Prometheus
from verdict_harness.systems import Backend, Command, Deployment, Place, Process, Service, System, prometheus

HERE = Path(__file__).parent
CASE: dict[str, Any] = json.loads((HERE / "case.json").read_text())

# A quicker pulse, so that a test need not wait for scrapes; and less patience with what never answers.
PULSE = 2
SETTLE = 2.5  # seconds; the window begins when something of the load was scraped
DRAIN = 2.0  # seconds; without a broker no event is ever sent
prometheus.INTERVAL = f"{PULSE}s"
prometheus._TIMEOUT = 12.0
trial._SCRAPE = float(PULSE)
Prometheus.__init__.__kwdefaults__.update(scrape=float(PULSE), timeout=CASE["patience"])
(HERE / "rules.yml").write_text(RULES.read_text().replace("interval: 5s", f"interval: {PULSE}s"))


def engine(at: Place) -> Command:
    """A shard without a broker: it publishes into the void, and matches all the same."""
    return Command(
        (sys.executable, "-m", "engine"),
        {
            "SHARD_ID": "a",
            "SHARD_SYMBOLS": ",".join(SYMBOLS["a"]),
            "HOST": "127.0.0.1",
            "HTTP_PORT": str(at.port("http")),
            "METRICS_PORT": str(at.port(CASE["metrics_port"])),
            "KAFKA_BOOTSTRAP": f"127.0.0.1:{at.port('nobody')}",
            "DRAIN_SECONDS": "0",
            "WAL_PATH": str(at.directory / "wal"),
        },
    )


SHARD = Service(
    shard_service("a"), {**PORTS, "nobody": 9092}, "http:/health", Process(engine), scrape="metrics"
)
loads.ROOT = HERE
loads.PROFILES = json.loads((HERE / "k6" / "lib" / "profiles.json").read_text())
loads.SETTLE = {"quick": SETTLE}
loads.SEED_PAUSE = PULSE + 1.0  # a scrape lies between the last seed and the first order
loads.SUCCESSORS = {}  # A2 without A1 before it: it seeds its own books
loads.SINGLE = System("little", (SHARD,), HERE / "rules.yml")


@pytest.fixture(scope="session")
def stage(run: Run, backend: Backend) -> Iterator[Stage]:
    with Stage(run, backend) as stage:
        yield stage


def untouched(_: Deployment) -> None:
    """Leave the books as they are: of a system with one load they are empty."""


@pytest.fixture(scope="session")
def a2(stage: Stage) -> Performed:
    workload = loads.Workload.of("A2", stage.run.profile)
    # without a broker, what rested before the first order is read from scrapes
    plan = workload.plan(stage.run.run_id, empty=untouched)

    def env(deployment: Deployment) -> dict[str, str]:
        ports = {"nobody": deployment.endpoint(shard_service("a"), "nobody").url}
        return {**plan.env(deployment), **{key: text.format(**ports) for key, text in CASE["env"].items()}}

    run = stage.trial(replace(plan, env=env))
    return Performed(workload, run, read(stage, workload, run, drain=DRAIN))
