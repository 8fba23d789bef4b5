"""The external backend: a system that runs already, wherever that is; we are told where by variables."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

from ..errors import ServiceDied, Unsupported, UsageError, WaitTimeout
from ..processes import Answer, Pending, ask, progress, until, web
from .address import Address, unreadable
from .demanded import headers
from .prometheus import query
from .ready import answers
from .recorded import expressions
from .system import Capability, Endpoint, Service, System

PROMETHEUS_VARIABLE = "PROMETHEUS_URL"
PROMETHEUS_ALIAS = "PROM_URL"

_PATIENCE = 10.0  # seconds: it is said to run already
_TIMEOUT = 5.0
_LOOK = 5.0  # seconds between two looks at services that we can only see from outside
_RECEIVER = (web.status.NO_CONTENT, web.status.BAD_REQUEST, web.status.UNSUPPORTED_MEDIA_TYPE)
_NO_RECEIVER = (web.status.NOT_FOUND, web.status.METHOD_NOT_ALLOWED)
_NATIVE = (3, 8)  # from there on Prometheus takes native histograms without being told to


class ExternalBackend:
    """Judges a system that others started.

    Args:
        environment: where the variables are looked up.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._environment = environment

    @property
    def name(self) -> str:
        """The word after ``--backend``."""
        return "external"

    @property
    def capabilities(self) -> frozenset[Capability]:
        """None: what is not ours is not touched."""
        return frozenset()

    @contextmanager
    def deploy(self, system: System, directory: Path, *, keep: bool = False) -> Iterator[ExternalDeployment]:
        """Find ``system`` where the variables say, and check that it answers; nothing is ever taken down.

        A service whose variable is not set is not there; only asking for its
        endpoint is an error, since which services an experiment needs is its own affair.

        Raises:
            UsageError: a variable is missing or can't be understood, or Prometheus takes no remote write.
            WaitTimeout: something does not answer.
        """
        del directory, keep  # others' logs are not ours, and nothing of theirs is taken down
        deployment = ExternalDeployment(system, *_read(system, self._environment))
        deployment.verify()
        yield deployment


@dataclass(frozen=True, slots=True)
class _Known:
    """What one variable says of one service."""

    service: Service
    port: str
    endpoint: Endpoint

    def at(self, port: str) -> Endpoint:
        if port != self.port:
            raise Unsupported(
                f"where port {port!r} of {self.service.name} answers is not known",
                expected=f"port {self.port!r}, which {self.service.url_variable} says",
                found=repr(port),
                todo="use the local backend, which knows every port",
            )
        return self.endpoint


