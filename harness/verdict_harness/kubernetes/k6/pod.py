"""A pod that runs k6, from Pending to what it measured.

Kubernetes is asked as little as can be while a load is on: one ``kubectl logs
--follow`` hears what the pod's own look-out says of k6, and the pod itself is
looked at every few seconds.  Results are files in the pod, and it waits until
they were fetched.
"""

from __future__ import annotations

import re
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Self

from ...errors import CommandError, HarnessError
from ...processes import Guarded, Plan, progress
from ...systems import RAW, SUMMARY, Brief, Remains, difference
from .. import diagnosis, pods
from ..kubectl import Kubectl
from . import fetch
from .manifests import OUT, Manifest

_POLL = 0.1  # seconds between two looks at what was heard
_LOOK_EARLY, _LOOK = 0.5, 10.0  # seconds between two looks at the pod, before it runs and while it does
_PENDING = 120.0  # seconds that it may take until it runs: the image may have to be pulled
_UNSCHEDULABLE = 30.0  # if no node has room for it
_UNMADE = 15.0  # if there is none at all
_DEAF = 30.0  # seconds without an answer of the cluster after which nobody knows what k6 does
_KILL_TIMEOUT = 10.0
_CLOCKS = 1.0  # seconds that clocks may differ: a fifth of what is from one scrape to the next
_SIGNALLED = range(129, 129 + 64)  # exit statuses by which a shell says that a signal ended a program
_ENDED = re.compile(r"^harness: ended (\d+)$", re.MULTILINE)
_RUNNING = re.compile(r"^harness: running$", re.MULTILINE)


