"""Whether many parts sustain so many times what one does: the search, a pure function of its trials.

``step(claim, trials)`` says which trial comes next, or what came out. It keeps no state of its own: the
same trials lead to the same answer, so that a stored run is judged again by replaying them, and each path
has a test.

The claim is judged with one search and not by two capacities. *U* is a rate that one part does **not**
sustain; if many sustain ``factor`` times *U*, the claim holds, whatever one part's capacity is exactly.
*L* is a rate that one part sustains; if many do not sustain ``factor`` times *L*, it does not hold.

1. Short trials on one part: times 1.3 until not sustained (or down until sustained), then halved in log
   space until U and L are a ``width`` apart.
2. A bound counts only when no further trial could overturn it: two of three long trials agree (the rule of
   the IETF's MLRsearch draft, with three trials). A rate that turns out the other way moves the bracket.
3. At U the part itself must have been full. If something else broke, U says nothing of the part, and a
   denominator that is too low is the one way to a wrong PASS.
4. Many parts at ``factor`` times U; where these don't sustain it, L is confirmed, and many at ``factor``
   times L.
5. The bound that the verdict rests on is tried once more, for drift of the machine; if it no longer holds,
   by two of three, the bracket moves and what rests on it is tried again.
"""

from __future__ import annotations

import enum
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

GROWTH = 1.3  # from one short trial to the next, until the bracket is found
MAJORITY = 2  # of three: what no third trial could overturn
VOIDS = 3  # trials at one rate that may come to nothing
MOVES = 6  # times that a confirmed bound may turn out to be the other one


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
        width: U / L at which the bracket is narrow enough: 1.02 for 2 %.
        short: seconds of a trial that only searches.
        long: seconds of a trial that counts.
        trials: how many there may be; what is not decided by then stays open.
    """

    parts: int
    factor: float
    start: float
    most: float
    width: float = 1.02
    short: float = 5.0
    long: float = 20.0
    trials: int = 60

    def __post_init__(self) -> None:
        ordered = 0 < self.start <= self.most and 0 < self.short <= self.long
        if not (self.parts > 1 and 1 < self.factor <= self.parts and self.width > 1 and ordered):
            raise ValueError(f"a claim that can't be searched for: {self}")


@dataclass(frozen=True, slots=True)
class Ask:
    """A trial to be made.

    Attributes:
        arm: on one part or on many.
        rate: orders/s, constant.
        seconds: how long it is judged.
        why: in a few words, for the person who waits.
    """

    arm: Arm
    rate: float
    seconds: float
    why: str


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial that was made.

    Attributes:
        ask: what was asked for.
        outcome: what it showed.
        broke: what broke first, or why it is void; empty if sustained.
        full: share of its CPU that the part had used, 0 to 1; of many, the fullest; ``None`` if not known.
    """

    ask: Ask
    outcome: Outcome
    broke: str = ""
    full: float | None = None


