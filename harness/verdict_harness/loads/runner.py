"""Run k6, watch the system meanwhile, act on time, and read back whatever was measured."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import HarnessError, LoadError, ServiceDied
from ..samples import Window
from ..systems import RAW, Brief, Deployment, Running
from . import trouble
from .here import Here
from .live import Live
from .load import Load
from .raw import Raw, Request, figures, read

Action = tuple[float, Callable[[], None]]

_LOOK = 0.2  # seconds
_STOP_TIMEOUT = 45.0  # seconds for k6 to end its iterations, tear down and write its summary
_SETUP_ALLOWANCE = 300.0  # seconds beyond the load's own length until k6 must have ended


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
        actions: what to do how many seconds into the load. A :class:`~..errors.HarnessError` from
            one of them is the load's trouble, as is one whose time never came.

    Raises:
        ProgramError: there is no k6.
        LoadError: the script is not there.
    """
    if not script.is_file():
        raise LoadError("there is no such script", expected="a k6 script", found="none", where=str(script))
    directory.mkdir(parents=True, exist_ok=True)
    limit = seconds + _SETUP_ALLOWANCE
    brief = Brief(name, script.resolve(), testid, env or {}, limit, directory.resolve())
    run = _Run(deployment, limit, sorted(actions, key=lambda action: action[0]))
    tags = tags or {}
    live = Live(
        name=name,
        seconds=seconds,
        begun=run.begun,
        prometheus=deployment.prometheus,
        testid=testid,
        tags=tags,
    )
    interrupt: KeyboardInterrupt | None = None
    started = time.time()
    with (deployment.generator or Here(deployment.prometheus)).start(brief) as k6, live:
        try:
            run.watch(k6)
            remains = k6.collect()
        except KeyboardInterrupt as error:
            interrupt = error
            run.stop(k6, "it was interrupted by Ctrl-C")
            remains = k6.collect()
    ending = trouble.Ending(
        remains.status,
        (*run.trouble, *remains.trouble),
        trouble.read_summary(brief.summary),
        trouble.read_log(brief.log),
    )
    raw = read(brief.raw, tags)
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
        percentiles=figures([one.duration for one in measured if one.status or one.duration > 0]),
        begun=raw.by_second(),
        succeeded=raw.by_second(succeeded=True),
        ids=ids,
        repeated=repeated,
        exit_status=remains.status,
        ahead=remains.ahead,
        trouble=(*trouble.find(raw, ending, planned, tags), *short),
    )
    (directory / "load.json").write_text(json.dumps(load.to_json(), indent=2) + "\n", encoding="utf-8")
    if interrupt is not None:
        raise interrupt
    return load


def requests(directory: Path, tags: Mapping[str, str]) -> list[Request]:
    """Return every request of a load that was run, from the raw samples that it left.

    Args:
        directory: what :func:`run_load` was given.
        tags: of the requests that are the load itself.

    Raises:
        LoadError: there are no raw samples, or they are not whole.
    """
    raw = read(directory / RAW, tags)
    if raw.damage:
        raise LoadError("a load's raw samples can't be used", found=raw.damage, where=str(directory))
    return raw.requests


@dataclass
class _Run:
    """A load while it is on."""

    deployment: Deployment
    limit: float
    actions: list[Action]
    trouble: list[str] = field(default_factory=list)
    _began: float | None = None

    def begun(self) -> float | None:
        """For how many seconds iterations have been made; ``None`` before the first."""
        return None if self._began is None else time.monotonic() - self._began

    def watch(self, k6: Running) -> None:
        """Wait for the end of k6; meanwhile act on time, and stop it when it has lost its sense."""
        deadline = time.monotonic() + self.limit
        while not k6.ended(_LOOK):
            try:
                self.deployment.check()
            except ServiceDied as death:
                self.stop(k6, str(death))
                return
            if self._began is None and k6.begun():
                self._began = time.monotonic()
            self._act()
            if time.monotonic() > deadline:
                self.stop(k6, f"it did not end within {self.limit:g} s")
                return
        # k6 may have ended because of a death that was not looked for yet
        try:
            self.deployment.check()
        except ServiceDied as death:
            self.trouble.append(str(death))
        self.trouble += [f"what was to happen {at:g} s into the load never did" for at, _ in self.actions]

    def stop(self, k6: Running, why: str) -> None:
        """End k6 early but in order: it still writes its summary."""
        self.trouble.append(why)
        k6.interrupt()
        if not k6.ended(_STOP_TIMEOUT):
            self.trouble.append(f"k6 did not end within {_STOP_TIMEOUT:g} s of being interrupted")

    def _act(self) -> None:
        begun = self.begun()
        while begun is not None and self.actions and self.actions[0][0] <= begun:
            at, action = self.actions.pop(0)
            try:
                action()
            except HarnessError as error:
                self.trouble.append(f"at {at:g} s: {error}")


def _window(raw: Raw, started: float, settle: float) -> tuple[Window, list[str]]:
    """Return the judged part of the load, and what is wrong with it."""
    first, last = raw.span or (started, time.time())
    whole = Window(first, max(last, first + 0.001))
    if not raw.requests or settle < whole.seconds:
        return whole.skip(settle) if raw.requests else whole, []
    return whole, [f"the load ended after {whole.seconds:g} s, within the {settle:g} s that are not judged"]


def _counted(raw: Raw) -> dict[str, int]:
    counts: dict[str, int] = {}
    for request in raw.requests:
        counts[str(request.status)] = counts.get(str(request.status), 0) + 1
    return counts
