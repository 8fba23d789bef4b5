"""What Prometheus answered: from a recorded answer to series, without trusting anything on the way.

Pure functions of what :mod:`verdict_harness.samples.promql` wrote down, so that a replay reads
exactly what the live run read.  A recorded answer is a mapping::

    {"url", "params", "asked", and one of
     "error"                           it could not be asked: what the transport said
     "answered", "date", "status", and "body" (JSON) or "text" (what is not JSON)}
"""

from __future__ import annotations

import email.utils
import itertools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from ..figures import clock
from .sample import Empty, Failed, NoValue, Partial, Point, Several
from .window import Window

_SHOWN = 200  # characters of an answer that made no sense
_NAMED = 4  # series named where one was meant
_MOMENT = 0.0015  # seconds: Prometheus keeps milliseconds
_PARTIAL = ("isPartial", "partial", "partialResponse")  # what relatives of Prometheus call it
_HARMLESS = "metric might not be a counter"  # a guess from a name
_NUMBERS = {"nan", "inf"}  # words that look like names
_PAIR = r'\s*(\w+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"\s*,?'
_PAIRS = re.sub(r"\((?!\?)", "(?:", _PAIR)
_ESCAPED = re.compile(r"\\(.)")
_SELECTOR = re.compile(rf"([a-zA-Z_:][\w:]*)?\s*(?:\{{((?:{_PAIRS})*)\}})?(?:\[\w+\])?")


