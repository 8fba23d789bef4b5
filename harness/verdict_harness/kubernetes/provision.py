"""From a description to a system on a cluster: what the backends ``k3d`` and ``kube`` have in common."""

from __future__ import annotations

import dataclasses
import json
import time
import uuid
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import ClusterError, HarnessError
from ..processes import progress
from ..systems import Chart, Kubernetes
from . import images, objects, scaled
from .deployment import ClusterDeployment
from .helm import NONE, Helm, left_out, variable
from .kubectl import Kubectl
from .spare import Spare, awaited

Object = dict[str, Any]


class Provision:
    """One system on one cluster, from its manifests to applied objects and releases.

    Args:
        kubectl: on the cluster, and the namespace where the services go.
        recipe: how the system runs on Kubernetes.
        environment: where variables are looked up.
        installed: the charts that were installed on the cluster by now, by namespace and release; kept by
            whoever deploys several systems on it.
    """

    def __init__(
        self,
        kubectl: Kubectl,
        recipe: Kubernetes,
        environment: Mapping[str, str],
        installed: dict[tuple[str, str], Chart],
    ) -> None:
        self._kubectl = kubectl
        self._recipe = recipe
        self._helm = Helm(kubectl, environment)
        self._rendered: list[Object] = []
        self._installed = installed
        self.charts = [
            self._with_overlay(chart) for chart in recipe.charts if not left_out(chart, environment)
        ]
        self.applied: list[Object] = []

    def bring(self, deployment: ClusterDeployment, sources: Mapping[str, str], directory: Path) -> None:
        """Apply and install everything, and return once it is up, and made of what it is to be.

        Args:
            deployment: the system as it will be used.
            sources: digest of what each image of ours was made of.
            directory: for what tells later what was applied.
        """
        owners = self.owners()
        self.apply(sources, directory)
        self.install()
        deployment.up(self.applied, self.beside(), before=owners)
        deployment.lacking = awaited(self._kubectl, self.spare(), deployment.check)
        self.verify(sources)

    def owners(self) -> set[str]:
        """Return whose releases there are already, of the names of those that are needed."""
        return {self._helm.owner(chart) for chart in self.charts if chart.needed}

    def images(self) -> list[str]:
        """Render everything, and return every image that a node will need."""
        progress.status("rendering manifests and charts")
        self._rendered = objects.render(self._kubectl, self._recipe.overlay)
        charts = [name for chart in self.charts for name in self._helm.images(chart)]
        return list(dict.fromkeys([*objects.images(self._rendered), *charts, self._recipe.load_image]))

    def apply(self, sources: Mapping[str, str], directory: Path) -> None:
        """Apply the manifests as a deployment of its own, and delete what only an earlier one had.

        Args:
            sources: digest of what each image of ours was made of.
            directory: where ``applied.json`` tells later what was applied.
        """
        rendered = self._rendered or objects.render(self._kubectl, self._recipe.overlay)
        ready = objects.prepared(
            rendered,
            namespace=self._recipe.namespace,
            instead=self._kubectl.namespace,
            deployment=f"{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:8]}",
            sources=sources,
        )
        ready = objects.with_namespaces(ready, self.namespaces())
        told = [one for one in ready if one["kind"] != "Secret"]
        (directory / "applied.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
        progress.status("applying manifests")
        scaled.tell_of_what_was_left(self._kubectl, ready)
        # First what was: a pod of the system before takes the room that one of this may need.
        objects.clear(self._kubectl, [self._kubectl.namespace], ready)
        # Noted before: what is applied in part is taken away, too.
        self.applied = objects.ours(self._kubectl, ready)
        objects.apply(self._kubectl, self.applied)

    def install(self) -> None:
        """Install the charts, but those that are installed already as they are to be."""
        wanted = {chart.release for chart in self.charts}
        for chart in self._recipe.charts:
            if chart.release not in wanted:
                progress.say(f"{chart.release} is neither installed nor awaited: {variable(chart)} is {NONE}")
        for chart in self.charts:
            key = (chart.namespace, chart.release)
            if self._installed.get(key) == chart:
                continue
            self._installed[key] = chart  # before: what is installed in part is taken away, too
            if not self._helm.install(chart):
                del self._installed[key]

    def beside(self) -> list[Object]:
        """Return the workloads of the charts that are needed, as the cluster has them."""
        return [one for chart in self.charts if chart.needed for one in self._helm.workloads(chart)]

    def spare(self) -> list[Spare]:
        """Return the other charts, and their workloads; ``None`` if one could not be installed."""
        return [
            (chart, self._helm.workloads(chart) if self._helm.deployed(chart) else None)
            for chart in self.charts
            if not chart.needed
        ]

    def verify(self, sources: Mapping[str, str]) -> None:
        """Ask every container of ours that runs what its image was made of.

        Args:
            sources: what it is to be, by image.

        Raises:
            ClusterError: it is something else, or it does not say.
        """
        short = {name.rsplit("/", 1)[-1].partition(":")[0]: digest for name, digest in sources.items()}
        found = self._kubectl.json("get", "pods", "--selector", objects.SELECTOR)["items"]
        for pod in found:
            if "deletionTimestamp" in pod["metadata"]:
                continue
            for container in pod["spec"]["containers"]:
                wanted = short.get(container["image"].rsplit("/", 1)[-1].partition("@")[0].partition(":")[0])
                if wanted is None:
                    continue
                runs = self._made_of(pod["metadata"]["name"], container["name"])
                if runs != wanted:
                    raise _stale(pod, container, wanted, runs)

    def uninstall(self) -> None:
        """Take away everything that :meth:`apply` and :meth:`install` brought, volumes too.

        Raises:
            HarnessError: something would not go; the rest is gone.
        """
        steps = [partial(self._helm.uninstall, chart) for chart in reversed(self._installed.values())]
        steps.append(partial(objects.delete, self._kubectl, self.applied, [self._kubectl.namespace]))
        problems: list[HarnessError] = []
        for step in steps:  # each, whatever became of the one before
            try:
                step()
            except HarnessError as error:
                problems.append(error)
        if problems:
            for other in problems[1:]:
                problems[0].add_note(str(other))
            raise problems[0]

    def namespaces(self) -> list[str]:
        """Return every namespace where something of it is."""
        return list(dict.fromkeys((self._kubectl.namespace, *(chart.namespace for chart in self.charts))))

    def _made_of(self, pod: str, container: str) -> str:
        words = ("exec", pod, f"--container={container}", "--", "printenv", images.VARIABLE)
        return self._kubectl.run(*words, check=False).stdout.strip()  # without a word if it may not ask

    def _with_overlay(self, chart: Chart) -> Chart:
        """Return ``chart`` with the values that the overlay has for it, if any."""
        extra = self._recipe.overlay / f"{chart.release}-values.yaml"
        return dataclasses.replace(chart, values=(*chart.values, extra)) if extra.is_file() else chart


def _stale(pod: Object, container: Object, wanted: str, runs: str) -> ClusterError:
    return ClusterError(
        f"{pod['metadata']['name']} does not run what this source tree makes",
        expected=f"an image made of sources with the digest {wanted[:16]}…",
        found=f"{runs[:16]}…" if runs else "an image that does not say what it was made of",
        where=f"container {container['name']}, image {container['image']}",
        todo="build the image anew (nox -s images) and bring it to where the cluster gets it from; "
        "nothing is judged on another one",
    )
