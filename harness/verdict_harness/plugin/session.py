"""What a session keeps of its criteria, and what it leaves in the run's folder when it ends."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from .. import report
from ..errors import EvidenceError
from ..loads import Figures
from ..record import Json, Run, write_atomic, write_json
from ..report import junit
from ..verdicts import (
    UNKNOWN,
    Criterion,
    Judge,
    Judged,
    Table,
    Verdict,
    carriers,
    exit_status,
    replay,
    roll_up,
    without_value,
)

VERDICT, REJUDGED, REPORT, JUNIT = "verdict.json", "verdict.rejudged.json", "report.html", "junit.xml"


@dataclass(slots=True)
class _Trial:
    """One criterion on its way to a verdict."""

    criterion: Criterion
    judge: Judge = field(default_factory=Judge)
    evidence: tuple[str, ...] = ()
    over: bool = False


class Session:
    """The criteria of one session and their verdicts. Knows nothing of the test runner.

    Args:
        run: the run.
        criteria: what it judges, in the order of the report.
        root: the folder that ids of tests begin at.
        table: the criteria of each requirement.
        code: file to digest of what judges: the tests, whatever they import of their own, and the harness.

    Attributes:
        run: the run.
        failures: ordinary tests that failed, and files that could not be collected.
        troubles: what else went wrong.
        broken: why the run can't go on, such as a full disk; empty if it can.
        outcome: what came of it; ``None`` until :meth:`finish`.
        comparison: on replay, the verdict recorded beside the one found now; ``None`` else.
        report: the HTML report, or why there is none; empty on replay, which makes none.
    """

    def __init__(
        self,
        run: Run,
        criteria: Sequence[Criterion],
        root: Path,
        *,
        table: Table | None = None,
        code: Mapping[str, str] | None = None,
    ) -> None:
        self.run = run
        self.failures: list[str] = []
        self.troubles: list[str] = []
        self.broken = ""
        self.outcome: report.Outcome | None = None
        self.comparison: replay.Comparison | None = None
        self.report: Path | str = ""
        self._trials = {criterion.id: _Trial(criterion) for criterion in criteria}
        self._figures: dict[str, Figures] = {}
        self._disturbed: dict[str, str] = {}
        self._table: Table = table or {}
        self._code = dict(code or {})
        if run.replaying:
            self.failures += [str(failure) for failure in _sequence(run.evidence.run.get("failures"))]
            self.troubles += [str(trouble) for trouble in _sequence(run.evidence.run.get("troubles"))]
            self._table = cast("Table", run.evidence.run.get("requirements") or {})
        else:
            run.evidence.note(
                root=str(root),
                criteria=[criterion.to_json() for criterion in criteria],
                requirements={name: list(ids) for name, ids in self._table.items()},
                code=self._code,
            )
            write_json(run.directory / VERDICT, self._so_far())
        run.evidence.watch()

    def judge(self, criterion: Criterion) -> Judge:
        """Return what collects the findings of ``criterion``."""
        return self._trials[criterion.id].judge

    def begin(self, criterion: Criterion, fixtures: Mapping[str, object]) -> None:
        """Note that the test of ``criterion`` begins: what it asks for from now on is what it rests on.

        Args:
            criterion: the criterion.
            fixtures: what the test has from its fixtures and theirs, by name; its verdict rests on the
                loads among it.
        """
        trial = self._trials[criterion.id]
        trial.judge.loads = carriers(fixtures.values())
        trial.evidence = self.run.evidence.watch()

    def end(self, criterion: Criterion, fixtures: Mapping[str, object]) -> Judged:
        """Note that the test of ``criterion`` is over, and return what is known of it; see :meth:`begin`."""
        trial = self._trials[criterion.id]
        trial.judge.loads = carriers(fixtures.values())
        files = [file for load in trial.judge.loads for file in getattr(load, "evidence", ())]
        for load in trial.judge.loads:
            if isinstance(figures := getattr(load, "figures", None), Figures):
                self._figures[figures.load] = figures
        # if it asked nothing and rests on no load, what its fixtures asked
        trial.evidence = tuple(dict.fromkeys((*self.run.evidence.watch(), *files))) or trial.evidence
        if self.run.replaying:
            disturbed = self.run.evidence.run.get("disturbed")
            if isinstance(disturbed, Mapping) and criterion.id in disturbed:
                trial.judge.demote(str(disturbed[criterion.id]))
        if not trial.judge.findings:
            trial.judge.inconclusive("the test ended without judging anything")
        trial.over = True
        if not self.run.replaying:
            self._write_verdict()
        return self.judged(criterion)

    def disturb(self, criterion: Criterion, reason: str) -> Judged:
        """Note that something after the judgement went wrong, so that it can't be relied on.

        It is no fact that can be asked for again, so it is kept with the run for a replay.
        """
        self._disturbed[criterion.id] = reason
        self._trials[criterion.id].judge.demote(reason)
        return self.judged(criterion)

    def judged(self, criterion: Criterion) -> Judged:
        """Return what is known of ``criterion``, which has at least one finding."""
        trial = self._trials[criterion.id]
        return Judged(criterion, tuple(trial.judge.findings), trial.evidence)

    def finish(self, why_not: str) -> report.Outcome:
        """End the run: judge nothing more, seal the evidence, write verdict and report.

        Args:
            why_not: why criteria that have no verdict by now have none.
        """
        for trial in self._trials.values():
            if not trial.over:
                trial.judge.demote(why_not)
        if self.run.replaying:
            self._compare(self._outcome())
        else:
            self._seal()
        return self._conclude()

    def unwritten(self, error: EvidenceError) -> None:
        """Note that a conclusion could not be written once the run had ended; the others say so."""
        self.breaks(error)
        self._conclude()

    def _conclude(self) -> report.Outcome:
        self.outcome = self._outcome()
        if not self.run.replaying:
            self._write(VERDICT, report.document(self.outcome))
            if self.broken and self.broken not in self.outcome.troubles:
                self.outcome = self._outcome()
            self._write_report(self.outcome)
        return self.outcome

    @property
    def exit_status(self) -> int:
        """The status that the verdicts ask for, once there is an outcome; 10 for what is not as recorded."""
        if self.outcome is None or (self.comparison and not self.comparison.same):
            return UNKNOWN
        return exit_status(self.outcome.judged, self.outcome.failures, self.outcome.troubles)

    def missing(self, criteria: Sequence[Criterion]) -> None:
        """Add criteria of the stored run that can't be judged again: their tests are gone."""
        for criterion in criteria:
            trial = self._trials.setdefault(criterion.id, _Trial(criterion))
            trial.judge.inconclusive(f"its test no longer exists: {criterion.test}")
            trial.over = True

    def _outcome(self, pending: str = "") -> report.Outcome:
        """Return what is known; what has no verdict yet is INCONCLUSIVE for ``pending``, if that is given."""
        judged = [
            Judged(
                trial.criterion,
                (without_value(Verdict.INCONCLUSIVE, pending),)
                if pending and not trial.over
                else tuple(trial.judge.findings),
                trial.evidence,
            )
            for trial in self._trials.values()
        ]
        return report.Outcome(
            run=self.run,
            judged=tuple(judged),
            whole=roll_up(judged, (*self.failures, *self.troubles), self._table),
            finished=dt.datetime.now(dt.UTC),
            failures=tuple(self.failures),
            troubles=tuple(self.troubles),
            exhibits={name: tuple(trial.judge.exhibits) for name, trial in self._trials.items()},
            listings={name: tuple(trial.judge.listings) for name, trial in self._trials.items()},
            figures=tuple(self._figures.values()),
        )

    def _write_verdict(self) -> None:
        """Write what is known so far: a run that is killed leaves no verdict that it had not reached."""
        if not self.broken:
            self._write(VERDICT, self._so_far())

    def _so_far(self) -> dict[str, Any]:
        known = self._outcome(pending="not judged: the run has not ended, or was killed")
        return {**report.document(known), "finished": None}

    def _write(self, name: str, document: Mapping[str, Any]) -> None:
        """Write a conclusion; if that can't be done, the run is broken and says why, once."""
        try:
            write_json(self.run.directory / name, document)
        except EvidenceError as error:
            self.breaks(error)

    def breaks(self, error: EvidenceError) -> None:
        """Note that evidence can't be written: whatever is measured from now on is lost."""
        if not self.broken:
            self.broken = f"{error.what} ({error.found})"
            self.troubles.append(self.broken)

    def _seal(self) -> None:
        try:
            troubles: list[Json] = [trouble for trouble in self.troubles if trouble != self.broken]
            self.run.evidence.note(
                disturbed=dict(self._disturbed), failures=list(self.failures), troubles=troubles
            )
            self.run.evidence.seal()
        except EvidenceError as error:
            self.breaks(error)
            self.troubles.append("the run can't be judged again")

    def _write_report(self, outcome: report.Outcome) -> None:
        path = self.run.directory / REPORT
        try:
            write_atomic(path, report.html(outcome).encode())
        except Exception as error:  # noqa: BLE001 - the verdict is written; a drawing must not cost the session its end
            self.report = f"none: {type(error).__name__}: {error}"
        else:
            self.report = path

    def _compare(self, outcome: report.Outcome) -> None:
        found = report.document(outcome)
        try:
            recorded = json.loads((self.run.directory / VERDICT).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            recorded = {}
        evidence = self.run.evidence
        damage = [*evidence.damage, *evidence.differences]
        told = junit.manifest(self.run.directory / JUNIT)
        if told and told != recorded.get("manifest"):
            damage.append(f"{JUNIT} names another manifest: sha256 {told}")
        self.comparison = replay.compare(recorded, found, damage, tuple(self._changes()))
        self._write(REJUDGED, {**found, "comparison": self.comparison.to_json()})

    def _changes(self) -> Iterator[str]:
        """Say which files of what judges are not those that judged the run."""
        recorded = self.run.evidence.run.get("code")
        if isinstance(recorded, Mapping):
            changed = [
                name for name, digest in self._code.items() if recorded.get(name) not in {None, digest}
            ]
            if changed:
                yield f"judged by other code than the run was: {', '.join(changed)}"


def _sequence(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else ()
