"""Run k6 under guard, watch the system meanwhile, act on time, and collect whatever was measured."""

from __future__ import annotations

import http.client
import json
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..backends.guarded import Guarded, Plan
from ..backends.ports import Ports
from ..errors import HarnessError, LoadError, ServiceDied
from ..programs import provide
from ..system import Deployment
from ..window import Window
from . import samples, trouble
from .live import Live
from .load import Load

Action = tuple[float, Callable[[], None]]

_STATS = ",".join((*samples.TREND, "count"))
_LOOK = 0.2  # seconds
_RUNNING = 7  # of k6's execution states: set-up is over, iterations begin
_STOP_TIMEOUT = 45.0  # seconds for k6 to end its iterations, tear down and write its summary
_SETUP_ALLOWANCE = 300.0  # seconds beyond the load's own length until k6 must have ended
_PUSH_INTERVAL = "2s"


def run_load(  # noqa: PLR0913 - each is one independent question about a load
    deployment: Deployment,
    script: Path,
    *,
    name: str,
    testid: str,
    directory: Path,
    seconds: float,
    env: Mapping[str, str] | None = None,
    planned: int | None = None,
    settle: float = 0.0,
    tags: Mapping[str, str] | None = None,
    actions: Sequence[Action] = (),
) -> Load:
    """Run a k6 script against ``deployment`` and return what it measured, and whether that can be used.

    k6's log, raw samples and summary stay in ``directory``, with the load itself as ``load.json``.
    A service that dies ends the load early, in trouble.  Ctrl-C ends k6 in
    order, and what it measured is written before the interrupt goes on.

    Args:
        deployment: what is under load; its Prometheus receives k6's samples.
        script: the k6 script.
        name: short, for people and file names.
        testid: tag of every sample, unique to this load.
        directory: for files.
        seconds: how long the load lasts, set-up not counted; k6 is stopped when it takes far longer.
        env: variables for the script.
        planned: iterations it is to make; ``None`` if that can't be said.
        settle: seconds at the beginning of the load that are not judged.
        tags: tags of the requests that are the load itself; all requests outside of set-up if there are none.
        actions: what to do how many seconds into the load. A :class:`~harness.errors.HarnessError` from
            one of them is the load's trouble, as is one whose time never came.

    Raises:
        ProgramError: there is no k6.
        LoadError: the script is not there.
    """
    if not script.is_file():
        raise LoadError("there is no such script", expected="a k6 script", found="none", where=str(script))
    run = _Run(deployment, name, seconds, sorted(actions, key=lambda action: action[0]))
    tags = tags or {}
    directory.mkdir(parents=True, exist_ok=True)
    files = _Files(directory, name)
    interrupt: KeyboardInterrupt | None = None
    started = time.time()
    with Ports() as ports:
        port = ports.reserve()
        plan = Plan(
            argv=_arguments(script.resolve(), files, port, testid, env or {}),
            cwd=directory,
            log=files.log,
            env=_environment(deployment.prometheus),
            grace=10.0,
            hold=[ports.descriptor(port)],
        )
        live = Live(
            name=name,
            seconds=seconds,
            begun=run.begun,
            prometheus=deployment.prometheus,
            testid=testid,
            tags=tags,
        )
        with Guarded(plan) as k6, live:
            try:
                run.watch(k6, port)
            except KeyboardInterrupt as error:
                interrupt = error
                run.stop(k6, "it was interrupted by Ctrl-C")
        status = k6.status
    ending = trouble.Ending(
        status, run.trouble, trouble.read_summary(files.summary), trouble.read_log(files.log)
    )
    raw = samples.read(files.raw, tags)
    window, short = _window(raw, started, settle)
    measured = raw.within(window)
    ids, repeated = raw.ids
    load = Load(
        name=name,
        testid=testid,
        script=str(script),
        started=started,
        ended=time.time(),
        window=window,
        requests=len(raw.requests),
        measured=len(measured),
        offered=planned,
        iterations=raw.iterations,
        dropped=raw.dropped,
        failed=raw.failed(window),
        statuses=_counted(raw),
        errors=dict(raw.errors.most_common()),
        # what was refused at once took no time, and would only flatter
        percentiles=samples.figures([one.duration for one in measured if one.status or one.duration > 0]),
        begun=raw.by_second(),
        succeeded=raw.by_second(succeeded=True),
        ids=ids,
        repeated=repeated,
        exit_status=status,
        trouble=(*trouble.find(raw, ending, planned, tags), *short),
    )
    (directory / "load.json").write_text(json.dumps(load.to_json(), indent=2) + "\n", encoding="utf-8")
    if interrupt is not None:
        raise interrupt
    return load


