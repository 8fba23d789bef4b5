"""What was seen of each defect, as a page for people; and which criteria nobody has put to the test."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..figures import duration
from .attempt import Outcome
from .campaign import Kept, digest_of
from .defect import RUN, Defect

_HEAD = """\
# Would it notice?

What is planted in the system, in what measures it and in what people do, one defect at a time, and whether
criteria turn: `nox -s sensitivity`. {seen} of {of} defects were seen, {caught} of them caught. Written by
`nox -s sensitivity -- --table docs/sensitivity.md`; how a team plants defects of its own is in
[your-own-service.md](your-own-service.md).

{where}

"Has to turn" names what must be FAIL (**bold**), or FAIL or INCONCLUSIVE. Seconds are those from nothing to
the verdict: to bring the system up is among them.
"""
_SHOWN = 200  # characters of a reason
_COLUMNS = "| defect | has to turn | seen | s |\n|---|---|---|---|\n"


def page(defects: Sequence[Defect], found: Mapping[str, Kept], criteria: Iterable[str], source: str) -> str:
    """Return the page.

    Args:
        defects: all of them, in the order of the page.
        found: what was seen of each.
        criteria: ids of all criteria of the project.
        source: digest of the source as it is: what was seen in another one says so.
    """
    seen = {one.name: found[one.name] for one in defects if one.name in found}
    other = sum(seen[one.name].digest != digest_of(one, source) for one in defects if one.name in seen)
    caught = [one for one in seen.values() if one.seen.outcome is Outcome.CAUGHT]
    parts = [
        _HEAD.format(seen=len(seen), of=len(defects), caught=len(caught), where=_where(seen.values(), other))
    ]
    for kind in dict.fromkeys(one.kind for one in defects):
        parts.append(
            f"## {kind[:1].upper()}{kind[1:]}\n\n| defect | has to turn | seen | s |\n|---|---|---|---|\n"
        )
        parts[-1] += "".join(_row(one, seen.get(one.name)) for one in defects if one.kind == kind)
    open_ = [one for one in defects if one.name in seen and seen[one.name].seen.outcome is Outcome.MISSED]
    parts.append(_list("Open: nothing caught these", [f"{one.name}: {one.story}" for one in open_]))
    proven = {
        name
        for one in defects
        if one.name in seen and seen[one.name].seen.outcome is Outcome.CAUGHT
        for name in (*one.fails, *one.turns)
    }
    parts.append(_list("Unproven: no defect that was seen has turned these", sorted({*criteria} - proven)))
    return "\n".join(parts)


def unnamed(defects: Iterable[Defect], criteria: Iterable[str]) -> list[str]:
    """Return the criteria that no defect says it turns."""
    named = {name for one in defects for name in (*one.fails, *one.turns)}
    return sorted({*criteria} - named - {RUN})


def _where(seen: Iterable[Kept], other: int) -> str:
    """Say of which commits and machines it was, and how many of other source than there is."""
    commits = dict.fromkeys(_commit(one.commit) for one in seen)
    machines = dict.fromkeys(_machine(one.machine) for one in seen)
    when = [dt.datetime.fromtimestamp(one.seen.at, tz=dt.UTC) for one in seen]
    if not when:
        return "Nothing was seen yet."
    days = dict.fromkeys(f"{moment:%Y-%m-%d}" for moment in (min(when), max(when)))
    told = f"Seen {' to '.join(days)}, at {', '.join(commits)}, on {'; '.join(machines)}"
    return f"{told}; {other} of them in other source than there is now." if other else f"{told}."


def _commit(told: Any) -> str:
    if not isinstance(told, Mapping):
        return "no commit"
    return f"`{str(told.get('commit'))[:9]}`" + (" with changes" if told.get("changed") else "")


def _machine(told: Any) -> str:
    if not isinstance(told, Mapping):
        return "a machine that nobody described"
    return f"{told.get('cores')} cores ({told.get('cpu')}), {told.get('python')}"


def _row(defect: Defect, kept: Kept | None) -> str:
    named = [f"**{name}**" for name in defect.fails] + list(defect.turns)
    if kept is None:
        said, seconds = "not run", ""
    else:
        seen = kept.seen
        if seen.outcome is Outcome.CAUGHT:
            turned = [f"{name} {seen.verdicts.get(name, 'none')}" for name in (*defect.fails, *defect.turns)]
            said = f"caught: {', '.join(turned)}"
        else:
            said = f"**{seen.outcome.value}**: {' '.join(seen.reason.split())[:_SHOWN]}"
        seconds = f"{seen.seconds:.0f}"
    cells = (f"`{defect.name}`: {defect.story}", ", ".join(named), said, seconds)
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |\n"


def _list(title: str, items: Sequence[str]) -> str:
    return f"## {title}\n\n" + ("".join(f"- {item}\n" for item in items) if items else "None.\n")


def summary(outcomes: Sequence[Outcome], seconds: float) -> str:
    """Return one line on many.

    >>> summary([Outcome.CAUGHT, Outcome.MISSED], 75)
    '1 of 2 defects caught, 1 missed (1:15 min)'
    """
    others = [one for one in Outcome if one is not Outcome.CAUGHT and one in outcomes]
    told = "".join(f", {outcomes.count(one)} {one.value}" for one in others)
    return f"{outcomes.count(Outcome.CAUGHT)} of {len(outcomes)} defects caught{told} ({duration(seconds)})"
