"""One load on one system, and the questions about its window.

A :class:`Stage` holds the system that is up, one at a time.  A :class:`Trial`
is what tests judge: it is in trouble, and every judgement that rests on it
INCONCLUSIVE, if the load was not what it claims, or a service died.  A scrape
that failed is no trouble of the load: it widens what rests on it, and that alone.
On replay nothing is deployed or run: both come from evidence.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import FunctionType
from typing import Any, Self

from ..errors import UsageError
from ..processes import progress
from ..record import Evidence, Json, Run
from ..samples import Prometheus, Trouble, Window
from ..systems import Backend, Deployment, System, expressions, wait_until_covered
from . import runner
from .arrivals import Arrivals
from .client import ClientSide, Kept
from .derived import again
from .figures import Figures
from .load import Load
from .server import ServerSide, Watched

_SCRAPE = 5.0  # seconds; what the backends configure


@dataclass(frozen=True, slots=True)
class Plan:
    """A load before it is run.

    Attributes:
        name: unique in a run, such as ``"A2"``.
        system: what it is run on.
        script: the k6 script.
        iterations: how many it is to make at the offered rate.
        seconds: how long it lasts, set-up not counted.
        settle: seconds at the beginning that are not judged.
        env: variables for the script, once the endpoints are known.
        tags: tags of the requests that are the load itself, such as ``{"name": "order"}``. Each
            iteration has to make one; where the script has scenarios beside the load, k6's own tag
            ``scenario`` says which is the load, and only its iterations have to.
        arrivals: when each order is due. Where nobody says, each is due when the script asks for it, and
            that k6 made them too slowly is not seen.
        accepted: the metric that the script raises once for each order that it holds accepted, such as
            ``"orders_accepted"``; if there is none, what k6 expected of an answer counts.
        fresh: whether it needs a system that nothing has touched.
        recorded: whether anybody asks what recording rules made of its end; it is waited for.
        actions: what to do how many seconds into the load, such as injecting a fault.
    """

    name: str
    system: System
    script: Path
    iterations: int
    seconds: float
    settle: float
    env: Callable[[Deployment], Mapping[str, str]]
    tags: Mapping[str, str] = field(default_factory=dict)
    arrivals: Arrivals | None = None
    accepted: str = ""
    fresh: bool = False
    recorded: bool = True
    actions: Callable[[Deployment], Sequence[tuple[float, Callable[[], None]]]] = lambda _: ()

    def differs(self, other: Plan) -> str:
        """Return the first field in which the two are not the same load; empty if they are."""
        pairs = ((one.name, getattr(self, one.name), getattr(other, one.name)) for one in fields(self))
        return next((name for name, mine, theirs in pairs if _told(mine) != _told(theirs)), "")


def _told(value: object) -> object:
    """Return what tells a field of a plan from another: of a function, its code and what it holds."""
    if not isinstance(value, FunctionType):
        return value
    return value.__code__, tuple(cell.cell_contents for cell in value.__closure__ or ())


class Trial(ClientSide, ServerSide):
    """A load that was run, with the Prometheus that watched it.

    Attributes:
        load: what k6 did.
        began: unix seconds when the load began.
        window: the judged part: the load less its settling time.
        whole: from before the first request to a scrape after the last, for totals.
        trouble: every reason why nothing may be concluded from it.
        evidence: the file that holds it, relative to the run's folder.
        figures: what the report shows of it besides, once somebody has asked; see
            :func:`~verdict_harness.loads.figures_of`.
    """

    figures: Figures | None = None

    def __init__(  # noqa: PLR0913 - what it was, and where all that belongs to it is
        self,
        record: Mapping[str, Any],
        evidence: Evidence,
        suspicions: Callable[[Trial], Iterable[str | Trouble]] | None = None,
        file: str = "",
        directory: Path = Path(),
        *,
        prometheus: str = "",
    ) -> None:
        self.evidence = (file,) if file else ()
        self.load = load = Load.from_json(record["load"])
        self.kept = Kept(directory, load)
        self.window = load.window
        self.began = load.window.start - record["settle"] if load.began is None else load.began
        self.whole = Window(*record["whole"])
        self.ended = load.window.end
        self._prometheus = Prometheus(prometheus or record["prometheus"], evidence)
        self.watched = Watched(
            self._prometheus,
            Window(*record["whole"]),
            record.get("rules", {}),
            record.get("counted", "orders"),
        )
        self.trouble: tuple[Trouble, ...] = tuple(load.trouble)
        self._down: tuple[str, ...] = ()
        if load.requests:
            self._down = tuple(self._targets(record["scraped"]))
            doubts = suspicions(self) if suspicions else ()
            self.trouble += tuple(
                one if isinstance(one, Trouble) else Trouble(one, "the load", "ANY") for one in doubts
            )

    def part(self, start: float, end: float | None = None) -> Trial:
        """Return this trial, asked only about the seconds from ``start`` to ``end`` of the load.

        What is asked about the whole load stays that.

        Raises:
            UsageError: nothing is left.
        """
        part = copy.copy(self)
        part.window = Window(
            max(self.window.start, self.began + start),
            self.window.end if end is None else min(self.window.end, self.began + end),
        )
        return part

    @property
    def entire(self) -> Trial:
        """This trial, its settling time not left out."""
        entire = copy.copy(self)
        entire.window = Window(self.began, self.window.end)
        return entire

    @property
    def name(self) -> str:
        """The load's name; what is in trouble is told under it."""
        return self.load.name

    def _filled(self, query: str) -> str:
        return super()._filled(query).replace("$testid", self.load.testid)

    def _lacking(self, query: str) -> str:
        lost = self.load.unpushed if "k6_" in query else ""
        return "; ".join(filter(None, (lost, *self._down)))

    def _targets(self, scraped: Iterable[str]) -> Iterable[str]:
        for name in scraped:
            if found := self._prometheus.target_trouble("", self.window, targets=1, service=name):
                yield f"target {name}: {found}"


