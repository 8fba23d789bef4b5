"""Runs the loads, and reads what the system tells of each while it is still up."""

from __future__ import annotations

from experiments.books import sweep
from experiments.exchange import GATEWAY, shard_service
from experiments.loads import Workload
from verdict_harness.loads import Plan, Stage, Trial
from verdict_harness.systems import Deployment

from . import ledger
from .performed import Performed

SETTLED = 0.3  # seconds after the last answer in which what follows an order is done, too


def perform(stage: Stage, experiment: str, variant: str = "") -> Performed:
    """Run the load of an experiment, once a run, and return it with all that is known of it."""
    workload = Workload.of(experiment, stage.run.profile, variant)
    return told(stage, workload, stage.trial(plan(stage, workload)))


def plan(stage: Stage, workload: Workload) -> Plan:
    """Return how a load is run: on a fresh system, or where there is but one, on books that were emptied."""

    def empty(deployment: Deployment) -> None:
        at = shard_service("a") if workload.target == "shard" else GATEWAY
        name = f"{stage.run.run_id}-emptied-before-{workload.id}"
        sweep(deployment.endpoint(at).url, tuple(workload.seeds), name)

    return workload.plan(stage.run.run_id, empty=empty if stage.run.backend == "external" else None)


def told(stage: Stage, workload: Workload, trial: Trial) -> Performed:
    """Return a load that was run with what the system tells of it."""
    return Performed(workload, trial, read(stage, workload, trial, drain=ledger.DRAIN), cores=stage.run.cores)


def read(stage: Stage, workload: Workload, trial: Trial, *, drain: float) -> ledger.Ledger:
    """Read what the system tells of a load."""
    return ledger.keep(
        stage,
        workload.system,
        workload.id,
        workload.order_ids(stage.run.run_id),
        tuple(workload.seeds),
        since=trial.load.window.end - trial.load.ahead + SETTLED,
        drain=drain,
    )
