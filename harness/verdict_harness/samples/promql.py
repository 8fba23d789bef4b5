"""Questions to Prometheus, and typed answers.

Every question goes through :meth:`~verdict_harness.record.Evidence.fact`: the answer
is on disk as it came before anything is read from it, and a replay asks the
disk.  Nothing here raises because of an answer; whatever is not wholly a number
comes back as a :class:`~verdict_harness.samples.NoValue` that says why.

What Prometheus does that would otherwise pass unnoticed:

- It repeats the last sample of a series for five minutes. Each question limits
  that to ``lookback``.
- ``rate`` and ``increase`` extrapolate. :class:`~.server.Server` takes growth and rates
  from raw samples.
- A dead target's ``rate(x[30s])`` answers for up to 30 s more.
  :meth:`Prometheus.target_trouble` finds the dead target.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Mapping
from typing import Any, Self

from ..figures import clock
from ..record import Evidence, Json
from ..systems import Address
from .answers import Question, Track, holes, named, one, read
from .estimate import Estimate
from .fetch import ATTEMPTS, fetch
from .sample import Empty, Failed, NoValue, Stale, number
from .window import Window

_HISTORY = 300.0  # seconds looked back to tell what went away from what never was
_IN_VAIN = 2  # questions in a row without any answer, after which patience is short
_AGAIN = 10  # questions in vain, after which it gets all of it once more
_SHORT = 0.1  # of the patience
_SHOWN = 200  # characters of an answer that made no sense


class Prometheus:
    """One Prometheus server, asked about the past.

    Args:
        url: base URL, with the path it lives under, if any; on replay it may be anything.
        evidence: where every answer is recorded.
        scrape: seconds between two raw samples.
        lookback: seconds for which a sample stands for what came after it.
        timeout: seconds to wait for an answer. Who did not answer twice in a row gets a tenth of it, and each
            tenth time all of it, until an answer comes: a load has some fifty questions, and a server that
            hangs would cost minutes.
    """

    def __init__(
        self,
        url: str,
        evidence: Evidence,
        *,
        scrape: float = 5.0,
        lookback: float = 15.0,
        timeout: float = 10.0,
    ) -> None:
        self._address = url if isinstance(url, Address) else Address.of(url)
        self._evidence = evidence
        self._scrape = scrape
        self._lookback = lookback
        self._timeout = timeout
        self._in_vain = 0

    def aside(self) -> Self:
        """Return it for questions beside those that are judged, whose patience these do not shorten."""
        beside = copy.copy(self)
        beside._in_vain = 0  # noqa: SLF001 - a copy of itself
        return beside

    def instant(self, query: str, at: float) -> Estimate | NoValue:
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
        times = {"start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{self._scrape:.3f}"}
        return self._ask(Question(query, "matrix", start, end, self._scrape), **times)

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
        return read(question, answer, skew=max(2.0, self._scrape))

    def _answer(self, path: str, key: str, params: Mapping[str, str]) -> Json:
        return self._evidence.fact(key, lambda: self._asked(path, params))

    def _asked(self, path: str, params: Mapping[str, str]) -> Json:
        gone = self._in_vain >= _IN_VAIN and self._in_vain % _AGAIN != 0
        timeout, attempts = (self._timeout * _SHORT, 1) if gone else (self._timeout, ATTEMPTS)
        answer = fetch(self._address, path, params, timeout, attempts)
        self._in_vain = self._in_vain + 1 if "error" in answer else 0
        return answer