class Stage:
    """The system that is up: one at a time, since two would disturb each other. A context manager.

    Args:
        run: the run that it belongs to.
        backend: makes systems run.
    """

    def __init__(self, run: Run, backend: Backend) -> None:
        self._run = run
        self._backend = backend
        self._up: tuple[System, Deployment] | None = None
        self._stack = ExitStack()
        self._count = 0
        self._plans: dict[str, Plan] = {}
        self._addresses: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    @property
    def run(self) -> Run:
        """The run that it belongs to."""
        return self._run

    def up(self, system: System, *, fresh: bool = False) -> Deployment:
        """Return ``system`` deployed: the one that is up if it is that one, else once that one is down."""
        if self._up is not None:
            current, deployment = self._up
            if current is system and not fresh:
                deployment.check()
                return deployment
            self._up = None
            self._stack.close()
            self._stack = ExitStack()
        self._count += 1
        directory = self._run.evidence.folder(f"systems/{self._count}-{system.name}")
        deployed = self._backend.deploy(system, directory, keep=self._run.keep)
        deployment = self._stack.enter_context(deployed)
        self._up = (system, deployment)
        return deployment

    def observe(self, key: str, system: System, ask: Callable[[Deployment], Json]) -> Any:
        """Return what ``ask`` finds out from ``system``, as it is on record."""
        return self._run.evidence.fact(key, lambda: ask(self.up(system)))

    def trial(
        self, plan: Plan, suspicions: Callable[[Trial], Iterable[str | Trouble]] | None = None
    ) -> Trial:
        """Run a load, once a run, and return it with the Prometheus that watched it.

        Args:
            plan: the load.
            suspicions: looks for further reasons not to trust it; asks Prometheus through the trial.
        """
        if (first := self._plans.setdefault(plan.name, plan)).differs(plan):
            raise UsageError(
                f"two loads of one run are called {plan.name}",
                expected="a name for each, or the same load",
                found=f"{first.differs(plan)} of one is not that of the other",
                where=f"{first.script.name} and {plan.script.name}",
                todo="give one of them another name",
            )
        return self._run.once(f"load {plan.name}", lambda: self._trial(plan, suspicions))

    def _trial(self, plan: Plan, suspicions: Callable[[Trial], Iterable[str | Trouble]] | None) -> Trial:
        evidence, key = self._run.evidence, f"load {plan.name}"
        record: Any = evidence.fact(key, lambda: self._perform(plan))
        file = evidence.where(key).relative_to(evidence.directory).as_posix()
        # a recorded address has no password, which Prometheus may ask for
        prometheus = self._addresses.get(record["prometheus"], record["prometheus"])
        folder = evidence.folder(f"loads/{plan.name}")
        evidence.confirm(key, record["load"], lambda: again(folder, Load.from_json(record["load"])).to_json())
        return Trial(record, evidence, suspicions, file, folder, prometheus=prometheus)

    def _perform(self, plan: Plan) -> Json:
        deployment = self.up(plan.system, fresh=plan.fresh)
        before = time.time()
        load = runner.run_load(
            deployment,
            plan.script,
            name=plan.name,
            testid=f"{self._run.run_id}/{plan.name}",
            directory=self._run.evidence.folder(f"loads/{plan.name}"),
            env=plan.env(deployment),
            planned=plan.iterations,
            arrivals=plan.arrivals,
            accepted=plan.accepted,
            seconds=plan.seconds,
            settle=plan.settle,
            tags=plan.tags,
            actions=plan.actions(deployment),
        )
        scraped = [service.name for service in plan.system.services if service.scrape is not None]
        if self._run.backend == "external":
            scraped = []  # how its jobs are called is its owner's affair; totals show a target that was down
        rules = expressions(plan.system.recording_rules) if plan.system.recording_rules else {}
        lacking = ""
        if load.requests:
            awaited = rules if plan.recorded else {}
            lacking = wait_until_covered(deployment.prometheus, load.window.end, awaited)
        progress.done()
        if lacking:
            progress.say(f"{plan.name}: {lacking}")
        self._addresses[str(deployment.prometheus)] = deployment.prometheus
        return {
            "load": load.to_json(),
            "prometheus": str(deployment.prometheus),
            "whole": [before - _SCRAPE, time.time()],
            "settle": plan.settle,
            "scraped": scraped,
            "rules": rules,
            "uncovered": lacking,
        }