class Ruling(enum.Enum):
    """What came of a search."""

    HOLDS = "holds"
    FAILS = "fails"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The end of a search.

    Attributes:
        ruling: whether the claim holds.
        lo: the true factor is at least this.
        hi: the true factor is at most this; infinite where nothing bounds it.
        reason: one sentence.
        exceeded: U, the lowest rate that one part was confirmed not to sustain; ``None`` if there is none.
        sustained: L, the highest rate that one part sustained; ``None`` if there is none.
    """

    ruling: Ruling
    lo: float
    hi: float
    reason: str
    exceeded: float | None = None
    sustained: float | None = None


#: Share of its CPU that a part must have used for a rate to be called more than it can do.
FULL = 0.9


def step(claim: Claim, trials: Sequence[Trial]) -> Ask | Conclusion:
    """Return the next trial, or what came out.

    >>> claim = Claim(parts=3, factor=2.7, start=100, most=3000)
    >>> step(claim, [])
    Ask(arm=<Arm.ONE: 'one'>, rate=100, seconds=5.0, why='looking for a rate that one does not sustain')
    """
    found = _Search(claim, trials).next()
    if isinstance(found, Ask) and len(trials) >= claim.trials:
        return Conclusion(Ruling.OPEN, 0.0, math.inf, f"{len(trials)} trials did not decide it")
    return found


class _Search:
    """What is known after some trials."""

    def __init__(self, claim: Claim, trials: Sequence[Trial]) -> None:
        self.claim = claim
        self.trials = trials

    def next(self) -> Ask | Conclusion:
        """Go through the steps in order; each yields a trial, an end, or what the next one needs."""
        bracket = self._bracket()
        if not isinstance(bracket, tuple):
            return bracket
        bounds = self._upper(*bracket)
        if not isinstance(bounds, tuple):
            return bounds
        low, high = bounds
        if weak := self._not_full(high):
            return self._open(weak, low, high)
        many = self._majority(Arm.MANY, self.claim.factor * high, "whether many sustain so many times that")
        if many is Outcome.SUSTAINED:
            return self._again(high, Outcome.EXCEEDED) or self._holds(low, high)
        if not isinstance(many, Outcome):
            return many
        return self._against(low, high)

    def _bracket(self) -> tuple[float, float] | Ask | Conclusion:
        """Return L and U of short trials, close to each other."""
        low, high, rate = 0.0, math.inf, self.claim.start
        for _ in range(10_000):  # bounded by the trials: each round needs one more of them
            found = self._once(rate)
            if not isinstance(found, Outcome):
                return found
            low, high = (max(low, rate), high) if found is Outcome.SUSTAINED else (low, min(high, rate))
            if low and high < math.inf and high / low <= self.claim.width * (1 + 1e-9):
                return low, high
            if high == math.inf and low >= self.claim.most:
                return self._open(f"one sustains {low:.4g}/s, and no more can be offered", low, None)
            if not low and high < self.claim.start / 50:
                return self._open(f"one does not even sustain {high:.3g}/s", None, high)
            if high == math.inf:
                rate = min(low * GROWTH, self.claim.most)
            elif not low:
                rate = high / GROWTH
            else:
                rate = math.sqrt(low * high)
        raise AssertionError("a search without end")

    def _upper(self, low: float, high: float) -> tuple[float, float] | Ask | Conclusion:
        """Return L and U with U confirmed; one that is sustained after all moves the bracket up."""
        for _ in range(MOVES):
            found = self._majority(Arm.ONE, high, "whether one really does not sustain it")
            if not isinstance(found, Outcome):
                return found
            if found is Outcome.EXCEEDED and not self._overturned(high, Outcome.EXCEEDED):
                return low, high
            low, high = high, high * self.claim.width
            if high > self.claim.most:
                return self._open(f"one sustains {low:.4g}/s, and no more can be offered", low, None)
        return self._open(
            f"one sustained each of {MOVES} rates up to {low:.4g}/s that it had not before", low, None
        )

    def _against(self, low: float, high: float) -> Ask | Conclusion:
        """Many do not sustain ``factor`` times U: do they sustain that of what one surely does?"""
        for _ in range(MOVES):
            found = self._majority(Arm.ONE, low, "whether one really sustains it")
            if not isinstance(found, Outcome):
                return found
            if found is Outcome.SUSTAINED and not self._overturned(low, Outcome.SUSTAINED):
                break
            low /= self.claim.width
        else:
            return self._open(f"one no longer sustains even {low:.4g}/s", None, high)
        many = self._majority(Arm.MANY, self.claim.factor * low, "whether many sustain so many times that")
        if not isinstance(many, Outcome):
            return many
        if many is Outcome.SUSTAINED:
            return self._open(
                f"many sustain {self.claim.factor:g} times what one sustains, and not what one just fails at",
                low,
                high,
                lo=self.claim.factor * low / high,
                hi=self.claim.factor * high / low,
            )
        return self._again(low, Outcome.SUSTAINED) or self._fails(low, high)

    def _again(self, rate: float, by_then: Outcome) -> Ask | Conclusion | None:
        """Try the bound that the verdict rests on once more, at the end: the machine may have changed.

        One trial that turns out the other way, so near to the limit, may be chance: two of three count.  And
        if they do, that does not end the search but moves the bound (:meth:`_overturned`).
        """
        if self._by_now(rate, by_then):
            return None
        found = self._count(self._late(rate), Arm.ONE, rate, MAJORITY, "whether it is still so")
        return None if isinstance(found, Outcome) else found

    def _overturned(self, rate: float, by_then: Outcome) -> bool:
        return self._by_now(rate, by_then) not in {None, by_then}

    def _by_now(self, rate: float, by_then: Outcome) -> Outcome | None:
        """Return what late trials say: the first if it is as those before were, or else two of three."""
        found = [trial.outcome for trial in self._late(rate) if trial.outcome is not Outcome.VOID]
        if found[:1] == [by_then]:
            return by_then
        return next((outcome for outcome, votes in Counter(found).items() if votes >= MAJORITY), None)

    def _late(self, rate: float) -> list[Trial]:
        """Return the trials of one part at ``rate`` that came after those of many at ``factor`` times it."""
        many = [
            n
            for n, t in enumerate(self.trials)
            if t.ask.arm is Arm.MANY and _same(t.ask.rate, self.claim.factor * rate)
        ]
        return (
            [t for t in self.trials[max(many) + 1 :] if _is(t, Arm.ONE, rate, self.claim.long)]
            if many
            else []
        )

    def _once(self, rate: float) -> Outcome | Ask | Conclusion:
        mine = [t for t in self.trials if _is(t, Arm.ONE, rate, self.claim.short)]
        return self._count(
            mine, Arm.ONE, rate, 1, "looking for a rate that one does not sustain", self.claim.short
        )

    def _majority(self, arm: Arm, rate: float, why: str) -> Outcome | Ask | Conclusion:
        mine = [t for t in self.trials if _is(t, arm, rate, self.claim.long)]
        return self._count(mine, arm, rate, MAJORITY, why)

    def _count(  # noqa: PLR0913, PLR0917 - what is asked, and how often
        self, mine: Sequence[Trial], arm: Arm, rate: float, enough: int, why: str, seconds: float = 0.0
    ) -> Outcome | Ask | Conclusion:
        """Return what so many of ``mine`` agree on, or the trial that is missing."""
        votes: Counter[Outcome] = Counter()
        for trial in mine:  # in order: what was decided stays so, whatever is tried at that rate later
            votes[trial.outcome] += 1
            if trial.outcome is not Outcome.VOID and votes[trial.outcome] >= enough:
                return trial.outcome
        voids = [trial for trial in mine if trial.outcome is Outcome.VOID]
        if len(voids) >= VOIDS:
            return self._open(
                f"{VOIDS} trials at {rate:.4g}/s on {arm.value} came to nothing: {voids[-1].broke}",
                None,
                None,
            )
        return Ask(arm, rate, seconds or self.claim.long, why)

    def _not_full(self, rate: float) -> str:
        """Say why U is no limit of the part itself; empty if it is."""
        for trial in self.trials:
            if not _is(trial, Arm.ONE, rate, self.claim.long) or trial.outcome is not Outcome.EXCEEDED:
                continue
            if trial.full is None:
                return f"at {rate:.4g}/s one broke ({trial.broke}), and how full it was is not known"
            if trial.full < FULL:
                used = f"it had used {trial.full:.0%} of its CPU"
                return f"at {rate:.4g}/s something else than the part broke ({trial.broke}): {used}"
        return ""

    def _holds(self, low: float, high: float) -> Conclusion:
        times = f"{self.claim.parts} sustain {self.claim.factor * high:.4g}/s"
        reason = f"one does not sustain {high:.4g}/s, and {times}"
        return Conclusion(Ruling.HOLDS, self.claim.factor, math.inf, reason, high, low)

    def _fails(self, low: float, high: float) -> Conclusion:
        broke = next(
            t.broke for t in reversed(self.trials) if t.ask.arm is Arm.MANY and t.outcome is Outcome.EXCEEDED
        )
        times = f"{self.claim.parts} do not sustain {self.claim.factor * low:.4g}/s"
        reason = f"one sustains {low:.4g}/s, and {times}: {broke}"
        return Conclusion(Ruling.FAILS, 0.0, self.claim.factor, reason, high, low)

    def _open(
        self, reason: str, low: float | None, high: float | None, *, lo: float = 0.0, hi: float = math.inf
    ) -> Conclusion:
        return Conclusion(Ruling.OPEN, lo, hi, reason, high, low)


def _is(trial: Trial, arm: Arm, rate: float, seconds: float) -> bool:
    ask = trial.ask
    return ask.arm is arm and _same(ask.rate, rate) and _same(ask.seconds, seconds)


def _same(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-6)
