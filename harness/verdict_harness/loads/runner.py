"""Run k6, watch the system meanwhile, act on time, and read back whatever was measured."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import HarnessError, InstrumentDied, LoadError, ServiceDied
from ..samples import Trouble, Window
from ..systems import RAW, WITNESS, Brief, Deployment, Running
from . import trouble, witness
from .arrivals import Arrivals
from .derived import derived
from .here import Here
from .live import Live
from .load import Load
from .orders import Course, Orders, trace
from .raw import Raw, Request
from .reading import read
from .response import troubles

Action = tuple[float, Callable[[], None]]

_LOOK = 0.2  # seconds
_CLOCK = 1.0  # seconds that clocks may differ
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
    arrivals: Arrivals | None = None,
    settle: float = 0.0,
    accepted: str = "",
    tags: Mapping[str, str] | None = None,
    actions: Sequence[Action] = (),
) -> Load:
    """Run a k6 script against ``deployment`` and return what it measured, and whether that can be used.

    k6's log, raw samples and summary stay in ``directory``, with the load itself as ``load.json``.
    A service that dies ends the load early: what was still due then was not answered.  Ctrl-C ends k6 in
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
        arrivals: when each of them is due; ``None`` if that can't be said.
        settle: seconds at the beginning of the load that are not judged.
        accepted: the metric that the script raises once for each order that it holds accepted; if there is
            none, what k6 expected of an answer counts.
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
            run.stop(k6, "it was interrupted by Ctrl-C", "whoever ran it")
            remains = k6.collect()
    log = trouble.read_log(brief.log)
    # what went wrong with the place may concern all of it, clocks and files
    placed = (Trouble(text, "where k6 ran", "ANY") for text in remains.trouble)
    ending = trouble.Ending(
        remains.status, (*run.trouble, *placed), trouble.read_summary(brief.summary), log, run.died
    )
    raw = read(brief.raw, tags, testid=testid, accepted=accepted)
    ended = time.time() + remains.ahead
    died_at = run.died_at and run.died_at + remains.ahead
    course = Course(ended, died_at, log.full, witness.read(brief.witness).stalls)
    orders = trace(raw, arrivals, course)
    whole, window, short = _window(raw, orders, arrivals, (started + remains.ahead, ended), settle)
    unscheduled = planned if arrivals is None else None
    load = Load(
        name=name,
        testid=testid,
        script=str(script),
        started=started,
        ended=ended - remains.ahead,
        window=window,
        began=whole.start,
        offered=planned,
        **derived(raw, window),
        exit_status=remains.status,
        ahead=remains.ahead,
        trouble=(*trouble.find(raw, ending, unscheduled, tags), *troubles(orders), *short),
        arrivals=arrivals,
        tags=dict(tags),
        accepted=accepted,
        died=run.died,
        died_at=died_at,
        full=log.full,
        unpushed=log.unpushed,
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


def read_orders(directory: Path, load: Load) -> Orders:
    """Return what became of every order of a load that was run, from what it left in ``directory``."""
    raw = read(directory / RAW, load.tags, testid=load.testid, accepted=load.accepted)
    course = Course(
        load.ended + load.ahead, load.died_at, load.full, witness.read(directory / WITNESS).stalls
    )
    return trace(raw, load.arrivals, course)


@dataclass
class _Run:
    """A load while it is on."""

    deployment: Deployment
    limit: float
    actions: list[Action]
    trouble: list[Trouble] = field(default_factory=list)
    died: str = ""
    died_at: float | None = None
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
            except InstrumentDied as death:
                self.stop(k6, str(death), "what watches the system")
                return
            except ServiceDied as death:
                self._died(death)
                self._interrupt(k6)
                return
            if self._began is None and k6.begun():
                self._began = time.monotonic()
            self._act()
            if time.monotonic() > deadline:
                self.stop(k6, f"it did not end within {self.limit:g} s", "k6")
                return
        # k6 may have ended because of a death that was not looked for yet
        try:
            self.deployment.check()
        except InstrumentDied as death:
            self._note(str(death), "what watches the system")
        except ServiceDied as death:
            self._died(death)
        for at, _ in self.actions:
            self._note(f"what was to happen {at:g} s into the load never did", "what was to happen")

    def stop(self, k6: Running, why: str, whose: str) -> None:
        """End k6 early but in order: it still writes its summary."""
        self._note(why, whose)
        self._interrupt(k6)

    def _interrupt(self, k6: Running) -> None:
        k6.interrupt()
        if not k6.ended(_STOP_TIMEOUT):
            self._note(f"k6 did not end within {_STOP_TIMEOUT:g} s of being interrupted", "k6")

    def _died(self, death: ServiceDied) -> None:
        self.died, self.died_at = str(death), time.time()

    def _note(self, text: str, whose: str) -> None:
        self.trouble.append(Trouble(text, whose, "PASS"))

    def _act(self) -> None:
        begun = self.begun()
        while begun is not None and self.actions and self.actions[0][0] <= begun:
            at, action = self.actions.pop(0)
            try:
                action()
            except HarnessError as error:
                self._note(f"at {at:g} s: {error}", "what was to happen")


def _window(
    raw: Raw, orders: Orders, arrivals: Arrivals | None, ran: tuple[float, float], settle: float
) -> tuple[Window, Window, list[Trouble]]:
    """Return the load's time, the judged part of it, and what is wrong with that.

    Args:
        raw: its raw samples.
        orders: what became of its orders.
        arrivals: when they were due.
        ran: when k6 was started and had ended, by its own clock.
        settle: seconds at the beginning that are not judged.
    """
    started, ended = ran
    first, last = raw.span or ran
    found = []
    if raw.requests and not (started - _CLOCK <= first and last <= ended + _CLOCK):
        text = "the raw samples are not of the time in which this load ran: they are another's"
        found.append(Trouble(text, "k6", "ANY"))
    if arrivals is not None and raw.requests:
        first = orders.began
        # to its end, also where nobody answered any more
        last = max(last, min(orders.began + arrivals.seconds, ended))
    whole = Window(first, max(last, first + 0.001))
    if not raw.requests or settle < whole.seconds:
        return whole, whole.skip(settle) if raw.requests else whole, found
    text = f"the load ended after {whole.seconds:g} s, within the {settle:g} s that are not judged"
    return whole, whole, [*found, Trouble(text, "k6", "PASS")]
