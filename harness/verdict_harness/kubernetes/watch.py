"""Look after what is up: which pods ended by themselves, and whether the ways to them still lead there.

It looks from a thread of its own, through the proxy that is open anyway: a
look costs one request and no process, and nobody who measures waits for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import HarnessError, InstrumentDied, ServiceDied
from ..processes import Answer, Pending, ask, web
from . import diagnosis, pods
from .kubectl import Kubectl
from .proxy import HOST, Forward, Proxy

_LOOK = 2.0  # seconds
_TIMEOUT = 5.0
_SILENCE = 30.0  # seconds without an answer of the API server, which a loaded machine may cause for a while

Pod = Mapping[str, Any]
NAME = "app.kubernetes.io/name"


class Watch:
    """Watches the pods of services; a :meth:`check` says what died.

    Args:
        kubectl: on their cluster; for the last words of those that died.
        proxy: the way there; its end is a death, too.
        forwards: what is renewed when it ended.
    """

    def __init__(self, kubectl: Kubectl, proxy: Proxy, forwards: Iterable[Forward] = ()) -> None:
        self._kubectl = kubectl
        self._proxy = proxy
        self._forwards = tuple(forwards)
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], dict[str, int]] = {}
        self._death: ServiceDied | None = None
        self._answered = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch pods", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._answered = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """End; harmless if it never began."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def expect(self, namespace: str, service: str, its_pods: Iterable[Pod]) -> None:
        """From now on ``service`` is to consist of these pods, started as often as they were by now."""
        known = {pod["metadata"]["uid"]: pods.restarts(pod) for pod in its_pods}
        with self._lock:
            self._known[namespace, service] = known

    def forget(self, namespace: str, service: str) -> None:
        """From now on ``service`` may do what it likes: it is being killed, or started."""
        with self._lock:
            self._known.pop((namespace, service), None)

    def check(self) -> None:
        """Raise :class:`ServiceDied` if a pod ended by itself, or nobody can tell any more; costs nothing."""
        self._proxy.check()
        with self._lock:
            if self._death is not None:
                raise self._death
        if (silence := time.monotonic() - self._answered) > _SILENCE:
            raise InstrumentDied(
                "the cluster's API server does not answer",
                expected="the list of pods, every few seconds",
                found=f"nothing for {silence:.0f} s",
                where=f"context {self._kubectl.context}",
            )

    def _run(self) -> None:
        with web.client(f"http://{HOST}:{self._proxy.port}", timeout=_TIMEOUT) as client:
            while not self._over.wait(_LOOK):
                for forward in self._forwards:
                    try:
                        forward.renew()
                    except HarnessError:
                        continue  # again at the next look
                try:
                    self._look(client)
                except Pending:
                    continue  # check() counts the seconds

    def _look(self, client: web.Client) -> None:
        with self._lock:
            spaces = {space for space, _ in self._known}
        for space in spaces:
            found = ask(f"/api/v1/namespaces/{space}/pods", _by_uid, timeout=_TIMEOUT, client=client)
            with self._lock:
                suspects = [
                    (service, uid, restarts)
                    for (where, service), known in self._known.items()
                    if where == space
                    for uid, restarts in known.items()
                ]
            self._compare(space, found, suspects)
        self._answered = time.monotonic()

    def _compare(
        self, space: str, found: Mapping[str, Pod], suspects: Iterable[tuple[str, str, int]]
    ) -> None:
        for service, uid, restarts in suspects:
            pod = found.get(uid)
            if pod is None or "deletionTimestamp" in pod["metadata"]:
                self._died(space, service, uid, "its pod was deleted", "")
            elif pods.restarts(pod) > restarts or pod.get("status", {}).get("phase") in (
                "Failed",
                "Succeeded",
            ):
                how = pods.last_ending(pod) or str(pod["status"].get("reason", "it ended"))
                lines = diagnosis.last_lines(self._kubectl, pod, before_restart=True)
                self._died(space, service, uid, how, f"; its last lines:\n{lines}")

    def _died(self, space: str, service: str, uid: str, how: str, lines: str) -> None:
        with self._lock:
            # what was killed on purpose between our question and its answer did not die by itself
            if self._death is None and uid in self._known.get((space, service), {}):
                self._death = ServiceDied(
                    f"{service} died by itself",
                    expected="a pod that runs until it is stopped",
                    found=how + lines,
                    where=f"namespace {space}, context {self._kubectl.context}",
                )


def _by_uid(answer: Answer) -> dict[str, Pod]:
    found = answer.json()
    if found["kind"] != "PodList":  # whatever else has no pods in it says nothing of whether there are any
        raise Pending(f"no list of pods: {answer}")
    return {pod["metadata"]["uid"]: pod for pod in found["items"]}
