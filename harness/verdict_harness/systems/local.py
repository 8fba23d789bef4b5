"""The local backend: every service a process of this machine, each under a guard of its own."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ..errors import HarnessError, InstrumentDied, ServiceDied, UsageError, WaitTimeout
from ..processes import Guarded, Pending, Plan, Ports, environment, progress, signal_name, until
from . import kept, prometheus, taken
from .ready import answers
from .system import Capability, Command, Endpoint, Process, Service, System

Wished = Mapping[tuple[str, str], int]  # by service and name of its port: {("prometheus", "http"): 9090}
_LAST_LINES = 20
_TAIL_BYTES = 256 * 1024


@dataclass
class _Part:
    """One service of a deployment, and its place (see :class:`~verdict_harness.systems.Place`)."""

    service: Service
    directory: Path
    log: Path
    ports: dict[str, int]
    elsewhere: Callable[[str, str], Endpoint]
    needs: set[str] = field(default_factory=set)
    command: Command | None = None
    guarded: Guarded | None = None
    down_on_purpose: bool = False

    def port(self, name: str) -> int:
        return self.ports[name]

    def endpoint(self, service: str, port: str) -> Endpoint:
        # who asks where another is, needs it: that is the order in which to stop them
        if service != self.service.name:
            self.needs.add(service)
        return self.elsewhere(service, port)

    @property
    def process(self) -> Process:
        if self.service.process is None:
            raise UsageError(
                f"{self.service.name} can't run as a process of this machine",
                expected="a Process recipe in its description",
                found="none",
                todo="choose another backend, or give it one",
            )
        return self.service.process


class LocalBackend:
    """Runs a system on this machine, with a Prometheus beside it, at ``wished`` ports where they are free."""

    def __init__(self, wished: Wished | None = None) -> None:
        self._wished = wished or {}

    @property
    def name(self) -> str:
        """The word after ``--backend``."""
        return "local"

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Everything: a process of ours can be frozen, killed and started again."""
        return frozenset(Capability)

    @contextmanager
    def deploy(self, system: System, directory: Path, *, keep: bool = False) -> Iterator[LocalDeployment]:
        """Bring ``system`` up, ready and scraped; take it down at exit unless ``keep``.

        ``directory`` receives ``logs/<service>.log`` and, with the command line and the whole environment of
        each, ``logs/<service>.json``; and ``state/<service>`` while the system is up.

        Raises:
            ServiceDied: a service ended while it was awaited.
            WaitTimeout: a service was not ready, a target not up or a rule not evaluated in time.
            UsageError: the description can't be run on this machine.
            HarnessError: something could not be taken down.
        """
        deployment = LocalDeployment(system, directory.resolve(), self._wished)
        try:
            deployment.up()
        except BaseException as error:
            _attach(error, deployment.down())
            raise
        try:
            yield deployment
        except BaseException as error:
            _attach(error, deployment.leave(keep=keep))
            raise
        problems = deployment.leave(keep=keep)
        if problems:
            _attach(problems[0], problems[1:])
            raise problems[0]


def _attach(error: BaseException, problems: list[HarnessError]) -> None:
    """Report what went wrong while taking down without hiding what went wrong first."""
    for problem in problems:
        error.add_note(f"and while the system was taken down: {problem}")