@dataclass(frozen=True, slots=True)
class Track:
    """One series as it came: with NaN, with gaps, or without points.

    Attributes:
        labels: its labels, its name among them as ``__name__``.
        points: in order of time.
    """

    labels: Mapping[str, str]
    points: tuple[Point, ...]

    def __str__(self) -> str:
        name = self.labels.get("__name__", "")
        pairs = (f'{key}="{value}"' for key, value in sorted(self.labels.items()) if key != "__name__")
        return f"{name}{{{', '.join(pairs)}}}"


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked, and what an answer is held to.

    Attributes:
        query: PromQL.
        kind: what it yields. A scalar passes for a vector of one without labels.
        first: unix seconds of the earliest point that may come; of a vector, of its only one.
        last: and of the latest.
        step: seconds between points; 0 of raw samples, which have times of their own.
    """

    query: str
    kind: Literal["vector", "matrix"]
    first: float
    last: float
    step: float = 0.0

    @property
    def raw(self) -> bool:
        """Whether raw samples were asked for."""
        return self.kind == "matrix" and not self.step


def read(question: Question, answer: Any, *, skew: float) -> tuple[Track, ...] | NoValue:
    """Return the series of an answer, or why there are none to be trusted.

    Args:
        question: what was asked.
        answer: as recorded.
        skew: seconds that Prometheus's clock may be off ours.

    Returns:
        The series, possibly none of them; or :class:`Failed`, also where another question was answered
        than was asked; or :class:`Partial` where Prometheus itself says that its answer is not whole.
    """
    query = question.query
    try:
        if reason := _unusable(answer, question.last, skew):
            return Failed(query, reason)
        body = answer["body"]
        if unwhole := _unwhole(body):
            return Partial(query, unwhole)
        tracks = _tracks(query, body["data"], question.kind)
        if not isinstance(tracks, Failed) and (other := _another(question, tracks)):
            return Failed(query, f"another question was answered: {other}")
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        return Failed(
            query, f"not an answer of Prometheus ({type(error).__name__}: {error}): {str(answer)[:_SHOWN]}"
        )
    return tracks


def _unwhole(body: Any) -> str:
    """Say what Prometheus, or what answers in its stead, says is missing from its answer."""
    said = [
        *body.get("warnings", ()),
        *(info for info in body.get("infos", ()) if _HARMLESS not in str(info)),
    ]
    if said:
        return f"Prometheus warns: {'; '.join(map(str, said))}"
    marks = [name for name in _PARTIAL if body.get(name) or body["data"].get(name)]
    return f"the answer says of itself that it is not whole: {marks[0]}" if marks else ""


def _another(question: Question, tracks: Sequence[Track]) -> str:
    """Say in what an answer is not one to ``question``: by its times, its name, its labels."""
    wanted = _selector(question.query)
    for track in tracks:
        for point in (track.points[0], track.points[-1]):
            if not question.first - _MOMENT <= point.time <= question.last + _MOMENT:
                return (
                    f"{track} at {clock(point.time)}, where {clock(question.first)} to "
                    f"{clock(question.last)} was asked for"
                )
        if question.step and any(_off(point.time - question.first, question.step) for point in track.points):
            return f"{track} at other moments than every {question.step:g} s"
        for name, meant, fits in wanted:
            if not fits(track.labels.get(name, "")):
                return f"{track}, where {name}{meant} was asked for"
    return ""


def _off(since: float, step: float) -> bool:
    return round(since * 1000) % round(step * 1000) != 0


def _selector(query: str) -> list[tuple[str, str, Callable[[str], bool]]]:
    """Return what each series has to be labelled as, where ``query`` selects series and does no more.

    >>> [(name, meant) for name, meant, _ in _selector('x_total{shard="a", side!="buy"}[60001ms]')]
    [('__name__', '="x_total"'), ('shard', '="a"'), ('side', '!="buy"')]
    >>> _selector('sum(x_total{shard="a"})'), _selector("NaN")
    ([], [])
    """
    match = _SELECTOR.fullmatch(query.strip())
    if match is None or query.strip().lower() in _NUMBERS:
        return []
    name, matchers = match.groups(default="")
    pairs = [("__name__", "=", name)] if name else []
    pairs += [(label, how, _ESCAPED.sub(r"\1", text)) for label, how, text in re.findall(_PAIR, matchers)]
    fits: dict[str, Callable[[str, str], bool]] = {
        "=": lambda meant, found: meant == found,
        "!=": lambda meant, found: meant != found,
        "=~": lambda meant, found: re.fullmatch(meant, found) is not None,
        "!~": lambda meant, found: re.fullmatch(meant, found) is None,
    }
    return [(label, f'{how}"{meant}"', partial(fits[how], meant)) for label, how, meant in pairs]


def _unusable(answer: Any, latest: float, skew: float) -> str:
    if "error" in answer:
        return f"Prometheus could not be asked: {answer['error']}"
    if "body" not in answer:
        return f"HTTP {answer['status']} and not JSON: {str(answer['text'])[:_SHOWN]!r}"
    body = answer["body"]
    if body.get("status") != "success" or answer["status"] != 200:  # noqa: PLR2004 - HTTP's number for it
        return f"HTTP {answer['status']}, {body.get('errorType', 'no error type')}: {body.get('error', body)}"
    if latest > answer["asked"] + 0.001:  # questions are rounded to the millisecond
        return f"asked at {clock(answer['asked'])} about {clock(latest)}, which had not happened yet"
    if date := answer.get("date"):
        off = email.utils.parsedate_to_datetime(date).timestamp() + 0.5 - answer["answered"]
        if abs(off) > skew + 0.5:  # the header has whole seconds
            return f"Prometheus's clock is {off:+.0f} s off ours: its samples belong to another window"
    return ""


def _tracks(query: str, data: Any, kind: str) -> tuple[Track, ...] | Failed:
    got, result = data["resultType"], data["result"]
    if (kind, got) == ("vector", "scalar"):
        got, result = "vector", [{"metric": {}, "value": result}]
    if got != kind:
        return Failed(query, f"the answer is a {got} where a {kind} was asked for")
    tracks = []
    for each in result:
        if "histogram" in each or "histograms" in each:
            return Failed(query, "the answer is a histogram and not a number; ask for one of its quantiles")
        pairs = [each["value"]] if kind == "vector" else each["values"]
        points = tuple(Point(float(time), float(value)) for time, value in pairs)
        if not points or any(a.time >= b.time for a, b in itertools.pairwise(points)):
            raise ValueError("a series without points, or with points out of order")
        tracks.append(Track({str(key): str(value) for key, value in each["metric"].items()}, points))
    return tuple(tracks)


def one(query: str, tracks: Sequence[Track]) -> Track | Empty | Several:
    """Return the only series there is."""
    match tracks:
        case [track]:
            return track
        case []:
            return Empty(query, "no such series")
        case _:
            return Several(query, f"{len(tracks)} series where one was meant: {named(tracks)}")


def named(tracks: Sequence[Track]) -> str:
    """Name the first few of several series."""
    shown = [str(track) for track in tracks[:_NAMED]]
    return ", ".join(shown + (["…"] if len(tracks) > _NAMED else []))


def not_numbers(points: Sequence[Point], among: str) -> str:
    """Say how many points are no numbers, and since when; empty if all are."""
    bad = [point for point in points if not math.isfinite(point.value)]
    if not bad:
        return ""
    kinds = "/".join(sorted({str(point.value) for point in bad}))
    return f"{len(bad)} {among} are no numbers ({kinds}), the first at {clock(bad[0].time)}"


def holes(points: Sequence[Point], window: Window, scrape: float) -> list[str]:
    """Say where raw samples are missing: at either end of the window, or two scrapes in a row within.

    One lost scrape is forgiven: a target that is down leaves a sample that says so,
    and what a counter did in between is in its next sample.
    """
    if not points:
        return ["no raw samples"]
    found = []
    if (late := points[0].time - window.start) > 2 * scrape:
        found.append(f"the first raw sample is {late:.1f} s after the window's start")
    found.extend(
        f"no raw sample between {clock(a.time)} and {clock(b.time)}"
        for a, b in itertools.pairwise(points)
        if b.time - a.time > 2.5 * scrape
    )
    if (early := window.end - points[-1].time) > 2 * scrape:
        found.append(f"the last raw sample is {early:.1f} s before the window's end")
    return found


def resets(points: Sequence[Point]) -> list[str]:
    """Say where a counter fell: its process started anew, and what it had counted since is lost."""
    return [
        f"the counter was reset: {a.value:g} at {clock(a.time)}, {b.value:g} at {clock(b.time)}"
        for a, b in itertools.pairwise(points)
        if b.value < a.value
    ]
