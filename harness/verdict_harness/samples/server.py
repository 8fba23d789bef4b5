"""The system as Prometheus saw it in one window: every question that a criterion asks of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from . import gauges, growths, quantiles, rates
from .estimate import Estimate, Windows
from .growths import Growth
from .metrics import Labels, Metrics, shown
from .sample import Empty, NoValue, Partial, Series
from .window import Window

PART = 30.0  # seconds: what a rule's users look at, at least


class Server:
    """What the system's own metrics say of one window.

    Labels are given by name: a value that a series has to have, or several values, each of which has to be
    there.  Series that differ in other labels are added up.  Each value's come from one target, and two that
    expose the same are :class:`Several`, unless ``targets`` says how many there are.

    Args:
        metrics: what was scraped.
        window: what is asked about.
        counted: what the load is made of, in the plural, such as ``"orders"``.
    """

    def __init__(self, metrics: Metrics, window: Window, counted: str = "observations") -> None:
        self._metrics = metrics
        self._window = window
        self._counted = counted

    def quantile(
        self, p: float, histogram: str, *, due: str = "", targets: int = 1, **labels: str | Collection[str]
    ) -> Estimate | NoValue:
        """Return a quantile of a histogram over the window.

        Args:
            p: which, such as ``0.99``.
            histogram: its name, without ``_bucket``.
            due: a counter, with the same labels, of what should have been observed. What was counted there
                and never observed counts at its best and, infinitely slow, at its worst.
            targets: how many targets each comes from.
            labels: see the class.

        Returns:
            An estimate in the histogram's unit: between two edges of its buckets, or above the last.
        """
        query = _quantile_of(p, shown(histogram, labels))
        histograms = self._metrics.histograms(histogram, labels, targets=targets)
        if isinstance(histograms, NoValue):
            return replace(histograms, query=query)
        found = quantiles.counted(query, histograms, self._window)
        if isinstance(found, NoValue):
            return found
        lacking = 0.0
        if due:
            expected = self._growth(due, labels, targets)
            if isinstance(expected, NoValue):
                return replace(expected, query=query)
            lacking = max(0.0, expected.bound.hi - found.census.n)
        return quantiles.quantile(query, p, found, lacking=lacking, counted=self._counted)

    def windows(
        self,
        p: float,
        histogram: str,
        *,
        every: float = PART,
        targets: int = 1,
        **labels: str | Collection[str],
    ) -> Windows | NoValue:
        """Return a quantile of the window and of its consecutive parts.

        Args:
            p: see :meth:`quantile`.
            histogram: see :meth:`quantile`.
            every: seconds that a part has at least.
            targets: see :meth:`quantile`.
            labels: see the class.
        """
        query = _quantile_of(p, shown(histogram, labels))
        histograms = self._metrics.histograms(histogram, labels, targets=targets)
        if isinstance(histograms, NoValue):
            return replace(histograms, query=query)
        return quantiles.windows(query, p, histograms, self._window, every=every, counted_=self._counted)

    def growth(
        self, counter: str, *, of: str = "", targets: int = 1, **labels: str | Collection[str]
    ) -> Estimate | NoValue:
        """Return by how much a counter grew in the window.

        Args:
            counter: its name.
            of: a counter, with as many of the same labels as it has, whose growth is the number of
                observations that this rests on: of what went wrong there may have been none at all.
            targets: how many targets each comes from.
            labels: see the class.
        """
        grown = self._growth(counter, labels, targets)
        if isinstance(grown, NoValue):
            return grown
        if not of:
            return grown.estimate(grown.shown, self._counted)
        whole = self._growth(of, labels, targets)
        return whole if isinstance(whole, NoValue) else grown.estimate(whole.bound.lo, self._counted)

    def rate(
        self, counter: str, *, per: float = 1.0, targets: int = 1, **labels: str | Collection[str]
    ) -> Estimate | NoValue:
        """Return how fast a counter grew in the window, as surely as its own restlessness allows.

        Args:
            counter: its name.
            per: seconds: 60 for growth per minute.
            targets: how many targets each comes from.
            labels: see the class.
        """
        query = f"growth of {shown(counter, labels)} per {per:g} s"
        counters = self._metrics.counters(counter, labels, targets=targets)
        if isinstance(counters, NoValue):
            return replace(counters, query=query)
        return rates.rate(query, counters, self._window, per, self._counted)

    def rates(
        self,
        counter: str,
        *,
        per: float = 1.0,
        every: float = PART,
        targets: int = 1,
        **labels: str | Collection[str],
    ) -> Windows | NoValue:
        """Return how fast a counter grew in the window and in its consecutive parts; see :meth:`rate`.

        Args:
            counter: its name.
            per: see :meth:`rate`.
            every: seconds that a part has at least.
            targets: how many targets each comes from.
            labels: see the class.
        """
        query = f"growth of {shown(counter, labels)} per {per:g} s"
        counters = self._metrics.counters(counter, labels, targets=targets)
        if isinstance(counters, NoValue):
            return replace(counters, query=query)
        return rates.windows(query, counters, self._window, per, self._counted, every=every)

    def ratio(
        self,
        part: str,
        of: str,
        *,
        part_labels: Labels | None = None,
        of_labels: Labels | None = None,
        targets: int = 1,
        **labels: str | Collection[str],
    ) -> Estimate | NoValue:
        """Return the growth of one counter divided by that of another, such as matches per order.

        Args:
            part: the counter above the line.
            of: the one below; as many as it grew by are the observations.
            part_labels: further labels of the first alone.
            of_labels: further labels of the second alone.
            targets: how many targets each comes from.
            labels: labels of both; see the class.
        """
        above, below = {**labels, **(part_labels or {})}, {**labels, **(of_labels or {})}
        query = f"{shown(part, above)} / {shown(of, below)}"
        parts = self._metrics.counters(part, above, targets=targets)
        wholes = self._metrics.counters(of, below, targets=targets)
        if isinstance(parts, NoValue):
            return replace(parts, query=query)
        if isinstance(wholes, NoValue):
            return replace(wholes, query=query)
        return rates.ratio(query, parts, wholes, self._window, self._counted)

    def gauge_max(
        self,
        gauge: str,
        *,
        remembers: float = 0.0,
        signed: bool = False,
        **labels: str | Collection[str],
    ) -> Estimate | NoValue:
        """Return the most that a gauge stood at in the window, in the samples of one target.

        Args:
            gauge: its name.
            remembers: seconds for which it keeps its maximum itself, so that no scrape can miss it.
                What it remembers of before the window is not the window's.
            signed: whether it may be negative.
            labels: see the class.
        """
        query = f"the most of {shown(gauge, labels)}"
        tracks = self._metrics.tracks(gauge, labels)
        if isinstance(tracks, NoValue):
            return replace(tracks, query=query)
        scrapes = self._metrics.scrapes(tracks[0])
        if isinstance(scrapes, NoValue):
            return replace(scrapes, query=query)
        return gauges.peak(query, tracks, scrapes, self._window, remembers=remembers, signed=signed)

    def gauge(self, gauge: str, **labels: str | Collection[str]) -> Series | NoValue:
        """Return all samples of one gauge in the window, such as memory, whose course is judged.

        Args:
            gauge: its name.
            labels: see the class; one series has to have them.
        """
        query = shown(gauge, labels)
        tracks = self._metrics.tracks(gauge, labels)
        if isinstance(tracks, NoValue):
            return tracks
        if len(tracks) != 1:
            return Partial(query, f"{len(tracks)} series where one was meant", len(tracks))
        scrapes = self._metrics.scrapes(tracks[0])
        if isinstance(scrapes, NoValue):
            return replace(scrapes, query=query)
        return gauges.course(query, tracks[0], scrapes, self._window)

    def up(self, service: str) -> Series | NoValue:
        """Return whether a service could be scraped, 1 or 0, at each attempt in the window.

        Args:
            service: what its target is labelled with as ``service``, or its job where it has no such label.
        """
        found = self.gauge("up", service=service)
        return self.gauge("up", service="", job=service) if isinstance(found, Empty) else found

    def _growth(self, counter: str, labels: Labels, targets: int) -> Growth | NoValue:
        query = f"growth of {shown(counter, labels)}"
        counters = self._metrics.counters(counter, labels, targets=targets)
        if isinstance(counters, NoValue):
            return replace(counters, query=query)
        return growths.growth(query, counters, self._window)


def _quantile_of(p: float, what: str) -> str:
    """Name a quantile.

    >>> _quantile_of(0.99, "x_seconds"), _quantile_of(0.999, "x_seconds")
    ('p99 of x_seconds', 'p99.9 of x_seconds')
    """
    return f"p{100 * p:.6g} of {what}"
