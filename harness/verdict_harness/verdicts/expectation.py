"""What all expectations share: comparing floats, finding the worst point, judging several samples as one."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Protocol

from ..errors import UsageError
from ..samples import NoValue, Point, Quantity, Sample, Series, Value, clock
from .finding import Finding
from .verdict import Verdict

_SAME = 1e-9  # relative; see the package's docstring


class Expectation(Protocol):
    """A limit that a sample is compared with. ``str()`` of it is the limit as people read it."""

    def judge(self, sample: Sample) -> Finding:
        """Compare ``sample`` with the limit."""

    def badness(self, value: float) -> float:
        """Rank a finding's value among findings of this expectation: more is worse."""


def same(a: float, b: float) -> bool:
    """Whether two numbers are equal but for rounding.

    >>> same(0.05e-3 * 3, 0.15e-3), same(0.2, 0.2000001)
    (True, False)
    """
    return math.isclose(a, b, rel_tol=_SAME)


def below(a: float, b: float) -> bool:
    """Whether ``a < b`` by more than rounding."""
    return a < b and not same(a, b)


def points(sample: Value | Series) -> tuple[Point, ...]:
    """Return the points of a series, or a value as the only one."""
    return (Point(sample.at, sample.value),) if isinstance(sample, Value) else sample.points


def worst(sample: Value | Series, badness: Callable[[float], float]) -> Point:
    """Return the worst point: the first of several."""
    return max(points(sample), key=lambda point: badness(point.value))


def subject(sample: Value | Series, point: Point, shown: str, which: str) -> str:
    """Name a point in a sentence, with its time where there are several.

    >>> subject(Value("q", 0.12, at=0.0), Point(0.0, 0.12), "120 ms", "highest")
    '120 ms'
    """
    if isinstance(sample, Value):
        return shown
    return f"{shown} at {clock(point.time)}, the {which} of {sample.samples} points,"


def finding(  # noqa: PLR0913, PLR0917 - a finding has that many parts
    expectation: Expectation,
    sample: Sample,
    verdict: Verdict,
    value: float | None,
    unit: str,
    reason: str,
    *,
    samples: int | None = None,
) -> Finding:
    """Make a finding; ``samples`` are the sample's unless fewer carry it."""
    return Finding(
        verdict=verdict,
        value=value,
        unit=unit,
        limit=str(expectation),
        query=sample.query,
        samples=sample.samples if samples is None else samples,
        reason=reason,
    )


def nothing(expectation: Expectation, sample: NoValue, unit: str, which: str = "") -> Finding:
    """Make the finding of a sample that is no value: INCONCLUSIVE, and why."""
    kind = type(sample).__name__
    return finding(expectation, sample, Verdict.INCONCLUSIVE, None, unit, f"{which}{kind}: {sample.reason}")


def positive(name: str, *quantities: Quantity | None) -> None:
    """Refuse limits that nothing, or everything, would meet by mistake.

    Raises:
        UsageError: one is negative, NaN or infinite.
    """
    for quantity in quantities:
        if quantity is not None and not (math.isfinite(quantity.base) and quantity.base >= 0):
            raise UsageError(f"{name} takes finite limits that are not negative", found=str(quantity))


def together(expectation: Expectation, samples: Mapping[str, Sample]) -> Finding:
    """Judge samples, by shard say, that all have to meet one expectation: as good as the worst.

    Args:
        expectation: for each of them.
        samples: by a name that the reason will mention; none at all is INCONCLUSIVE.

    >>> from verdict_harness.verdicts import Below
    >>> from verdict_harness.samples import ms
    >>> together(Below(200 * ms), {"a": Value("q", 0.01, at=0.0), "b": Value("q", 0.3, at=0.0)}).reason
    'b: 300 ms is not below 200 ms (a: PASS)'
    """
    found = {name: expectation.judge(sample) for name, sample in samples.items()}
    if not found:
        reason = "there was nothing to judge: no sample was given"
        return Finding(
            Verdict.INCONCLUSIVE,
            value=None,
            unit="",
            limit=str(expectation),
            query="",
            samples=0,
            reason=reason,
        )

    def rank(name: str) -> tuple[Verdict, float]:
        value = found[name].value
        return found[name].verdict, -math.inf if value is None else expectation.badness(value)

    name = max(found, key=rank)
    others = ", ".join(f"{other}: {each.verdict}" for other, each in found.items() if other != name)
    reason = f"{name}: {found[name].reason}" + (f" ({others})" if others else "")
    return dataclasses.replace(found[name], reason=reason)
