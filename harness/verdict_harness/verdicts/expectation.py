"""What all expectations share: intervals through zones to findings, and several samples judged as one."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Protocol

from ..errors import UsageError
from ..figures import clock
from ..samples import Doubt, Estimate, NoValue, Quantity, Sample, Series, Unit, exact
from .finding import Finding
from .verdict import Verdict
from .zones import Zones, conclude, decided


class Expectation(Protocol):
    """A limit that a sample is compared with. ``str()`` of it is the limit as people read it."""

    def judge(self, sample: Sample) -> Finding:
        """Compare ``sample`` with the limit."""

    def badness(self, value: float) -> float:
        """Rank a finding's value among findings of this expectation: more is worse."""


class Zoned(Expectation, Protocol):
    """An expectation of a single number, wherever that lies."""

    @property
    def zones(self) -> Zones:
        """The partition that it makes."""

    def told(self, verdict: Verdict, value: float | None, *, sure: bool) -> str:
        """Say what a verdict means, as the end of a sentence whose subject is the value.

        Args:
            verdict: that was reached.
            value: the number that is shown, if there is one.
            sure: whether CONDITIONAL is known, and not either PASS or that.
        """


def judge(expectation: Zoned, sample: Sample) -> Finding:
    """Judge a sample of any kind by the one rule.

    Of windows, the whole is judged, and FAILs too if any part surely does.
    """
    if isinstance(sample, NoValue):
        return nothing(expectation, sample, expectation.zones.unit.symbol)
    if isinstance(sample, Estimate):
        return _estimate(expectation, sample)
    if isinstance(sample, Series):
        unit = expectation.zones.unit
        worst = max(sample.points, key=lambda point: expectation.badness(unit.of(point.value)))
        at = f"at {clock(worst.time)}, the worst of {sample.samples} points, "
        return _estimate(expectation, exact(sample.query, worst.value, worst.time, n=sample.samples), at)
    whole = _estimate(expectation, sample.whole)
    parts = [
        _estimate(expectation, part, f"in the {part.seconds or 0:.4g} s to {clock(part.at)}: ")
        for part in sample.parts
    ]
    broken = [part for part in parts if part.verdict is Verdict.FAIL]
    if whole.verdict is not Verdict.FAIL and broken:
        speaks = max(broken, key=lambda part: _rank(expectation, part))
        reason = f"{speaks.reason}, and so surely that it is no chance of {len(parts)} windows"
        return dataclasses.replace(speaks, reason=reason)
    if parts and not broken:
        return dataclasses.replace(whole, reason=f"{whole.reason}; none of {len(parts)} windows fails")
    return whole


def _estimate(expectation: Zoned, estimate: Estimate, when: str = "") -> Finding:
    zones = expectation.zones
    possible = zones.judge(estimate)
    verdict = conclude(possible)
    what = f"{when}{shown(estimate, zones.unit)}"
    if decided(possible):
        reason = f"{what} {expectation.told(verdict, estimate.value, sure=len(possible) == 1)}"
        return found(expectation, estimate, verdict, reason, zones.unit)
    return opened(
        found(
            expectation, estimate, verdict, f"{what}: whether that is {expectation} can't be told", zones.unit
        ),
        zones,
        estimate,
    )


def opened(finding: Finding, zones: Zones, estimate: Estimate, decides: str = "") -> Finding:
    """Return the finding with the doubts that leave an estimate open, and what would decide it."""
    doubt = zones.open_by(estimate)
    if doubt is None:
        return dataclasses.replace(finding, decides=decides)
    return dataclasses.replace(
        finding,
        doubt=_scaled(doubt, zones.unit),
        besides=tuple(_scaled(one, zones.unit) for one in zones.left_open_by(estimate, doubt)),
        decides=decides or zones.decided_by(estimate, doubt),
    )


def _scaled(doubt: Doubt, unit: Unit) -> Doubt:
    return dataclasses.replace(doubt, lo=unit.of(doubt.lo), hi=unit.of(doubt.hi))


def found(expectation: Expectation, estimate: Estimate, verdict: Verdict, reason: str, unit: Unit) -> Finding:
    """Make the finding of an estimate."""
    return Finding(
        verdict=verdict,
        value=None if estimate.value is None else unit.of(estimate.value),
        unit=unit.symbol,
        limit=str(expectation),
        query=estimate.query,
        samples=estimate.n,
        reason=reason,
        interval=(unit.of(estimate.lo), unit.of(estimate.hi)),
        doubts=tuple(_scaled(doubt, unit) for doubt in estimate.doubts),
        counted=estimate.counted,
    )


def nothing(expectation: Expectation, sample: NoValue, unit: str, which: str = "") -> Finding:
    """Make the finding of a sample that is no value: INCONCLUSIVE, and why."""
    return unfit(expectation, sample, unit, f"{which}{type(sample).__name__}: {sample.reason}")


def unfit(expectation: Expectation, sample: Sample, unit: str, reason: str) -> Finding:
    """Make the finding of a sample that is of no use to an expectation: INCONCLUSIVE, and why."""
    return Finding(
        Verdict.INCONCLUSIVE,
        value=None,
        unit=unit,
        limit=str(expectation),
        query=sample.query,
        samples=sample.samples,
        reason=reason,
    )


def shown(estimate: Estimate, unit: Unit) -> str:
    """Show a number with its interval.

    >>> from ..samples import ms
    >>> p99 = exact("p99", 0.033, at=0.0, n=510)
    >>> [shown(p99.widened("chance", "", hi=hi), ms) for hi in (0.033, 0.05, math.inf)]
    ['33 ms', '33 ms (33 ms to 50 ms)', '33 ms (at least 33 ms)']
    """
    lo, hi = (str(Quantity(end, unit)) for end in estimate.interval)
    if math.isinf(estimate.hi):
        known = "not bounded" if math.isinf(estimate.lo) else f"at least {lo}"
    else:
        known = f"at most {hi}" if math.isinf(estimate.lo) else f"{lo} to {hi}"
    if estimate.value is None:
        return known
    value = str(Quantity(estimate.value, unit))
    return value if estimate.lo == estimate.hi else f"{value} ({known})"


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

    >>> from verdict_harness.samples import ms
    >>> from verdict_harness.verdicts import Below
    >>> one, other = exact("q", 0.01, at=0.0, n=510), exact("q", 0.3, at=0.0, n=510)
    >>> together(Below(200 * ms), {"a": one, "b": other}).reason
    'b: 300 ms is not below 200 ms (a: PASS)'
    """
    judged = {name: expectation.judge(sample) for name, sample in samples.items()}
    if not judged:
        return unfit(expectation, NoValue("", ""), "", "there was nothing to judge: no sample was given")
    name = max(judged, key=lambda name: _rank(expectation, judged[name]))
    others = ", ".join(f"{other}: {each.verdict}" for other, each in judged.items() if other != name)
    reason = f"{name}: {judged[name].reason}" + (f" ({others})" if others else "")
    return dataclasses.replace(judged[name], reason=reason)


def _rank(expectation: Expectation, finding: Finding) -> tuple[Verdict, float]:
    if finding.value is not None:
        return finding.verdict, expectation.badness(finding.value)
    # a number beyond all that could be measured is worse than any that was
    return finding.verdict, -math.inf if finding.interval is None else math.inf
