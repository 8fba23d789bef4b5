"""``python -m verdict_harness.sensitivity MODULE``: plant the defects that a module lists; see who notices.

The module has a sequence ``DEFECTS``. Exit status 0: all were caught; 1: one was missed, or somebody turned
who has nothing to do with it; 10: one could not be tried, so that nothing is known of it.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from ..errors import HarnessError, UsageError
from ..processes import progress
from ..verdicts import requirements
from . import campaign, sound, table, tree
from .attempt import Outcome, Project
from .campaign import Store
from .defect import Defect

_CAUGHT, _MISSED, _UNKNOWN = 0, 1, 10
_LISTED = "experiments/requirements.toml"


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    options = _parser().parse_args(words)
    try:
        return _do(options)
    except HarnessError as error:
        print(error, file=sys.stderr)  # noqa: T201 - this is a command line
        return _UNKNOWN
    except KeyboardInterrupt:
        print("stopped; what was seen so far is kept, and not made again", file=sys.stderr)  # noqa: T201
        return 130


def _do(options: argparse.Namespace) -> int:
    root = Path.cwd()
    everything = _defects(options.module)
    store = Store(root / options.kept)
    project = Project(root, options.criteria)
    if options.table:
        listed = requirements.read(root / options.requirements)
        criteria = [name for names in listed.values() for name in names]
        text = table.page(everything, store.found(), criteria, tree.digest(root))
        (root / options.table).write_text(text, encoding="utf-8")
        return _CAUGHT
    if options.sound:
        return sound.run(project, options.sound, options.select, store)
    some = campaign.chosen(everything, options.k)
    if not some:
        raise UsageError(
            "no defect has such a name", expected="words of a defect's name or kind", found=options.k
        )
    if options.sample:
        some = campaign.sample(some, options.sample, options.seconds, store.found())
    if options.list:
        for one in some:
            print(f"{one.kind:<14} {one.name:<36} {one.story}")  # noqa: T201
        return _CAUGHT
    began = time.monotonic()
    seen = campaign.run(project, some, store, at_once=options.at_once, again=options.again)
    outcomes = [one.outcome for one in seen]
    for found in seen:
        if found.outcome is not Outcome.CAUGHT:
            log = store.log(found.name)
            progress.say(f"{found.outcome.value:>8}  {found.name}: {found.reason}; see {log}")
    progress.say(table.summary(outcomes, time.monotonic() - began))
    if Outcome.MISSED in outcomes or Outcome.STRAYED in outcomes:
        return _MISSED
    return _UNKNOWN if Outcome.BROKEN in outcomes else _CAUGHT


def _defects(module: str) -> tuple[Defect, ...]:
    try:
        found = importlib.import_module(module).DEFECTS
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"{module} lists no defects", expected="a module with a sequence DEFECTS", found=str(error)
        ) from error
    return tuple(found)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m verdict_harness.sensitivity", description=__doc__)
    add = parser.add_argument
    add("module", help="lists the defects, as DEFECTS")
    add("-k", default="", metavar="WORDS", help="only those with these words in name or kind")
    add("--list", action="store_true", help="say which there are, and try none")
    add("--at-once", type=int, default=1, metavar="N", help="so many at a time (default: 1)")
    add("--again", action="store_true", help="also what was seen before, in the same source")
    add("--sample", default="", metavar="SEED", help="only some, others for another seed")
    add("--seconds", type=float, default=480.0, metavar="S", help="for --sample: in all")
    add("--table", default="", metavar="FILE", help="write what was seen as a page, and try none")
    add("--sound", type=int, default=0, metavar="N", help="run what is sound so many times")
    add("--select", default="a1", metavar="MARKS", help="for --sound: which criteria (default: a1)")
    add("--criteria", default="experiments", metavar="DIR", help="where criteria are")
    add("--requirements", default=_LISTED, metavar="FILE", help="for --table: lists all criteria")
    add("--kept", default=".nox/sensitivity", metavar="DIR", help="where what was seen is kept")
    return parser


if __name__ == "__main__":
    sys.exit(main())
