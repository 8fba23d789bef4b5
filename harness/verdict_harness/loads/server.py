"""What the system's own metrics say of a load: questions that rest on what Prometheus scraped."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from typing import Self

from ..samples import (
    Estimate,
    Metrics,
    NoValue,
    Prometheus,
    Rule,
    Rules,
    Sample,
    Server,
    Window,
    Windows,
)


class Watched:
    """All that Prometheus has of one load, asked for once for all that is asked about it and its parts.

    Args:
        prometheus: whom to ask.
        whole: from before the first request to a scrape after the last.
        rules: name to expression of the system's recording rules.
        counted: what the load is made of, in the plural.
        together: metrics that are asked for in one question.
    """

    def __init__(
        self,
        prometheus: Prometheus,
        whole: Window,
        rules: Mapping[str, str],
        counted: str,
        together: Collection[str] = (),
    ) -> None:
        self._prometheus, self._whole, self._written = prometheus, whole, rules
        self._metrics = Metrics(prometheus, whole, together)
        self._rules = Rules(prometheus, self._metrics, rules, whole.end)
        self._counted = counted

    def aside(self, metrics: Collection[str]) -> Watched:
        """Return the same, asked anew: for ``metrics`` in one question."""
        return Watched(self._prometheus.aside(), self._whole, self._written, self._counted, metrics)

    def server(self, window: Window) -> Server:
        """Return what was scraped of the system, to be asked about ``window``."""
        return Server(self._metrics, window, self._counted)

    def rule(
        self,
        name: str,
        window: Window,
        like: Estimate | Windows | NoValue | None,
        labels: Mapping[str, str | Collection[str]],
    ) -> Rule:
        """Return what a recording rule recorded in ``window``, checked."""
        return self._rules.check(name, window, labels, like)


class ServerSide:
    """Questions that rest on Prometheus alone: what was scraped from the system, from raw samples.

    Attributes:
        window: the judged part.
        whole: from before the first request to a scrape after the last.
        ended: unix seconds of the load's end.
        watched: what Prometheus has of the load.
    """

    window: Window
    whole: Window
    ended: float
    watched: Watched
    _prometheus: Prometheus

    def aside(self, metrics: Collection[str]) -> Self:
        """Return this for questions beside those that are judged, which whatever comes of them leaves alone.

        Args:
            metrics: all that is asked for, in one question. What else is asked for costs one each.
        """
        beside = copy.copy(self)
        beside.watched = self.watched.aside(metrics)
        beside._prometheus = self._prometheus.aside()  # noqa: SLF001 - a copy of itself
        return beside

    def over(self, query: str) -> Sample:
        """Return the series that ``query`` yields over the window."""
        return self._told(query, self._prometheus.over(self._filled(query), self.window))

    def final(self, query: str) -> Sample:
        """Return what ``query`` yields at the end of the window; ``$window`` in it is the window's length."""
        return self._told(query, self._prometheus.instant(self._filled(query), self.window.end))

    def afterwards(self, query: str) -> Sample:
        """Return what ``query`` yields after the whole load and one more scrape."""
        return self._told(query, self._prometheus.instant(self._filled(query), self.whole.end))

    def each(self, query: str, label: str, keys: Collection[str]) -> dict[str, Sample]:
        """Return one series over the window for each of ``keys``."""
        found = self._prometheus.each(self._filled(query), self.window, label, keys)
        return {key: self._told(query, sample) for key, sample in found.items()}

    @property
    def server(self) -> Server:
        """The system as its own metrics tell of the window: see :class:`~verdict_harness.samples.Server`."""
        return self.watched.server(self.window)

    @property
    def totals(self) -> Server:
        """The same of the whole load, set-up and settling time included: for what has to add up."""
        return self.watched.server(Window(self.whole.start, self.ended))

    def rule(
        self,
        name: str,
        *,
        like: Estimate | Windows | NoValue | None = None,
        **labels: str | Collection[str],
    ) -> Rule:
        """Return what a recording rule recorded in the window; judge by ``load=`` it, so that it counts.

        A rule that is not the one of the system's file, that recorded something else than its expression
        gives, or something that the raw samples do not bear out, speaks against a PASS and no more.

        Args:
            name: what it records.
            like: what the raw samples say of the same quantity, if anything does.
            labels: of the series that is meant.
        """
        return self.watched.rule(name, self.window, like, labels)

    def _told(self, _query: str, found: Sample) -> Sample:
        """Return what was found, unless it is known that this is not all of it."""
        return found

    def _filled(self, query: str) -> str:
        return query.replace("$window", f"{max(1, round(self.window.seconds))}s")
