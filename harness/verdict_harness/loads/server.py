"""What the system's own metrics say of a load: questions that rest on what Prometheus scraped."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from typing import Self

from ..samples import (
    Estimate,
    Metrics,
    NoValue,
    Partial,
    Prometheus,
    Rule,
    Rules,
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

    def promql(self, query: str) -> Estimate | NoValue:
        """Return the one number that an expression of Prometheus yields at the end of the window.

        For what no other question asks, such as how many series there are, or a recording rule that others
        judge by.  It is taken for exact and rests on one answer: what Prometheus estimated on the way to it,
        between two buckets or beyond the last sample, is in no interval.

        Args:
            query: PromQL that yields a scalar or one series. A sample stands for 15 s at most.  In it
                ``$window`` is the window's length, such as ``300s``, and ``$testid`` what k6 tags the
                load's own series with.

        Returns:
            The number.  What is absent is no number, and never 0: :class:`~verdict_harness.samples.Empty`, or
            :class:`~verdict_harness.samples.Stale` if it was there in the five minutes before.  All of it is
            :class:`~verdict_harness.samples.Partial` if a target was down within the window, since an
            expression may hide that, or if it is about k6's series (``k6_``) and not all of them were
            handed over.
        """
        text = self._filled(query)
        if lacking := self._lacking(text):
            return Partial(text, lacking)
        return self._prometheus.instant(text, self.window.end)

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

    def _filled(self, query: str) -> str:
        return query.replace("$window", f"{max(1, round(self.window.seconds))}s")

    def _lacking(self, _query: str) -> str:
        """Say why an answer to ``query`` would not be all of it; empty if nothing is known of that."""
        return ""
