"""What was held for a while: the level that a number kept, and how long it was below a limit."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..figures import clock
from ..samples import Estimate, NoValue, Quantity, Sample, Series, exact
from .expectation import Zoned, found, nothing, opened, shown, unfit
from .finding import Finding
from .verdict import Verdict
from .zones import conclude, decided

_CLOCK = 0.0015  # seconds: two ends, each kept to the millisecond


@dataclass(frozen=True, slots=True)
class Hold:
    """A number that is to stay at a level for some time on end, and nowhere below a limit for longer.

    The finding's value is the *sustained* level: the highest that was kept for ``seconds``.  Its interval is
    made of the windows' intervals, at their best and at their worst.  Where a dip was too long, the finding
    is about the bottom of that dip; a dip lasts as long as all windows in it surely are below the limit.

    Windows of which nothing is known break a level, and end a dip.

    Attributes:
        expectation: the limit.
        seconds: for how long the level has to be kept.
        tolerate: seconds for which a dip may last.
    """

    expectation: Zoned
    seconds: float
    tolerate: float

    def judge(self, sample: Sample) -> Finding:
        """Judge windows, or a series whose points each stand for the time to the next one."""
        unit = self.expectation.zones.unit
        if isinstance(sample, NoValue):
            return nothing(self.expectation, sample, unit.symbol)
        if isinstance(sample, Estimate):
            reason = f"one number can't show what was held for {self.seconds:g} s; windows of it are needed"
            return found(self.expectation, sample, Verdict.INCONCLUSIVE, reason, unit)
        parts = _of_series(sample) if isinstance(sample, Series) else sample.parts
        if not parts:
            return unfit(self.expectation, sample, unit.symbol, "none of its windows has a value")
        surely, perhaps = self._dip(parts, surely=True), self._dip(parts, surely=False)
        if surely.seconds > self.tolerate + _CLOCK:
            return self._dipped(surely, Verdict.FAIL)
        finding = self._kept(sample.query, parts)
        if finding.verdict <= Verdict.CONDITIONAL and perhaps.seconds > self.tolerate + _CLOCK:
            return self._dipped(perhaps, Verdict.INCONCLUSIVE)
        return finding

    def _kept(self, query: str, parts: Sequence[Estimate]) -> Finding:
        """Judge the sustained level."""
        expectation, unit = self.expectation, self.expectation.zones.unit
        low = min(parts, key=_lo)
        lowest = f"; lowest {shown(low, unit)} in the {low.seconds:.4g} s to {clock(low.at)}"
        level = self._level(query, parts)
        if level is None:
            span = parts[-1].at - parts[0].at + (parts[0].seconds or 0)
            reason = f"{span:.4g} s can't show what was held for {self.seconds:g} s{lowest}"
            finding = found(expectation, low, Verdict.INCONCLUSIVE, reason, unit)
            return dataclasses.replace(finding, decides=f"{self.seconds - span:.4g} s more")
        what = f"{shown(level, unit)}, held for {self.seconds:g} s,"
        possible = expectation.zones.judge(level)
        verdict = conclude(possible)
        if decided(possible):
            told = expectation.told(verdict, level.value, sure=len(possible) == 1)
            return found(expectation, level, verdict, f"{what} {told}{lowest}", unit)
        return self._open(found(expectation, level, verdict, f"{what} may do or not{lowest}", unit), low)

    def _dipped(self, dip: _Dip, verdict: Verdict) -> Finding:
        unit = self.expectation.zones.unit
        word = "" if verdict is Verdict.FAIL else "perhaps "
        limit = Quantity(self.expectation.zones.cuts[0].at, unit)
        reason = (
            f"{word}less than {limit} for {dip.seconds:.4g} s around {clock(dip.bottom.at)}, "
            f"down to {shown(dip.bottom, unit)}"
        )
        finding = found(self.expectation, dip.bottom, verdict, reason, unit)
        return finding if verdict is Verdict.FAIL else self._open(finding, dip.bottom)

    def _open(self, finding: Finding, part: Estimate) -> Finding:
        """Say what leaves a window's verdict open: it gets no more observations unless it is longer."""
        zones = self.expectation.zones
        doubt = zones.open_by(part)
        by_chance = doubt is not None and doubt.kind == "chance"
        return opened(finding, zones, part, f"windows of more than {part.seconds:.4g} s" if by_chance else "")

    def _dip(self, parts: Sequence[Estimate], *, surely: bool) -> _Dip:
        """Return the longest stretch that is below the limit, or that may be."""
        dips = [_Dip(0.0, parts[0])]

        def low(part: Estimate) -> bool:
            possible = self.expectation.zones.judge(part)
            return possible == {Verdict.FAIL} if surely else Verdict.FAIL in possible

        for run in _runs(parts):
            for is_low, group in itertools.groupby(run, low):
                if is_low:
                    dip = list(group)
                    length = dip[-1].at - dip[0].at + (dip[0].seconds or 0)
                    dips.append(_Dip(length, min(dip, key=_hi if surely else _lo)))
        return max(dips, key=lambda dip: dip.seconds)

    def _level(self, query: str, parts: Sequence[Estimate]) -> Estimate | None:
        """Return the sustained level; ``None`` if no stretch is that long."""
        ends = [self._sustained(parts, end) for end in (_lo, _hi, _value)]
        lo, hi, value = ends
        if lo is None or hi is None or value is None:
            return None
        level = exact(query, value, parts[-1].at, n=sum(part.n for part in parts), counted=parts[0].counted)
        return dataclasses.replace(level, lo=min(lo, value), hi=max(hi, value))

    def _sustained(self, parts: Sequence[Estimate], end: Callable[[Estimate], float]) -> float | None:
        """Return the highest level that one end of all windows of some stretch reaches; quadratic."""
        levels = []
        for run in _runs(parts):
            for first, begin in enumerate(run):
                lowest = end(begin)
                for part in run[first:]:
                    lowest = min(lowest, end(part))
                    if part.at - begin.at + (begin.seconds or 0) >= self.seconds - _CLOCK:
                        levels.append(lowest)
                        break
        return max(levels, default=None)


@dataclass(frozen=True, slots=True)
class _Dip:
    seconds: float
    bottom: Estimate


def _lo(part: Estimate) -> float:
    return part.lo


def _hi(part: Estimate) -> float:
    return part.hi


def _value(part: Estimate) -> float:
    return part.lo if part.value is None else part.value


def _runs(parts: Sequence[Estimate]) -> list[list[Estimate]]:
    """Cut windows where one of which nothing is known was left out."""
    runs = [[parts[0]]]
    for before, part in itertools.pairwise(parts):
        if part.at - (part.seconds or 0) > before.at + 2 * _CLOCK:
            runs.append([])
        runs[-1].append(part)
    return runs


def _of_series(series: Series) -> tuple[Estimate, ...]:
    """Return what each point stands for until the next; the last one for as long as the one before."""
    times = [point.time for point in series.points]
    steps = [b - a for a, b in itertools.pairwise(times)] or [0.0]
    return tuple(
        exact(series.query, point.value, point.time + step, n=1, seconds=step)
        for point, step in zip(series.points, [*steps, steps[-1]][: len(times)], strict=True)
    )
