"""What a pod's status says: ready, on its way, or without hope, in Kubernetes' own words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Pod = Mapping[str, Any]

# Each with what the reader can do about it.
_NEVER = {
    "CrashLoopBackOff": "its last lines say why it ends",
    "ErrImageNeverPull": "the node lacks the image and may not pull it: import it, or correct its name",
    "ImagePullBackOff": "correct the image's name, or let the cluster reach its registry",
    "InvalidImageName": "correct the image's name",
    "CreateContainerConfigError": "something that it is configured by is missing: see the message",
    "CreateContainerError": "see the message",
    "RunContainerError": "see the message",
    "StartError": "see the message",
}
_NO_IMAGE = {"ErrImageNeverPull", "ImagePullBackOff"}
_ROOM = "lower what it requests, or give the cluster more: more nodes, bigger ones, or fewer other pods"
_CRASHES = 2  # the first may be due to something that was not there yet


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a pod will not become ready.

    Attributes:
        reason: one word, Kubernetes'.
        message: what it says of it.
        todo: what can be done.
        container: the container, if it is one's.
        patient: whether it may still pass within seconds, as on a cluster that has just started.
    """

    reason: str
    message: str
    todo: str
    container: str = ""
    patient: bool = False

    @property
    def no_image(self) -> bool:
        """Whether it is for want of an image that the cluster can't get."""
        return self.reason in _NO_IMAGE

    def __str__(self) -> str:
        who = f" (container {self.container})" if self.container else ""
        return f"{self.reason}{who}: {self.message}" if self.message else f"{self.reason}{who}"


def trouble(pod: Pod) -> Trouble | None:
    """Return why ``pod`` can't become ready; ``None`` if it is, or may yet.

    >>> waiting = {"name": "app", "restartCount": 0, "state": {"waiting": {"reason": "ErrImageNeverPull"}}}
    >>> print(trouble({"metadata": {}, "status": {"containerStatuses": [waiting]}}))
    ErrImageNeverPull (container app)
    >>> trouble({"metadata": {}, "status": {"phase": "Pending"}})
    """
    if "deletionTimestamp" in pod["metadata"]:
        return None
    status = pod.get("status", {})
    for container in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        waiting = container.get("state", {}).get("waiting", {})
        reason = waiting.get("reason", "")
        if reason in _NEVER:
            ended = container.get("lastState", {}).get("terminated")
            message = waiting.get("message", "") if ended is None else ending(ended)
            return Trouble(reason, message, _NEVER[reason], container["name"])
        if container.get("restartCount", 0) >= _CRASHES and not container.get("ready"):
            message = f"it was restarted {container['restartCount']} times"
            if ended := container.get("lastState", {}).get("terminated"):
                message += f"; {ending(ended)}"
            return Trouble("Crashing", message, _NEVER["CrashLoopBackOff"], container["name"])
    if status.get("phase") == "Failed":
        return Trouble(status.get("reason", "Failed"), status.get("message", ""), "see the message")
    for condition in status.get("conditions", ()):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            message = condition.get("message", "")
            short = "Insufficient" in message
            return Trouble(
                condition.get("reason", "Unschedulable"), message, _ROOM if short else "", patient=True
            )
    return None


def state(pod: Pod) -> str:
    """Return in a few words how far ``pod`` is."""
    status = pod.get("status", {})
    if "deletionTimestamp" in pod["metadata"]:
        return "ending"
    for container in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        waiting = container.get("state", {}).get("waiting")
        if waiting:
            return str(waiting.get("reason", "waiting"))
        if ended := container.get("state", {}).get("terminated"):
            return ending(ended)
    if found := trouble(pod):
        return str(found)
    if not ready(pod):
        return "runs, not ready" if status.get("phase") == "Running" else str(status.get("phase", "new"))
    return "ready"


def ready(pod: Pod) -> bool:
    """Whether Kubernetes takes it for ready."""
    if "deletionTimestamp" in pod["metadata"]:
        return False
    conditions = pod.get("status", {}).get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def restarts(pod: Pod) -> int:
    """How many times a container of it was started again."""
    return sum(one.get("restartCount", 0) for one in pod.get("status", {}).get("containerStatuses", ()))


def last_ending(pod: Pod) -> str:
    """Return how a container of it ended last; empty if none did."""
    for container in pod.get("status", {}).get("containerStatuses", ()):
        for where in ("state", "lastState"):
            if ended := container.get(where, {}).get("terminated"):
                return ending(ended)
    return ""


def ending(ended: Mapping[str, Any]) -> str:
    """Return how a container ended.

    >>> ending({"reason": "OOMKilled", "exitCode": 137})
    'OOMKilled, exit status 137'
    """
    return f"{ended.get('reason', 'it ended')}, exit status {ended.get('exitCode')}"
