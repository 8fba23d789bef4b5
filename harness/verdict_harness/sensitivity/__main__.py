"""``python -m verdict_harness.sensitivity PACKAGE``: would the gate notice?

``PACKAGE``, such as ``experiments.defects``, offers ``DEFECTS``.  Each of them is planted in a copy of the
project, which is the directory where this is run.  Exit status: 0 if all that were chosen are caught, 1 if
one is missed, 10 if none is missed but one is broken or was not run.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table as Rich

from ..errors import HarnessError, UsageError, named
from ..processes import interrupt, progress
from ..verdicts import UNKNOWN, Table, requirements
from . import campaign, planting, sound, table
from .defect import RUN, Defect
from .records import Records, origin
from .run import Project
from .seeing import Outcome

_WHERE = Path(".nox", "sensitivity")


def main(words: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    options = _parser().parse_args(words)
    heed_no_more = interrupt.heed()
    try:
        return _run(options)
    except HarnessError as error:
        progress.say(str(error))
        return UNKNOWN
    finally:
        heed_no_more()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m verdict_harness.sensitivity", description=__doc__)
    add = parser.add_argument
    add("package", help="that offers DEFECTS")
    add("-k", dest="chosen", action="append", default=[], metavar="WORD", help="part of a name or a kind")
    add("--list", action="store_true", help="show the defects and what was seen of them; run nothing")
    add("--again", action="store_true", help="run what is known already as well")
    add("--at-once", type=_count, default=1, metavar="N", help="how many at the same time")
    add("--sample", metavar="SEED", help="some of them, others with another seed, such as a commit")
    add("--seconds", type=float, default=480.0, help="that a sample may take (480)")
    add("--sound", type=_count, metavar="N", help="instead, run the system with nothing planted N times")
    add("--table", type=Path, metavar="FILE", help="write what was seen of all defects, as Markdown")
    add("--seen", type=Path, default=_WHERE, metavar="DIR", help=f"where it is kept ({_WHERE})")
    add("--criteria", default="experiments", metavar="DIR", help="where the criteria are (experiments)")
    add("--requirements", type=Path, metavar="FILE", help="their table (requirements.toml in there)")
    add("--words", default="--profile quick", help="for pytest, before a defect's own (--profile quick)")
    add("--patience", type=float, default=3600.0, metavar="SECONDS", help="for one session (3600)")
    return parser


def _count(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"at least 1, not {text}")
    return number


def _run(options: argparse.Namespace) -> int:
    root = Path.cwd()
    defects, where = _defects(options.package)
    project = Project(root, options.criteria, tuple(options.words.split()), options.patience)
    records = Records(root / options.seen, origin(project, [where]), lambda: origin(project, [where]))
    chosen = campaign.chosen(defects, options.chosen)
    criteria = _criteria(options.requirements, root / options.criteria / "requirements.toml", defects)
    try:
        if options.list:
            return _list(chosen, records, root)
        if options.sound:
            return _sound(chosen, options, project, records)
        return _try(chosen, options, project, records)
    except KeyboardInterrupt:
        return _status(chosen, records)
    finally:
        if options.table:
            table.write(options.table, defects, records, criteria)
            progress.say(f"written: {options.table}")


def _defects(package: str) -> tuple[Sequence[Defect], Path]:
    """Return the defects that a module offers, and where they are."""
    try:
        module = importlib.import_module(package)
        defects = tuple(module.DEFECTS)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise UsageError(
            f"{package} offers no defects",
            expected="a package that can be imported from here, with a sequence DEFECTS in it",
            found=named(error),
            where=str(Path.cwd()),
            todo="run this at the project's root, and see what docs/sensitivity-of-yours.md says",
        ) from error
    file = Path(str(module.__file__)).resolve()
    return defects, file.parent if hasattr(module, "__path__") else file


def _criteria(given: Path | None, usual: Path, defects: Sequence[Defect]) -> Table:
    """Return the criteria of each requirement; where no table is kept, those that the defects name."""
    if given or usual.exists():
        return requirements.read(given or usual)
    every = {name: None for one in defects for name in (*one.fails, *one.turns, *one.holds) if name != RUN}
    return {"all": tuple(every)}


def _try(chosen: Sequence[Defect], options: argparse.Namespace, project: Project, records: Records) -> int:
    sample = options.sample is not None
    if sample:
        among, seconds = len(chosen), options.seconds * options.at_once
        chosen = campaign.sampled(chosen, options.sample, seconds, campaign.expected(chosen, records))
        progress.say(f"a sample, {len(chosen)} of {among} defects: {', '.join(one.name for one in chosen)}")
    limit = options.seconds if sample else float("inf")
    campaign.Campaign(project, records, options.at_once, limit).go(chosen, again=options.again or sample)
    if sample:  # what there was no time for was not asked for
        chosen = [one for one in chosen if (found := records.of(one)) and found.current]
    return _status(chosen, records)


def _status(chosen: Sequence[Defect], records: Records) -> int:
    """Say what came of all of them, and return it as an exit status."""
    seen = [found.seen.outcome if (found := records.of(one)) and found.current else None for one in chosen]
    counts = {**{str(one): seen.count(one) for one in Outcome}, "not run": seen.count(None)}
    progress.say(f"of {len(chosen)} defects: " + ", ".join(f"{n} {word}" for word, n in counts.items() if n))
    if Outcome.MISSED in seen:
        return 1
    return 0 if {*seen} == {Outcome.CAUGHT} else UNKNOWN


def _sound(chosen: Sequence[Defect], options: argparse.Namespace, project: Project, records: Records) -> int:
    """Run the sound system; a false alarm is as bad as a defect that is missed."""
    if options.again:
        records.forget_sound()
    select = sound.selected(chosen)
    broken = sound.run_sound(select, options.sound, project, records)
    found = sound.alarms(records.sound().get(select, ()))
    progress.say(str(found))
    if found.false:
        return 1
    return UNKNOWN if broken or not found.runs else 0


def _list(chosen: Sequence[Defect], records: Records, root: Path) -> int:
    """Show the defects; return 10 if one of them can't be planted."""
    gone = planting.gone(chosen, root)
    shown = Rich("defect", "kind", "runs", "has to turn", "seen")
    for column in shown.columns:
        column.overflow = "fold"
    for one in chosen:
        record = records.of(one)
        seen = (
            "not run"
            if record is None
            else f"{record.seen.outcome}{'' if record.current else ', of other source'}"
        )
        turning = ", ".join([*(f"{name} FAIL" for name in one.fails), *one.turns])
        shown.add_row(
            one.name, one.kind, one.select, turning, "can't be planted" if one.name in gone else seen
        )
    Console().print(shown)
    for why in gone.values():
        progress.say(why)
    return UNKNOWN if gone else 0


if __name__ == "__main__":
    sys.exit(main())
