"""Take down whatever of the exchange was left up on this machine."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from verdict_harness.kubernetes import K3dBackend
from verdict_harness.processes import Pending, until
from verdict_harness.systems import Options, kept

from . import addresses, record

_PATIENCE = 180.0  # seconds: a cluster takes its time


def down(backend: str, runs: Path) -> Iterator[str]:
    """End what ``up`` keeps up, stop what ``--keep`` left, and delete the cluster; yield what was ended.

    Args:
        backend: ``local``, or ``k3d`` for the cluster besides.
        runs: where runs are kept.

    Raises:
        HarnessError: something would not end.
    """
    told = record.read(runs / "up.json")
    if told and (process := record.owner(told)):
        process.send_signal(signal.SIGINT)
        until(f"the end of process {process.pid}, which keeps it up", lambda: _ended(told), timeout=_PATIENCE)
        yield f"what nox -s up kept up ({told['shape']})"
    for file in sorted(runs.rglob("kept.json")):
        yield f"{', '.join(kept.stop(file.parent)) or 'what had ended before'} ({file.parent})"
    if backend == "k3d" and K3dBackend(Options()).take_down(addresses.SHAPES["multi"]):
        yield "the cluster"


def _ended(told: dict[str, Any]) -> bool:
    if process := record.owner(told):
        raise Pending(str(process.status()))
    return True
