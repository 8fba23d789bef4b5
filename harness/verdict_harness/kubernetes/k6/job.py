"""k6 as a Job of the cluster that the system under test runs in."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from ...errors import CommandError, LoadError, UsageError
from ...loads import words
from ...processes import progress
from ...systems import Brief
from ..kubectl import Kubectl
from . import manifests
from .pod import Pod

_DELETE_TIMEOUT = 60.0  # seconds


def wanted(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether k6 is to run in the cluster, as it does unless ``HARNESS_K6`` says ``host``.

    Raises:
        UsageError: it says something else.

    >>> wanted({}), wanted({"HARNESS_K6": "cluster"}), wanted({"HARNESS_K6": "host"})
    (True, True, False)
    """
    found = environment.get("HARNESS_K6") or "cluster"
    if found not in ("cluster", "host"):
        raise UsageError(
            "where k6 is to run is not known",
            expected="cluster, or host for the machine that the harness runs on",
            found=repr(found),
            where="HARNESS_K6",
        )
    return found == "cluster"


class Jobs:
    """Runs k6 as Jobs (see :class:`~verdict_harness.systems.Generator`).

    Args:
        kubectl: bound to the namespace that they run in.
        image: with k6 and a shell, as ``grafana/k6`` is.
        prometheus: base URL of the Prometheus that takes the samples, as seen from a pod.
    """

    def __init__(self, kubectl: Kubectl, image: str, prometheus: str) -> None:
        self._kubectl = kubectl
        self._image = image
        self._prometheus = prometheus

    @contextmanager
    def start(self, brief: Brief) -> Iterator[Pod]:
        """Have a pod made that runs k6; what was made is deleted at the end.

        Raises:
            LoadError: Kubernetes refused it, the scripts are too big, or another load is on.
        """
        self._must_be_alone()
        name = f"k6-{re.sub(r'[^a-z0-9]+', '-', brief.name.lower()).strip('-')[:40]}-{secrets.token_hex(3)}"
        with ExitStack() as stack:
            stack.callback(self._delete, name)
            try:
                self._create(name, brief)
            except CommandError as error:
                raise LoadError("k6 could not be started in the cluster", found=str(error)) from error
            made = stack.enter_context(Pod(self._kubectl, name, brief))
            yield made

    def _must_be_alone(self) -> None:
        ours = ",".join(f"{key}={value}" for key, value in manifests.LABELS.items())
        jobs = self._kubectl.json("get", "jobs", f"--selector={ours}")["items"]
        active = [job["metadata"]["name"] for job in jobs if job.get("status", {}).get("active")]
        if active:
            raise LoadError(
                "another load is on in this namespace",
                expected="none beside our own",
                found=", ".join(active),
                where=f"namespace {self._kubectl.namespace}",
                todo=f"wait for it, or end it: kubectl delete job -n {self._kubectl.namespace} {active[0]}",
            )

    def _create(self, name: str, brief: Brief) -> None:
        scripts, items = manifests.scripts(name, brief.script.parent, brief.directory)
        argv = words.arguments(
            brief,
            program="k6",
            script=manifests.SCRIPTS / brief.script.name,
            address=manifests.ADDRESS,
            directory=manifests.OUT,
        )
        env = words.environment(self._prometheus)
        job = manifests.job(name, image=self._image, argv=argv, env=env, items=items, seconds=brief.seconds)
        made = self._kubectl.run("create", "-f", "-", "-o", "json", stdin=json.dumps(job))
        # what belongs to the Job is removed with it, by Kubernetes itself if we no longer can
        owner = {"apiVersion": "batch/v1", "kind": "Job", "name": name}
        owner["uid"] = json.loads(made.stdout)["metadata"]["uid"]
        scripts["metadata"]["ownerReferences"] = [owner]
        self._kubectl.run("create", "-f", "-", stdin=json.dumps(scripts))
        self._kubectl.run("patch", "job", name, "--type=merge", "--patch", '{"spec":{"suspend":false}}')

    def _delete(self, name: str) -> None:
        words = ("delete", f"job/{name}", f"configmap/{name}", "--ignore-not-found")
        try:
            # the Job is gone once its pod is
            self._kubectl.run(*words, "--cascade=foreground", "--wait", timeout=_DELETE_TIMEOUT)
        except CommandError as error:
            progress.say(f"k6's Job {name} could not be deleted: {error}")
            progress.say(f"delete it with: {' '.join(self._kubectl.argv(*words))}")
