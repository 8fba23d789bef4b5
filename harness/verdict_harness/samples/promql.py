"""Questions to Prometheus, and typed answers.

Every question goes through :meth:`~verdict_harness.record.Evidence.fact`: the answer
is on disk as it came before anything is read from it, and a replay asks the
disk.  Nothing here raises because of an answer; whatever is not wholly a number
comes back as a :class:`~verdict_harness.samples.NoValue` that says why.

What Prometheus does that would otherwise pass unnoticed:

- It repeats the last sample of a series for five minutes. Each question limits
  that to ``lookback``.
- ``rate`` and ``increase`` extrapolate. :meth:`Prometheus.difference` and
  :meth:`Prometheus.rate` are taken from raw samples.
- A dead target's ``rate(x[30s])`` answers for up to 30 s more.
  :meth:`Prometheus.target_trouble` finds the dead target.
"""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Collection, Mapping
from typing import Any, Self

from ..figures import clock
from ..record import Evidence, Json
from ..systems import Address
from .answers import Question, Track, holes, named, not_numbers, one, read, resets, whole
from .estimate import Estimate
from .fetch import ATTEMPTS, fetch
from .sample import Empty, Failed, NotANumber, NoValue, Partial, Sample, Several, Stale, number
from .window import Window

_HISTORY = 300.0  # seconds looked back to tell what went away from what never was
_IN_VAIN = 2  # questions in a row without any answer, after which patience is short
_AGAIN = 10  # questions in vain, after which it gets all of it once more
_SHORT = 0.1  # of the patience
_SHOWN = 200  # characters of an answer that made no sense


