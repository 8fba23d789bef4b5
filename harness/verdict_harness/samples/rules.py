"""Recording rules: asked as their users ask them, and checked before anything rests on them.

A rule is sound if Prometheus evaluates the expression of the system's own file, and if what it recorded is
what that expression gives on the raw samples.  One that is not speaks against a PASS of whatever names it.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ..figures import clock
from .answers import Track
from .doubts import Trouble
from .estimate import Estimate, Windows
from .metrics import Metrics, fits, shown
from .promql import Prometheus
from .sample import NoValue, Point
from .window import Window

INSTRUMENT = "recording rules"
_SAME = 1e-6  # relative
_NEAR = 0.1  # relative: an evaluation may be a few milliseconds too early for the sample of its time
_MOST = 0.8  # share of the points that have to agree


@dataclass(frozen=True, slots=True)
class Rule:
    """A recording rule over one window; a judgement rests on it by ``load=``.

    Attributes:
        name: what it records.
        points: what it recorded in the window, in order; empty if nothing.
        trouble: why it can't be relied on; empty if it can.
    """

    name: str
    points: tuple[Point, ...]
    trouble: tuple[Trouble, ...]


class Rules:
    """The recording rules of one system.

    Args:
        prometheus: evaluates them.
        metrics: what it recorded.
        written: name to expression, of the system's file.
        at: unix seconds, after the load: when they were looked at.
    """

    def __init__(
        self, prometheus: Prometheus, metrics: Metrics, written: Mapping[str, str], at: float
    ) -> None:
        self._prometheus = prometheus
        self._metrics = metrics
        self._written = written
        self._at = at

    def check(
        self,
        name: str,
        window: Window,
        labels: Mapping[str, str | Collection[str]],
        like: Estimate | Windows | NoValue | None = None,
    ) -> Rule:
        """Return what a rule recorded in a window, and every reason not to rely on it.

        Args:
            name: what it records.
            window: when.
            labels: of the series that is meant.
            like: what the raw samples say of the same quantity: what was recorded has to lie within that.
        """
        trouble, interval = self._text(name)
        tracks = self._metrics.tracks(name, labels)
        if isinstance(tracks, NoValue):
            trouble.append(f"has no value: {tracks.reason}")
            return self._rule(name, (), trouble)
        points = tuple(
            point
            for track in tracks
            for point in track.points
            if window.start <= point.time <= window.end + interval
        )
        if len(tracks) > 1:
            trouble.append(f"has {len(tracks)} series where one was meant: {shown(name, labels)}")
        elif not points:
            trouble.append(f"has no value between {window}")
        elif name in self._written:
            trouble += self._values(name, points, labels, interval)
            trouble += _unlike(points, like)
        return self._rule(name, points, trouble)

    def _rule(self, name: str, points: tuple[Point, ...], trouble: Sequence[str]) -> Rule:
        told = (Trouble(f"the recording rule {name} {text}", INSTRUMENT, "PASS") for text in trouble)
        return Rule(name, points, tuple(told))

    def _text(self, name: str) -> tuple[list[str], float]:
        """Say in what Prometheus evaluates another rule than the file's; and every how many seconds."""
        if name not in self._written:
            return ["is in no file of the system"], 0.0
        groups = self._prometheus.rules(self._at)
        if isinstance(groups, NoValue):
            return [f"can't be compared with its file: {groups.reason}"], 0.0
        found = [
            (rule, float(group.get("interval", 0.0)))
            for group in groups
            for rule in group["rules"]
            if rule.get("name") == name and rule.get("type") == "recording"
        ]
        if not found:
            return ["is not among those that Prometheus evaluates: load the system's file there"], 0.0
        interval = found[0][1]
        ours = self._prometheus.formatted(self._written[name])
        for rule, _ in found:
            theirs = self._prometheus.formatted(rule["query"])
            if ours != theirs:
                return [f"is {rule['query']!r} in Prometheus, and another in the system's file"], interval
            if rule.get("health") != "ok":
                why = rule.get("lastError") or rule.get("health")
                return [f"could not be evaluated: {why}"], interval
        return [f"is recorded {len(found)} times"] if len(found) > 1 else [], interval

    def _values(
        self, name: str, points: Sequence[Point], labels: Mapping[str, str | Collection[str]], interval: float
    ) -> list[str]:
        if interval <= 0:
            return []
        first, last = points[0].time, points[-1].time
        tracks = self._prometheus.course(self._written[name], first, last, interval)
        if isinstance(tracks, NoValue):
            return [f"can't be compared with its expression: {tracks.reason}"]
        mine: list[Track] = [track for track in tracks if fits(track.labels, labels)]
        if len(mine) != 1:
            return [f"has a series, where its expression gives {len(mine)}"]
        found = differs(points, mine[0].points)
        return [found] if found else []


def differs(recorded: Sequence[Point], given: Sequence[Point]) -> str:
    """Say in what a rule recorded something else than its expression gives; empty if in nothing.

    Args:
        recorded: by the rule.
        given: by its expression, at the same times, on the raw samples as they are now.
    """
    there = {round(point.time, 3): point.value for point in recorded}
    lacking = [point for point in given if round(point.time, 3) not in there]
    if len(lacking) > (1 - _MOST) * len(given):
        return f"lacks {len(lacking)} of {len(given)} values, the first at {clock(lacking[0].time)}"
    here = {round(point.time, 3): i for i, point in enumerate(given)}
    odd = []
    for point in recorded:
        at = here.get(round(point.time, 3))
        near = [] if at is None else [one.value for one in given[max(0, at - 1) : at + 2]]
        if at is None or not (
            _close(point.value, given[at].value, _SAME)
            or min(near) - _NEAR * abs(min(near)) <= point.value <= max(near) + _NEAR * abs(max(near))
        ):
            odd.append((point, None if at is None else given[at].value))
    if len(odd) > (1 - _MOST) * len(recorded):
        point, meant = odd[0]
        says = "nothing" if meant is None else f"{meant:.4g}"
        return f"says {point.value:.4g} at {clock(point.time)}, where its expression gives {says}"
    if _still(recorded) and not _still(given):
        values = [point.value for point in given]
        return (
            f"says {recorded[0].value:.4g} all through, where its expression gives {min(values):.4g} "
            f"to {max(values):.4g}"
        )
    return ""


def _unlike(points: Sequence[Point], like: Estimate | Windows | NoValue | None) -> list[str]:
    if not isinstance(like, Estimate | Windows):
        return []
    each = [like] if isinstance(like, Estimate) else [like.whole, *like.parts]
    lo, hi = min(one.lo for one in each), max(one.hi for one in each)
    middle = statistics.median(point.value for point in points)
    if lo - _NEAR * abs(lo) <= middle <= hi + _NEAR * abs(hi):
        return []
    return [f"says {middle:.4g}, where the raw samples give {lo:.4g} to {hi:.4g}"]


def _still(points: Sequence[Point]) -> bool:
    return all(_close(a.value, b.value, _SAME) for a, b in itertools.pairwise(points))


def _close(a: float, b: float, tolerance: float) -> bool:
    return abs(a - b) <= tolerance * max(abs(a), abs(b))