class LocalDeployment:
    """A system that runs as processes of this machine (see :class:`~verdict_harness.systems.Deployment`)."""

    def __init__(self, system: System, directory: Path, wished: Wished) -> None:
        self._system = system
        self._directory = directory
        self._wished = wished
        self._ports = Ports()
        self._parts: dict[str, _Part] = {}

    @property
    def system(self) -> System:
        """What was deployed."""
        return self._system

    @property
    def prometheus(self) -> str:
        """Base URL of the Prometheus that scrapes this system and takes remote write."""
        return self.endpoint(prometheus.NAME).url

    @property
    def generator(self) -> None:
        """None: k6 runs on this machine."""

    def endpoint(self, service: str, port: str = "http") -> Endpoint:
        """Where a port of a service answers.

        Raises:
            UsageError: there is no such service or port.
        """
        part = self._part(service)
        if port not in part.ports:
            raise UsageError(
                f"{service} has no port {port!r}", expected=f"one of {sorted(part.ports)}", found=repr(port)
            )
        return Endpoint("127.0.0.1", part.ports[port])

    def inside(self, service: str, port: str = "http") -> Endpoint:
        """Where a port of a service answers, as seen from k6: it runs on this machine, too."""
        return self.endpoint(service, port)

    def check(self) -> None:
        """Raise :class:`ServiceDied`, with the last lines it logged, if a service died by itself."""
        for part in self._parts.values():
            if part.guarded is None or part.down_on_purpose or (status := part.guarded.status) is None:
                continue
            kind = InstrumentDied if part.service.name == prometheus.NAME else ServiceDied
            raise kind(
                f"{part.service.name} died by itself",
                expected="a process that runs until it is stopped",
                found=_ending(status, lost=part.guarded.lost) + "; its last lines:\n" + self._tail(part),
                where=str(part.log),
            )

    def logs(self, service: str, lines: int = 50) -> str:
        """Return the last ``lines`` lines that a service logged."""
        return _tail(self._part(service).log, lines)

    def pause(self, service: str) -> str:
        """Freeze a service: its connections stay open and nothing answers; return by which means."""
        self._running(service).freeze()
        return f"paused by SIGSTOP to {service}"

    def resume(self, service: str) -> None:
        """Undo :meth:`pause`; harmless on a service that runs."""
        self._running(service).thaw()

    def kill(self, service: str) -> str:
        """End a service at once, without a chance to clean up; return by which means."""
        guarded = self._running(service)
        self._part(service).down_on_purpose = True
        guarded.kill()
        return f"killed by SIGKILL to {service}"

    def start(self, service: str) -> None:
        """Start a killed service again on the same ports and directory, and wait until it is ready."""
        part = self._part(service)
        if part.guarded is not None and part.guarded.status is None:
            raise UsageError(f"{service} runs already", todo="kill it first, or resume it if it was paused")
        if part.guarded is not None:
            part.guarded.stop()
        self._spawn(part)
        self._wait_until_ready([part])

    def share(self, service: str, cores: float) -> None:
        """Give a service no more CPU than ``cores`` from now on; 0 lifts that. A restart lifts it, too."""
        self._running(service).share(cores)

    def used(self, service: str) -> float:
        """Return the seconds of CPU that the process of a service has used."""
        return taken.cpu(service, self._running(service).pid)

    def resident(self, service: str) -> float:
        """Return the bytes of memory that the process of a service holds now."""
        return taken.memory(service, self._running(service).pid)

    def up(self) -> None:
        """Start every service and wait until the system is ready and measured."""
        self._settle()
        for part in self._parts.values():
            part.command = part.process.command(part)  # may take long: programs are provided here
        for part in self._parts.values():
            self._spawn(part)
        self._wait_until_ready(list(self._parts.values()))
        prometheus.wait_until_measuring(self.prometheus, self._system, self.check)

    def leave(self, *, keep: bool) -> list[HarnessError]:
        """Take the system down, or let go of it; return what went wrong, and never raise it."""
        if not keep:
            return self.down()
        try:
            self._keep()
        except OSError as error:
            problem = HarnessError(
                "the system could not be left up", found=str(error), where=str(self._directory)
            )
            return [problem, *self.down()]
        return []

    def down(self) -> list[HarnessError]:
        """Stop everything, those first that nobody needs; return what went wrong, and never raise it."""
        problems: list[HarnessError] = []
        for wave in self._waves():
            progress.status(f"stopping {', '.join(part.service.name for part in wave)}")
            for part in wave:
                if part.guarded is not None:
                    part.down_on_purpose = True
                    part.guarded.ask_to_stop()
            problems.extend(
                _survivors(part, left)
                for part in wave
                if part.guarded is not None and (left := part.guarded.stop())
            )
        progress.done()
        self._ports.release()
        try:
            shutil.rmtree(self._directory / "state", ignore_errors=False)
        except FileNotFoundError:
            pass
        except OSError as error:
            problems.append(
                HarnessError(
                    "the state of the system could not be removed", found=str(error), todo="remove it by hand"
                )
            )
        return problems

    def _settle(self) -> None:
        """Give every service its ports and directory, before any is asked for its command."""
        names = [one.name for one in self._system.services]
        if len({*names, prometheus.NAME}) != len(names) + 1:
            raise UsageError(
                f"the services of {self._system.name} need names of their own",
                expected=f"each once, and none {prometheus.NAME!r}: that is the instrument's",
                found=", ".join(names),
            )
        logs = self._directory / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        for service in (*self._system.services, prometheus.service(self._system)):
            state = self._directory / "state" / service.name
            state.mkdir(parents=True, exist_ok=True)
            wished = {name: self._wished.get((service.name, name), 0) for name in service.ports}
            ports = {name: self._ports.reserve(number) for name, number in wished.items()}
            self._parts[service.name] = _Part(
                service, state, logs / f"{service.name}.log", ports, self.endpoint
            )

    def _spawn(self, part: _Part) -> None:
        assert part.command is not None  # noqa: S101 - up() has asked every part for it
        env = environment.built(part.directory, part.command.env)
        told = {"argv": list(part.command.argv), "environment": environment.shown(env)}
        part.log.with_suffix(".json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        part.guarded = Guarded(
            Plan(
                part.command.argv,
                cwd=part.directory,
                log=part.log,
                env=env,
                grace=part.process.stop_grace,
                hold=[self._ports.descriptor(port) for port in part.ports.values()],
            )
        )
        part.down_on_purpose = False

    def _wait_until_ready(self, parts: list[_Part]) -> None:
        started = time.monotonic()
        waiting = list(parts)

        def all_ready() -> bool:
            seen = {}
            for part in list(waiting):
                try:
                    answers(part.service, partial(self.endpoint, part.service.name))
                    waiting.remove(part)
                except Pending as pending:
                    seen[part.service.name] = pending.seen
            seconds = time.monotonic() - started
            for part in waiting:
                if seconds > part.service.start_timeout:
                    raise self._not_ready(part, seen[part.service.name])
            if seen:
                raise Pending("; ".join(f"{name}: {text}" for name, text in seen.items()), ", ".join(seen))
            return True

        longest = max(part.service.start_timeout for part in parts)
        # each has a time of its own, checked above; the slack lets that error come first
        until("the services", all_ready, timeout=longest + 5.0, alive=self.check)

    def _not_ready(self, part: _Part, seen: str) -> WaitTimeout:
        return WaitTimeout(
            f"{part.service.name} runs and is not ready after {part.service.start_timeout:g} s",
            expected=f"an answer as its description says: {part.service.ready}",
            found=f"{seen}; its last lines:\n" + self._tail(part),
            where=str(part.log),
        )

    def _keep(self) -> None:
        waves = [[part.service.name for part in wave] for wave in self._waves()]
        running = {name: part.guarded for name, part in self._parts.items() if part.guarded is not None}
        endpoints = {
            name: {port: self.endpoint(name, port).address for port in part.ports}
            for name, part in self._parts.items()
        }
        kept.write(self._directory, waves, running, endpoints)
        for guarded in running.values():
            guarded.detach()
        self._ports.keep()
        progress.say(f"{self._system.name} stays up:")
        for name, ports in endpoints.items():
            progress.say(f"  {name:<16} {'  '.join(f'{port} {address}' for port, address in ports.items())}")
        progress.say(f"stop it with: {kept.stop_command(self._directory)}")

    def _waves(self) -> Iterator[list[_Part]]:
        """Yield the services in the order to stop them: first those that no remaining one needs."""
        left = dict(self._parts)
        while left:
            needed = set().union(*(part.needs for part in left.values()))
            wave = [part for name, part in left.items() if name not in needed] or list(left.values())
            yield wave
            for part in wave:
                del left[part.service.name]

    def _part(self, service: str) -> _Part:
        if service not in self._parts:
            raise UsageError(
                f"there is no service {service!r} in {self._system.name}",
                expected=f"one of {sorted(self._parts)}",
                found=repr(service),
            )
        return self._parts[service]

    def _running(self, service: str) -> Guarded:
        guarded = self._part(service).guarded
        if guarded is None or guarded.status is not None:
            raise ServiceDied(f"{service} does not run", expected="a running process", found="none")
        return guarded

    def _tail(self, part: _Part) -> str:
        return _tail(part.log, _LAST_LINES) or "(it logged nothing)"


def _tail(path: Path, lines: int) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def _ending(status: int, *, lost: bool) -> str:
    if lost:
        return "its guard was killed, and it with it"
    if status >= 0:
        return f"exit status {status}"
    return f"ended by {signal_name(-status)}"


def _survivors(part: _Part, left: list[int]) -> HarnessError:
    return HarnessError(
        f"{part.service.name} could not be ended",
        expected="no process of it after SIGKILL",
        found=f"process ids {left}",
        todo="look at them with ps; a process that hangs in the kernel ends with what it waits for",
    )