class ExternalDeployment:
    """A system that others run (see :class:`~verdict_harness.systems.Deployment`)."""

    def __init__(self, system: System, prometheus: Address, known: Mapping[str, _Known]) -> None:
        self._system = system
        self._prometheus = prometheus
        self._known = known
        self._looked = 0.0

    @property
    def system(self) -> System:
        """What is said to run."""
        return self._system

    @property
    def prometheus(self) -> Address:
        """Base URL of the Prometheus that scrapes this system and takes remote write."""
        return self._prometheus

    @property
    def generator(self) -> None:
        """None: k6 runs on this machine."""

    def endpoint(self, service: str, port: str = "http") -> Endpoint:
        """Where a port of a service answers.

        Raises:
            Unsupported: no variable says so.
        """
        if service not in self._known:
            variable = next((one.url_variable for one in self._system.services if one.name == service), "")
            raise Unsupported(
                f"where {service} answers is not known",
                expected=f"the variable {variable}" if variable else f"a service of {self._system.name}",
                found="it is not set" if variable else f"{service!r}, which no variable is for",
                todo=f"set {variable}, or leave out what needs {service}"
                if variable
                else "use the local backend",
            )
        return self._known[service].at(port)

    def inside(self, service: str, port: str = "http") -> Endpoint:
        """Where a port of a service answers, as seen from k6: it runs where the harness does."""
        return self.endpoint(service, port)

    def check(self) -> None:
        """Raise :class:`ServiceDied` if nothing listens where a service was; looks every few seconds."""
        if time.monotonic() - self._looked < _LOOK:
            return
        self._looked = time.monotonic()
        for known in self._known.values():
            try:
                socket.create_connection((known.endpoint.host, known.endpoint.port), _TIMEOUT).close()
            except ConnectionRefusedError:
                raise ServiceDied(
                    f"{known.service.name} is gone",
                    expected="a service that listens, as it did at the start",
                    found="connection refused",
                    where=known.endpoint.address,
                    todo="look at its log where it runs",
                ) from None
            except OSError:
                continue  # slow or filtered is not dead; the load itself will tell

    def logs(self, service: str, lines: int = 50) -> str:
        """Return a sentence that says that others have the log."""
        del lines
        return f"({service} runs outside of the harness, and so does its log)"

    def pause(self, service: str) -> str:
        """Refuse: it is not ours."""
        self._refuse("pause", service)

    def resume(self, service: str) -> None:
        """Refuse: it is not ours."""
        self._refuse("resume", service)

    def kill(self, service: str) -> str:
        """Refuse: it is not ours."""
        self._refuse("kill", service)

    def start(self, service: str) -> None:
        """Refuse: it is not ours."""
        self._refuse("start", service)

    def verify(self) -> None:
        """Check that everything we were told of answers, and that Prometheus can be what we need it for.

        Raises:
            WaitTimeout: something does not answer.
            UsageError: Prometheus takes no remote write.
        """
        for known in self._known.values():
            with _blame(known.service.url_variable, known.endpoint.address):
                until(
                    f"{known.service.name} to answer",
                    partial(answers, known.service, known.at, _TIMEOUT),
                    timeout=_PATIENCE,
                    interval=0.5,
                )
        with (
            _blame(PROMETHEUS_VARIABLE, self._prometheus),
            web.client(self._prometheus, timeout=_TIMEOUT) as client,
        ):
            _answering(client)
            self._takes_remote_write(client)
            self._takes_native_histograms(client)
            self._has_rules(client)

    def _takes_remote_write(self, client: web.Client) -> None:
        # An empty body is refused as malformed, but only by one that would take a good one.
        seen: list[Answer] = []

        def probe() -> bool:
            path = "/api/v1/write"
            good = (*_RECEIVER, *_NO_RECEIVER)
            ask(path, seen.append, method="POST", content=b"", good=good, timeout=_TIMEOUT, client=client)
            if seen[-1].status in _NO_RECEIVER:
                raise Pending(f"{path} answers {seen[-1]}")
            return True

        try:
            until("Prometheus to answer a remote write", probe, timeout=_PATIENCE, interval=0.5)
        except WaitTimeout as error:
            if not seen:
                raise
            raise UsageError(
                "Prometheus does not take remote write, so k6 can't hand its measurements over",
                expected="a Prometheus started with --web.enable-remote-write-receiver",
                found=str(seen[-1]),
                where=f"{self._prometheus}/api/v1/write",
                todo="start it with that flag",
            ) from error

    def _takes_native_histograms(self, client: web.Client) -> None:
        """Say before any load if what k6 measures can't get there: graphs lack it, no criterion does."""
        try:
            version = query(client, "/api/v1/status/buildinfo", lambda data: str(data["version"]))
            flags = query(client, "/api/v1/status/flags", lambda data: str(data.get("enable-feature", "")))
        except (Pending, KeyError, AttributeError):
            return  # a relative of Prometheus, which may take them or not: k6's log will tell
        numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
        if numbers < _NATIVE and "native-histograms" not in flags:
            progress.say(
                f"Prometheus {version} at {self._prometheus} takes no native histograms, so k6's own "
                f"series (k6_*) will be missing there. No criterion rests on them; who asks for them gets "
                f"no value. To have them, start it with --enable-feature=native-histograms, or use "
                f"{'.'.join(map(str, _NATIVE))} or later."
            )

    def _has_rules(self, client: web.Client) -> None:
        if self._system.recording_rules is None:
            return

        def names(data: Any) -> set[str]:
            return {rule["name"] for group in data["groups"] for rule in group["rules"]}

        there = until(
            "Prometheus to list its rules",
            lambda: query(client, "/api/v1/rules", names, type="record"),
            timeout=_PATIENCE,
            interval=0.5,
        )
        missing = [name for name in expressions(self._system.recording_rules) if name not in there]
        if missing:
            progress.say(
                f"{self._prometheus} lacks recording rules of {self._system.recording_rules.name}: "
                f"{', '.join(missing)}; whatever asks for them will be INCONCLUSIVE"
            )

    def share(self, service: str, cores: float) -> None:  # noqa: ARG002 - a share of what is not ours
        """Refuse: others run it."""
        self._refuse("give a share of the CPU to", service)

    def used(self, service: str) -> float:
        """Refuse: nothing is known of its processes."""
        self._refuse("tell the CPU of", service)

    def resident(self, service: str) -> float:
        """Refuse: as :meth:`used`."""
        self._refuse("tell the memory of", service)

    def _refuse(self, what: str, service: str) -> NoReturn:
        raise Unsupported(
            f"the external backend can't {what} {service}",
            expected="a backend that owns the services",
            found="a system that others run",
            todo="use the local backend for experiments that break things",
        )


