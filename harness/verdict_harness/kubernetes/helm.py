"""Helm releases beside the system: installed if they are not there, and never taken from others."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ..errors import CommandError, HarnessError
from ..processes import Completed, command, progress
from ..systems import Chart
from .kubectl import Kubectl
from .objects import images

# A label, and not the description: that one is written only when an installation succeeds.
LABEL, OURS = "verdict-harness", "made-by-it"
NONE = "none"

_TIMEOUT = 180.0
_SHORT = 30.0
_HOOK = "helm.sh/hook"


class Helm:
    """Helm on one cluster.

    Args:
        kubectl: on that cluster, and the namespace of the system's services.
        environment: where ``<CHART>_CHART`` may name a local chart.
    """

    def __init__(self, kubectl: Kubectl, environment: Mapping[str, str] = os.environ) -> None:
        self._kubectl = kubectl
        self._environment = environment

    def images(self, chart: Chart) -> list[str]:
        """Return the images that ``chart`` runs; none if it can't be had, which :meth:`install` will say."""
        try:
            rendered = self._with_values("template", chart)
        except HarnessError:
            return []
        found = (one for one in yaml.safe_load_all(rendered.stdout) if isinstance(one, dict))
        return images(one for one in found if not _of_a_test(one))

    def owner(self, chart: Chart) -> str:
        """Return whose release of that name there is: ``"ours"``, ``"theirs"``; ``""`` if there is none."""
        if not self._status(chart):
            return ""
        states = ("--deployed", "--failed", "--pending", "--superseded", "--uninstalling")
        words = (*states, "--filter", f"^{chart.release}$", "--selector", f"{LABEL}={OURS}", "-o", "json")
        listed = self._run(chart, "list", *words).stdout
        return "ours" if json.loads(listed or "[]") else "theirs"

    def deployed(self, chart: Chart) -> bool:
        """Whether there is a release of that name, and not half made."""
        return bool(self._status(chart).get("status") == "deployed")

    def install(self, chart: Chart) -> bool:
        """Install or upgrade ``chart``'s release; return whether it is ours, and so to be taken down.

        One that is there and not ours is used as it is. One that nothing is measured by may fail: then a
        line says so.

        Raises:
            CommandError: it is needed and could not be installed.
        """
        status = self._status(chart)
        if self.owner(chart) == "theirs":
            progress.say(f"the release {chart.release} in {chart.namespace} is not ours: it is used as it is")
            return False
        progress.status(f"installing {chart.release}")
        try:
            if status and status.get("status") != "deployed":
                self.uninstall(chart)  # half made by whoever is gone: helm would not go on with it
                status = {}
            # no --wait: helm says too little, and too late, of what it waits for
            mark = ("--labels", f"{LABEL}={OURS}")
            self._with_values("upgrade", chart, "--install", "--create-namespace", *mark)
            if status and chart.needed:
                self._restart(chart)  # nothing else tells its pods of a configuration that changed
        except CommandError as error:
            if chart.needed:
                raise
            reason = (error.found.strip().splitlines() or [error.what])[-1].removeprefix("stderr: ")
            progress.say(f"{chart.release} is left out, nothing is measured by it: {reason[:200]}")
        return True

    def uninstall(self, chart: Chart) -> None:
        """Take the release away, whole or half made, and wait for it; harmless if there is none of ours.

        Raises:
            CommandError: it would not go.
        """
        if self.owner(chart) == "ours":
            self._run(chart, "uninstall", chart.release, "--ignore-not-found", "--wait", timeout=_TIMEOUT)

    def workloads(self, chart: Chart) -> list[dict[str, Any]]:
        """Return the Deployments and StatefulSets of the release, as the cluster has them."""
        manifest = self._run(chart, "get", "manifest", chart.release).stdout
        found = self._kubectl.within(chart.namespace).run(
            "get", "--ignore-not-found", "-o", "json", "-f", "-", stdin=manifest
        )
        items = json.loads(found.stdout)
        items = items["items"] if items["kind"] == "List" else [items]
        return [one for one in items if one["kind"] in ("Deployment", "StatefulSet")]

    def _restart(self, chart: Chart) -> None:
        for one in self.workloads(chart):
            within = self._kubectl.within(one["metadata"]["namespace"])
            within.run("rollout", "restart", f"{one['kind'].lower()}/{one['metadata']['name']}")

    def _status(self, chart: Chart) -> dict[str, Any]:
        done = self._run(chart, "status", chart.release, "-o", "json", check=False)
        if done.status == 0:
            info: dict[str, Any] = json.loads(done.stdout)["info"]
            return info
        if "not found" in done.stderr:
            return {}
        raise CommandError("helm does not say which releases there are", found=done.stderr.strip())

    def _with_values(self, what: str, chart: Chart, *words: str) -> Completed:
        with tempfile.TemporaryDirectory() as directory:
            files = [file.resolve() for file in chart.values]
            for number, text in enumerate(chart.document_values()):
                files.append(Path(directory) / f"{number}.yaml")
                files[-1].write_text(text, encoding="utf-8")
            values = [word for file in files for word in ("--values", str(file))]
            if chart.watches:
                values += ["--set", f"{chart.watches}={self._kubectl.namespace}"]
            source = self._source(chart)
            return self._run(chart, what, chart.release, *source, *values, *words, timeout=_TIMEOUT)

    def _source(self, chart: Chart) -> Sequence[str]:
        local = self._environment.get(variable(chart))
        if local:
            return (str(Path(local).expanduser().resolve()),)
        return (chart.chart, "--repo", chart.repository, "--version", chart.version)

    def _run(self, chart: Chart, *words: str, timeout: float = _SHORT, check: bool = True) -> Completed:
        """Run helm where ``chart``'s release is."""
        file = self._kubectl.kubeconfig
        where = [] if file is None else ["--kubeconfig", str(file)]
        where += ["--kube-context", self._kubectl.context, "--namespace", chart.namespace]
        # in an empty directory: to helm, a folder here that is called as a chart is that chart
        with tempfile.TemporaryDirectory() as nowhere:
            return command.run(["helm", *words, *where], cwd=Path(nowhere), timeout=timeout, check=check)


def left_out(chart: Chart, environment: Mapping[str, str]) -> bool:
    """Whether somebody wants to do without ``chart``, and can: its variable says none, and nothing needs it.

    >>> spare = Chart("grafana", "monitoring", "grafana", "https://example.org", "1.0.0", needed=False)
    >>> left_out(spare, {"GRAFANA_CHART": "none"}), left_out(spare, {"GRAFANA_CHART": "./none"})
    (True, False)
    """
    return not chart.needed and environment.get(variable(chart)) == NONE


def variable(chart: Chart) -> str:
    """Return the name of the variable that may name a local chart instead.

    >>> variable(Chart("mine", "monitoring", "kube-state-metrics", "https://example.org", "1.0.0"))
    'KUBE_STATE_METRICS_CHART'
    """
    return re.sub(r"[^A-Z0-9]", "_", chart.chart.upper()) + "_CHART"


def _of_a_test(manifest: Mapping[str, Any]) -> bool:
    """Whether Helm makes this only when somebody asks for the chart's tests."""
    hooks = str(((manifest.get("metadata") or {}).get("annotations") or {}).get(_HOOK, "")).split(",")
    return all(hook.strip().startswith("test") for hook in hooks)
