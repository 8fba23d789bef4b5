"""What people and programs read when a run is over: ``verdict.json``, ``report.html``, blocks of text."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, NamedTuple

import jinja2

from ..figures import duration, gibibytes, quantity
from ..loads import Figures, Found
from ..record import Run
from ..verdicts import Exhibit, Finding, Judged, Listing, Verdict, Whole
from . import plots

SCHEMA = 2
"""Version of docs/verdict.schema.json that :func:`document` follows; what readers stumble over raises it."""
QUICK_NOTE = "quick profile: not evidence"

MEANING = {
    Verdict.PASS: "measured, and within its limit",
    Verdict.CONDITIONAL: "within its limit, but over its budget",
    Verdict.INCONCLUSIVE: "not known: the evidence can't carry a verdict. This is never a pass",
    Verdict.FAIL: "measured, and not within its limit",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that is known when a run is over.

    Attributes:
        run: the run.
        judged: every criterion, in the order of the report.
        whole: what they roll up to.
        finished: when it was over.
        failures: ordinary tests of the session that failed.
        troubles: what else went wrong in the session.
        exhibits: criterion id to the samples that it was judged by.
        listings: criterion id to what else is to be shown with it.
        figures: what people look for of each load, by which nothing is judged.
    """

    run: Run
    judged: tuple[Judged, ...]
    whole: Whole
    finished: dt.datetime
    failures: tuple[str, ...] = ()
    troubles: tuple[str, ...] = ()
    exhibits: Mapping[str, Sequence[Exhibit]] = field(default_factory=dict)
    listings: Mapping[str, Sequence[Listing]] = field(default_factory=dict)
    figures: tuple[Figures, ...] = ()

    @property
    def note(self) -> str:
        """What has to be said wherever the verdict is; empty if nothing."""
        return QUICK_NOTE if self.run.quick else ""

    @property
    def started(self) -> dt.datetime:
        """When the run began."""
        return dt.datetime.fromisoformat(str(self.run.evidence.run["started"]))


def figure(finding: Finding) -> str:
    """Show a finding's value, with its interval unless it is known exactly."""
    known = interval(finding)
    if finding.value is None and known:
        return known
    return quantity(finding.value, finding.unit) + (f" ({known})" if known else "")


def interval(finding: Finding) -> str:
    """Show between which ends a number lies; empty if it is known exactly, or not at all."""
    return between(finding.interval, finding.unit)


def between(ends: tuple[float, float] | None, unit: str) -> str:
    """Show an interval; empty if its ends are one, or there is none.

    >>> between((20.0, 50.0), "ms"), between((20.0, math.inf), "ms"), between((20.0, 20.0), "ms")
    ('20 to 50 ms', '>= 20 ms', '')
    """
    if ends is None or ends[0] == ends[1]:
        return ""
    lo, hi = ends
    if math.isinf(hi):
        return "not bounded" if math.isinf(lo) else f">= {quantity(lo, unit)}"
    if math.isinf(lo):
        return f"<= {quantity(hi, unit)}"
    return f"{quantity(lo, '')} to {quantity(hi, unit)}"


class Cell(NamedTuple):
    """A figure as people read it.

    Attributes:
        text: the number, or how far it is known, or that it is absent; empty where it was not asked.
        besides: between which ends it lies, or why it is absent; empty if there is nothing to say.
        absent: whether nothing is known of it.
    """

    text: str = ""
    besides: str = ""
    absent: bool = False

    @classmethod
    def of(cls, found: Found | None) -> Cell:
        """Show a figure."""
        if found is None:
            return cls()
        unit = found.unit.symbol
        known = between(found.interval, unit)
        if found.value is not None:
            return cls(quantity(found.value, unit), known)
        return cls(known) if known else cls("absent", found.reason, absent=True)


@dataclass(frozen=True, slots=True)
class Sheet:
    """The figures of one load as a table.

    Attributes:
        load: its name.
        columns: the parts of the system that they are of; the empty one is all of it.
        rows: each name, with what was found in each column.
    """

    load: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]

    @classmethod
    def of(cls, figures: Figures) -> Sheet:
        """Lay them out, in their own order."""
        columns = tuple(dict.fromkeys(one.of for one in figures.found))
        cells = {(one.name, one.of): one for one in figures.found}
        names = dict.fromkeys(one.name for one in figures.found)
        rows = tuple((name, tuple(Cell.of(cells.get((name, of))) for of in columns)) for name in names)
        return cls(figures.load, columns, rows)


@dataclass(frozen=True, slots=True)
class Note:
    """A doubt that is said once, with the criteria that name it.

    Attributes:
        number: that they name it by.
        text: what it says.
        instrument: whose trouble it is; empty if nobody's.
        criteria: their ids.
    """

    number: int
    text: str
    instrument: str
    criteria: tuple[str, ...]


def notes(judged: Sequence[Judged]) -> dict[str, Note]:
    """Return, by their text, the doubts that leave the verdict of several criteria open."""
    found: dict[str, list[tuple[str, str]]] = {}
    for one in judged:
        if doubt := one.finding.doubt:
            found.setdefault(doubt.text, []).append((one.criterion.id, doubt.instrument))
    several = {text: named for text, named in found.items() if len(named) > 1}
    return {
        text: Note(number, text, named[0][1], tuple(name for name, _ in named))
        for number, (text, named) in enumerate(several.items(), start=1)
    }


def reason(finding: Finding, known: Mapping[str, Note]) -> str:
    """Return why a finding has its verdict; a doubt that is said elsewhere is only named."""
    note = known.get(finding.doubt.text) if finding.doubt else None
    return finding.told(f"doubt {note.number}") if note else finding.sentence