def prometheus_there(environment: Mapping[str, str] = os.environ) -> Address:
    """Return the Prometheus that the variables name, once it answers.

    Raises:
        UsageError: no variable names one, or it can't be understood.
        WaitTimeout: it does not answer.
    """
    given, variable = _first(environment, PROMETHEUS_VARIABLE, PROMETHEUS_ALIAS)
    if not given:
        raise UsageError(
            "which Prometheus to ask is not known",
            expected=f"{PROMETHEUS_VARIABLE}, or {PROMETHEUS_ALIAS}",
            found="neither is set",
            where="the environment",
            todo="set it to the base URL of the Prometheus that watched the load, such as http://localhost:9090",
        )
    address = Address.told(given, variable)
    address = address.carrying(headers(environment, address))
    with _blame(variable, address), web.client(address, timeout=_TIMEOUT) as client:
        _answering(client)
    return address


def _answering(client: web.Client) -> None:
    until(
        "Prometheus to answer a query",
        lambda: query(client, "/api/v1/query", lambda data: bool(data["result"]), query="vector(1)"),
        timeout=_PATIENCE,
        interval=0.5,
    )


@contextmanager
def _blame(variable: str, where: str) -> Iterator[None]:
    """Say which variable led to whatever does not answer."""
    try:
        yield
    except WaitTimeout as error:
        raise WaitTimeout(
            f"{error.what}: nothing answers as it should where {variable} points",
            expected=error.expected,
            found=error.found,
            where=where,
            todo=f"start it, or correct {variable}",
        ) from error


def _read(system: System, environment: Mapping[str, str]) -> tuple[Address, dict[str, _Known]]:
    given, named = _first(environment, PROMETHEUS_VARIABLE, PROMETHEUS_ALIAS)
    known: dict[str, _Known] = {}
    for service in system.services:
        text, variable = _first(environment, service.url_variable, *service.url_aliases)
        if text:
            kind, _, rest = service.ready.partition(":")
            port = "http" if kind == "http" else rest
            known[service.name] = _Known(service, port, _endpoint(variable, text, kind))
    variables = [one.url_variable for one in system.services if one.url_variable]
    if not given or not known:
        set_ = [name for name in (PROMETHEUS_VARIABLE, *variables) if environment.get(name)]
        raise UsageError(
            "where the system answers is not known",
            expected=f"{PROMETHEUS_VARIABLE}, and one or more of {', '.join(variables)}",
            found=f"only {', '.join(set_)}" if set_ else "none of them",
            where="the environment",
            todo="set them to the base URLs of what runs, such as http://localhost:9090",
        )
    prometheus = Address.told(given, named)
    return prometheus.carrying(headers(environment, prometheus)), known


def _first(environment: Mapping[str, str], *names: str) -> tuple[str, str]:
    """Return what the first of these variables that is set says, and which that is."""
    return next(((text, name) for name in names if (text := environment.get(name, ""))), ("", names[0]))


def _endpoint(variable: str, text: str, kind: str) -> Endpoint:
    form = "http://host:port" if kind == "http" else "host:port"
    try:
        parts = urlsplit(text if kind == "http" else f"//{text}")
        port = parts.port or (80 if kind == "http" else None)
    except ValueError:
        raise unreadable(text, variable, form) from None
    scheme_fits = parts.scheme == ("http" if kind == "http" else "")
    if not scheme_fits or not parts.hostname or port is None or parts.path not in ("", "/") or parts.query:
        raise unreadable(text, variable, form)
    return Endpoint(parts.hostname, port)
