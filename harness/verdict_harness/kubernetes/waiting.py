"""Wait until workloads are rolled out, and end early when one never will be."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..errors import ClusterError, ImageError
from ..processes import Pending, until
from . import diagnosis, pods
from .kubectl import Kubectl

ROLLOUT = 240.0  # seconds for pods to be ready, images already there or not

_LOOK = 0.7  # seconds between two looks, each a run of kubectl
_PATIENCE = 8.0  # seconds for what a cluster that has just started still lacks
_NO_PODS = 5.0  # seconds after which events are asked why there is none

_REJECTED = re.compile(r"error loading config|failed to load config|loading groups failed", re.IGNORECASE)

Object = Mapping[str, Any]


def until_rolled_out(
    kubectl: Kubectl,
    workloads: Sequence[Object],
    *,
    timeout: float,
    alive: Callable[[], None] | None = None,
) -> None:
    """Wait until every pod of ``workloads`` is the newest and ready, and no older one is left.

    Args:
        kubectl: on their cluster.
        workloads: Deployments and StatefulSets; kind, namespace and name of each count.
        timeout: seconds.
        alive: raises when waiting has no sense any more.

    Raises:
        ClusterError: one never will be: it crashes, no node has room for it, or, as ImageError, its image
            is not there; with its events and last lines.
        WaitTimeout: it took too long; says what was last seen.
    """
    rollout = _Rollout(kubectl, workloads)
    until(
        "the pods",
        rollout.complete,
        timeout=timeout,
        interval=_LOOK,
        alive=alive,
    )


def until_gone(kubectl: Kubectl, workload: Object, *, timeout: float) -> None:
    """Wait until no pod of ``workload`` is left, not even one that is ending.

    Args:
        kubectl: on its cluster and namespace.
        workload: as the cluster has it.
        timeout: seconds.

    Raises:
        WaitTimeout: one is left; says how far it is.
    """

    def none_left() -> bool:
        if left := pods_of(workload, kubectl.look("pods")):
            raise Pending("; ".join(f"{pod['metadata']['name']}: {pods.state(pod)}" for pod in left))
        return True

    until(f"every pod of {workload['metadata']['name']} to end", none_left, timeout=timeout, interval=_LOOK)


def pods_of(workload: Object, among: Sequence[Object]) -> list[Object]:
    """Return the pods that ``workload``, as the cluster has it, selects."""
    wanted = workload["spec"]["selector"].get("matchLabels", {}).items()
    space = workload["metadata"]["namespace"]
    return [
        pod
        for pod in among
        if pod["metadata"]["namespace"] == space and wanted <= pod["metadata"].get("labels", {}).items()
    ]


class _Rollout:
    def __init__(self, kubectl: Kubectl, workloads: Sequence[Object]) -> None:
        self._kubectl = kubectl
        self._wanted = {_identity(one) for one in workloads}
        self._spaces = sorted({one["metadata"]["namespace"] for one in workloads})
        self._began = time.monotonic()
        self._stuck: dict[str, float] = {}

    def complete(self) -> bool:
        """Whether all is rolled out; raises Pending with what is not."""
        found: list[Object] = []
        for space in self._spaces:
            found += self._kubectl.within(space).look("deployments,statefulsets,pods")
        among = [one for one in found if one["kind"] == "Pod"]
        live = {_identity(one): one for one in found if _identity(one) in self._wanted}
        seen = {name: "not there yet" for kind, _, name in self._wanted - live.keys()}
        for (_, _, name), workload in live.items():
            if word := self._lacks(workload, pods_of(workload, among)):
                seen[name] = word
        if seen:
            raise Pending("; ".join(f"{name}: {word}" for name, word in sorted(seen.items())))
        return True

    def _lacks(self, workload: Object, its_pods: Sequence[Object]) -> str:
        """Return what ``workload`` still lacks; empty if nothing."""
        for pod in its_pods:
            self._despair(pod)
        if not its_pods and workload["spec"].get("replicas", 1):
            self._ask_why(workload)
        status, wanted = workload.get("status", {}), workload["spec"].get("replicas", 1)
        current = status.get("observedGeneration", 0) >= workload["metadata"]["generation"]
        enough = all(status.get(key, 0) == wanted for key in ("updatedReplicas", "readyReplicas"))
        if current and enough and len(its_pods) == wanted and all(map(pods.ready, its_pods)):
            return ""
        return ", ".join(pods.state(pod) for pod in its_pods) or "no pod yet"

    def _despair(self, pod: Object) -> None:
        """Raise if ``pod`` will never be ready."""
        trouble = pods.trouble(pod)
        name = pod["metadata"]["name"]
        if trouble is None or not trouble.patient:
            self._stuck.pop(name, None)
        if trouble is None:
            return
        if trouble.patient:
            since = self._stuck.setdefault(name, time.monotonic())
            if time.monotonic() - since < (_PATIENCE if trouble.todo else 5 * _PATIENCE):
                return
        found = [str(trouble), "events:", diagnosis.events(self._kubectl, pod)]
        what = f"{name} will not become ready: {trouble.reason}"
        if pod["spec"].get("nodeName"):
            lines = diagnosis.last_lines(self._kubectl, pod, trouble.container)
            found += ["last lines:", lines]
            if _REJECTED.search(lines):
                what = f"Prometheus rejects its configuration, and so {what}"
        raise (ImageError if trouble.no_image else ClusterError)(
            what,
            expected="a pod that runs and is ready",
            found="\n".join(found),
            where=f"pod {pod['metadata']['namespace']}/{name}, context {self._kubectl.context}",
            todo=trouble.todo,
        )

    def _ask_why(self, workload: Object) -> None:
        """Raise if the cluster refuses to make a pod of ``workload``."""
        failure = [
            condition.get("message", "")
            for condition in workload.get("status", {}).get("conditions", ())
            if condition["type"] == "ReplicaFailure" and condition["status"] == "True"
        ]
        if not failure and time.monotonic() - self._began > _NO_PODS:
            words = diagnosis.events(self._kubectl, workload)
            failure = [words] if "FailedCreate" in words else []
        if failure:
            kind, space, name = _identity(workload)
            raise ClusterError(
                f"the cluster makes no pod of {name}",
                expected="a pod",
                found="\n".join(failure),
                where=f"{kind} {space}/{name}, context {self._kubectl.context}",
                todo="correct its manifest: the cluster's words say what is wrong with it",
            )


def _identity(one: Object) -> tuple[str, str, str]:
    return one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]
