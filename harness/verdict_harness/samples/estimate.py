"""Numbers that are known up to an interval, and what leaves them there.

Evidence never gives a quantity itself.  It gives an interval in which the
quantity lies, and how many observations that rests on::

    Estimate       one number: its interval, its observations, the doubts that widen it
    Windows        the same number of a whole stretch of time and of its consecutive parts

An estimate is made exact (:func:`exact`) and then widened, doubt by doubt.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from .doubts import Doubt, Kind, bound, ends


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number that is known up to an interval.

    Attributes:
        query: the question it answers.
        value: the best single number, in base units, such as an interpolated quantile: it is shown and
            never judged. ``None`` where there is none, as of a p99 beyond the last bucket.
        lo: what the quantity is at least, in base units; ``-inf`` if that is not known.
        hi: what it is at most; ``inf`` if that is not known.
        n: the observations under it, such as orders; at least one, and never scrapes.
        at: unix seconds it holds for: the end of the time it is about.
        doubts: what widens the interval, each with the interval as it leaves it: the last one's is ``lo``
            to ``hi``. None at all where the number is known exactly.
        seconds: how long it took to observe that many, so that more can be told in seconds.
        counted: what was observed, in the plural.
        continuous: whether the ends of the interval do not count themselves, as where they are edges of
            buckets: a time lies between them, and never exactly on one.

    Raises:
        ValueError: it rests on nothing, is NaN, or its intervals do not hold one another.
    """

    query: str
    value: float | None
    lo: float
    hi: float
    n: int
    at: float
    doubts: tuple[Doubt, ...] = ()
    seconds: float | None = None
    counted: str = "observations"
    continuous: bool = False

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ValueError(f"an estimate that rests on {self.n} {self.counted}: {self.query}")
        if not self.lo <= self.hi or self.lo == math.inf or self.hi == -math.inf:
            raise ValueError(f"no interval from {self.lo} to {self.hi}: {self.query}")
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"{self.value} is not a number: {self.query}")
        if not all(b.lo <= a.lo and a.hi <= b.hi for a, b in itertools.pairwise(self.doubts)):
            raise ValueError(f"a doubt narrows what the one before it left open: {self.query}")
        if self.doubts and (self.doubts[-1].lo, self.doubts[-1].hi) != (self.lo, self.hi):
            raise ValueError(f"the interval is not the one that the last doubt leaves: {self.query}")

    @property
    def interval(self) -> tuple[float, float]:
        """Both ends."""
        return self.lo, self.hi

    @property
    def samples(self) -> int:
        """The observations under it."""
        return self.n

    def widened(  # noqa: PLR0913 - a doubt has that many parts
        self,
        kind: Kind,
        text: str,
        *,
        lo: float | None = None,
        hi: float | None = None,
        instrument: str = "",
        least: int = 0,
        cure: str = "",
    ) -> Self:
        """Return it with one more doubt; an end that is not given, or lies inside, stays where it is.

        >>> p99 = exact("p99", 0.033, at=0.0, n=510, counted="orders")
        >>> p99 = p99.widened("resolution", "buckets of 20 and 50 ms", lo=0.02, hi=0.05)
        >>> p99.widened("missing", "1 of 510 orders was dropped", lo=0.02, hi=0.1).interval
        (0.02, 0.1)
        """
        lo = self.lo if lo is None else min(lo, self.lo)
        hi = self.hi if hi is None else max(hi, self.hi)
        doubt = Doubt(kind, text, lo, hi, instrument, least, cure)
        return replace(self, lo=lo, hi=hi, doubts=(*self.doubts, doubt))

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON; an end at infinity is ``null``."""
        return {
            "query": self.query,
            "value": self.value,
            "lo": bound(self.lo),
            "hi": bound(self.hi),
            "n": self.n,
            "at": self.at,
            "doubts": [doubt.to_json() for doubt in self.doubts],
            "seconds": self.seconds,
            "counted": self.counted,
            "continuous": self.continuous,
        }

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Self:
        """Make one of what :meth:`to_json` returned."""
        doubts = tuple(Doubt.from_json(doubt) for doubt in entry["doubts"])
        return cls(**{**entry, **ends(entry), "doubts": doubts})


@dataclass(frozen=True, slots=True)
class Windows:
    """The same quantity of a whole stretch of time, and of the consecutive parts that it is made of.

    The parts' intervals are at the level of the family: all of them hold together as surely as the whole's
    does. So a part that surely breaks a limit proves a breach, however many parts there are.

    Attributes:
        query: the question.
        whole: all of it.
        parts: in order of time, each with its ``at`` (its end) and its ``seconds``. Parts in which nothing
            was observed are left out.

    Raises:
        ValueError: the parts overlap, or one does not say how long it is.
    """

    query: str
    whole: Estimate
    parts: tuple[Estimate, ...]

    def __post_init__(self) -> None:
        if any(part.seconds is None for part in self.parts):
            raise ValueError(f"a part does not say how long it is: {self.query}")
        if any(b.at - (b.seconds or 0) < a.at - _CLOCK for a, b in itertools.pairwise(self.parts)):
            raise ValueError(f"parts overlap, or are out of order: {self.query}")

    @property
    def samples(self) -> int:
        """The observations under the whole."""
        return self.whole.n

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        parts = [part.to_json() for part in self.parts]
        return {"query": self.query, "whole": self.whole.to_json(), "parts": parts}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Self:
        """Make one of what :meth:`to_json` returned."""
        parts = tuple(Estimate.from_json(part) for part in entry["parts"])
        return cls(entry["query"], Estimate.from_json(entry["whole"]), parts)


_CLOCK = 0.0015  # seconds: two ends, each kept to the millisecond


def exact(  # noqa: PLR0913 - an estimate has that many parts
    query: str,
    value: float,
    at: float,
    *,
    n: int,
    seconds: float | None = None,
    counted: str = "observations",
) -> Estimate:
    """Return a number that is known exactly, such as one that was counted.

    Raises:
        ValueError: NaN, infinite, or resting on nothing.

    >>> exact("orders lost", 0, at=0.0, n=5100, counted="orders").interval
    (0, 0)
    """
    return Estimate(query, value, value, value, n, at, (), seconds, counted)
