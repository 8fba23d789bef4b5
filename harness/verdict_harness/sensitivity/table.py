"""The table of what a gate notices, as Markdown: what was seen, what was missed, what nobody has proved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..figures import duration, gibibytes
from ..record import write_atomic
from ..verdicts import Table, Verdict
from .campaign import told
from .defect import Defect
from .records import Origin, Record, Records
from .seeing import Outcome
from .sound import alarms

_HEAD = """\
# Sensitivity

Defects were planted in a copy of the project, one at a time, and the gate was run on it. Written by
`python -m verdict_harness.sensitivity PACKAGE --table FILE`: what it says was seen, and nothing else.
"""
_COLUMNS = "| defect | kind | has to turn | seen | noticed after |\n|---|---|---|---|---|"


@dataclass(frozen=True, slots=True)
class _Row:
    defect: Defect
    record: Record | None

    @property
    def caught(self) -> Record | None:
        """What proves something: seen of what is there now, and caught."""
        record = self.record
        good = record and record.current and record.seen.outcome is Outcome.CAUGHT
        return record if good else None


def unnamed(defects: Sequence[Defect], table: Table) -> list[str]:
    """Return the criteria of all requirements that no defect has to turn, in the order of the table.

    >>> d = Defect("dear", "shop", "It is dear.", (), "", fails=["S.price"], holds=["S.wait"])
    >>> unnamed([d], {"The shop": ("S.price", "S.wait")})
    ['S.wait']
    """
    named = {name for defect in defects for name in (*defect.fails, *defect.turns)}
    return [name for ids in table.values() for name in dict.fromkeys(ids) if name not in named]


def unproven(defects: Sequence[Defect], records: Records, table: Table) -> list[str]:
    """Return the criteria of all requirements that no defect which was caught has seen FAIL."""
    caught = [one for one in (_Row(defect, records.of(defect)).caught for defect in defects) if one]
    failed = {name for one in caught for name, said in one.seen.verdicts.items() if said == str(Verdict.FAIL)}
    return [name for ids in table.values() for name in dict.fromkeys(ids) if name not in failed]


def write(path: Path, defects: Sequence[Defect], records: Records, table: Table) -> None:
    """Write :func:`render` to a file.

    Raises:
        EvidenceError: if it can't be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, render(defects, records, table).encode())


def render(defects: Sequence[Defect], records: Records, table: Table) -> str:
    """Return the whole page.

    Args:
        defects: all that there are, run or not.
        records: what was seen of them.
        table: the criteria of each requirement.
    """
    rows = [_Row(defect, records.of(defect)) for defect in defects]
    return "\n".join(
        [*_top(rows, records), *_rows(rows, records), *_open(rows), *_lacks(rows, records, table)]
    )


def _top(rows: Sequence[_Row], records: Records) -> Iterator[str]:
    yield _HEAD
    yield (
        f"Of commit {_commit(records.now)}, on {_machine(records.now)}. "
        "What was seen elsewhere, or of other source, says so.\n"
    )
    states = [_state(row) for row in rows]
    counts = [f"{states.count(state)} {state}" for state in dict.fromkeys([*map(str, Outcome), *states])]
    yield f"{len(rows)} defects: {', '.join(counts)}.\n"


def _state(row: _Row) -> str:
    if row.record is None:
        return "not run"
    return str(row.record.seen.outcome) if row.record.current else "seen of other source only"


def _rows(rows: Sequence[_Row], records: Records) -> Iterator[str]:
    yield _COLUMNS
    for row in rows:
        defect, record = row.defect, row.record
        expected = [*(f"{name} FAIL" for name in defect.fails), *defect.turns]
        noticed = record.seen.noticed if record else None
        cells = (
            f"`{defect.name}`: {defect.story}",
            defect.kind,
            ", ".join(expected),
            _seen(row, records),
            "\N{EN DASH}" if noticed is None else duration(noticed),
        )
        yield f"| {' | '.join(map(_cell, cells))} |"
    yield ""


def _seen(row: _Row, records: Records) -> str:
    defect, record = row.defect, row.record
    if record is None:
        return "**not run**"
    names = [name for name in (*defect.fails, *defect.turns) if name in record.seen.verdicts]
    verdicts = ", ".join(f"{name} {record.seen.verdicts[name]}" for name in names)
    caught, broke = (record.seen.outcome is one for one in (Outcome.CAUGHT, Outcome.BROKEN))
    parts = [
        str(record.seen.outcome) if caught else f"**{record.seen.outcome}**",
        told(record.seen) if broke else verdicts,
    ]
    if not record.current:
        parts.append(f"of other source, commit {_commit(record.origin)}")
    if record.origin.machine != records.now.machine:
        parts.append(f"on {_machine(record.origin)}")
    return "; ".join(parts)


def _open(rows: Sequence[_Row]) -> Iterator[str]:
    yield "## Open: defects that nothing catches\n"
    missed = [row for row in rows if row.record and row.record.seen.outcome is Outcome.MISSED]
    yield from _list(f"`{row.defect.name}`: {told(row.record.seen)}" for row in missed if row.record)
    yield "## Broken: nothing is known of these\n"
    broken = [row for row in rows if row.record and row.record.seen.outcome is Outcome.BROKEN]
    yield from _list(f"`{row.defect.name}`: {told(row.record.seen)}" for row in broken if row.record)


def _lacks(rows: Sequence[_Row], records: Records, table: Table) -> Iterator[str]:
    defects = [row.defect for row in rows]
    yield "## Unproven: criteria that no defect has failed\n"
    nobody = {*unnamed(defects, table)}
    yield from _list(
        f"{name}{' (no defect names it)' if name in nobody else ''}"
        for name in unproven(defects, records, table)
    )
    yield "## The sound system\n"
    found = {select: alarms(runs) for select, runs in records.sound().items()}
    yield from _list(f"`{select or 'all'}`: {one}" for select, one in found.items())
    if not found:
        return
    yield "Criteria that were not met there; to see one of them INCONCLUSIVE with a defect proves little:\n"
    yield from _list(
        f"{name}: FAIL in {one.failed.get(name, 0)}, INCONCLUSIVE in {one.unknown.get(name, 0)} of {one.runs}"
        for one in found.values()
        for name in sorted({*one.failed, *one.unknown})
    )


def _list(lines: Iterator[str]) -> Iterator[str]:
    found = [f"- {line}" for line in lines]
    yield "\n".join(found or ["None."]) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _commit(origin: Origin) -> str:
    if not origin.commit:
        return "unknown (no git)"
    return origin.commit.removesuffix("+") + (" with changes" if origin.commit.endswith("+") else "")


def _machine(origin: Origin) -> str:
    machine = origin.machine
    memory = machine.get("memory")
    size = f", {gibibytes(memory)}" if isinstance(memory, int) else ""
    return f"{machine.get('cores')} cores of {machine.get('cpu')}{size}, {machine.get('system')}"
