"""Ways into a cluster that say when they end: one kubectl proxy, and forwards that are started again."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from pathlib import Path

from ..errors import HarnessError, InstrumentDied, UsageError
from ..processes import Answer, Guarded, Pending, Plan, Ports, ask, until
from ..systems import Endpoint
from .kubectl import Kubectl

HOST = "127.0.0.1"

# Whoever is on this machine can reach the proxy, so it leads to services and to the pods' status alone.
_ACCEPTED = r"^/(readyz|api/v1/namespaces/[^/]+/(pods|services/[^/]+/proxy(/.*)?))$"
_FROM_THE_API = (200, 401, 403)
_TIMEOUT = 15.0
_AGAIN = 0.5  # seconds between two starts of a forward


class Proxy:
    """A ``kubectl proxy`` under guard; a context manager.

    Args:
        kubectl: on the cluster that it leads to.
        log: file for what it says.
    """

    def __init__(self, kubectl: Kubectl, log: Path) -> None:
        self._kubectl = kubectl
        self._log = log
        self._ports = Ports()
        self._guarded: Guarded | None = None
        self.port = 0

    def open(self) -> None:
        """Start it, and return once it answers.

        Raises:
            InstrumentDied: it ended at once.
            WaitTimeout: it does not answer.
        """
        self.port = self._ports.reserve()
        self._guarded = Guarded(
            Plan(
                tuple(
                    self._kubectl.argv(
                        *("proxy", f"--address={HOST}", f"--port={self.port}"),
                        *(f"--accept-paths={_ACCEPTED}", "--reject-methods=^(CONNECT|TRACE)$"),
                    )
                ),
                cwd=self._log.parent,
                log=self._log,
                grace=2.0,
                hold=[self._ports.descriptor(self.port)],
            )
        )
        until("kubectl proxy", self._answers, timeout=_TIMEOUT, alive=self.check)

    def close(self) -> None:
        """End it; harmless if it does not run."""
        if self._guarded is not None:
            self._guarded.stop()
        self._ports.release()

    def check(self) -> None:
        """Raise :class:`InstrumentDied` if it ended."""
        if self._guarded is not None and (status := self._guarded.status) is not None:
            raise InstrumentDied(
                "kubectl proxy, the way to every service of the cluster, ended by itself",
                expected="a process that runs until it is stopped",
                found=f"exit status {status}; its last lines:\n{_tail(self._log)}",
                where=str(self._log),
            )

    def endpoint(self, namespace: str, service: str, port: int | str) -> Endpoint:
        """Return where a port of a Service answers, through it."""
        path = f"/api/v1/namespaces/{namespace}/services/{service}:{port}/proxy"
        return Endpoint(HOST, self.port, path)

    def _answers(self) -> bool:
        # who may not ask that has been refused by the API server itself, and so the way there is open
        return ask(f"http://{HOST}:{self.port}/readyz", _is_the_api, good=_FROM_THE_API)


def _is_the_api(answer: Answer) -> bool:
    return answer.status in _FROM_THE_API[1:] or answer.text.strip() == "ok"


class Forward:
    """A port of this machine that leads to a port of a pod behind a Service, as long as there is one.

    Args:
        kubectl: on the service's cluster and namespace.
        service: its name.
        port: its number here, and of the service: whoever answers there may name itself by it.
        log: file for what it says.
        there: the service's, where it is another number.
    """

    def __init__(self, kubectl: Kubectl, service: str, port: int, log: Path, there: int = 0) -> None:
        self._kubectl = kubectl
        self.service = service
        self.port = port
        self._there = there or port
        self._log = log
        self._guarded: Guarded | None = None
        self._started = 0.0
        self._closed = False
        self._lock = threading.RLock()  # it is renewed from a thread that watches

    def open(self) -> None:
        """Start it for the first time, and return once it listens.

        Raises:
            UsageError: the port is taken.
            WaitTimeout: it does not listen.
        """
        if _listens(self.port):
            raise UsageError(
                f"port {self.port} of this machine is taken, and {self.service} is to answer there",
                expected=f"nobody at {HOST}:{self.port}: the broker gives this address to its clients",
                found="something that accepts connections",
                where=f"{HOST}:{self.port}",
                todo="end what listens there (ss -ltnp shows it); perhaps another run is still up",
            )
        until(f"the port of {self.service}", self._try, timeout=_TIMEOUT)

    def renew(self) -> None:
        """Start it again if it has ended: a forward ends with the pod that it led to."""
        with self._lock:
            if self._closed or (self._guarded is not None and self._guarded.status is None):
                return
            if time.monotonic() - self._started < _AGAIN:
                return
            self._started = time.monotonic()
            if self._guarded is not None:
                self._guarded.stop()
            ports = f"{self.port}:{self._there}"
            words = ("port-forward", f"--address={HOST}", f"service/{self.service}", ports)
            self._guarded = Guarded(
                Plan(tuple(self._kubectl.argv(*words)), cwd=self._log.parent, log=self._log, grace=1.0)
            )

    def reopen(self) -> None:
        """Start it anew, whether it has noticed by now that its pod is gone or not."""
        with self._lock:
            if self._guarded is not None:
                self._guarded.kill()
            self._started = 0.0
            self.renew()

    def close(self) -> None:
        """End it for good; harmless if it does not run."""
        with self._lock:
            self._closed = True
            if self._guarded is not None:
                self._guarded.stop()

    def _try(self) -> bool:
        with contextlib.suppress(HarnessError):
            self.renew()
        if not _listens(self.port):
            raise Pending(f"nothing listens; {_tail(self._log, 1)}")
        return True


def _listens(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), 1.0).close()
    except OSError:
        return False
    return True


def _tail(path: Path, lines: int = 10) -> str:
    try:
        return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""
