"""A load that somebody ran by hand, as Prometheus has it, and what of a requirement that can't show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

from experiments.cluster import RULES
from experiments.exchange import SYMBOLS
from experiments.figures import METRICS, QUANTILES, RECEIVED, of_shards
from experiments.judging import shards
from experiments.judging.performed import View
from experiments.loads import Workload
from verdict_harness.loads import Figure, Seen, figures_of, see
from verdict_harness.record import Run
from verdict_harness.samples import Estimate, NoValue, Trouble, Window, ms
from verdict_harness.systems import Address, expressions
from verdict_harness.verdicts import Judge, Verdict, without_value

ASIDE = 0.1  # share by which more or fewer orders may come than the load of the requirement has
P = 0.99


@dataclass(frozen=True, slots=True)
class Asked:
    """A requirement that a load by hand is judged by.

    Attributes:
        name: the word that is typed for it.
        experiment: whose load it is about.
        shards: that have to be there.
    """

    name: str
    experiment: str
    shards: tuple[str, ...]

    @property
    def rate(self) -> float:
        """Orders/s that it is about."""
        return Workload.of(self.experiment, "full").rates[0][0]


ASR1 = Asked("asr1", "A2", ("a",))
ASR2 = Asked("asr2", "B2", tuple(SYMBOLS))


@dataclass(frozen=True, slots=True)
class Uncarried:
    """What Prometheus alone can't show.

    Attributes:
        why: it can't.
        cure: what would.
    """

    why: str
    cure: str

    def __call__(self, judge: Judge) -> None:
        """Say so."""
        judge.record(replace(without_value(Verdict.INCONCLUSIVE, self.why), decides=self.cure))


_OUR_K6 = "a load that the harness runs itself (--backend external)"
_OURS = "a system that the harness runs itself (nox -s asr1 asr2)"
#: Of every requirement, by the names that its criteria have in the experiments.
UNCARRIED = {
    "client-p99": Uncarried(
        "when each order was due, and which was refused, unanswered or never sent, is in no series",
        _OUR_K6,
    ),
    "conservation": Uncarried(
        "what became of each order is in no series: the events and the client's word were not kept", _OUR_K6
    ),
    "load": Uncarried(
        "whether each order was sent when it was due, and what else the machine did, nobody has witnessed",
        _OUR_K6,
    ),
    "recovery": Uncarried("nobody killed a shard to see whether it comes back", _OURS),
}
UNCARRIED_1 = UNCARRIED | {
    "depth": Uncarried("one window shows one depth of the book, and three are asked for", _OURS),
    "outage": Uncarried("nobody took the broker away and proved that it was gone", _OURS),
}
UNCARRIED_2 = UNCARRIED | {
    "isolation": Uncarried("blocks with and without a load beside it, in turn, are what tells 5 %", _OURS),
    "scaling": Uncarried("what one shard does not sustain was not looked for", _OURS),
}


class Collected:
    """One such load.

    Attributes:
        asked: the requirement that it is judged by.
        trial: asked about the window.
        gentle: in what fewer orders came than the requirement is about; empty if they did not.
        trouble: every reason to conclude less from it than its numbers say.
        evidence: files that hold it.
        figures: what people look for in a report of it.
    """

    def __init__(self, asked: Asked, trial: Seen) -> None:
        self.asked = asked
        self.trial = trial
        self.evidence = trial.evidence
        self.gentle = ""
        self.trouble: tuple[Trouble, ...] = tuple(self._doubts())
        self.figures = figures_of(trial.name, trial, [*_of_client(), *of_shards(asked.shards)], METRICS)

    @property
    def name(self) -> str:
        """The load's name."""
        return self.trial.name

    @property
    def views(self) -> Mapping[str, View[Seen]]:
        """The shards, each judged by itself."""
        several = len(self.asked.shards) > 1
        return {one if several else "": View(self.trial, (one,), P) for one in self.asked.shards}

    def _doubts(self) -> Iterator[Trouble]:
        """Say in what it was another load than the requirement is about."""
        meant = self.asked.rate
        came = self.trial.server.rate(RECEIVED, shard=self.asked.shards)
        if isinstance(came, NoValue):
            yield Trouble(f"how many orders came is not known: {came.reason}", "the load", "PASS")
            return
        told = (
            f"{came.value or 0:.3g} orders/s were accepted in the window, and the load is one of {meant:g}/s"
        )
        if came.hi < (1 - ASIDE) * meant:
            self.gentle = told
            yield Trouble(f"{told}: it was gentler", "the load", "PASS")
        elif came.lo > (1 + ASIDE) * meant:
            yield Trouble(f"{told}: it was another one", "the load", "ANY")


def collect(run: Run, asked: Asked, where: Callable[[], tuple[Address, Window]]) -> Collected:
    """Return what a Prometheus has of a load, or had when it was recorded.

    Args:
        run: keeps it.
        asked: the requirement that it is judged by.
        where: says which Prometheus, and when the load was; not called when a stored run is judged again.
    """
    return Collected(asked, see(run.evidence, f"{asked.name} by hand", where, expressions(RULES)))


def sustained(judge: Judge, load: Collected, *, quick: bool) -> None:
    """Judge the throughput that is asked for, if as much was offered as it takes."""
    if load.gentle:
        judge.inconclusive(f"{load.gentle}: only the client knows whether more were offered")
        return
    shards.sustained(judge, load.trial, load.asked.shards, quick=quick)


def adds(judge: Judge, load: Collected) -> None:
    """Judge what the gateway adds; how many cores it and the shards had is not known."""
    shards.adds(judge, load.trial, load.asked.shards, P, crowded=True)


def _of_client() -> Iterator[Figure[Seen]]:
    for name, p in QUANTILES.items():
        yield Figure(f"client response {name}", "", ms, partial(_response, p))


def _response(p: float, seen: Seen) -> Estimate | NoValue:
    """Return what k6 says of accepted orders alone, from when each was due."""
    query = f"histogram_quantile({p}, sum(increase(k6_order_response_ms[$window]))) / 1000"
    return seen.promql(query)
