"""Whether many parts sustain so many times what one does: the search, a pure function of its trials.

``step(claim, trials)`` says which trial comes next, or what came out. It keeps no state of its own: the
same trials lead to the same answer, so that a stored run is judged again by replaying them, and each path
has a test.

What one part sustains is not one number: it differs from trial to trial, and it drifts with the machine
over minutes, by more than what is to be told. So no capacity is measured and then held against another.
The claim is judged by **pairs**: a rate is offered to one part, and ``factor`` times that to many, right
after each other and in turns of order; what drifts more slowly than a pair lasts is in both.

1. Short trials on one part: times 1.3 until a rate is not sustained (or down until one is), then halved in
   log space until the two are ``width`` apart. That is where pairs begin.
2. Pairs of long trials. Both sustained: the next rate is a ``stride`` higher. Neither: a stride lower. One
   part did not and many did: the pair speaks *for* the claim. One did and many did not: *against* it. Either
   way the next pair is of the same rate. Strides in one direction get longer. One is each part in turn.
3. If many sustained less than ``factor`` times what one does, no more than half of the pairs that speak at
   all would speak for it. The search ends as soon as chance would make so many of them for it (or against)
   in one search of twenty: :data:`FOR`, :data:`AGAINST`.
4. For those who want to see it, two of three are tried once at two thirds of that: nothing is judged by it.

A trial of one part counts as not sustained only if that part was full: if something else broke, it says
nothing of the part, and a denominator that is too low is the one way to a wrong PASS. Where many broke and
it may have been the machine, the pair still stands in the way of *holds*, and counts for nothing in
*fails*: made again until they do not break, it would be counted when it is for the claim only.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

GROWTH = 1.3  # from one short trial to the next, until there is one that is not sustained
VOIDS = 3  # trials in a row that may come to nothing
FULL = 0.9  # share of its CPU that a part must have used for a rate to be called more than it can do
LEAST = 50.0  # times below the first rate: what sustains not even that is broken
#: Pairs for the claim that are enough, and how many may then be against it. If it just does not hold, chance
#: makes that of one search in twenty at the most: the test of signs, looked at after each pair.
FOR = ((5, 0), (8, 1), (10, 2))
#: Pairs against the claim that are enough, with how many for it. More are asked for than above, because three
#: parts that each vary by chance break a little sooner than one does: 1.6 % by the same arithmetic.
AGAINST = ((7, 0), (10, 1), (12, 2))


class Arm(enum.Enum):
    """What a trial loads."""

    ONE = "one"
    MANY = "many"


class Outcome(enum.Enum):
    """What a trial showed."""

    SUSTAINED = "sustained"
    EXCEEDED = "not sustained"
    VOID = "void"  # the generator or the machine was what broke: neither way


@dataclass(frozen=True, slots=True)
class Claim:
    """What is to be shown, and how finely.

    Attributes:
        parts: how many parts the other deployment has.
        factor: how many times a single part's rate they are to sustain: 2.7 for 90 % of three.
        start: orders/s at which the search begins.
        most: orders/s that the generator can offer.
        width: how far apart the rates are, as a quotient, between which pairs begin: 1.07 for 7 %.
        stride: from one pair's rate to the next: 1.04 for 4 %.
        short: seconds of a trial that only searches.
        long: seconds of a trial of a pair.
        pairs: how many there may be; what is not decided by then stays open.
    """

    parts: int
    factor: float
    start: float
    most: float
    width: float = 1.07
    stride: float = 1.04
    short: float = 5.0
    long: float = 20.0
    pairs: int = 20

    def __post_init__(self) -> None:
        ordered = 0 < self.start <= self.most and 0 < self.short <= self.long
        fine = self.width > 1 and self.stride > 1 and self.pairs > 0
        if not (self.parts > 1 and 1 < self.factor <= self.parts and fine and ordered):
            raise ValueError(f"a claim that can't be searched for: {self}")

    def times(self, count: int) -> float:
        """Return how many times the rate of one part that many are offered, each its share of ``factor``.

        >>> claim = Claim(parts=3, factor=2.7, start=100, most=3000)
        >>> [round(claim.times(count), 9) for count in (1, 2, 3)]
        [1.0, 1.8, 2.7]
        """
        return 1.0 if count == 1 else self.factor * count / self.parts


@dataclass(frozen=True, slots=True)
class Ask:
    """A trial to be made.

    Attributes:
        parts: which of the parts are loaded, from 0.
        rate: orders/s in all, constant.
        seconds: how long it is judged.
        why: in a few words, for the person who waits.
    """

    parts: tuple[int, ...]
    rate: float
    seconds: float
    why: str

    @property
    def arm(self) -> Arm:
        """Whether that is one part."""
        return Arm.ONE if len(self.parts) == 1 else Arm.MANY

    @property
    def on(self) -> str:
        """How many parts, in words of a person who knows no indices."""
        return "one" if len(self.parts) == 1 else str(len(self.parts))


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial that was made.

    Attributes:
        ask: what was asked for.
        outcome: what it showed.
        broke: what broke first, or why it is void; empty if sustained.
        full: share of its CPU that the part had used, 0 to 1; of many, the fullest; ``None`` if not known.
        p99: of the time from when each order was due to its answer, in seconds; ``None`` if not known.
        yielded: what the parts made of the orders, a minute, such as matches; ``None`` if not known.
        crowded: whether it may have been the machine that broke, and not the parts.
    """

    ask: Ask
    outcome: Outcome
    broke: str = ""
    full: float | None = None
    p99: float | None = None
    yielded: float | None = None
    crowded: bool = False

    @property
    def sustained(self) -> bool:
        """Whether the rate was."""
        return self.outcome is Outcome.SUSTAINED


