"""Drawings of judged series for the report: inline SVG that follows the page's light or dark colours."""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ..samples import Estimate, Point, Quantity, Series, Unit, Windows, ratio
from ..verdicts import AtLeast, Below, Budget, Exhibit, Listing, Within

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Colours that stand for the page's own (see the template's :root); replaced after drawing.
_INK, _LINE, _FAIL, _CONDITIONAL, _SHADE = "#010101", "#020202", "#030303", "#040404", "#050505"
_PAGE = {
    _INK: "var(--muted)",
    _LINE: "var(--line)",
    _FAIL: "var(--fail)",
    _CONDITIONAL: "var(--conditional)",
    _SHADE: "var(--shade)",
}
_TIME = "seconds since the load began"
_WIDTH, _HEIGHT = 5.4, 2.1  # inches
_NUMBERED = re.compile(r"(\d+(?:\.\d+)?) (\S.*)")
_SHAPES = ("o", "s", "^", "D")
_LOG_FROM = 8.0  # a limit so many times above the values would press them flat on a linear axis


@dataclass(frozen=True, slots=True)
class Plot:
    """One drawing: a title as plain text and an ``<svg>`` element."""

    title: str
    svg: str


@dataclass(frozen=True, slots=True)
class _Chart:
    """What one drawing shows, in the unit that it is shown in."""

    title: str
    unit: str
    points: list[tuple[float, float]]
    limits: list[tuple[str, float, str]]
    warm_up: float
    across: str = _TIME
    spans: Sequence[tuple[float, float, float]] = ()

    @property
    def of_time(self) -> bool:
        """Whether it shows one thing over time, and not several that differ by a number."""
        return self.across == _TIME


#: What the report says where the library that draws is not installed.
MISSING = (
    "Nothing is drawn here: matplotlib is not installed. "
    "To have drawings: pip install 'verdict-harness[plots]'"
)


def available() -> bool:
    """Return whether drawings can be made; what they need comes with the extra ``plots``."""
    return find_spec("matplotlib") is not None


def draw(name: str, exhibits: Sequence[Exhibit], listings: Sequence[Listing] = ()) -> list[Plot]:
    """Draw series, and windows with their intervals, as small multiples that share their axis of values.

    Single values whose labels are numbers of the same thing, such as ``"100 users"`` and ``"1000 users"``,
    are drawn in one, against those numbers.

    Args:
        name: unique in the page; it keeps the ids of one drawing from meeting another's.
        exhibits: what one criterion was judged by; what can't be drawn is left out, and all if nothing can.
        listings: what else is to be shown with it; those without marks are left out.
    """
    if not available():
        return []
    charts = [
        _chart(exhibit, exhibit.sample)
        for exhibit in exhibits
        if isinstance(exhibit.sample, Series | Windows)
    ]
    charts = [chart for chart in charts if chart.points]
    charts += _against(exhibits)
    values = [value for chart in charts for _, value in chart.points]
    marks = [value for chart in charts for _, value, _ in chart.limits]
    return [
        Plot(chart.title, _svg(chart, values, marks, f"{name}-{number}"))
        for number, chart in enumerate(charts)
    ] + [
        Plot(listing.title, _marked(listing, f"{name}-listing-{number}"))
        for number, listing in enumerate(listings)
        if listing.marks
    ]


def _chart(exhibit: Exhibit, sample: Series | Windows) -> _Chart:
    spans: list[tuple[float, float, float]] = []
    if isinstance(sample, Series):
        points = sample.points
    else:  # each part where it ends; one without a value as low as it may be
        points = tuple(Point(part.at, part.lo if part.value is None else part.value) for part in sample.parts)
        spans = [(part.at, part.lo, part.hi) for part in sample.parts if part.lo < part.hi]
    quantities = list(_limits(exhibit.expectation))
    unit = quantities[0][0].unit if quantities else Unit("", ratio.scale, "")
    origin, begin = _start(exhibit, points[0].time if points else 0.0)
    return _Chart(
        title=exhibit.label or "over the load",
        unit=unit.symbol,
        points=[(point.time - origin, unit.of(point.value)) for point in points],
        spans=[(at - origin, unit.of(lo), unit.of(hi)) for at, lo, hi in spans],
        limits=[(str(limit).strip(), unit.of(limit.base), colour) for limit, colour in quantities],
        warm_up=begin - origin,
    )


