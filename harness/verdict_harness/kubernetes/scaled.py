"""Workloads that are scaled to 0 for a while, and back to as many pods as they had, whatever happens."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import HarnessError
from ..processes import progress
from . import objects
from .kubectl import Kubectl

NOTE = "verdict-harness/scaled-from"  # annotation: how many pods one has that is at 0 for a while

Object = dict[str, Any]


class Scaled:
    """What is scaled to 0 of one namespace.

    Args:
        kubectl: on its cluster and namespace.
    """

    def __init__(self, kubectl: Kubectl) -> None:
        self._kubectl = kubectl
        self._had: dict[str, int] = {}

    def __contains__(self, workload: Object) -> bool:
        return _named(workload) in self._had

    def away(self, workload: Object, node: str = "") -> None:
        """Scale ``workload`` to 0; its next pods run on ``node`` alone, if it is given.

        Raises:
            CommandError: the cluster refuses it.
        """
        name = _named(workload)
        had = int(self._kubectl.json("get", name)["spec"].get("replicas", 1))
        self._had[name] = had  # before, not after: an interrupt in between must still put it back
        change: dict[str, Any] = {"replicas": 0}
        if node:
            change["template"] = {"spec": {"nodeSelector": {"kubernetes.io/hostname": node}}}
        self._patch(name, change, str(had))

    def back(self, workload: Object) -> None:
        """Scale ``workload`` back to what it had; it counts as scaled until it is said to be :meth:`over`.

        Raises:
            CommandError: the cluster refuses it.
        """
        name = _named(workload)
        self._patch(name, {"replicas": self._had[name]}, None)

    def over(self, workload: Object) -> None:
        """Take note that ``workload`` is as it was: nobody has to put it back."""
        del self._had[_named(workload)]

    def put_back(self) -> Iterator[str]:
        """Scale back whatever is not over; wait for nothing, and yield what could not be done."""
        for name, had in self._had.items():
            try:
                self._patch(name, {"replicas": had}, None)
            except HarnessError as error:
                by_hand = " ".join(self._kubectl.argv("scale", name, f"--replicas={had}"))
                yield f"{name} may be left scaled to 0: {error}; by hand: {by_hand}"
            else:
                progress.say(f"{name} is scaled back to {had}; whether it is ready again was not awaited")

    def _patch(self, name: str, change: Mapping[str, Any], note: str | None) -> None:
        # in one change: another template alone would begin a rollout
        patch = json.dumps({"metadata": {"annotations": {NOTE: note}}, "spec": change})
        self._kubectl.run("patch", name, "--type=merge", "--patch", patch)


def tell_of_what_was_left(kubectl: Kubectl, wanted: Sequence[Object]) -> None:
    """Say which of ``wanted`` are scaled to 0: a run that is killed in the midst of a fault leaves one so.

    Args:
        kubectl: on their cluster.
        wanted: as they are about to be applied.
    """
    having_pods = [one for one in objects.workloads(wanted) if one["spec"].get("replicas", 1)]
    for one in objects.existing(kubectl, having_pods) if having_pods else ():
        if one["spec"].get("replicas") == 0:
            had = one["metadata"].get("annotations", {}).get(NOTE)
            why = f"by a run that broke off; it had {had}" if had else "and not by this harness"
            progress.say(f"{_named(one)} was found scaled to 0, {why}: it is made anew")


def _named(workload: Object) -> str:
    return f"{workload['kind'].lower()}/{workload['metadata']['name']}"
