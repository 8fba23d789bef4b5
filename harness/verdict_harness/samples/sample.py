"""What a question about the system was answered with: a number, or one of the ways of having none.

::

    Sample
    ├── Value        one number
    ├── Series       one number for each point of a window, none missing
    └── NoValue      no number, and why; an expectation makes INCONCLUSIVE of it
        ├── Empty        nothing there, and nothing shortly before
        ├── Stale        nothing there any more
        ├── NotANumber   NaN or infinite, wholly or in part
        ├── Several      several series where one was meant
        ├── Partial      less than was asked for: points missing, a counter reset, a warning
        └── Failed       the question could not be asked, or was refused

A :class:`Value` or :class:`Series` can't be made of NaN or infinity, so nobody
who holds one has to check again.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias


class Point(NamedTuple):
    """One point of a series.

    Attributes:
        time: unix seconds.
        value: in base units.
    """

    time: float
    value: float


@dataclass(frozen=True, slots=True)
class Value:
    """One finite number.

    Attributes:
        query: the question it answers.
        value: in base units.
        at: unix seconds it holds for.
        samples: how many measurements it rests on, as far as is known; at least one.

    Raises:
        ValueError: NaN, infinite or resting on nothing; use :func:`number` for what may be any of these.
    """

    query: str
    value: float
    at: float
    samples: int = 1

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ValueError(f"{self.value} is not a number: {self.query}")
        if self.samples < 1:
            raise ValueError(f"{self.value} rests on {self.samples} samples: {self.query}")


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


Sample: TypeAlias = Value | Series | NoValue


def number(query: str, value: float, at: float, samples: int = 1) -> Value | NotANumber | Empty:
    """Return ``value`` as a sample: of something else than Prometheus, or of arithmetic on samples.

    >>> number("k6: p99", 0.012, at=0.0, samples=5100).value
    0.012
    >>> number("k6: p99", float("nan"), at=0.0).reason
    'the answer is nan'
    >>> number("k6: p99", 0.0, at=0.0, samples=0).reason
    'it rests on no samples'
    """
    if samples < 1:
        return Empty(query, "it rests on no samples")
    if math.isfinite(value):
        return Value(query, value, at, samples)
    return NotANumber(query, f"the answer is {value}")


def doubt(sample: Sample, *troubles: str | None) -> Sample:
    """Return ``sample``, or what is left of it where there is reason not to trust it: no value.

    Args:
        sample: what was measured.
        troubles: reasons; ``None`` and ``""`` are none.

    >>> doubt(Value("q", 1.0, at=0.0), None)
    Value(query='q', value=1.0, at=0.0, samples=1)
    >>> doubt(Value("q", 1.0, at=0.0), "target b was down", "437 iterations dropped")
    Partial(query='q', reason='target b was down; 437 iterations dropped', samples=1)
    """
    reasons = [trouble for trouble in troubles if trouble]
    if not reasons:
        return sample
    if isinstance(sample, NoValue):
        return replace(sample, reason="; ".join((sample.reason, *reasons)))
    return Partial(sample.query, "; ".join(reasons), sample.samples)
