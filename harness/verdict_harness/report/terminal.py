"""The table at the end of a session: criteria, verdicts, and where the evidence lies."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..processes import progress
from ..verdicts import Comparison, Judged, Verdict
from .page import Outcome, Sheet, figure, notes, reason

LEAST_WIDTH = 100
_LONG = 30
COLOURS = {
    Verdict.PASS: "green",
    Verdict.CONDITIONAL: "yellow",
    Verdict.INCONCLUSIVE: "magenta",
    Verdict.FAIL: "red",
}


def render(renderable: RenderableType, *, width: int, colour: bool) -> str:
    """Return ``renderable`` as text of at most ``width`` columns, with ANSI colours if ``colour``."""
    stream = io.StringIO()
    console = Console(
        file=stream,
        width=width,
        force_terminal=colour,
        no_color=not colour,
        color_system="standard" if colour else None,
        legacy_windows=False,
        emoji=False,
        highlight=False,
        markup=False,
    )
    console.print(renderable)
    # Cells are padded to their column; nobody wants the blanks at the ends of lines in a log.
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


class Beside:
    """Hooks of a pytest plugin: progress is not written into the lines that pytest leaves unfinished."""

    def pytest_runtest_logstart(self) -> None:
        """Pytest has named a file."""
        progress.beside()

    def pytest_runtest_logreport(self) -> None:
        """Pytest has shown an outcome."""
        progress.beside()


class Block:
    """What is shown of a test in place of a traceback, shaped as pytest's own representations are.

    Args:
        text: the lines.
        message: the one line that goes into summaries.
        traceback: one of pytest's representations, where Python's own words help too.
    """

    def __init__(self, text: str, message: str, traceback: object = None) -> None:
        self._text = text
        self._traceback = traceback
        self.reprcrash = SimpleNamespace(message=message, path="", lineno=0)

    def __str__(self) -> str:
        return f"{self._text}\n\n{self._traceback}" if self._traceback else self._text

    def toterminal(self, writer: Any) -> None:
        """Write to pytest's terminal writer."""
        for number, line in enumerate(self._text.splitlines()):
            writer.line(line, bold=number == 0)
        if self._traceback:
            writer.line("")
            show = getattr(self._traceback, "toterminal", None)
            show(writer) if show else writer.line(str(self._traceback))


def summary(outcome: Outcome, report: Path | str, comparison: Comparison | None) -> Group:
    """Return everything that a session says at its end.

    Args:
        outcome: the run.
        report: the HTML report, or why there is none; empty if none was meant to be.
        comparison: on replay, the recorded verdict beside the one found now.
    """
    whole, run = outcome.whole, outcome.run
    verdicts = Table.grid(padding=(0, 2))
    for one in whole.requirements:
        said = str(one).removeprefix(f"{one.name}: ")
        verdicts.add_row(Text(one.name), Text(said, style=f"bold {COLOURS[one.verdict]}"))
    verdicts.add_row(Text("run", style="bold"), word(whole.run))
    places = Table.grid(padding=(0, 2))
    if outcome.note:
        places.add_row("note", Text(outcome.note, style="bold yellow"))
    for trouble in (*outcome.failures, *outcome.troubles):
        places.add_row("trouble", Text(trouble, style="red"))
    if comparison:
        places.add_row("replay", Text(str(comparison), style="bold" if comparison.same else "bold red"))
        for difference in (*comparison.damage, *comparison.differences):
            places.add_row("", Text(str(difference)))
        for note in comparison.notes:
            places.add_row("note", Text(note))
    places.add_row("evidence", _path(run.directory))
    if run.evidence.digest:
        places.add_row("manifest", Text(f"sha256 {run.evidence.digest}"))
    if report:
        places.add_row("report", _path(report) if isinstance(report, Path) else Text(report, style="red"))
    if not run.replaying:
        places.add_row("judge again", Text.assemble("pytest --judge ", _path(run.directory)))
    # those of several loads are too many for a terminal: the report has them
    sheets = [_figures(Sheet.of(each)) for each in outcome.figures] if len(outcome.figures) == 1 else []
    return Group(*sheets, table(outcome), _reasons(outcome), verdicts, "", places)


