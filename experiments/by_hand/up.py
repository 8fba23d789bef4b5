"""Bring the exchange up and keep it up until Ctrl-C; or open ways into a cluster where it is up already."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from verdict_harness.errors import UsageError
from verdict_harness.kubernetes import K3dBackend, Ways
from verdict_harness.processes import interrupt, progress
from verdict_harness.systems import Deployment, LocalBackend, Options

from . import addresses, record

_LOOK = 0.5  # seconds


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be up.

    Attributes:
        backend: ``local`` or ``k3d``.
        shape: ``single`` or ``multi``.
        keep: leave the cluster, or what runs here, up afterwards.
        reuse: use the cluster that is up.
    """

    backend: str
    shape: str
    keep: bool = False
    reuse: bool = False


def up(asked: Asked, runs: Path) -> None:
    """Bring the exchange up, say where it answers, and return when somebody ends it.

    Args:
        asked: what is to be up.
        runs: where its logs go, and the record of it.

    Raises:
        UsageError: the exchange is up already.
        HarnessError: it could not be brought up, or something of it died.
    """
    file = runs / "up.json"
    if there := record.read(file):
        raise UsageError(
            "the exchange is up already",
            expected="nobody who keeps it up",
            found=f"process {there['pid']}, {there['shape']}",
            where=str(file),
            todo="nox -s down",
        )
    directory = runs / f"up-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    with _heeded(), ExitStack() as stack:
        try:
            deployment, where = _deployed(stack, asked, directory)
            stack.enter_context(record.kept(file, asked.shape, where))
            _say(
                f"the exchange is up on {asked.backend}, {asked.shape}; Ctrl-C or nox -s down ends it:", where
            )
            while True:
                deployment.check()
                time.sleep(_LOOK)
        except KeyboardInterrupt:
            interrupt.ending()
            progress.say("ending")


def forward(shape: str) -> None:
    """Open the ways into the k3d cluster that is up, and keep them open until somebody ends it.

    Raises:
        UsageError: there is no such cluster.
        HarnessError: a way could not be opened.
    """
    with _heeded(), ExitStack() as stack:
        try:
            kubectl = stack.enter_context(K3dBackend(Options()).reached(addresses.SHAPES[shape]))
            logs = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="verdict-harness-")))
            opened = stack.enter_context(Ways(kubectl, addresses.ways(shape), logs))
            _say("the ways into the cluster are open, until Ctrl-C:", opened.addresses)
            while True:
                time.sleep(_LOOK)
        except KeyboardInterrupt:
            interrupt.ending()
            progress.say("ending")


def _deployed(stack: ExitStack, asked: Asked, directory: Path) -> tuple[Deployment, dict[str, str]]:
    system = addresses.SHAPES[asked.shape]
    if asked.backend == "k3d":
        made = K3dBackend(Options(reuse=asked.reuse))
        made.preflight()
        cluster = stack.enter_context(made.deploy(system, directory, keep=asked.keep))
        ways = [way for way in addresses.ways(asked.shape) if way.name not in cluster.lacking]
        opened = stack.enter_context(Ways(cluster.kubectl, ways, directory))
        return cluster, opened.addresses
    ours = LocalBackend(addresses.wished(asked.shape))
    here = stack.enter_context(ours.deploy(system, directory, keep=asked.keep))
    names = (*addresses.HTTP[asked.shape], addresses.PROMETHEUS)
    return here, {name: here.endpoint(name).address.replace("127.0.0.1", "localhost") for name in names}


def _say(what: str, where: dict[str, str]) -> None:
    progress.done()
    progress.say(what)
    for line in addresses.lines(where):
        progress.say(line)


@contextmanager
def _heeded() -> Iterator[None]:
    heed_no_more = interrupt.heed()
    try:
        yield
    finally:
        heed_no_more()