class Prometheus:
    """One Prometheus server, asked about stretches of the past.

    Args:
        url: base URL, with the path it lives under, if any; on replay it may be anything.
        evidence: where every answer is recorded.
        step: seconds between the points of a :class:`~verdict_harness.samples.Series`.
        scrape: seconds between two raw samples; ``step`` unless given.
        lookback: seconds for which a sample stands for what came after it.
        timeout: seconds to wait for an answer. Who did not answer twice in a row gets a tenth of it, and each
            tenth time all of it, until an answer comes: a load has some fifty questions, and a server that
            hangs would cost minutes.
    """

    def __init__(  # noqa: PLR0913 - all but the first two are durations with a name
        self,
        url: str,
        evidence: Evidence,
        *,
        step: float = 5.0,
        scrape: float | None = None,
        lookback: float = 15.0,
        timeout: float = 10.0,
    ) -> None:
        self._address = url if isinstance(url, Address) else Address.of(url)
        self._evidence = evidence
        self._step = step
        self._scrape = step if scrape is None else scrape
        self._lookback = lookback
        self._timeout = timeout
        self._in_vain = 0

    def aside(self) -> Self:
        """Return it for questions beside those that are judged, whose patience these do not shorten."""
        beside = copy.copy(self)
        beside._in_vain = 0  # noqa: SLF001 - a copy of itself
        return beside

    def instant(self, query: str, at: float) -> Sample:
        """Return the one number that ``query`` yields at one moment of the past.

        Args:
            query: PromQL that yields one series or a scalar.
            at: unix seconds; from a fact, not from the clock, or a replay won't find the answer.
        """
        at = round(at, 3)
        tracks = self._vector(query, at)
        if isinstance(tracks, NoValue):
            return tracks
        track = one(query, tracks)
        if isinstance(track, Track):
            return number(query, track.points[0].value, at, n=1)
        return self.gone(track, at) if isinstance(track, Empty) else track

    def over(self, query: str, window: Window) -> Sample:
        """Return the one series that ``query`` yields over a window, whole or not at all.

        A series is whole if it has a number at ``floor(window / step) + 1`` points.
        """
        tracks = self._matrix(query, window.start, window.end)
        if isinstance(tracks, NoValue):
            return tracks
        track = one(query, tracks)
        if isinstance(track, Track):
            return whole(query, track, window, self._step)
        return self.gone(track, window.start) if isinstance(track, Empty) else track

    def each(self, query: str, window: Window, label: str, keys: Collection[str]) -> dict[str, Sample]:
        """Return one series for each expected value of a label.

        Returns:
            An entry for every key: :class:`Empty` where it has no series, :class:`Several` where it
            has more than one. A series with another value of the label (``""`` if it has none) gets
            an entry :class:`Several` of its own, so that judging them all can't overlook it.
        """
        tracks = self._matrix(query, window.start, window.end)
        if isinstance(tracks, NoValue):
            return dict.fromkeys(keys, tracks)
        answer: dict[str, Sample] = {}
        for key in keys:
            mine = [track for track in tracks if track.labels.get(label, "") == key]
            track = one(query, mine)
            if isinstance(track, Track):
                answer[key] = whole(query, track, window, self._step)
            elif isinstance(track, Empty):
                answer[key] = Empty(query, f'no series with {label}="{key}"')
            else:
                answer[key] = track
        for track in tracks:
            if (key := track.labels.get(label, "")) not in keys:
                answer[key] = Several(query, f"{track} was not expected; {label} is one of {sorted(keys)}")
        return answer

    def difference(self, counter: str, window: Window, *, series: int | None = 1) -> Sample:
        """Return by how much a counter grew, from its first to its last raw sample in the window.

        No extrapolation: at a scrape every 5 s it misses what happened in up to 5 s
        at either end.

        Args:
            counter: a selector, such as ``me_matches_total{shard="a"}``.
            window: has to be covered: samples near both ends and no two scrapes lost in a row.
            series: how many series the selector has, whose growth is added up;
                ``None`` for any number from one on.

        Returns:
            An :class:`~.estimate.Estimate` that rests on all raw samples; :class:`Partial` if the counter was
            reset, the window is not covered, or there are fewer series than ``series``.
        """
        return self._growth(counter, window, series, per=None)

    def rate(self, counter: str, window: Window, *, per: float = 1.0, series: int | None = 1) -> Sample:
        """Return how fast a counter grew: :meth:`difference` over the time between those raw samples.

        Args:
            counter: see :meth:`difference`.
            window: see :meth:`difference`.
            per: seconds: 60 for growth per minute.
            series: see :meth:`difference`.
        """
        return self._growth(counter, window, series, per=per)

    def target_trouble(self, matchers: str, window: Window, *, targets: int, service: str = "") -> str | None:
        """Say which targets were not up all through a window; ``None`` if all were.

        Args:
            matchers: label matchers of ``up``, such as ``job="engine"``.
            window: the time that a verdict is about.
            targets: how many there have to be.
            service: which of them are meant, by their label ``service``, or ``job`` where there is none.
        """
        query, tracks = self.raw(f"up{{{matchers}}}", window)
        if isinstance(tracks, NoValue):
            return f"whether targets were up is not known: {tracks.reason}"
        if service:
            tracks = tuple(
                one for one in tracks if one.labels.get("service", one.labels.get("job")) == service
            )
        found = []
        if len(tracks) != targets:
            found.append(f"{len(tracks)} targets where {targets} were expected: {named(tracks) or query}")
        expected = window.points(self._scrape) - 1
        for track in tracks:
            down = [point for point in track.points if point.value != 1]
            reasons = [f"down at {clock(down[0].time)} ({len(down)} scrapes failed)"] if down else []
            reasons += holes(track.points, window, self._scrape)
            if len(track.points) < expected - max(1, expected // 10):
                reasons.append(f"{len(track.points)} scrapes where {expected} were expected")
            if reasons:
                found.append(f"{track}: {'; '.join(reasons)}")
        return " | ".join(found) or None

    def _growth(self, counter: str, window: Window, series: int | None, *, per: float | None) -> Sample:
        query, tracks = self.raw(counter, window)
        if isinstance(tracks, NoValue):
            return tracks
        if not tracks:
            return self.gone(Empty(query, "no raw sample in the window"), window.start, counter)
        if series is not None and len(tracks) > series:
            return Several(query, f"{len(tracks)} series where {series} were meant: {named(tracks)}")
        if series is not None and len(tracks) < series:
            return Partial(query, f"{len(tracks)} of {series} series: {named(tracks)}")
        grown = [self._grown(query, track, window, per) for track in tracks]
        for each in grown:
            if isinstance(each, NoValue):
                return each
        values = [each for each in grown if isinstance(each, Estimate)]
        samples = sum(each.samples for each in values)
        return number(query, math.fsum(each.value or 0.0 for each in values), window.end, samples)

    def _grown(self, query: str, track: Track, window: Window, per: float | None) -> Estimate | NoValue:
        points = track.points
        if bad := not_numbers(points, f"of {len(points)} raw samples"):
            return NotANumber(query, f"{track}: {bad}")
        wrong = resets(points) + holes(points, window, self._scrape)
        if len(points) < 2:  # noqa: PLR2004 - a difference is between two
            wrong.append(f"{len(points)} raw sample in the window, where a difference takes two")
        if wrong:
            return Partial(query, f"{track}: {'; '.join(wrong)}", len(points))
        grown, seconds = points[-1].value - points[0].value, points[-1].time - points[0].time
        return number(query, grown if per is None else grown / seconds * per, window.end, len(points))

    def course(self, query: str, start: float, end: float, step: float) -> tuple[Track, ...] | NoValue:
        """Return all series that ``query`` yields every ``step`` seconds, by Prometheus's own look-back."""
        times = {"start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:.3f}"}
        question = Question(query, "matrix", round(start, 3), round(end, 3), step)
        key = " ".join((query, *(f"{name}={value}" for name, value in times.items())))
        return read(
            question, self._answer("query_range", key, {"query": query, **times}), skew=max(2.0, step)
        )

    def rules(self, at: float) -> list[dict[str, Any]] | NoValue:
        """Return the groups of recording rules that Prometheus evaluates, as its API tells them.

        Args:
            at: unix seconds, from a fact: what they are recorded under.
        """
        key = f"recording rules at {at:.3f}"
        answer: Any = self._answer("rules", key, {"type": "record"})
        try:
            groups = answer["body"]["data"]["groups"]
            return [{**group, "rules": list(group["rules"])} for group in groups]
        except (KeyError, TypeError):
            return Failed(key, str(answer.get("error") or answer.get("body") or answer.get("text"))[:_SHOWN])

    def formatted(self, query: str) -> str:
        """Return a query as Prometheus writes it, so that two can be compared; as it is where it can't."""
        answer: Any = self._answer("format_query", f"format {query}", {"query": query})
        with contextlib.suppress(KeyError, TypeError):
            query = answer["body"]["data"]
        return " ".join(query.split())

    def gone(self, empty: Empty, at: float, query: str = "") -> Empty | Stale:
        """Tell what went away from what never was."""
        before = self._matrix(query or empty.query, round(at - _HISTORY, 3), at)
        times = [] if isinstance(before, NoValue) else [track.points[-1].time for track in before]
        if not times:
            return empty
        return Stale(
            empty.query, f"{empty.reason} any more at {clock(at)}; the last was at {clock(max(times))}"
        )

    def _vector(self, query: str, at: float) -> tuple[Track, ...] | NoValue:
        return self._ask(Question(query, "vector", at, at), time=f"{at:.3f}")

    def _matrix(self, query: str, start: float, end: float) -> tuple[Track, ...] | NoValue:
        times = {"start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{self._step:.3f}"}
        return self._ask(Question(query, "matrix", start, end, self._step), **times)

    def raw(self, selector: str, window: Window) -> tuple[str, tuple[Track, ...] | NoValue]:
        """Return all raw samples of a window, both ends included, and the query that asked for them."""
        # A range selector leaves out its left end: one millisecond more lets the first moment in.
        query = f"{selector}[{round(window.seconds * 1000) + 1}ms]"
        question = Question(query, "matrix", window.start, window.end)
        return query, self._ask(question, time=f"{window.end:.3f}")

    def _ask(self, question: Question, **times: str) -> tuple[Track, ...] | NoValue:
        params = {"query": question.query, **times, "lookback_delta": f"{self._lookback:.3f}"}
        # The query comes first, so that the file is named after it.
        key = " ".join((question.query, *(f"{name}={params[name]}" for name in (*times, "lookback_delta"))))
        answer = self._answer("query_range" if "step" in times else "query", key, params)
        return read(question, answer, skew=max(2.0, self._step))

    def _answer(self, path: str, key: str, params: Mapping[str, str]) -> Json:
        return self._evidence.fact(key, lambda: self._asked(path, params))

    def _asked(self, path: str, params: Mapping[str, str]) -> Json:
        gone = self._in_vain >= _IN_VAIN and self._in_vain % _AGAIN != 0
        timeout, attempts = (self._timeout * _SHORT, 1) if gone else (self._timeout, ATTEMPTS)
        answer = fetch(self._address, path, params, timeout, attempts)
        self._in_vain = self._in_vain + 1 if "error" in answer else 0
        return answer