class Ruling(enum.Enum):
    """What came of a search."""

    HOLDS = "holds"
    FAILS = "fails"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Pair:
    """A rate on one part and ``factor`` times it on many, tried right after each other.

    Attributes:
        rate: orders/s that one part was offered.
        one: whether that was sustained.
        many: whether many sustained ``factor`` times it.
        crowded: whether it may have been the machine that many broke on.
    """

    rate: float
    one: bool
    many: bool
    crowded: bool = False


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The end of a search.

    Attributes:
        ruling: whether the claim holds.
        lo: the true factor is at least this.
        hi: the true factor is at most this; infinite where nothing bounds it.
        reason: one sentence.
        pairs: those that were tried, in order.
        between: trials of more than one part and fewer than all, at as many times the last pair's rate:
            shown, and not judged.
    """

    ruling: Ruling
    lo: float
    hi: float
    reason: str
    pairs: tuple[Pair, ...] = ()
    between: tuple[Trial, ...] = ()


class _OpenError(Exception):
    """The search can't go on: why."""


_Search = Generator[Ask, Trial, Conclusion]


def step(claim: Claim, trials: Sequence[Trial]) -> Ask | Conclusion:
    """Return the next trial, or what came out.

    >>> claim = Claim(parts=3, factor=2.7, start=100, most=3000)
    >>> asked = step(claim, [])
    >>> asked.parts, asked.rate, asked.seconds
    ((0,), 100, 5.0)
    """
    search = _search(claim)
    asked = next(search)
    for trial in trials:
        try:
            asked = search.send(trial)
        except StopIteration as end:
            found: Conclusion = end.value
            return found
    return asked


def _search(claim: Claim) -> _Search:
    pairs: list[Pair] = []
    try:
        rate = yield from _begin(claim)
        yield from _paired(claim, rate, pairs)
    except _OpenError as error:
        return Conclusion(Ruling.OPEN, *_interval(claim, pairs), str(error), tuple(pairs))
    found = _ruled(claim, pairs)
    between = []
    for count in range(2, claim.parts):
        times = claim.times(count)
        why = f"what {count} do at {times:g} times what one was offered"
        between.append((yield Ask(tuple(range(count)), times * pairs[-1].rate, claim.long, why)))
    said = [f"{trial.ask.rate:.4g}/s on {trial.ask.on}: {trial.outcome.value}" for trial in between]
    return replace(found, reason="; ".join([found.reason, *said]), between=tuple(between))


def _begin(claim: Claim) -> Generator[Ask, Trial, float]:
    """Return a rate that one part did not sustain, not far above one that it did, by short trials."""
    low, high, rate = 0.0, math.inf, claim.start
    while not (low and high < math.inf and high / low <= claim.width * (1 + 1e-9)):
        ask = Ask((0,), rate, claim.short, "looking for a rate that one does not sustain")
        if (yield from _tried(ask)).sustained:
            low = rate
        else:
            high = rate
        if high == math.inf:
            if low >= claim.most:
                _no_more(low)
            rate = min(low * GROWTH, claim.most)
        else:
            rate = math.sqrt(low * high) if low else _lower(claim, high, GROWTH)
    return high


def _paired(claim: Claim, rate: float, pairs: list[Pair]) -> Generator[Ask, Trial, None]:
    """Try pairs until they are decided, or there may be no more; they are noted as they come."""
    why = f"whether {claim.parts} sustain {claim.factor:g} times what one does not"
    strides = 0  # up, or down if negative, without a turn: the further off, the longer they get
    while _decided(pairs) is Ruling.OPEN and _may_be(pairs, claim.pairs - len(pairs)):
        if claim.factor * rate > claim.most:
            _no_more(rate / claim.stride)
        number = len(pairs)
        found: dict[Arm, Trial] = {}
        for arm in (Arm.ONE, Arm.MANY) if number % 2 == 0 else (Arm.MANY, Arm.ONE):
            offered = rate if arm is Arm.ONE else claim.factor * rate
            loaded = (number % claim.parts,) if arm is Arm.ONE else tuple(range(claim.parts))
            found[arm] = yield from _tried(Ask(loaded, offered, claim.long, why))
        one, many = found[Arm.ONE], found[Arm.MANY]
        pair = Pair(rate, one.sustained, many.sustained, many.crowded)
        pairs.append(pair)
        if pair.one and pair.many:
            strides = max(0, strides) + 1
            rate *= claim.stride**strides
        elif not (pair.one or pair.many):
            strides = min(0, strides) - 1
            rate = _lower(claim, rate, claim.stride**-strides)
        else:
            strides = 0


