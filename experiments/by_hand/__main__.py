"""``python -m experiments.by_hand``: bring the exchange up to walk around in it, and take it down."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from verdict_harness.errors import HarnessError

from ..cluster import ROOT
from . import record
from .addresses import SHAPES
from .down import down
from .seed import seed, variables
from .up import Asked, forward, up


def parser() -> argparse.ArgumentParser:
    """Return what may be typed."""
    parser = argparse.ArgumentParser(prog="nox -s", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("up", help="bring the exchange up, and keep it up until Ctrl-C or nox -s down")
    two = commands.add_parser("forward", help="open the ways into the k3d cluster that is up")
    three = commands.add_parser("down", help="take down what up and --keep left up on this machine")
    four = commands.add_parser("seed", help="rest orders in the books of the exchange that is up")
    for command in (one, two, three):
        command.add_argument("--backend", choices=("local", "k3d"), default="local")
    for command in (one, two):
        command.add_argument("shape", nargs="?", choices=tuple(SHAPES), default="multi")
    one.add_argument("--keep", action="store_true", help="leave it up at Ctrl-C")
    one.add_argument("--reuse", action="store_true", help="k3d: use the cluster that is up")
    four.add_argument("mode", nargs="?", choices=("single", "multi"), help="default: as what is up")
    four.add_argument("--depth", type=int, default=500, help="orders a symbol (default: 500)")
    four.add_argument("--levels", type=int, default=50, help="price levels of them (default: 50)")
    for command in (one, three, four):
        command.add_argument("--runs", type=Path, default=ROOT / "runs", help="where runs are kept")
    return parser


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    asked = parser().parse_args(words)
    try:
        match asked.command:
            case "up":
                up(Asked(asked.backend, asked.shape, asked.keep, asked.reuse), asked.runs)
            case "forward":
                forward(asked.shape)
            case "down":
                ended = list(down(asked.backend, asked.runs))
                sys.stdout.write("".join(f"ended: {one}\n" for one in ended) or "nothing was up\n")
            case "seed":
                there = record.read(asked.runs / "up.json")
                mode = asked.mode or there.get("shape", "single")
                return seed(variables(mode, asked.depth, asked.levels, there))
    except HarnessError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
