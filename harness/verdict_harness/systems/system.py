"""What a system is, and what a backend must be able to do with it.

A :class:`System` is a description that no backend owns: named services, their
ports, how each is known to be ready, and what Prometheus scrapes.  A
:class:`Backend` turns it into a :class:`Deployment`.  What differs between
machines (how a process is started, which manifest is applied) hangs off the
description as one recipe a backend: :class:`Process` for this machine.
"""

from __future__ import annotations

import enum
import json
import textwrap
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from .generator import Generator


class Capability(enum.Enum):
    """Something that not every backend can do to a service."""

    PAUSE = "pause a service and resume it"
    KILL = "kill a service and start it again"
    SHARE = "give a service a share of the CPU, and tell what it has used"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one port of one service answers.

    Attributes:
        host: name or address.
        port: number.
        path: what stands before every path of it, such as ``"/proxy"``, where something routes by that.

    >>> Endpoint("127.0.0.1", 8080).url, Endpoint("127.0.0.1", 8001, "/proxy").url
    ('http://127.0.0.1:8080', 'http://127.0.0.1:8001/proxy')
    """

    host: str
    port: int
    path: str = ""

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """``http://host:port`` and the path, without a slash at the end."""
        return f"http://{self.address}{self.path}"


class Place(Protocol):
    """What a recipe may ask of the backend about the place where its process will run."""

    @property
    def directory(self) -> Path:
        """A directory of the service's own; it outlives a restart of the process."""

    def port(self, name: str) -> int:
        """The port to listen on for the service's own port ``name``."""

    def endpoint(self, service: str, port: str) -> Endpoint:
        """Where another service of the system answers."""


