"""The kube backend: a cluster that exists already, where only what a run brought is taken away again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import HarnessError
from ..processes import progress
from ..systems import Capability, Options, System
from . import images, tools
from .deployment import ClusterDeployment, left, recipe
from .k6.job import wanted
from .kubectl import Kubectl, current_context
from .provision import Provision


class KubeBackend:
    """Runs a system on a cluster of others.

    It neither builds nor pushes images: the cluster has to have, or be able to pull, those of the
    overlay.  One that says what it was made of (see :mod:`.images`) is checked nevertheless.

    Args:
        options: what was asked for.
    """

    def __init__(self, options: Options | None = None) -> None:
        self._options = options or Options()

    @property
    def name(self) -> str:
        """The word after ``--backend``."""
        return "kube"

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Pause and kill, both by scaling to 0: nodes are not ours here, nor are their processes."""
        return frozenset({Capability.PAUSE, Capability.KILL})

    def preflight(self) -> None:
        """Check the tools and that there is a cluster; see :func:`.tools.preflight`."""
        tools.preflight((tools.KUBECTL, tools.HELM), self.name)
        self._context()

    @contextmanager
    def deploy(self, system: System, directory: Path, *, keep: bool = False) -> Iterator[ClusterDeployment]:
        """Bring ``system`` up, ready and scraped; take away what that took, unless ``keep``.

        ``directory`` receives the logs of every pod, events, and what was applied.

        Raises:
            UsageError: something of the same name is there that is not ours; no context was given and none
                is current.
            ClusterError: the cluster will never run it.
            WaitTimeout: something was not ready in time.
            CommandError: a tool failed.
        """
        how = recipe(system, self._options.overlay)
        inside = wanted(self._options.environment)
        directory = directory.resolve()
        directory.mkdir(parents=True, exist_ok=True)
        kubectl = Kubectl(self._context(), self._options.namespace or how.namespace)
        provision = Provision(kubectl, how, self._options.environment, {})
        deployment = ClusterDeployment(system, how, kubectl, directory, load_inside=inside)
        progress.say(
            f"context {kubectl.context}, namespace {kubectl.namespace}: it pulls these images, or has them: "
            + ", ".join(provision.images())
        )
        try:
            with left(deployment):
                sources = {image.name: images.digest(image) for image in how.images}
                provision.bring(deployment, sources, directory)
                yield deployment
        except BaseException as error:
            if keep:
                raise
            try:
                _take_away(provision)
            except HarnessError as problem:
                error.add_note(f"and while the system was taken away: {problem}")
            raise
        if keep:
            progress.say(f"{system.name} stays up: kubectl --context={kubectl.context} get pods -A")
            progress.say("the next run with --backend kube takes it over, and takes it away")
        else:
            _take_away(provision)

    def _context(self) -> str:
        return self._options.context or current_context()


def _take_away(provision: Provision) -> None:
    progress.status("taking away what was applied")
    provision.uninstall()
    progress.done()