def instant(moment: dt.datetime) -> str:
    """Show a moment in UTC, whatever the zone of the machine that reads it.

    >>> instant(dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC))
    '2026-01-02 03:04:05 UTC'
    """
    return f"{moment.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC"


def document(outcome: Outcome) -> dict[str, Any]:
    """Return what goes into ``verdict.json``, in the form of docs/verdict.schema.json."""
    run, whole = outcome.run, outcome.whole
    return {
        "schema": SCHEMA,
        "run_id": run.run_id,
        "profile": run.profile,
        "backend": run.backend,
        "verdict": str(whole.run),
        "summary": f"{whole} ({outcome.note})" if outcome.note else str(whole),
        "note": outcome.note,
        "started": outcome.started.isoformat(timespec="seconds"),
        "finished": outcome.finished.isoformat(timespec="seconds"),
        "manifest": run.evidence.digest,
        "requirements": [one.to_json() for one in whole.requirements],
        "asrs": {name: str(verdict) for name, verdict in whole.asrs.items()},
        "experiments": {name: str(verdict) for name, verdict in whole.experiments.items()},
        "failures": list(outcome.failures),
        "troubles": list(outcome.troubles),
        "doubts": [dataclasses.asdict(note) for note in notes(outcome.judged).values()],
        "figures": [each.to_json() for each in outcome.figures],
        "criteria": [_entry(judged) for judged in outcome.judged],
    }


def _entry(judged: Judged) -> dict[str, Any]:
    criterion = judged.criterion
    return {
        "id": criterion.id,
        "experiment": criterion.experiment,
        **judged.finding.to_json(),
        "asr": criterion.asr,
        "counts_as": str(judged.counts_as),
        "criterion": criterion.sentence,
        "test": criterion.test,
        "evidence": list(judged.evidence),
        "findings": [finding.to_json() for finding in judged.findings],
    }


def block(judged: Judged, run: Run) -> str:
    """Return a criterion and why it got its verdict, as the few lines that a terminal shows."""
    finding, criterion = judged.finding, judged.criterion
    rows = [
        ("criterion", criterion.sentence or criterion.id),
        ("value", figure(finding)),
        ("limit", finding.limit),
        ("rests on", f"{finding.samples} {finding.counted}" if finding.samples else ""),
        ("query", finding.query),
        ("reason", finding.reason),
        ("in doubt", finding.doubt.text if finding.doubt else ""),
        ("otherwise", finding.otherwise),
        ("decides", finding.decides),
        ("evidence", "\n".join(str(run.directory / path) for path in judged.evidence) or str(run.directory)),
        ("judge again", f"pytest --judge {run.directory}"),
    ]
    others = [
        other for other in judged.findings if other is not finding and other.verdict > Verdict.CONDITIONAL
    ]
    rows[9:9] = [("also", f"{other.verdict}: {other.sentence}") for other in others]
    lines = [f"{finding.verdict}  {criterion.id}"]
    for label, text in rows:
        if text:
            first, *rest = text.splitlines()
            lines.append(f"  {label + ':':<13}{first}")
            lines.extend(f"  {'':<13}{line}" for line in rest)
    return "\n".join(lines)


def html(outcome: Outcome) -> str:
    """Return the report as one self-contained page for people who have never seen the project."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(__package__ or "harness"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["instant"] = instant
    environment.filters["duration"] = duration
    requirements = {one.name: one for one in outcome.whole.requirements}
    groups = [
        (
            asr,
            requirements.get(asr),
            [(name, list(rows)) for name, rows in groupby(members, _experiment)],
        )
        for asr, members in groupby(outcome.judged, lambda judged: judged.criterion.asr)
    ]
    return environment.get_template("report.html.j2").render(
        outcome=outcome,
        run=outcome.run,
        facts=_facts(outcome.run.evidence.run),
        groups=groups,
        anchors={judged.criterion.id: f"criterion-{number}" for number, judged in enumerate(outcome.judged)},
        counts={verdict: sum(j.verdict is verdict for j in outcome.judged) for verdict in Verdict},
        meaning=MEANING,
        quantity=quantity,
        figure=figure,
        reason=reason,
        sheets=[Sheet.of(each) for each in outcome.figures],
        notes=notes(outcome.judged),
        undrawn="" if plots.available() else plots.MISSING,
        plots={
            judged.criterion.id: [
                (plot.title, plot.svg)
                for plot in plots.draw(
                    f"plot{number}",
                    outcome.exhibits.get(judged.criterion.id, ()),
                    outcome.listings.get(judged.criterion.id, ()),
                )
            ]
            for number, judged in enumerate(outcome.judged)
        },
        listings=outcome.listings,
    )


def _experiment(judged: Judged) -> str:
    return judged.criterion.experiment


def _facts(description: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Flatten what the run's description says of machine, versions and commit into label and text."""
    found: dict[str, str] = {}
    chosen = (
        description if prefix else {k: description.get(k) for k in ("machine", "versions", "git", "command")}
    )
    for label, value in chosen.items():
        if isinstance(value, Mapping):
            found.update(_facts(value, f"{prefix}{label} "))
        elif isinstance(value, (list, tuple)):
            found[f"{prefix}{label}"] = " ".join(map(str, value))
        elif label == "memory" and isinstance(value, int):
            found[f"{prefix}{label}"] = gibibytes(value)
        elif value not in (None, ""):
            found[f"{prefix}{label}"] = str(value)
    return found
