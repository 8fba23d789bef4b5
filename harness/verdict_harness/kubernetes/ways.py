"""Ports of this machine that lead to Services of a cluster, for as long as somebody walks around in it."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ..errors import HarnessError
from ..processes import Ports, progress
from .kubectl import Kubectl
from .proxy import Forward

_LOOK = 1.0  # seconds


@dataclass(frozen=True, slots=True)
class Way:
    """One port of one Service.

    Attributes:
        name: what people call it.
        namespace: of the Service.
        service: the Service's name.
        port: its number there.
        wished: the number here, if that is free.
    """

    name: str
    namespace: str
    service: str
    port: int
    wished: int


class Ways:
    """Forwards that are started again whenever they end, as one does with the pod that it led to.

    A context manager.

    Args:
        kubectl: on the cluster.
        ways: those to open; one whose Service is not there is left out, and a line says so.
        directory: for what each forward says.

    Attributes:
        addresses: ``host:port`` of this machine, by name; known once it is entered.
    """

    def __init__(self, kubectl: Kubectl, ways: Iterable[Way], directory: Path) -> None:
        self._kubectl = kubectl
        self._ways = tuple(ways)
        self._directory = directory
        self._ports = Ports()
        self._forwards: list[Forward] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="ways into the cluster", daemon=True)
        self._undo = ExitStack()
        self.addresses: dict[str, str] = {}

    def __enter__(self) -> Self:
        """Open them, and return once each listens.

        Raises:
            WaitTimeout: one does not listen.
        """
        with ExitStack() as undo:
            undo.callback(self._ports.release)
            for way in self._ways:
                within = self._kubectl.within(way.namespace)
                found = within.run("get", "service", way.service, "--ignore-not-found", "-o", "name")
                if not found.stdout.strip():
                    progress.say(f"{way.name} is not there: no Service {way.service} in {way.namespace}")
                    continue
                here = self._ports.reserve(way.wished)
                log = self._directory / f"forward-{way.name}.log"
                forward = Forward(within, way.service, here, log, way.port)
                undo.callback(forward.close)
                forward.open()
                self._forwards.append(forward)
                self.addresses[way.name] = f"localhost:{here}"
            self._undo = undo.pop_all()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close them."""
        self._over.set()
        self._thread.join()
        self._undo.close()

    def _look(self) -> None:
        while not self._over.wait(_LOOK):
            for forward in self._forwards:
                with suppress(HarnessError):  # again at the next look
                    forward.renew()