def _tried(ask: Ask) -> Generator[Ask, Trial, Trial]:
    """Return a trial that shows something; one that comes to nothing is made again."""
    for _ in range(VOIDS):
        trial = yield ask
        why = _nothing(trial)
        if not why:
            return trial
    raise _OpenError(f"{VOIDS} trials at {ask.rate:.4g}/s on {ask.on} came to nothing: {why}")


def _nothing(trial: Trial) -> str:
    """Say why a trial says nothing of the part; empty if it does."""
    if trial.outcome is Outcome.VOID:
        return trial.broke or "nobody says why"
    if trial.ask.arm is Arm.MANY or trial.sustained:
        return ""
    if trial.full is None:
        return f"one broke ({trial.broke}), and how full it was is not known"
    if trial.full < FULL:
        return f"something else than the part broke ({trial.broke}): it had used {trial.full:.0%} of its CPU"
    return ""


def _lower(claim: Claim, rate: float, by: float) -> float:
    if rate / by < claim.start / LEAST:
        raise _OpenError(f"one does not even sustain {rate:.3g}/s")
    return rate / by


def _no_more(rate: float) -> NoReturn:
    raise _OpenError(f"one sustains {rate:.4g}/s, and no more can be offered")


def _votes(pairs: Sequence[Pair]) -> tuple[int, int, int]:
    """Return how many pairs speak for the claim, against it, and against it whatever the machine did."""
    noes = [pair for pair in pairs if pair.one and not pair.many]
    surely = sum(not pair.crowded for pair in noes)
    return sum(pair.many and not pair.one for pair in pairs), len(noes), surely


def _decided(pairs: Sequence[Pair]) -> Ruling:
    ayes, noes, surely = _votes(pairs)
    if any(ayes >= enough and noes <= but for enough, but in FOR):
        return Ruling.HOLDS
    if any(surely >= enough and ayes <= but for enough, but in AGAINST):
        return Ruling.FAILS
    return Ruling.OPEN


def _may_be(pairs: Sequence[Pair], left: int) -> bool:
    """Whether so many more pairs could decide it."""
    ayes, noes, surely = _votes(pairs)
    holds = any(noes <= but and ayes + left >= enough for enough, but in FOR)
    fails = any(ayes <= but and surely + left >= enough for enough, but in AGAINST)
    return left > 0 and (holds or fails)


def _ruled(claim: Claim, pairs: Sequence[Pair]) -> Conclusion:
    ayes, noes, surely = _votes(pairs)
    ruling = _decided(pairs)
    rates = _rates(pairs)
    times = f"{claim.factor:g} times that"
    if ruling is Ruling.HOLDS:
        reason = (
            f"one did not sustain {rates} and {claim.parts} did sustain {times} in {ayes} of {len(pairs)} "
            f"pairs; the other way round in {noes}"
        )
        return Conclusion(ruling, claim.factor, math.inf, reason, tuple(pairs))
    if ruling is Ruling.FAILS:
        reason = (
            f"one sustained {rates} and {claim.parts} did not sustain {times} in {noes} of {len(pairs)} "
            f"pairs; the other way round in {ayes}"
        )
        return Conclusion(ruling, 0.0, claim.factor, reason, tuple(pairs))
    doubtful = f" ({noes - surely} of them perhaps by the machine's fault)" if surely < noes else ""
    reason = (
        f"{len(pairs)} pairs at {rates} did not decide it: {ayes} for it, {noes} against it{doubtful}, "
        f"and of the others nothing follows"
    )
    return Conclusion(ruling, *_interval(claim, pairs), reason, tuple(pairs))


def _rates(pairs: Sequence[Pair]) -> str:
    low, high = min(pair.rate for pair in pairs), max(pair.rate for pair in pairs)
    return f"{low:.4g}/s" if f"{low:.4g}" == f"{high:.4g}" else f"{low:.4g} to {high:.4g}/s"


def _interval(claim: Claim, pairs: Sequence[Pair]) -> tuple[float, float]:
    """Return the ends between which the factor lies if nothing drifted, by what was and was not sustained.

    They are never further in than a stride from the claim: what pairs did not decide, no end of theirs does.
    """

    def ends(found: Iterator[tuple[float, bool]]) -> tuple[float, float]:
        kept: list[float] = []
        broken: list[float] = []
        for rate, sustained in found:
            (kept if sustained else broken).append(rate)
        edges = (max(kept, default=0.0), min(broken, default=math.inf))
        return min(edges), max(edges)

    one = ends((pair.rate, pair.one) for pair in pairs)
    many = ends((claim.factor * pair.rate, pair.many) for pair in pairs if not pair.crowded)
    lo, hi = many[0] / one[1], many[1] / one[0] if one[0] else math.inf
    return min(lo, claim.factor / claim.stride), max(hi, claim.factor * claim.stride)
