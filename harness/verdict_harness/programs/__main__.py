"""``python -m verdict_harness.programs``: show each external program, where it came from, its version.

With ``--provide``, what is missing is made first.  ``--path NAME`` prints nothing but
the path of one program, for scripts.  ``lock`` writes the pin files anew.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ..errors import HarnessError, ProgramError
from . import NAMES, catalogue, provide, provide_all, store
from .resolve import find


def main(words: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m verdict_harness.programs", description=__doc__)
    parser.add_argument("--provide", action="store_true", help="make what is missing first")
    parser.add_argument(
        "--path", choices=NAMES, metavar="NAME", help="print the path of one program, made if need be"
    )
    commands = parser.add_subparsers(dest="command")
    lock = commands.add_parser("lock", help="write the pin files anew from the versions in catalogue.py")
    recipes = [recipe.name for recipe in catalogue.RECIPES]
    lock.add_argument("names", nargs="*", metavar="name", help=f"only these of {', '.join(recipes)}")
    options = parser.parse_args(words)
    try:
        if options.command == "lock":
            unknown = set(options.names) - set(recipes)
            if unknown:
                lock.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(recipes)}")
            for name in options.names or recipes:
                _lock(name)
            return 0
        if options.path:
            print(provide(options.path).path)  # noqa: T201 - this is a command line
            return 0
        if options.provide:
            provide_all()
        return _show()
    except HarnessError as error:
        print(error, file=sys.stderr)  # noqa: T201 - this is a command line
        return 1
    except KeyboardInterrupt:
        print("stopped; what was fetched and compiled so far will be used next time", file=sys.stderr)  # noqa: T201
        return 130


def _lock(name: str) -> None:
    with tempfile.TemporaryDirectory(prefix="verdict-harness-") as scratch:
        catalogue.repin(name, provide, Path(scratch))
    Console().print(f"{name}: pinned")


def _show() -> int:
    """Print the table; return 1 if a program that the user named can't be used."""
    table = Table(
        "program", "version", "from", "path", caption=f"cache: {store.cache()}", caption_justify="left"
    )
    notes: list[str] = []
    unusable = False
    for name in NAMES:
        spec = catalogue.SPECS[name]
        try:
            found = find(spec)
        except ProgramError as error:
            unusable = True
            notes.append(str(error))
            table.add_row(name, "-", f"variable {spec.variable}", "can't be used")
            continue
        notes.extend(f"{name}: {sentence}" for sentence in found.passed_over)
        if found.program:
            table.add_row(name, found.program.version, found.program.source, str(found.program.path))
        else:
            table.add_row(name, f"({spec.recipe.version})", "not here yet", f"would be: {spec.recipe.origin}")
    # Paths must stay whole where they are copied from, however narrow the terminal or the log is
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, 200)
    console.print(table)
    for note in notes:
        console.print(note, highlight=False, markup=False)
    return int(unusable)


if __name__ == "__main__":
    sys.exit(main())