class Pod:
    """A k6 that runs in a pod (see :class:`~verdict_harness.systems.Running`). A context manager.

    Args:
        kubectl: bound to its namespace.
        name: of its Job.
        brief: what it was told.
    """

    def __init__(self, kubectl: Kubectl, name: str, brief: Brief) -> None:
        self._kubectl = kubectl
        self._job = name
        self._brief = brief
        self._said = brief.directory / "pod.log"
        self._said.unlink(missing_ok=True)  # of a load that was called the same
        self._started = self._answered = time.monotonic()
        self._looked = float("-inf")
        self._pod: dict[str, Any] | None = None
        self._follower: Guarded | None = None
        self._stack = ExitStack()
        self._begun = False
        self._status: int | None = None
        self._over = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def ended(self, timeout: float) -> bool:
        """Wait up to ``timeout`` seconds for its end, or for why that will never be known; say if it came."""
        deadline = time.monotonic() + timeout
        while self._status is None and not self._over:
            self._listen()
            if (left := deadline - time.monotonic()) <= 0:
                break
            time.sleep(min(_POLL, left))
        return self._status is not None or bool(self._over)

    def begun(self) -> bool:
        """Whether set-up is over and iterations are being made."""
        return self._begun

    def interrupt(self) -> None:
        """Ask it to end in order."""
        self._signal("INT")

    def collect(self) -> Remains:
        """Fetch its files and say how its clock differs from ours."""
        if not self.ended(0.0):
            self._signal("KILL")
            self.ended(_KILL_TIMEOUT)
        if self._over or self._pod is None or self._status is None:
            why = self._over or "k6 would not end"
            return Remains(None, trouble=(why, "what k6 measured could not be brought back from its pod"))
        trouble: list[str] = []
        progress.status(f"{self._brief.name}: bringing back what k6 measured")
        files = {"log": self._brief.log, RAW: self._brief.raw, SUMMARY: self._brief.summary}
        place = fetch.Place(self._kubectl, self._pod["metadata"]["name"], str(OUT))
        try:
            place.bring(files)
        except HarnessError as error:
            trouble.append(f"what k6 measured could not be brought back: {error}")
        try:
            clocks = difference(place.clock)
        except HarnessError as error:
            return Remains(self._status, trouble=(*trouble, f"the clock of k6's pod is not known: {error}"))
        if clocks.beyond(_CLOCKS):
            trouble.append(
                f"the clock of k6's pod is {clocks.least:+.1f} to {clocks.most:+.1f} s off this machine's: "
                "not everything here is about the same time; set both right"
            )
        return Remains(self._status, clocks.ahead, tuple(trouble))

    def _signal(self, name: str) -> None:
        if self._follower is None:
            self._over = self._over or "it was ended before k6 ran"
            return
        assert self._pod is not None  # noqa: S101 - there is one to follow
        shell = f'[ -e {OUT}/pid ] || sleep 1; kill -{name} "$(cat {OUT}/pid)"'
        # k6 may have ended a moment ago; if it did not, whoever waits for that will say so
        with suppress(CommandError):
            self._kubectl.run("exec", self._pod["metadata"]["name"], "--", "sh", "-c", shell)

    def _listen(self) -> None:
        pause = _LOOK_EARLY
        if self._follower is not None:
            said = self._said.read_text(encoding="utf-8", errors="replace")
            self._begun = self._begun or bool(_RUNNING.search(said))
            if ended := _ENDED.search(said):
                status = int(ended[1])
                self._status = 128 - status if status in _SIGNALLED else status
                return
            if self._follower.status is None:
                pause = _LOOK
        if time.monotonic() - self._looked >= pause:
            self._looked = time.monotonic()
            try:
                self._look()
                self._answered = time.monotonic()
            except CommandError as error:
                if time.monotonic() - self._answered > _DEAF:
                    self._over = f"for {_DEAF:g} s nobody could see what k6's pod does: {error}"

    def _look(self) -> None:
        """Look at the pod: why it runs no more, or never will; follow what it says once it does."""
        found = self._kubectl.json("get", "pods", f"--selector=job-name={self._job}")["items"]
        if self._pod is not None:  # never one that the Job made in its place: that is another load
            found = [one for one in found if one["metadata"]["uid"] == self._pod["metadata"]["uid"]]
            if not found:
                self._over = f"k6's pod is gone{self._warnings(self._pod)}"
                return
        self._pod = found[0] if found else None
        if self._pod is not None and (why := hopeless(self._pod)):
            self._over = f"k6's pod: {why}{self._warnings(self._pod)}"
        elif self._pod is None or not started(self._pod):
            patience = _patience(self._pod)
            if time.monotonic() - self._started > patience:
                self._over = f"k6's pod did not run within {patience:g} s{self._warnings(self._pod)}"
        elif self._follower is None or self._follower.status is not None:
            argv = self._kubectl.argv("logs", "--follow", self._pod["metadata"]["name"])
            plan = Plan(tuple(argv), cwd=Path.cwd(), log=self._said, grace=1.0)
            self._follower = self._stack.enter_context(Guarded(plan))

    def _warnings(self, of: Manifest | None) -> str:
        """Return what Kubernetes warned of last, about the pod or, where there is none, about its Job."""
        metadata = {"name": self._job, "namespace": self._kubectl.namespace}
        events = diagnosis.events(self._kubectl, of or {"metadata": metadata})
        return "".join(f"; {line}" for line in events.splitlines() if events != "(none)")


def hopeless(pod: Manifest) -> str:
    """Return why a pod runs no more or never will, in Kubernetes' words; empty if it does, or may yet."""
    if "deletionTimestamp" in pod["metadata"]:
        return "it was deleted"
    found = pods.trouble(pod)
    return pods.last_ending(pod) or (str(found) if found and not found.patient else "")


def started(pod: Manifest) -> bool:
    """Whether its container runs, or has run."""
    states = [one.get("state", {}) for one in pod.get("status", {}).get("containerStatuses", ())]
    return any("running" in state or "terminated" in state for state in states)


def _patience(pod: Manifest | None) -> float:
    """Return how many seconds a pod may take to run."""
    if pod is None:
        return _UNMADE
    found = pods.trouble(pod)
    return _UNSCHEDULABLE if found and found.patient else _PENDING
