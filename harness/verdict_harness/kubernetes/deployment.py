"""A system that runs on Kubernetes, as the harness uses it."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import HarnessError, ServiceDied, Unsupported, UsageError
from ..processes import progress, until
from ..systems import (
    Endpoint,
    Generator,
    Kubernetes,
    Service,
    System,
    answers,
    forget,
    wait_until_measuring,
)
from . import diagnosis, objects, pod_processes, waiting
from .k6.job import Jobs
from .kubectl import Kubectl
from .proxy import HOST, Forward, Proxy
from .scaled import Scaled
from .watch import Watch

_ENDING = 30.0  # seconds for a pod to be gone, beyond those that it has for its end
_GRACE = 30  # seconds that a pod has for its end where it does not say: Kubernetes' own default
_EXTERNAL = "external"  # the port of a Service that answers under this machine's address

Object = dict[str, Any]


class ClusterDeployment:
    """A system that runs on Kubernetes (see :class:`~verdict_harness.systems.Deployment`).

    Args:
        system: what runs.
        recipe: how it runs on Kubernetes.
        kubectl: on its cluster, and the namespace of its services.
        directory: for logs and whatever else tells later what happened.
        nodes: whether the nodes are containers of this machine, so that their processes can be reached.
        load_inside: whether k6 runs in the cluster.

    Attributes:
        lacking: releases that nothing is measured by and that are not there, and why.
    """

    def __init__(  # noqa: PLR0913 - each is one independent part of it
        self,
        system: System,
        recipe: Kubernetes,
        kubectl: Kubectl,
        directory: Path,
        *,
        nodes: bool = False,
        load_inside: bool = True,
    ) -> None:
        self.kubectl = kubectl
        self._system = system
        self._recipe = recipe
        self._directory = directory
        self._nodes = nodes
        self._load_inside = load_inside
        self._proxy = Proxy(kubectl, directory / "kubectl-proxy.log")
        self._forwards: dict[str, Forward] = {}
        self._watch: Watch | None = None
        self._workloads: dict[str, Object] = {}
        self._scaled = Scaled(kubectl)
        self.lacking: dict[str, str] = {}

    @property
    def system(self) -> System:
        """What was deployed."""
        return self._system

    @property
    def prometheus(self) -> str:
        """Base URL of the Prometheus that scrapes this system and takes remote write."""
        return self._proxy.endpoint(*self._prometheus_at()).url

    @property
    def generator(self) -> Generator | None:
        """Where k6 runs: as a Job beside the services, or ``None`` for this machine."""
        if not self._load_inside:
            return None
        namespace, service, port = self._prometheus_at()
        return Jobs(self.kubectl, self._recipe.load_image, f"http://{service}.{namespace}.svc:{port}")

    def endpoint(self, service: str, port: str = "http") -> Endpoint:
        """Where a port of a service answers, as seen from the harness.

        Raises:
            UsageError: there is no such service or port.
        """
        number = self._number(service, port)
        if service in self._forwards and self._system.service(service).ready == f"kafka:{port}":
            return Endpoint(HOST, self._forwards[service].port)
        return self._proxy.endpoint(self.kubectl.namespace, service, number)

    def inside(self, service: str, port: str = "http") -> Endpoint:
        """Where a port of a service answers, as seen from where k6 runs.

        Raises:
            UsageError: there is no such service or port.
        """
        if not self._load_inside:
            return self.endpoint(service, port)
        return Endpoint(f"{service}.{self.kubectl.namespace}.svc", self._number(service, port))

    def check(self) -> None:
        """Raise :class:`ServiceDied`, with its last lines, if a pod ended by itself, or the way there did."""
        if self._watch is not None:
            self._watch.check()

    def logs(self, service: str, lines: int = 50) -> str:
        """Return the last ``lines`` lines that a service logged."""
        return "\n".join(diagnosis.last_lines(self.kubectl, pod, lines=lines) for pod in self._pods(service))

    def share(self, service: str, cores: float) -> None:  # noqa: ARG002 - the limits are the manifests'
        """Refuse: a pod's limits are those of its manifest.

        Raises:
            Unsupported: always.
        """
        raise Unsupported(
            f"the share of the CPU that {service} gets can't be changed while it runs",
            expected="the local backend",
            found="a cluster, where the manifests say what each pod gets",
        )

    def used(self, service: str) -> float:
        """Refuse: as :meth:`share`.

        Raises:
            Unsupported: always.
        """
        raise Unsupported(f"the CPU that {service} has used is not known here", expected="the local backend")

    def resident(self, service: str) -> float:
        """Refuse: as :meth:`share`.

        Raises:
            Unsupported: always.
        """
        raise Unsupported(f"the memory that {service} holds is not known here", expected="the local backend")

    def pause(self, service: str) -> str:
        """Take a service away for a while; return by which means.

        Where the processes of nodes can be reached it is frozen: its connections stay open and nothing
        answers.  Elsewhere it is scaled to 0 and ends in order, and this returns when no pod of it is left.

        Raises:
            ServiceDied: it does not run.
            WaitTimeout: a pod of it would not end.
        """
        its_pods = self._running(service)
        if self._nodes:
            for pod in its_pods:
                pod_processes.freeze(pod)
            return f"paused by SIGSTOP to every process of {service}"
        self._let_go(service, its_pods)
        self._scaled.away(self._workload(service))
        graces = [pod["spec"].get("terminationGracePeriodSeconds", _GRACE) for pod in its_pods]
        waiting.until_gone(self.kubectl, self._workload(service), timeout=max(graces) + _ENDING)
        return f"paused by scaling {service} to 0"

    def resume(self, service: str) -> None:
        """Undo :meth:`pause`, and wait until the service is ready; harmless on one that runs.

        Raises:
            ClusterError: it never will be ready.
            WaitTimeout: it was not in time.
        """
        if self._nodes:
            for pod in self._running(service):
                pod_processes.thaw(pod)
        elif self._workload(service) in self._scaled:
            self._bring_back(service)

    def kill(self, service: str) -> str:
        """End a service at once, and return by which means; its log is saved before.

        Where the processes of nodes can be reached, it has no chance to clean up; elsewhere it has a second,
        the least that a cluster confirms.

        Raises:
            ServiceDied: it does not run.
        """
        its_pods = self._running(service)
        self._let_go(service, its_pods)
        if self._nodes:
            for pod in its_pods:
                pod_processes.freeze(
                    pod
                )  # what is frozen can't act on the SIGTERM that a deletion begins with
            # Its volume may be a directory of its node, and not every provisioner tells the scheduler so.
            nodes = {pod["spec"]["nodeName"] for pod in its_pods}
            self._scaled.away(self._workload(service), nodes.pop() if len(nodes) == 1 else "")
            self._end(its_pods, "--grace-period=0", "--force", "--wait=false")
            for pod in its_pods:
                pod_processes.end(pod)
            return f"killed by SIGKILL to every process of {service}"
        self._scaled.away(self._workload(service))
        # with no grace at all the cluster would not wait for the end of the process
        self._end(its_pods, "--grace-period=1", "--wait")
        return f"killed by deleting the pods of {service} with a grace of 1 s"

    def start(self, service: str) -> None:
        """Start a killed service again on the same volume, as many pods as it had; return when it is ready.

        Raises:
            UsageError: it runs.
            ClusterError: it never will be ready.
            WaitTimeout: it was not in time.
        """
        if self._workload(service) not in self._scaled:
            raise UsageError(f"{service} runs already", todo="kill it first, or resume it if it was paused")
        self._bring_back(service)

    def up(self, applied: Iterable[Object], beside: Iterable[Object], *, before: Collection[str]) -> None:
        """Wait until everything that was applied is ready, reachable and measured.

        Args:
            applied: the system's own objects.
            beside: the workloads of what is installed beside it, as the cluster has them.
            before: whose Prometheus was there before (see :meth:`.helm.Helm.owner`).
        """
        applied = list(applied)
        self._workloads = {one["metadata"]["name"]: one for one in objects.workloads(applied)}
        missing = [one.name for one in self._system.services if one.name not in self._workloads]
        if missing:
            raise UsageError(
                f"the overlay has no Deployment or StatefulSet for {', '.join(missing)}",
                expected="one for each service of the system, of the same name",
                found=", ".join(self._workloads) or "none",
                where=str(self._recipe.overlay),
            )
        beside = list(beside)
        waiting.until_rolled_out(self.kubectl, [*self._workloads.values(), *beside], timeout=waiting.ROLLOUT)
        self._open(applied)
        self._wait_until_ready(self._system.services, rolled_out=True)
        assert self._watch is not None  # noqa: S101 - _open made it
        for one in beside:
            space, name = one["metadata"]["namespace"], one["metadata"]["name"]
            found = self.kubectl.within(space).json("get", "pods")["items"]
            self._watch.expect(space, name, waiting.pods_of(one, found))
        if any(before):
            forget(self.prometheus, self._system, ours="theirs" not in before)
        wait_until_measuring(self.prometheus, self._system, self.check)

    def leave(self) -> list[str]:
        """Collect what the cluster can tell, and close every way there; return what went wrong.

        What is still scaled to 0 is scaled back before, and not awaited.
        """
        problems = list(self._scaled.put_back())
        problems += diagnosis.collect(self.kubectl, self.namespaces(), self._directory)
        if self._watch is not None:
            self._watch.stop()
        ways: list[Forward | Proxy] = [*self._forwards.values(), self._proxy]
        for way in ways:
            try:
                way.close()
            except (HarnessError, OSError) as error:
                problems.append(f"a way into the cluster could not be closed: {error}")
        return problems

    def namespaces(self) -> list[str]:
        """Return where something of the system, or beside it, is."""
        return list(dict.fromkeys((self.kubectl.namespace, *(one.namespace for one in self._recipe.charts))))

    def _open(self, applied: Iterable[Object]) -> None:
        self._proxy.open()
        for one in applied:
            if one["kind"] == "Service":
                for port in one["spec"].get("ports", ()):
                    if port.get("name") == _EXTERNAL:
                        name = one["metadata"]["name"]
                        log = self._directory / f"port-forward-{name}.log"
                        self._forwards[name] = Forward(self.kubectl, name, port["port"], log)
                        self._forwards[name].open()
        self._watch = Watch(self.kubectl, self._proxy, self._forwards.values())
        self._watch.start()

    def _wait_until_ready(self, services: Iterable[Service], *, rolled_out: bool = False) -> None:
        for service in services:
            if not rolled_out:
                workload = self._workload(service.name)
                waiting.until_rolled_out(self.kubectl, [workload], timeout=waiting.ROLLOUT)
                if service.name in self._forwards:
                    self._forwards[service.name].reopen()
            until(
                f"{service.name} to answer",
                partial(answers, service, partial(self.endpoint, service.name), 2.0),
                timeout=service.start_timeout,
                alive=self.check,
            )
            if self._watch is not None:
                self._watch.expect(self.kubectl.namespace, service.name, self._pods(service.name))

    def _prometheus_at(self) -> tuple[str, str, str]:
        namespace, _, rest = self._recipe.prometheus.partition("/")
        service, _, port = rest.partition(":")
        return namespace, service, port

    def _number(self, service: str, port: str) -> int:
        try:
            return self._system.service(service).ports[port]
        except KeyError as error:
            raise UsageError(f"there is no port {port!r} of {service}", found=str(error)) from None

    def _workload(self, service: str) -> Object:
        if service not in self._workloads:
            raise UsageError(
                f"there is no service {service!r} in {self._system.name}",
                expected=f"one of {sorted(self._workloads)}",
                found=repr(service),
            )
        return self._workloads[service]

    def _pods(self, service: str) -> list[Mapping[str, Any]]:
        found = self.kubectl.json("get", "pods")["items"]
        its = waiting.pods_of(self._workload(service), found)
        return [pod for pod in its if "deletionTimestamp" not in pod["metadata"]]

    def _running(self, service: str) -> list[Mapping[str, Any]]:
        found = self._pods(service)
        if not found:
            raise ServiceDied(f"{service} does not run", expected="a pod", found="none")
        return found

    def _let_go(self, service: str, its_pods: Sequence[Mapping[str, Any]]) -> None:
        """Keep the logs of what is about to end on purpose, and miss none of it."""
        if self._watch is not None:
            self._watch.forget(self.kubectl.namespace, service)
        for pod in its_pods:
            diagnosis.save_logs(self.kubectl, pod, self._directory)

    def _bring_back(self, service: str) -> None:
        self._scaled.back(self._workload(service))
        self._wait_until_ready([self._system.service(service)])
        self._scaled.over(self._workload(service))

    def _end(self, its_pods: Iterable[Mapping[str, Any]], *words: str) -> None:
        names = [pod["metadata"]["name"] for pod in its_pods]
        self.kubectl.run("delete", "pod", *names, "--ignore-not-found", *words)


def recipe(system: System, overlay: Path | None) -> Kubernetes:
    """Return how ``system`` runs on Kubernetes, with another overlay if one was asked for.

    Raises:
        UsageError: its description does not say.
    """
    if system.kubernetes is None:
        raise UsageError(
            f"{system.name} can't run on Kubernetes",
            expected="a Kubernetes recipe in its description",
            found="none",
            todo="choose another backend, or give it one",
        )
    return system.kubernetes if overlay is None else dataclasses.replace(system.kubernetes, overlay=overlay)


@contextmanager
def left(deployment: ClusterDeployment) -> Iterator[None]:
    """Collect what is known of a deployment and close the ways to it at the end, however that comes."""
    try:
        yield
    except BaseException as error:
        for problem in deployment.leave():
            error.add_note(f"and while the system was left: {problem}")
        raise
    for problem in deployment.leave():
        progress.say(problem)
