"""What a question about the system was answered with: a number, or one of the ways of having none.

::

    Sample
    ├── Estimate     one number, known up to an interval
    ├── Windows      the same number of a whole stretch of time and of its parts
    ├── Series       one number for each point of a stretch of time, none missing
    └── NoValue      no number, and why; an expectation makes INCONCLUSIVE of it
        ├── Empty        nothing there, and nothing shortly before
        ├── Stale        nothing there any more
        ├── NotANumber   NaN or infinite, wholly or in part
        ├── Several      several series where one was meant
        ├── Partial      less than was asked for: points missing, a counter reset, a warning
        └── Failed       the question could not be asked, or was refused

An :class:`~.estimate.Estimate` or :class:`Series` can't be made of NaN, so
nobody who holds one has to check again.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from .estimate import Estimate, Windows, exact


class Point(NamedTuple):
    """One point of a series.

    Attributes:
        time: unix seconds.
        value: in base units.
    """

    time: float
    value: float


@dataclass(frozen=True, slots=True)
class Series:
    """Finite numbers over time, at least one, in order.

    Attributes:
        query: the question they answer.
        points: times and values in base units.

    Raises:
        ValueError: no point at all, one that is NaN or infinite, or points out of order.
    """

    query: str
    points: tuple[Point, ...]

    def __post_init__(self) -> None:
        if not self.points:
            raise ValueError(f"a series without points: {self.query}")
        if not all(math.isfinite(point.value) for point in self.points):
            raise ValueError(f"a series with points that are not numbers: {self.query}")
        if any(a.time >= b.time for a, b in itertools.pairwise(self.points)):
            raise ValueError(f"a series whose points are out of order: {self.query}")

    @property
    def samples(self) -> int:
        """How many points there are."""
        return len(self.points)

    def __iter__(self) -> Iterator[Point]:
        return iter(self.points)


@dataclass(frozen=True, slots=True)
class NoValue:
    """No number. Made only as one of its kinds.

    Attributes:
        query: the question.
        reason: one clause that says why there is none.
        samples: how many numbers there were all the same.
    """

    query: str
    reason: str
    samples: int = 0


class Empty(NoValue):
    """Nothing matches, now or shortly before."""

    __slots__ = ()


class Stale(NoValue):
    """Nothing matches any more; something did shortly before."""

    __slots__ = ()


class NotANumber(NoValue):
    """NaN or infinite: all of it, or some points of a series."""

    __slots__ = ()


class Several(NoValue):
    """Several series where one was meant."""

    __slots__ = ()


class Partial(NoValue):
    """Less than was asked for: points missing, a reset, or a warning that the answer is not whole."""

    __slots__ = ()


class Failed(NoValue):
    """The question could not be asked, or was refused, or its answer made no sense."""

    __slots__ = ()


Sample: TypeAlias = Estimate | Windows | Series | NoValue


def number(  # noqa: PLR0913 - as exact()
    query: str,
    value: float,
    at: float,
    n: int,
    *,
    seconds: float | None = None,
    counted: str = "observations",
) -> Estimate | NotANumber | Empty:
    """Return a number that is known exactly, or why it is none; see :func:`~.estimate.exact`.

    Args:
        query: what was asked.
        value: in base units; perhaps NaN.
        at: unix seconds it holds for.
        n: the observations that it rests on, perhaps none.
        seconds: how long it took to observe them.
        counted: what they are, in the plural.

    >>> number("orders lost", 0, at=0.0, n=5100).interval
    (0, 0)
    >>> number("k6: p99", float("nan"), at=0.0, n=5100).reason
    'the answer is nan'
    >>> number("orders lost", 0, at=0.0, n=0).reason
    'it rests on no observations'
    """
    if n < 1:
        return Empty(query, f"it rests on no {counted}")
    if not math.isfinite(value):
        return NotANumber(query, f"the answer is {value}")
    return exact(query, value, at, n=n, seconds=seconds, counted=counted)