def requests(directory: Path, tags: Mapping[str, str]) -> list[samples.Request]:
    """Return every request of a load that was run, from the raw samples that it left.

    Args:
        directory: what :func:`run_load` was given.
        tags: of the requests that are the load itself.

    Raises:
        LoadError: there are no raw samples, or they are not whole.
    """
    raw = samples.read(_Files(directory, directory.name).raw, tags)
    if raw.damage:
        raise LoadError("a load's raw samples can't be used", found=raw.damage, where=str(directory))
    return raw.requests


@dataclass(frozen=True)
class _Files:
    directory: Path
    name: str

    @property
    def log(self) -> Path:
        return self.directory / f"k6-{self.name}.log"

    @property
    def raw(self) -> Path:
        return self.directory / "raw.csv.gz"

    @property
    def summary(self) -> Path:
        return self.directory / "summary.json"


@dataclass
class _Run:
    """A load while it is on."""

    deployment: Deployment
    name: str
    seconds: float
    actions: list[Action]
    trouble: list[str] = field(default_factory=list)
    _began: float | None = None

    def begun(self) -> float | None:
        """For how many seconds iterations have been made; ``None`` before the first."""
        return None if self._began is None else time.monotonic() - self._began

    def watch(self, k6: Guarded, port: int) -> None:
        """Wait for the end of k6; meanwhile act on time, and stop it when it has lost its sense."""
        deadline = time.monotonic() + self.seconds + _SETUP_ALLOWANCE
        while k6.wait(_LOOK) is None:
            try:
                self.deployment.check()
            except ServiceDied as death:
                self.stop(k6, str(death))
                return
            if self._began is None and _is_running(port):
                self._began = time.monotonic()
            self._act()
            if time.monotonic() > deadline:
                self.stop(k6, f"it did not end within {self.seconds + _SETUP_ALLOWANCE:g} s")
                return
        # k6 may have ended because of a death that was not looked for yet
        try:
            self.deployment.check()
        except ServiceDied as death:
            self.trouble.append(str(death))
        self.trouble += [f"what was to happen {at:g} s into the load never did" for at, _ in self.actions]

    def stop(self, k6: Guarded, why: str) -> None:
        """End k6 early but in order: it still writes its summary."""
        self.trouble.append(why)
        k6.signal(signal.SIGINT)
        if k6.wait(_STOP_TIMEOUT) is None:
            self.trouble.append(f"k6 did not end within {_STOP_TIMEOUT:g} s of being interrupted")

    def _act(self) -> None:
        begun = self.begun()
        while begun is not None and self.actions and self.actions[0][0] <= begun:
            at, action = self.actions.pop(0)
            try:
                action()
            except HarnessError as error:
                self.trouble.append(f"at {at:g} s: {error}")


def _arguments(
    script: Path, files: _Files, port: int, testid: str, env: Mapping[str, str]
) -> tuple[str, ...]:
    variables = [word for key, value in env.items() for word in ("--env", f"{key}={value}")]
    return (
        str(provide("k6").path),
        "run",
        "--quiet",
        "--no-color",
        "--no-usage-report",
        f"--address=127.0.0.1:{port}",
        "--out=experimental-prometheus-rw",
        f"--out=csv={files.raw}",
        f"--summary-export={files.summary}",
        "--summary-mode=full",
        f"--summary-trend-stats={_STATS}",
        f"--tag=testid={testid}",
        *variables,
        str(script),
    )


def _environment(prometheus: str) -> dict[str, str | None]:
    # the user's own K6_ variables (a duration, another output) would make it another load
    return {
        **{key: None for key in os.environ if key.startswith("K6_")},
        "K6_PROMETHEUS_RW_SERVER_URL": f"{prometheus}/api/v1/write",
        "K6_PROMETHEUS_RW_TREND_AS_NATIVE_HISTOGRAM": "true",
        "K6_PROMETHEUS_RW_STALE_MARKERS": "true",
        "K6_PROMETHEUS_RW_PUSH_INTERVAL": _PUSH_INTERVAL,
        "K6_CSV_TIME_FORMAT": "unix_micro",
    }


def _is_running(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1.0)
    try:
        connection.request("GET", "/v1/status")
        content = json.loads(connection.getresponse().read())
        return int(content["data"]["attributes"]["status"]) >= _RUNNING
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError):
        return False  # not up yet, or ending
    finally:
        connection.close()


def _window(raw: samples.Raw, started: float, settle: float) -> tuple[Window, list[str]]:
    """Return the judged part of the load, and what is wrong with it."""
    first, last = raw.span or (started, time.time())
    whole = Window(first, max(last, first + 0.001))
    if not raw.requests or settle < whole.seconds:
        return whole.skip(settle) if raw.requests else whole, []
    return whole, [f"the load ended after {whole.seconds:g} s, within the {settle:g} s that are not judged"]


def _counted(raw: samples.Raw) -> dict[str, int]:
    counts: dict[str, int] = {}
    for request in raw.requests:
        counts[str(request.status)] = counts.get(str(request.status), 0) + 1
    return counts
