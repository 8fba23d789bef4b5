"""The k3d backend: a cluster of our own in containers of this machine, made, used and deleted."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from ..errors import HarnessError, UsageError
from ..processes import progress
from ..systems import Capability, Chart, Kubernetes, Options, System
from . import images, tools
from .cluster import Cluster
from .deployment import ClusterDeployment, left, recipe
from .k6.job import wanted
from .kubectl import Kubectl
from .provision import Provision

_LOCKS = Path("/tmp/verdict-harness-clusters")  # noqa: S108 - empty files, locked while a cluster is used
_RECORD = "verdict-harness"


@dataclass
class _Up:
    """The cluster while it is up, and what of it is known to be there."""

    cluster: Cluster
    lock: FileLock
    directory: Path
    kubectl: Kubectl
    found: bool
    charts: dict[tuple[str, str], Chart] = field(default_factory=dict)


class K3dBackend:
    """Runs a system on a k3d cluster of its own.

    A context manager: within, the cluster stays from one system to the next, which saves a minute each time.
    Every system starts afresh all the same: with new pods on empty volumes, and a Prometheus that has
    forgotten the one before.

    Args:
        options: what was asked for.
    """

    def __init__(self, options: Options | None = None) -> None:
        self._options = options or Options()
        self._up: _Up | None = None
        self._users = 0
        self._keep = False

    @property
    def name(self) -> str:
        """The word after ``--backend``."""
        return "k3d"

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Pause and kill: the nodes are containers of this machine, and their processes can be reached."""
        return frozenset({Capability.PAUSE, Capability.KILL})

    def preflight(self) -> None:
        """Check the tools; see :func:`.tools.preflight`."""
        tools.preflight((tools.DOCKER, tools.K3D, tools.KUBECTL, tools.HELM), self.name)

    def __enter__(self) -> Self:
        self._users += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave(error)

    @contextmanager
    def deploy(self, system: System, directory: Path, *, keep: bool = False) -> Iterator[ClusterDeployment]:
        """Bring ``system`` up, ready and scraped, on a cluster that is made if there is none.

        ``directory`` receives the logs of every pod, events, and what was applied.

        Raises:
            UsageError: a cluster of that name is not ours, or the description can't be run.
            ClusterError: the cluster will never run it.
            WaitTimeout: something was not ready in time.
            CommandError: a tool failed.
        """
        how = recipe(system, self._options.overlay)
        inside = wanted(self._options.environment)
        directory = directory.resolve()
        directory.mkdir(parents=True, exist_ok=True)
        self._keep |= keep
        self._users += 1
        try:
            up = self._open(how)
            deployment = ClusterDeployment(
                system,
                how,
                up.kubectl.within(how.namespace),
                directory,
                nodes=True,
                load_inside=inside,
            )
            with left(deployment):
                self._deploy(up, how, deployment, directory)
                yield deployment
        except BaseException as error:
            self._leave(error)
            raise
        self._leave(None)

    @contextmanager
    def reached(self, system: System) -> Iterator[Kubectl]:
        """Yield kubectl on the cluster that was left up for ``system``, which stays as it is.

        Raises:
            UsageError: there is none, or it is not ours.
        """
        cluster = Cluster.of(self._options.environment, recipe(system, None).cluster)
        nodes = cluster.nodes()
        if not nodes:
            raise UsageError(
                f"the cluster {cluster.name} is not up",
                expected="one that --keep or nox -s up left",
                found="none of that name",
                where="k3d cluster list",
                todo="nox -s up -- --backend k3d",
            )
        if not cluster.ours(nodes):
            raise cluster.refuse()
        with tempfile.TemporaryDirectory(prefix="verdict-harness-") as directory:
            yield Kubectl(cluster.context, "", cluster.kubeconfig(Path(directory)))

    def take_down(self, system: System) -> bool:
        """Delete the cluster that was left up for ``system``; return whether there was one.

        Raises:
            UsageError: it is not ours, or a run uses it.
        """
        cluster = Cluster.of(self._options.environment, recipe(system, None).cluster)
        nodes = cluster.nodes()
        if not nodes:
            return False
        if not cluster.ours(nodes):
            raise cluster.refuse()
        with _locked(cluster.name):
            progress.status(f"deleting the cluster {cluster.name}")
            cluster.delete()
            progress.done()
        return True

    def _deploy(self, up: _Up, how: Kubernetes, deployment: ClusterDeployment, directory: Path) -> None:
        sources = {image.name: images.build(image) for image in how.images}
        provision = Provision(deployment.kubectl, how, self._options.environment, up.charts)
        self._bring(up, provision.images())
        provision.bring(deployment, sources, directory)

    def _bring(self, up: _Up, wanted: Sequence[str]) -> None:
        """Import what the nodes do not have yet, as the engine has it now, or gets it."""
        here = images.had(wanted)
        record = up.kubectl.within("kube-system")
        done = record.run("get", "configmap", _RECORD, "--ignore-not-found", "-o", "json").stdout
        there = json.loads(done).get("data", {}).get("images", "{}") if done.strip() else "{}"
        known: dict[str, str] = json.loads(there)
        new = [name for name, identity in here.items() if known.get(name) != identity]
        if not new:
            return
        up.cluster.import_images(new)
        data = {"images": json.dumps({**known, **here})}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": _RECORD}, "data": data}
        record.run("apply", "-f", "-", stdin=json.dumps(body))

    def _open(self, how: Kubernetes) -> _Up:
        cluster = Cluster.of(self._options.environment, how.cluster)
        if self._up is not None and self._up.cluster != cluster:
            self._close()
        if self._up is None:
            with ExitStack() as undo:
                lock = _locked(cluster.name)
                undo.callback(lock.release)
                found = self._made(cluster)
                if not found:
                    undo.callback(_delete, cluster)
                directory = Path(tempfile.mkdtemp(prefix="verdict-harness-"))
                undo.callback(shutil.rmtree, directory, ignore_errors=True)
                kubectl = Kubectl(cluster.context, "", cluster.kubeconfig(directory))
                self._up = _Up(cluster, lock, directory, kubectl, found)
                undo.pop_all()
        return self._up

    def _made(self, cluster: Cluster) -> bool:
        """Make the cluster unless it is there and may be used; return whether it was there."""
        nodes = cluster.nodes()
        if nodes:
            if not cluster.ours(nodes):
                raise cluster.refuse()
            if self._options.reuse:
                progress.say(f"using the cluster {cluster.name} that is up, and leaving it up")
                cluster.start()
                return True
            progress.say(
                f"replacing the cluster {cluster.name} that an earlier run left up (--reuse uses it)"
            )
            cluster.delete()
        progress.status(f"creating the cluster {cluster.name}")
        try:
            cluster.create()
        except BaseException as error:
            _delete(cluster)
            if isinstance(error, HarnessError):
                progress.done()
            raise
        return False

    def _leave(self, error: BaseException | None) -> None:
        """Note that one user of the cluster is gone; after the last, so is the cluster."""
        self._users -= 1
        if self._users:
            return
        try:
            self._close()
        except HarnessError as problem:
            if error is None:
                raise
            error.add_note(f"and while the cluster was taken down: {problem}")

    def _close(self) -> None:
        up, self._up = self._up, None
        if up is None:
            return
        try:
            if self._keep or up.found:
                self._tell(up)
            else:
                progress.status(f"deleting the cluster {up.cluster.name}")
                up.cluster.delete()
        finally:
            progress.done()
            shutil.rmtree(up.directory, ignore_errors=True)
            up.lock.release()

    @staticmethod
    def _tell(up: _Up) -> None:
        name = up.cluster.name
        progress.say(f"the cluster {name} stays up:")
        progress.say(f"  look at it:   k3d kubeconfig merge {name} -d -s && kubectl get pods -A")
        progress.say("  ways into it: nox -s forward -- --backend k3d")
        progress.say("  use it again: --backend k3d --reuse")
        progress.say(f"  delete it:    nox -s down -- --backend k3d, or k3d cluster delete {name}")


def _delete(cluster: Cluster) -> None:
    """Take away what there is of a cluster that could not be made, and is not somebody else's by now."""
    with contextlib.suppress(HarnessError):
        nodes = cluster.nodes()
        if not nodes or cluster.ours(nodes):
            cluster.delete()


def _locked(name: str) -> FileLock:
    """Return a lock that says that this process uses the cluster ``name``.

    Raises:
        UsageError: another one does.
    """
    with contextlib.suppress(FileExistsError):
        _LOCKS.mkdir(parents=True)
        _LOCKS.chmod(0o1777)  # for other users of this machine, too
    lock = FileLock(_LOCKS / f"{name}.lock", timeout=0, mode=0o666)
    try:
        lock.acquire()
    except Timeout:
        raise UsageError(
            f"another run uses the cluster {name}",
            expected="one run at a time: two would disturb each other's measurement",
            found="its lock is held",
            where=str(_LOCKS / f"{name}.lock"),
            todo="wait for its end, or set K3D_CLUSTER to another name",
        ) from None
    return lock