def _against(exhibits: Sequence[Exhibit]) -> Iterator[_Chart]:
    """Values against the numbers that their labels begin with, if there are several of the same thing."""
    found: dict[str, list[tuple[float, Exhibit]]] = {}
    for exhibit in exhibits:
        numbered = _NUMBERED.fullmatch(exhibit.label)
        if numbered and isinstance(exhibit.sample, Estimate):
            found.setdefault(numbered[2], []).append((float(numbered[1]), exhibit))
    for across, members in found.items():
        if len(members) > 1:
            quantities = list(_limits(members[0][1].expectation))
            unit = quantities[0][0].unit if quantities else Unit("", ratio.scale, "")
            yield _Chart(
                title=f"against {across}",
                unit=unit.symbol,
                points=sorted(
                    (x, unit.of(one.sample.value))
                    for x, one in members
                    if isinstance(one.sample, Estimate) and one.sample.value is not None
                ),
                limits=[(str(limit).strip(), unit.of(limit.base), colour) for limit, colour in quantities],
                warm_up=0.0,
                across=across,
            )


def _limits(expectation: object) -> Iterator[tuple[Quantity, str]]:
    """The lines that a series is not meant to cross, with their colours."""
    match expectation:
        case Below() | AtLeast():
            yield expectation.limit, _FAIL
            if expectation.conditional is not None:
                yield expectation.conditional, _CONDITIONAL
        case Budget():
            yield expectation.budget.times(expectation.conditional_factor), _FAIL
            yield expectation.budget.times(expectation.pass_factor), _CONDITIONAL
        case Within():
            for sign in (-1, 1):
                edge = expectation.centre.base + sign * expectation.tolerance.base
                yield Quantity(edge, expectation.centre.unit), _FAIL


def _start(exhibit: Exhibit, first: float) -> tuple[float, float]:
    """Return when the load began and when its judged window began; the first point if no load says."""
    found = [(first, first)]
    for load in exhibit.loads:
        started = getattr(load, "began", getattr(load, "started", None))
        begin = getattr(getattr(load, "window", None), "start", None)
        if isinstance(started, (int, float)) and isinstance(begin, (int, float)) and started <= first:
            found.append((float(started), max(float(begin), float(started))))
    # of several, such as a warm-up and the load itself, the one that was on
    return max(found[1:] or found)


def _svg(chart: _Chart, values: Sequence[float], marks: Sequence[float], name: str) -> str:
    def paint(axes: Axes) -> None:
        _paint(axes, chart)
        _scale(axes, values, marks)

    return _drawn(paint, name, chart.title)


def _marked(listing: Listing, name: str) -> str:
    """Draw what a listing marks: one shape for each series, hollow where it was not met."""

    def paint(axes: Axes) -> None:
        finite = [mark.y for mark in listing.marks if math.isfinite(mark.y)]
        top = 1.5 * max(finite, default=1.0)  # where what nothing bounds is drawn
        for series, shape in zip(dict.fromkeys(mark.series for mark in listing.marks), _SHAPES, strict=False):
            for good, fill in ((True, _LINE), (False, "none")):
                chosen = [mark for mark in listing.marks if mark.series == series and mark.good is good]
                said = series if good else f"{series}, not sustained"
                axes.plot(
                    [mark.x for mark in chosen],
                    [min(mark.y, top) for mark in chosen],
                    shape,
                    color=_LINE if good else _FAIL,
                    markerfacecolor=fill,
                    markersize=4.5,
                    label=said if chosen else None,
                )
        if min(finite, default=0.0) > 0:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter("")
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, labelcolor=_INK)
        _dress(axes, listing.across, listing.up)

    return _drawn(paint, name, listing.title)


