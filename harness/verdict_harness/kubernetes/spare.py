"""What is beside a system and nothing is measured by: awaited like the rest, where it can be had."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from ..errors import ClusterError, ImageError, WaitTimeout
from ..processes import progress
from ..systems import Chart
from . import waiting
from .helm import NONE, variable
from .kubectl import Kubectl

#: A chart and its workloads, as the cluster has them; ``None`` if it could not be installed.
Spare: TypeAlias = tuple[Chart, Sequence[Mapping[str, Any]] | None]


def awaited(kubectl: Kubectl, spare: Iterable[Spare], alive: Callable[[], None]) -> dict[str, str]:
    """Wait for each; where its image can't be had, a line says so and that is all.

    Its end later on is none of a load's affairs, and so nobody watches it.

    Args:
        kubectl: on their cluster.
        spare: what to wait for.
        alive: raises when waiting has no sense any more.

    Returns:
        The releases that are lacking, and why.

    Raises:
        ClusterError: one never will be ready, for another reason.
        WaitTimeout: one was not in time.
    """
    lacking: dict[str, str] = {}
    for chart, workloads in spare:
        if workloads is None:
            lacking[chart.release] = "its chart could not be installed"
            continue
        try:
            waiting.until_rolled_out(kubectl, workloads, timeout=waiting.ROLLOUT, alive=alive)
        except ImageError as error:
            lacking[chart.release] = why = error.found.splitlines()[0]
            progress.say(f"{chart.release} is not awaited, nothing is measured by it: {why}")
        except (ClusterError, WaitTimeout) as error:
            error.todo = f"{error.todo}; {variable(chart)}={NONE} does without it".removeprefix("; ")
            raise
    return lacking