@dataclass(frozen=True, slots=True)
class Command:
    """A program to run: argument list, and variables of its environment, which is never the caller's."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Process:
    """How a service runs as a process of this machine.

    Attributes:
        command: made from the place once ports are known; also where slow
            provisioning of the program happens, with progress.
        stop_grace: seconds between SIGTERM and SIGKILL.
    """

    command: Callable[[Place], Command]
    stop_grace: float = 10.0


@dataclass(frozen=True, slots=True)
class Image:
    """A container image that is built from a source tree before it is deployed.

    Attributes:
        name: with its tag, as manifests name it.
        context: the directory that its build sees.
        dockerfile: its recipe, relative to ``context``.
        sources: files and directories that it is made of, relative to ``context``; their digest is a label of
            the image, by which one that is not of this tree is known and never judged.
    """

    name: str
    context: Path
    dockerfile: Path
    sources: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """A Helm release beside the system.

    Attributes:
        release: its name.
        namespace: where it goes.
        chart: name in its repository.
        repository: URL of that; the variable ``<CHART>_CHART`` names a local chart instead.
        version: pinned.
        values: files, the later win.
        documents: YAML files that are values as a whole, each by its place among them: what another program
            reads as a file, too, is written once.
        needed: whether nothing can be measured without it. One that is not is awaited like the others, but
            may be lacking: its image or chart can't be had, or its variable says ``none``.
        watches: where among the values the namespace of the system's services stands, in the words of
            ``helm --set``; empty if nowhere.
    """

    release: str
    namespace: str
    chart: str
    repository: str
    version: str
    values: tuple[Path, ...] = ()
    documents: Mapping[tuple[str, ...], Path] = field(default_factory=dict)
    needed: bool = True
    watches: str = ""

    def document_values(self) -> list[str]:
        """Return one more values file for each of :attr:`documents`, to be given to Helm after the others."""
        return [nested(place, path.read_text(encoding="utf-8")) for place, path in self.documents.items()]


def nested(place: Sequence[str], document: str) -> str:
    r"""Return the YAML that has ``document``, YAML of block style itself, at the keys ``place``.

    >>> print(nested(("serverFiles", "rules.yml"), "groups:\n  - name: mine\n"), end="")
    "serverFiles":
      "rules.yml":
        groups:
          - name: mine
    """
    keys = "".join(f"{'  ' * depth}{json.dumps(key)}:\n" for depth, key in enumerate(place))
    return keys + textwrap.indent(document, "  " * len(place))


@dataclass(frozen=True, slots=True)
class Kubernetes:
    """How a system runs on Kubernetes.

    Each service is a Kubernetes Service of the same name, and a Deployment or StatefulSet of that name.

    Attributes:
        overlay: the kustomize directory for a cluster of our own.
        namespace: where its services are.
        images: what is built for it.
        charts: what is installed beside it; one of them is Prometheus.
        prometheus: ``namespace/service:port`` of the Prometheus that scrapes it.
        load_image: the image that runs k6.
        cluster: name of the k3d cluster that is made for it.
    """

    overlay: Path
    namespace: str
    images: tuple[Image, ...]
    charts: tuple[Chart, ...]
    prometheus: str
    load_image: str
    cluster: str = "verdict-harness"


@dataclass(frozen=True, slots=True)
class Service:
    """One part of a system.

    Attributes:
        name: as peers call it, for example the name of its Kubernetes Service.
        ports: port names and the number each has where the service has a host of its own.
        ready: ``"http:/health"`` (the ``http`` port answers 200 there), ``"http:/health UP"`` (and with this
            word in its text, or as a value of its JSON object: what answers in its place while it starts
            does not say it), ``"kafka:<port name>"`` (a broker answers there and names a live one) or
            ``"tcp:<port name>"`` (something accepts connections).
        process: recipe for this machine; ``None`` if the service can't run as a process.
        scrape: name of the port with ``/metrics``; ``None`` if Prometheus does not scrape it.
        url_variable: the variable that says where it is when the system already runs; empty if there is none.
        url_aliases: other variables that are looked up where that one is not set.
        start_timeout: seconds until it must be ready.
    """

    name: str
    ports: Mapping[str, int]
    ready: str
    process: Process | None = None
    scrape: str | None = None
    url_variable: str = ""
    url_aliases: tuple[str, ...] = ()
    start_timeout: float = 60.0


@dataclass(frozen=True, slots=True)
class System:
    """A set of services that is deployed, loaded and judged as a whole.

    Attributes:
        name: short, in file names and messages.
        services: in no particular order; they are started together.
        recording_rules: the rules file that Prometheus loads; ``None`` for none.
        kubernetes: recipe for Kubernetes; ``None`` if it can't run there.
    """

    name: str
    services: tuple[Service, ...]
    recording_rules: Path | None = None
    kubernetes: Kubernetes | None = None

    def service(self, name: str) -> Service:
        """Return the service ``name``; raise ``KeyError`` that lists those there are."""
        for service in self.services:
            if service.name == name:
                return service
        raise KeyError(f"no service {name!r} in {self.name}; there are {[s.name for s in self.services]}")


class Deployment(Protocol):
    """A system that is up. Left through the backend's context manager, which takes it down."""

    @property
    def system(self) -> System:
        """What was deployed."""

    @property
    def prometheus(self) -> str:
        """Base URL of the Prometheus that scrapes this system and takes remote write."""

    @property
    def generator(self) -> Generator | None:
        """Where k6 runs; ``None`` for this machine."""

    def endpoint(self, service: str, port: str = "http") -> Endpoint:
        """Where a port of a service answers, as seen from the harness."""

    def inside(self, service: str, port: str = "http") -> Endpoint:
        """Where a port of a service answers, as seen from where k6 runs."""

    def check(self) -> None:
        """Raise :class:`~..errors.ServiceDied`, with its last lines, if a service died by itself."""

    def logs(self, service: str, lines: int = 50) -> str:
        """Return the last ``lines`` lines that a service logged."""

    def pause(self, service: str) -> str:
        """Take a service away for a while; return by which means, such as ``"paused by SIGSTOP to web"``.

        Frozen where that can be done: then its connections stay open, and nothing answers.
        """

    def resume(self, service: str) -> None:
        """Undo :meth:`pause`; harmless on a service that runs."""

    def kill(self, service: str) -> str:
        """End a service at once, without a chance to clean up; return by which means, as :meth:`pause`."""

    def start(self, service: str) -> None:
        """Start a killed service again on the same ports and directory, and wait until it is ready."""

    def share(self, service: str, cores: float) -> None:
        """Give a service no more CPU than ``cores`` from now on; 0 lifts that."""

    def used(self, service: str) -> float:
        """Return the seconds of CPU that a service has used since it was started."""

    def resident(self, service: str) -> float:
        """Return the bytes of memory that a service holds now, in the word of what runs it."""


class Backend(Protocol):
    """A way to get from a description to a system that runs."""

    @property
    def name(self) -> str:
        """The word after ``--backend``."""

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What its deployments can do beyond running."""

    def deploy(
        self, system: System, directory: Path, *, keep: bool = False
    ) -> AbstractContextManager[Deployment]:
        """Bring ``system`` up, ready and scraped; take it down at exit unless ``keep``.

        ``directory`` receives every service's log and whatever else tells later what happened.
        """