def _figures(sheet: Sheet) -> Group:
    """Return the figures of a load, and below them why some are absent."""
    grid = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    grid.add_column(Text(sheet.load), overflow="fold")
    absent: dict[str, list[str]] = {}
    for of in sheet.columns:
        grid.add_column(Text(of or "in all"), justify="right", overflow="fold")
    for name, cells in sheet.rows:
        grid.add_row(Text(name), *(Text(one.text) for one in cells))
        for of, one in zip(sheet.columns, cells, strict=True):
            if one.absent:
                absent.setdefault(one.besides, []).append(f"{name} {of}".strip())
    why = [Text.assemble(("absent", "bold"), f" {_first(who)}: {text}") for text, who in absent.items()]
    return Group(grid, *why, *([""] if why else []))


def _first(names: list[str]) -> str:
    """Name the first few.

    >>> _first(list("abcde")), _first(["a"])
    ('a, b and 3 others', 'a')
    """
    few = 2
    others = f" and {len(names) - few} others" if len(names) > few + 1 else ""
    return ", ".join(names[:few] if others else names) + others


def table(outcome: Outcome) -> Table:
    """Return the table of criteria, a line between requirements."""
    grid = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    grid.add_column("criterion", overflow="fold")
    for heading in ("value", "limit"):
        grid.add_column(heading, overflow="fold", justify="right")
    grid.add_column("n", justify="right", no_wrap=True)
    grid.add_column("verdict", no_wrap=True)
    grid.add_column("evidence", overflow="fold")
    previous: Judged | None = None
    for judged in outcome.judged:
        if previous and previous.criterion.experiment != judged.criterion.experiment:
            grid.add_section()
        previous = judged
        finding = judged.finding
        grid.add_row(
            Text(judged.criterion.id),
            Text(figure(finding)),
            Text(finding.limit),
            Text(str(finding.samples) if finding.samples else ""),
            word(judged.verdict),
            Text(_short(judged.evidence)),
        )
    return grid


def _reasons(outcome: Outcome) -> Group:
    """One line for each criterion that did not pass, and for each doubt that several share."""
    lines: list[RenderableType] = []
    known = notes(outcome.judged)
    for judged in outcome.judged:
        if judged.verdict is not Verdict.PASS:
            why = (reason(judged.finding, known).splitlines() or [""])[0]
            line = Text.assemble((judged.criterion.id, "bold"), " ", word(judged.verdict), f" {why}")
            if judged.counts_as is not judged.verdict:
                line.append(f" (counts as {judged.counts_as})")
            lines.append(line)
    lines += [Text.assemble((f"doubt {note.number}", "bold"), f" {note.text}") for note in known.values()]
    return Group(*lines, *([""] if lines else []))


def _short(paths: tuple[str, ...]) -> str:
    """Return the first path and how many more there are; a long one as a pattern that a shell expands.

    >>> _short(("facts/range-me-match-duration-p99-30s-by-shard-d4dd747c.json", "facts/b.json"))
    'facts/*-d4dd747c.json (+1)'
    >>> _short(())
    ''
    """
    if not paths:
        return ""
    first = paths[0]
    if len(first) > _LONG:
        folder, _, name = first.rpartition("/")
        first = f"{folder}/*-{name.rpartition('-')[2]}"
    return first + (f" (+{len(paths) - 1})" if len(paths) > 1 else "")


def word(verdict: Verdict) -> Text:
    """Return the verdict in its colour."""
    return Text(str(verdict), style=f"bold {COLOURS[verdict]}")


def _path(path: Path) -> Text:
    """Return ``path`` as short as it can be typed from here."""
    with contextlib.suppress(ValueError, OSError):
        path = path.relative_to(Path.cwd())
    return Text(str(path), overflow="fold")