def _drawn(paint: Callable[[Axes], None], name: str, title: str) -> str:
    # Imported here: it takes most of a second, and most sessions draw nothing.
    import matplotlib as mpl  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    with mpl.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a glyph without metrics must not cost a report
        mpl.rcParams["svg.fonttype"] = "none"
        mpl.rcParams["svg.hashsalt"] = name
        mpl.rcParams["text.parse_math"] = False  # a $ in a query is a $
        mpl.rcParams["font.size"] = 8.5
        figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
        paint(figure.add_subplot())
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _inline(buffer.getvalue(), name, title)


def _paint(axes: Axes, chart: _Chart) -> None:
    if chart.warm_up > 0:
        axes.axvspan(0, chart.warm_up, color=_SHADE, linewidth=0)
        axes.annotate(
            "warm-up",
            (chart.warm_up / 2, 0.06),
            xycoords=("data", "axes fraction"),
            rotation=90,
            ha="center",
            va="bottom",
            color=_INK,
            fontsize=7.5,
        )
    times, values = zip(*chart.points, strict=True)
    axes.plot(
        times, values, color=_LINE, linewidth=1.6, marker="" if chart.of_time and len(times) > 1 else "o"
    )
    top = max(
        [*values, *(mark for _, mark, _ in chart.limits), *(hi for *_, hi in chart.spans if hi < math.inf)]
    )
    for at, lo, hi in chart.spans:  # what nothing bounds reaches to the top of all that is drawn
        axes.vlines(at, max(lo, min(0.0, *values)), min(hi, top), color=_LINE, linewidth=1.1, alpha=0.6)
    for text, value, colour in chart.limits:
        axes.axhline(value, color=colour, linewidth=1.1, linestyle=(0, (4, 2)))
        axes.annotate(
            text,
            (1.01, value),
            xycoords=("axes fraction", "data"),
            va="center",
            color=colour,
            annotation_clip=False,
        )
    if chart.of_time:
        axes.set_xlim(0, max(times[-1], chart.warm_up, 1))
    elif times[0] > 0 and times[-1] > _LOG_FROM * times[0]:
        axes.set_xscale("log")
        axes.set_xticks(times, [f"{x:g}" for x in times])
        axes.xaxis.set_minor_formatter("")
    _dress(axes, chart.across, chart.unit)


def _dress(axes: Axes, across: str, up: str) -> None:
    axes.set_xlabel(across, color=_INK)
    axes.set_ylabel(up, color=_INK)
    axes.tick_params(which="both", colors=_INK, length=2.5)
    axes.grid(visible=True, axis="y", color=_INK, alpha=0.18, linewidth=0.6)
    for side, spine in axes.spines.items():
        spine.set_visible(side in {"left", "bottom"})
        spine.set_color(_INK)
        spine.set_alpha(0.5)


def _scale(axes: Axes, values: Sequence[float], marks: Sequence[float]) -> None:
    low, high = min(values), max([*values, *marks])
    if low > 0 and marks and max(marks) > _LOG_FROM * max(values):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("")
        axes.set_ylim(10 ** math.floor(math.log10(min([low, *marks]))), high * 2)
    else:
        axes.set_ylim(min(0, low * 1.05), high * 1.12 or 1)


def _inline(svg: str, name: str, title: str) -> str:
    """Make of a whole SVG file an element of a page: unique ids, the page's colours, no fixed size."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = svg.replace("url(#", f"url(#{name}-").replace('href="#', f'href="#{name}-')
    for colour, variable in _PAGE.items():
        svg = svg.replace(colour, variable)
    label = "".join(letter for letter in title if letter not in "<>&\"'")
    return re.sub(
        r'<svg [^>]*?(viewBox="[^"]*")[^>]*>',
        lambda found: (
            f'<svg xmlns:xlink="http://www.w3.org/1999/xlink" {found[1]} role="img" aria-label="{label}">'
        ),
        svg,
        count=1,
    )
