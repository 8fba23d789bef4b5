"""The other side: how often a gate turns although nothing is planted."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from ..processes import progress
from ..samples import likelihood
from . import tree
from .attempt import GOOD, Project, judged
from .campaign import Store

_CONFIDENCE = 0.95
_FALSE = 1
_UNKNOWN = 10


def run(project: Project, times: int, select: str, store: Store) -> int:
    """Run criteria with nothing planted; say how often each turned, and return an exit status."""
    turned: dict[str, list[str]] = {}
    made = 0
    for number in range(1, times + 1):
        progress.status(f"sound run {number} of {times}")
        log = store.log(f"sound-{number}")
        with tempfile.TemporaryDirectory(prefix="planted-") as scratch:
            copy = tree.copy(project.root, Path(scratch).resolve() / "project")
            verdicts = judged(project, select, copy, log)
        if not verdicts:
            progress.say(f"sound run {number} came to nothing: see {log}")
            continue
        made += 1
        for name, verdict in verdicts.items():
            turned.setdefault(name, []).append(verdict)
        bad = [f"{name} {verdict}" for name, verdict in verdicts.items() if verdict not in GOOD]
        progress.say(f"sound run {number}: {', '.join(bad) or 'nothing turned'}")
    progress.done()
    if not made:
        return _UNKNOWN
    false = sum(any(runs[n] not in GOOD for runs in turned.values()) for n in range(made))
    interval = likelihood(false, made, _CONFIDENCE)
    progress.say(
        f"false alarms in {false} of {made} sound runs: {interval.lo:.0%} to {interval.hi:.0%} of all "
        f"such runs, by {_CONFIDENCE:.0%} each"
    )
    told = json.dumps({"runs": made, "verdicts": turned}, indent=1)
    store.log("sound").with_suffix(".runs").write_text(f"{told}\n", encoding="utf-8")
    return _FALSE if false else 0
