"""A load that was run, with all that is known of it: what criteria are asked of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

from experiments import figures
from experiments.loads import Workload, number_of
from verdict_harness.loads import Fate, Order, ServerSide, Trial
from verdict_harness.samples import NoValue, Trouble

from .ledger import Ledger

# The book's depth has a band: it loses what is taken and gains what is replenished, in lots exactly,
# in orders up to chance. Below it the load starves; above it somebody else is seeding.
SHALLOWEST, DEEPEST = 0.7, 1.3

FEWEST = 299  # orders: of fewer, a p99 has no upper bound
SCRAPE = 5.0  # seconds from one to the next


_Load_co = TypeVar("_Load_co", bound=ServerSide, covariant=True)


@dataclass(frozen=True)
class View(Generic[_Load_co]):
    """A part of a load that is judged by itself.

    Attributes:
        trial: asked about that part alone.
        shards: whose orders it has.
        p: the quantile of its latency that as few orders as it has can tell.
    """

    trial: _Load_co
    shards: tuple[str, ...]
    p: float = 0.99


class Performed:
    """One load, what k6 and Prometheus saw of it, and what the system itself tells.

    Attributes:
        workload: what was to be done.
        trial: what was.
        ledger: what the system tells of it.
        cores: of the machine that ran it.
        trouble: every reason to conclude less from it than its numbers say.
        evidence: files that hold it.
        figures: what people look for in a report of it.
    """

    def __init__(self, workload: Workload, trial: Trial, ledger: Ledger, cores: int = 0) -> None:
        self.workload = workload
        self.trial = trial
        self.ledger = ledger
        self.cores = cores
        self.evidence = trial.evidence
        self.trouble: tuple[Trouble, ...] = (*trial.trouble, *self._books())
        # now, while the Prometheus that watched it is still up
        self.figures = figures.of_load(trial, tuple(workload.seeds))

    @property
    def name(self) -> str:
        """The load's name."""
        return self.trial.name

    @cached_property
    def orders(self) -> Sequence[Order]:
        """What became of every order."""
        return self.trial.kept.orders.all

    @property
    def accepted(self) -> set[str]:
        """The ids of those that were accepted, in the script's own word."""
        return {order.id for order in self.orders if order.fate is Fate.ACCEPTED}

    @property
    def undecided(self) -> set[str]:
        """The ids of those that a shard may have, or not, without being wrong.

        That is what was not answered; through a gateway, what it answered without the shard, too.
        """
        fates = {Fate.UNANSWERED, Fate.CUT}
        if self.workload.target == "gateway":
            fates.add(Fate.REFUSED)
        return {order.id for order in self.orders if order.fate in fates}

    @property
    def views(self) -> Mapping[str, View[Trial]]:
        """The parts of it that are judged by themselves, all of it together if there is but one."""
        return dict(self._views())

    @property
    def groups(self) -> Mapping[str, View[Trial]]:
        """All of it: by the shards that are judged by themselves, if each has orders enough."""
        load, trial = self.workload, self.trial
        due = load.orders_in(trial.window.start - trial.began, load.seconds)
        shares = {label: sum(map(load.share, shards)) for label, shards in load.groups.items()}
        if len(shares) == 1 or self._sure(trial, min(shares.values()) * due) < FEWEST:
            return {"": self.view(trial, due)}
        return {label: self.view(trial, due * shares[label], shards) for label, shards in load.groups.items()}

    def _views(self) -> Iterable[tuple[str, View[Trial]]]:
        load, trial = self.workload, self.trial
        if len(load.lengths) == 1:
            yield from self.groups.items()
            return
        judged = trial.window.start - trial.began
        for label, start, end in load.spans():
            yield label, self.view(trial.part(start, end), load.orders_in(max(start, judged), end))

    def view(self, trial: Trial, due: float, shards: tuple[str, ...] = ()) -> View[Trial]:
        """Return a part in which so many orders are due, of these shards if any are named."""
        p = 0.99 if self._sure(trial, due) >= FEWEST else 0.95
        if not shards:
            return View(trial, tuple(self.workload.seeds), p)
        some = trial.only(
            f"for {', '.join(shards)}",
            lambda order: not order.id or self.workload.shard_of(number_of(order.id)) in shards,
        )
        return View(some, shards, p)

    @staticmethod
    def _sure(trial: Trial, due: float) -> float:
        """Return how many orders there surely are between the scrapes of a part in which so many are due."""
        return due * max(0.0, 1 - SCRAPE / trial.window.seconds)

    def _books(self) -> Iterable[Trouble]:
        """Say in what the books were not those that the load claims to run on.

        On a fresh system whatever else rests there is its own doing: nothing passes, and a FAIL stands.
        """
        if not self.trial.load.requests:
            return
        for shard in self.workload.seeds:
            planned = self.workload.resting(shard)
            opening, shallowest, deepest, why = self._depths(shard)
            if why:
                yield Trouble(f"how deep the book of shard {shard} was is not known: {why}", "books", "PASS")
                continue
            asks, bids = opening
            exact = not self.workload.after
            if asks != planned if exact else not SHALLOWEST * planned <= asks <= DEEPEST * planned:
                text = f"{asks} SELLs rested on shard {shard} before the load, and not {planned}"
                yield Trouble(text, "books", "PASS")
            if exact and bids:
                text = f"{bids} BUYs rested on shard {shard} before the load, and not 0"
                yield Trouble(text, "books", "PASS")
            if shallowest < SHALLOWEST * planned:
                text = f"the book of shard {shard} ran dry: {shallowest} SELLs of {planned}"
                yield Trouble(text, "books", "PASS")
            if deepest > DEEPEST * planned:
                text = f"the book of shard {shard} grew to {deepest} SELLs, of {planned}"
                yield Trouble(text, "books", "PASS")

    def _depths(self, shard: str) -> tuple[tuple[int, int], int, int, str]:
        """Return SELLs and BUYs before the first order, the fewest and most SELLs since; or why not."""
        if not self.ledger.untold:
            account = self.ledger.accounts.get(shard)
            if account is None or not account.opening:
                return (0, 0), 0, 0, "there is no event of an order of it"
            opening = account.opening["ask"], account.opening["bid"]
            return opening, account.shallowest, account.deepest, ""
        # Nobody to tell exactly: what scrapes show, of which one lies between the seeds and the first order.
        courses = [
            self.trial.totals.gauge("me_orderbook_depth", shard=shard, side=side) for side in ("ask", "bid")
        ]
        before: list[int] = []
        for course in courses:
            if isinstance(course, NoValue):
                return (0, 0), 0, 0, course.reason
            known = [point.value for point in course.points if point.time <= self.trial.began]
            if not known:
                return (0, 0), 0, 0, "no scrape shows it before the first order"
            before.append(round(known[-1]))
        asks = courses[0]
        assert not isinstance(asks, NoValue)
        since = [round(point.value) for point in asks.points if point.time >= self.trial.began] or before[:1]
        return (before[0], before[1]), min(since), max(since), ""
