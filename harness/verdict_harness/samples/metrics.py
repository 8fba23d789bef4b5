"""What was scraped while a load ran: each metric is asked for once, and every question read from that.

Of a window, what counts is what came between two scrapes: from the first at or after its start to the first
at or after its end.  So nothing from before it is in it, as it is in whatever looks back, and its last
seconds are.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypeAlias

from .answers import Track, named
from .buckets import Histogram, edge_of
from .counters import Counter
from .promql import Prometheus
from .sample import Empty, NoValue, Partial, Several
from .scrapes import Scrapes, name_of, scrapes
from .window import Window

Labels: TypeAlias = Mapping[str, str | Collection[str]]
"""Label to the value that a series has to have, or to several, each of which has to be there."""

_UP, _STARTED = "up", "process_start_time_seconds"
_TARGET = ("job", "instance")


class Metrics:
    """What Prometheus scraped in a stretch of time.

    Args:
        prometheus: whom to ask.
        span: from a scrape or two before the first moment that is ever asked about to one after the last.
        together: metrics that are asked for in one question, with the first of them that is asked for; when
            their targets were scraped, in another.
    """

    def __init__(self, prometheus: Prometheus, span: Window, together: Collection[str] = ()) -> None:
        self._prometheus = prometheus
        self._span = span
        self._together = tuple(together)
        self._tracks: dict[str, tuple[Track, ...] | NoValue] = {}
        self._scrapes: dict[tuple[str, ...], Scrapes | NoValue] = {}

    def tracks(self, metric: str, labels: Labels, *, targets: int = 1) -> tuple[Track, ...] | NoValue:
        """Return the series of a metric that have these labels, or why that is not what was meant.

        Args:
            metric: its name.
            labels: what they are chosen by.
            targets: from how many targets each comes. From others, they would count something else too.

        Returns:
            At least one series for each value of a label that was given several.
        """
        query = shown(metric, labels)
        everything = self._all(metric)
        if isinstance(everything, NoValue):
            return everything
        chosen = tuple(track for track in everything if fits(track.labels, labels))
        if not chosen:
            return Empty(query, "no such series")
        several = {name: values for name, values in labels.items() if not isinstance(values, str)}
        for name, values in several.items():
            there = {track.labels.get(name, "") for track in chosen}
            if missing := sorted(set(values) - there):
                return Partial(query, f"no series with {name} {', '.join(missing)}", len(chosen))
        groups: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
        for track in chosen:
            group = tuple(track.labels.get(name, "") for name in several)
            groups.setdefault(group, set()).add(_target(track))
        for group, found in groups.items():
            if len(found) != targets:
                of = f" of {', '.join(group)}" if group else ""
                names = ", ".join(sorted(" at ".join(target) for target in found))
                return Several(
                    query, f"series{of} from {len(found)} targets where {targets} was meant: {names}"
                )
        return chosen

    def counters(self, metric: str, labels: Labels, *, targets: int = 1) -> tuple[Counter, ...] | NoValue:
        """Return the counters of a metric that have these labels; see :meth:`tracks`."""
        chosen = self.tracks(metric, labels, targets=targets)
        if isinstance(chosen, NoValue):
            return chosen
        return self._counters(shown(metric, labels), chosen)

    def histograms(self, metric: str, labels: Labels, *, targets: int = 1) -> tuple[Histogram, ...] | NoValue:
        """Return the histograms of a metric that have these labels; see :meth:`tracks`.

        Args:
            metric: its name, without ``_bucket``.
            labels: what they are chosen by.
            targets: from how many targets each comes.
        """
        query = shown(metric, labels)
        chosen = self.tracks(f"{metric}_bucket", labels, targets=targets)
        if isinstance(chosen, NoValue):
            return chosen
        counters = self._counters(query, chosen)
        if isinstance(counters, NoValue):
            return counters
        found: dict[frozenset[tuple[str, str]], dict[float, Counter]] = {}
        for counter in counters:
            labels_ = counter.track.labels
            edge = edge_of(labels_.get("le"))
            buckets = found.setdefault(frozenset((k, v) for k, v in labels_.items() if k != "le"), {})
            if edge is None or edge in buckets:
                return Partial(query, f"a bucket without an edge of its own: {counter.track}")
            buckets[edge] = counter
        histograms = [
            Histogram({edge: buckets[edge] for edge in sorted(buckets)}) for buckets in found.values()
        ]
        if len({tuple(one.counters) for one in histograms}) > 1:
            return Partial(query, "its series have buckets with different edges, which can't be added up")
        return tuple(histograms)

    def scrapes(self, track: Track) -> Scrapes | NoValue:
        """Return the scrapes that brought a series; those of one target are asked for once."""
        target = _target(track)
        if target not in self._scrapes:
            self._scrapes |= self._scrapes_of_all() if self._together else {}
        if target not in self._scrapes:
            self._scrapes[target] = self._ask_scrapes(track)
        return self._scrapes[target]

    def _ask_scrapes(self, track: Track) -> Scrapes | NoValue:
        target = name_of(track.labels)
        job, instance = (track.labels.get(name, "") for name in _TARGET)
        if not job or not instance:
            return scrapes(target, None, None, [track])
        selector = f'{{__name__=~"{_UP}|{_STARTED}", job="{_quoted(job)}", instance="{_quoted(instance)}"}}'
        _, tracks = self._prometheus.raw(selector, self._span)
        return _read_scrapes(selector, tracks, track)

    def _scrapes_of_all(self) -> dict[tuple[str, ...], Scrapes | NoValue]:
        """Return the scrapes of every target that has a name, of all metrics that were asked for together."""
        seen = {
            _target(track): track
            for found in self._tracks.values()
            if not isinstance(found, NoValue)
            for track in found
            if all(_target(track))
        }
        if not seen:
            return {}
        pairs = [
            f'{label}=~"{_quoted("|".join(sorted({re.escape(target[place]) for target in seen})))}"'
            for place, label in enumerate(_TARGET)
        ]
        selector = f'{{__name__=~"{_UP}|{_STARTED}", {", ".join(pairs)}}}'
        _, tracks = self._prometheus.raw(selector, self._span)
        return {target: _read_scrapes(selector, tracks, track) for target, track in seen.items()}

    def _counters(self, query: str, chosen: Iterable[Track]) -> tuple[Counter, ...] | NoValue:
        counters = []
        for track in chosen:
            made = self.scrapes(track)
            if isinstance(made, NoValue):
                return type(made)(query, f"when its target was scraped is not known: {made.reason}")
            counters.append(Counter(track, made))
        return tuple(counters)

    def _all(self, metric: str) -> tuple[Track, ...] | NoValue:
        if metric in self._together and metric not in self._tracks:
            self._tracks |= self._ask_together()
        if metric not in self._tracks:
            query, tracks = self._prometheus.raw(metric, self._span)
            self._tracks[metric] = (
                tracks
                if isinstance(tracks, NoValue) or tracks
                else (self._prometheus.gone(Empty(query, "no raw sample"), self._span.start, metric))
            )
        return self._tracks[metric]

    def _ask_together(self) -> dict[str, tuple[Track, ...] | NoValue]:
        selector = f'{{__name__=~"{"|".join(self._together)}"}}'
        query, tracks = self._prometheus.raw(selector, self._span)
        if isinstance(tracks, NoValue):
            return dict.fromkeys(self._together, tracks)
        found = {name: _called(name, tracks) for name in self._together}
        return {name: some or Empty(query, f"no raw sample of {name}") for name, some in found.items()}


def shown(metric: str, labels: Labels) -> str:
    """Write what was asked for as PromQL.

    >>> shown("x_total", {"shard": "a", "side": ("buy", "sell")}), shown("up", {})
    ('x_total{shard="a", side=~"buy|sell"}', 'up')
    """
    pairs = [
        f'{name}="{value}"' if isinstance(value, str) else f'{name}=~"{"|".join(value)}"'
        for name, value in labels.items()
    ]
    return f"{metric}{{{', '.join(pairs)}}}" if pairs else metric


def fits(labels: Mapping[str, str], wanted: Labels) -> bool:
    """Say whether a series has the labels that are wanted."""
    return all(
        labels.get(name, "") == value if isinstance(value, str) else labels.get(name, "") in value
        for name, value in wanted.items()
    )


def targets_of(counters: Sequence[Counter]) -> tuple[Scrapes, ...]:
    """Return the scrapes of the targets that counters come from, each once."""
    return tuple({id(counter.scrapes): counter.scrapes for counter in counters}.values())


def _called(name: str, tracks: Iterable[Track]) -> tuple[Track, ...]:
    return tuple(track for track in tracks if track.labels.get("__name__") == name)


def _read_scrapes(selector: str, tracks: tuple[Track, ...] | NoValue, track: Track) -> Scrapes | NoValue:
    """Return the scrapes that brought ``track``, from what was answered of its target and of others."""
    if isinstance(tracks, NoValue):
        return tracks
    mine = [one for one in tracks if _target(one) == _target(track)]
    up, started = _called(_UP, mine), _called(_STARTED, mine)
    if len(up) > 1:
        return Several(selector, f"{len(up)} targets of one name: {named(up)}")
    return scrapes(
        name_of(track.labels), up[0] if up else None, started[0] if len(started) == 1 else None, [track]
    )


def _target(track: Track) -> tuple[str, ...]:
    return tuple(track.labels.get(name, "") for name in _TARGET)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
