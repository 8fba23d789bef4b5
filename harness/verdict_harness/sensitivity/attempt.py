"""One defect: planted, run, and held to who had to notice."""

from __future__ import annotations

import enum
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import HarnessError
from ..processes import tail
from . import tree
from .defect import RUN, Defect
from .planting import plant
from .tree import Copy

GOOD = frozenset({"PASS", "CONDITIONAL"})
_TURNED = frozenset({"FAIL", "INCONCLUSIVE"})
_ID = "planted"  # of the run, in the copy
#: Variables of the session that plants; whatever ``PYTHONPATH`` has of the project would hide the copy.
_OURS = ("COVERAGE", "PYTEST", "PYTHONPATH")
_LONGEST = 1800.0  # seconds that a run may take


class Outcome(enum.Enum):
    """What came of planting a defect."""

    CAUGHT = "caught"
    MISSED = "missed"  # somebody who had to notice did not
    STRAYED = "strayed"  # somebody turned who has nothing to do with it
    BROKEN = "broken"  # nothing was run, or it could not be planted: nothing is known


@dataclass(frozen=True, slots=True)
class Project:
    """What defects are planted in.

    Attributes:
        root: its directory.
        criteria: where its criteria are, from there.
        words: for each of its sessions of pytest; a defect's own come after them.
    """

    root: Path
    criteria: str = "experiments"
    words: Sequence[str] = ("--profile", "quick")


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of a defect.

    Attributes:
        name: of the defect.
        outcome: what came of it.
        reason: one sentence, where it was not caught.
        verdicts: of the criteria that it names, and of the run as a whole.
        seconds: until it was noticed: copying and bringing the system up included.
        at: unix seconds of the end.
    """

    name: str
    outcome: Outcome
    reason: str = ""
    verdicts: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    at: float = 0.0


def attempt(project: Project, defect: Defect, log: Path) -> Seen:
    """Plant a defect in a copy of the project, run what has to notice, and say who did.

    Args:
        project: what it is planted in; nothing of it is changed.
        defect: what is planted.
        log: what pytest says goes there.
    """
    began = time.monotonic()
    verdicts: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="planted-") as scratch:
        try:
            copy = tree.copy(project.root, Path(scratch).resolve() / "project")
            verdicts = judged(project, defect, copy, log)
        except HarnessError as error:
            outcome, reason = Outcome.BROKEN, str(error)
        else:
            outcome, reason = held(defect, verdicts)
            if outcome is Outcome.BROKEN:
                reason = f"{reason}: {tail(log.read_text(encoding='utf-8', errors='replace'), 3)}"
    named = {name: verdicts.get(name, "none") for name in (*defect.fails, *defect.turns, *defect.holds)}
    return Seen(
        defect.name, outcome, reason, named, round(time.monotonic() - began, 1), round(time.time(), 3)
    )


def held(defect: Defect, verdicts: Mapping[str, str]) -> tuple[Outcome, str]:
    """Return what came of a defect, and why it was not caught, by the verdict of each criterion."""
    if not verdicts:
        return Outcome.BROKEN, "no run was made"
    absent = [name for name in (*defect.fails, *defect.turns, *defect.holds) if name not in verdicts]
    if absent:
        return Outcome.BROKEN, f"not judged: {', '.join(absent)}"
    missed = [f"{name} {verdicts[name]}" for name in defect.fails if verdicts[name] != "FAIL"]
    missed += [f"{name} {verdicts[name]}" for name in defect.turns if verdicts[name] not in _TURNED]
    if missed:
        return Outcome.MISSED, f"nobody noticed: {', '.join(missed)}"
    strayed = [f"{name} {verdicts[name]}" for name in defect.holds if verdicts[name] not in GOOD]
    if strayed:
        return Outcome.STRAYED, f"turned, and have nothing to do with it: {', '.join(strayed)}"
    return Outcome.CAUGHT, ""


def judged(project: Project, what: Defect | str, copy: Copy, log: Path) -> dict[str, str]:
    """Run what a defect selects, planted; or, with nothing planted, the criteria that a text selects.

    Returns:
        The verdict of each criterion and of the run; none if no run was made.
    """
    select, own = (what, ()) if isinstance(what, str) else (what.select, what.words)
    words = [project.criteria, "-m", select, *project.words, *own]
    run = copy.root / "runs" / _ID
    with log.open("w", encoding="utf-8") as out:
        if isinstance(what, str) or not what.later:
            told = {} if isinstance(what, str) else plant(what.plants, copy)
            status = _pytest(copy, words, told, out)
            return _verdicts(run / "verdict.json", status)
        _pytest(copy, words, {}, out)
        if not _verdicts(run / "verdict.json", 0):
            return {}
        told = plant(what.plants, copy)
        status = _pytest(copy, [project.criteria, "--judge", str(run)], told, out)
        return _verdicts(run / "verdict.rejudged.json", status)


def _pytest(copy: Copy, words: Sequence[str], told: Mapping[str, str], out: Any) -> int:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    argv = [str(copy.python), "-m", "pytest", "-p", "no:cacheprovider", *words]
    # in our own process group: Ctrl-C is for it, too, and it ends what it started
    process = subprocess.Popen(
        argv,
        cwd=copy.root,
        env={**kept, "HARNESS_RUN_ID": _ID, **told},
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=subprocess.STDOUT,
    )
    try:
        return process.wait(_LONGEST)
    except subprocess.TimeoutExpired:
        process.terminate()
        return process.wait()
    except KeyboardInterrupt:
        process.wait()
        raise


def _verdicts(path: Path, status: int) -> dict[str, str]:
    """Return the verdict of each criterion and of the run; nothing if there is none, or it never ended."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not found["criteria"]:
        return {}
    verdicts = {one["id"]: one["verdict"] for one in found["criteria"]}
    # not judged whole is no PASS, whatever was judged passes
    judged = [one["verdict"] for one in found["requirements"] if one["judged"]]
    bad = next((one for one in ("FAIL", "INCONCLUSIVE") if one in judged), "INCONCLUSIVE")
    fine = status == 0 and not _TURNED & {*judged}
    return {**verdicts, RUN: found["verdict"] if fine else bad}
