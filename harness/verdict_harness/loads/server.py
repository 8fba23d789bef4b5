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
    Server,
    Window,
    Windows,
)
from .load import Load


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
        load: what k6 did.
        window: the judged part.
        whole: from before the first request to a scrape after the last.
        watched: what Prometheus has of the load.
    """

    load: Load
    window: Window
    whole: Window
    watched: Watched

    def aside(self, metrics: Collection[str]) -> Self:
        """Return this for questions beside those that are judged, which whatever comes of them leaves alone.

        Args:
            metrics: all that is asked for, in one question. What else is asked for costs one each.
        """
        beside = copy.copy(self)
        beside.watched = self.watched.aside(metrics)
        return beside

    @property
    def server(self) -> Server:
        """The system as its own metrics tell of the window: see :class:`~verdict_harness.samples.Server`."""
        return self.watched.server(self.window)

    @property
    def totals(self) -> Server:
        """The same of the whole load, set-up and settling time included: for what has to add up."""
        return self.watched.server(Window(self.whole.start, self.load.window.end))

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
