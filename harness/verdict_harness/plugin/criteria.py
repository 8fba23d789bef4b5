"""A pytest session that has criteria: when it begins and ends, and what comes of each test."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import uuid
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from ..errors import CriterionFailed, EvidenceError, HarnessError, Inconclusive, named
from ..figures import quantity
from ..processes import interrupt
from ..record import Run, of_files, of_package
from ..report import QUICK_NOTE, Outcome, block, junit, terminal
from ..verdicts import Criterion, Judged, Table, Verdict, replay, without_value
from . import raised
from .session import JUNIT, Session

_SHOWN = {  # as pytest counts it, its letter, and pytest's word for its colour
    Verdict.PASS: ("passed", ".", "green"),
    Verdict.CONDITIONAL: ("conditional", "c", "yellow"),
    Verdict.INCONCLUSIVE: ("inconclusive", "?", "purple"),
    Verdict.FAIL: ("failed", "F", "red"),
}
_WORDS_ENOUGH = (pytest.skip.Exception, pytest.xfail.Exception)  # no traceback says more
_CONVENTIONAL = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)


class Criteria(terminal.Beside):
    """Hooks of a session that has criteria.

    Args:
        config: pytest's.
        criteria: test to what it judges, in the order of the report.
        table: the criteria of each requirement.
        troubles: what is wrong before it begins.
        begin: opens the run.
    """

    def __init__(
        self,
        config: pytest.Config,
        criteria: Mapping[pytest.Item, Criterion],
        table: Table,
        troubles: Sequence[str],
        begin: Callable[[], Run],
    ) -> None:
        self._config = config
        self._criteria = criteria
        self._table = table
        self._troubles = troubles
        self._open = begin
        self._shown: dict[str, tuple[pytest.TestReport, terminal.Block]] = {}
        self._within: pytest.Item | None = None  # the test that is being called
        self._failed = 0  # reports that pytest counts as failed, those of ordinary tests too
        self._log: Any = None  # pytest's writer of JUnit XML, where nobody had asked for one
        self.session: Session | None = None

    def register(self) -> None:
        """Let pytest call these hooks."""
        self._config.pluginmanager.register(self)
        self._config.pluginmanager.register(_Innermost(self))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Begin the run when it is certain that tests are run."""
        errors = self._failed = session.testsfailed
        if not errors or self._config.option.continue_on_collection_errors:
            self._begin(errors)
        return (yield)

    def _begin(self, errors: int) -> None:
        run = self._open()
        self._config.add_cleanup(interrupt.heed())
        judged = list(self._criteria.values())
        root = self._config.rootpath
        try:
            self.session = Session(run, judged, root=root, table=self._table, code=_code(root))
        except HarnessError as error:
            raise pytest.UsageError(str(error)) from error
        if errors:
            self.session.failures.append(f"{errors} files could not be collected")
        if run.replaying:
            if not self._narrowed():
                ids = {criterion.id for criterion in judged}
                self.session.missing([c for c in replay.criteria(run.evidence.run) if c.id not in ids])
        else:
            self.session.troubles += self._troubles
            if not getattr(self._config.option, "xmlpath", None):  # no such option without the plugin
                self._begin_junit()
        if writer := self._config.pluginmanager.getplugin("terminalreporter"):
            how = f"backend {run.backend}, profile {run.profile}" + f" ({QUICK_NOTE})" * run.quick
            writer.write_line(f"{'judging again' if run.replaying else 'run'} {run.directory}: {how}")

    def _narrowed(self) -> bool:
        """Whether people asked for some of the tests only."""
        option = self._config.option
        chosen = self._config.args_source is pytest.Config.ArgsSource.ARGS
        some = chosen and any(".py" in argument for argument in self._config.args)
        return bool(some or option.keyword or option.markexpr or option.deselect or getattr(option, "lf", 0))

    def _begin_junit(self) -> None:
        """Let pytest's own plugin write JUnit XML, as if it had been asked to at the start.

        Not into the run's folder at once: that may be where the disk is full, and pytest would break.
        It makes the folder when it writes, so that a session that is killed leaves none behind.
        """
        manager = self._config.pluginmanager
        if (plugin := manager.getplugin("junitxml")) is None:
            return
        before = set(manager.get_plugins())
        folder = Path(tempfile.gettempdir(), f"verdict-harness-{uuid.uuid4().hex}")
        self._config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
        self._config.option.xmlpath = str(folder / JUNIT)
        plugin.pytest_configure(self._config)
        for log in manager.get_plugins() - before:
            self._log = log
            log.pytest_sessionstart()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None]:
        """Note which facts the test itself asks for."""
        if self.session and (criterion := self._criteria.get(item)):
            self.session.begin(criterion, getattr(item, "funcargs", {}))
        self._within = item
        try:
            return (yield)
        finally:
            self._within = None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Around all other plugins: keep marks from laundering a verdict, and heed what the others found.

        The verdict itself becomes the outcome in :meth:`settle`, before any of them looks.
        """
        criterion, session = self._criteria.get(item), self.session
        if session is None or criterion is None:
            found = yield
            if session and found.failed:
                session.failures.append(f"{item.nodeid} failed ({found.when}); it is no criterion")
            return found
        option, original = item.config.option, call.excinfo
        # as --runxfail has it: an expected breach of a criterion is a breach
        before, option.runxfail = option.runxfail, True
        try:
            found = yield
        finally:
            option.runxfail, call.excinfo = before, original
        judged: Judged | None = getattr(found, "judged", None)
        if judged is None:
            return found
        if found.failed and judged.verdict < Verdict.INCONCLUSIVE and found.when == "call":
            session.judge(criterion).record(without_value(Verdict.FAIL, str(found.longrepr)))
            self._show(found, session.judged(criterion), call)
        elif found.passed and judged.verdict > Verdict.CONDITIONAL and found.when != "teardown":
            self._show(found, judged, call)
        found.user_properties += junit.properties(session.judged(criterion))
        return found

    def settle(self, found: pytest.TestReport, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        """Turn what happened into findings, and the verdict into the outcome, for all who look later."""
        criterion, session = self._criteria.get(item), self.session
        if session is None or criterion is None:
            return
        error = call.excinfo.value if call.excinfo else None
        if self._within is item:  # a part of the test, such as one of pytest's own subtests
            if error is not None:
                raised.absorb(session.judge(criterion), call, item.path)
        elif call.when == "teardown":
            if error is not None:
                session.disturb(criterion, f"its teardown broke: {named(error)}")
            found.__dict__["judged"] = session.judged(criterion)
        elif call.when == "call" or error is not None:
            if error is not None:
                raised.absorb(session.judge(criterion), call, item.path)
            self._end(session, criterion, item, error)
            judged = session.judged(criterion)
            self._show(found, judged, call)
            if judged.verdict > Verdict.CONDITIONAL and not isinstance(error, pytest.skip.Exception):
                call.excinfo = _as_raised(judged, error)

    @staticmethod
    def _end(session: Session, criterion: Criterion, item: pytest.Item, error: BaseException | None) -> None:
        if not session.run.replaying and (lost := _unwritten(error)):
            session.breaks(lost)
        session.end(criterion, getattr(item, "funcargs", {}))
        if session.broken:  # whatever else is measured would be lost too
            item.session.shouldstop = session.broken

    def _show(self, found: pytest.TestReport, judged: Judged, call: pytest.CallInfo[None]) -> None:
        assert self.session is not None  # noqa: S101 - for the type checker
        found.__dict__.pop("wasxfail", None)  # a known breach is still a breach
        found.__dict__["judged"] = judged
        if judged.verdict < Verdict.INCONCLUSIVE:
            found.outcome, found.longrepr = "passed", None
            return
        error = call.excinfo.value if call.excinfo else None
        enough = (HarnessError, *_WORDS_ENOUGH)
        ours = error is None or isinstance(error, enough) or raised.no_room(error)
        message = f"{judged.verdict}: {judged.finding.sentence}"
        shown = terminal.Block(block(judged, self.session.run), message, None if ours else found.longrepr)
        self._shown.pop(found.nodeid, None)
        if judged.verdict is Verdict.INCONCLUSIVE:
            self._shown[found.nodeid] = (found, shown)
            if isinstance(error, pytest.skip.Exception):
                return  # still "skipped" to pytest: -x goes on
        found.outcome, found.longrepr = "failed", shown  # type: ignore[assignment]

    def pytest_runtest_logreport(self, report: pytest.TestReport | None = None) -> None:
        """Count what pytest counts: whatever else it counts as failed in the end, another plugin added."""
        super().pytest_runtest_logreport()
        if report is not None and report.failed and not hasattr(report, "wasxfail"):
            self._failed += 1

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(
        self, report: pytest.CollectReport | pytest.TestReport, config: pytest.Config
    ) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
        """Show the verdict, and with ``-v`` the value and its limit."""
        judged: Judged | None = getattr(report, "judged", None)
        if judged is None or report.when == "teardown":
            return None
        finding, verdict = judged.finding, judged.verdict
        words = str(verdict)
        if config.get_verbosity() > 0 and finding.value is not None:
            words += f" {quantity(finding.value, finding.unit)} (limit {finding.limit})"
        category, letter, colour = _SHOWN[verdict]
        return category, letter, (words, {colour: True})

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(
        self, session: pytest.Session, exitstatus: int | pytest.ExitCode
    ) -> Generator[None]:
        """Write everything down once the last fixture is gone, also when that went wrong."""
        interrupt.ending()
        if self.session and self.session.broken and self._log:
            self._log.logfile = os.devnull  # pytest would break where it can't write
        try:
            return (yield)
        finally:
            if self.session:
                self._finish(session, exitstatus, self.session)

    def _finish(self, session: pytest.Session, exitstatus: int, ours: Session) -> None:
        why = str(session.shouldfail or session.shouldstop or "the session ended before")
        interrupted = exitstatus == pytest.ExitCode.INTERRUPTED and not ours.broken
        outcome = ours.finish("interrupted" if interrupted else f"not judged: {why}")
        self._write_junit(ours, outcome)
        if exitstatus in _CONVENTIONAL or ours.broken:
            gate = session.testsfailed > self._failed
            theirs = int(session.exitstatus) if session.exitstatus != exitstatus else int(gate)
            session.exitstatus = theirs or ours.exit_status

    def _write_junit(self, ours: Session, outcome: Outcome) -> None:
        asked = getattr(self._config.option, "xmlpath", None)
        source = self._config.invocation_params.dir / Path(os.path.expandvars(asked or JUNIT)).expanduser()
        files = [] if ours.run.replaying else [ours.run.directory / JUNIT]
        if asked and self._log is None:
            files.insert(0, source)
        elif self._log and not ours.broken:
            self._log.logfile = str(files[0])  # where it says that it lies
        try:
            if files:
                junit.settle(source, list(dict.fromkeys(files)), outcome.judged, junit.facts(outcome))
        except EvidenceError as error:
            ours.unwritten(error)

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say why what is INCONCLUSIVE is, then the table, the verdicts and the places."""
        if self.session is None or self.session.outcome is None:
            return
        if self._shown and not terminalreporter.no_summary:
            terminalreporter.write_sep("=", "INCONCLUSIVE", purple=True)
            for found, shown in self._shown.values():
                terminalreporter.write_sep("_", found.head_line or found.nodeid, purple=True)
                terminalreporter.write_line(str(shown))
                for title, content in found.sections:
                    terminalreporter.write_sep("-", title)
                    terminalreporter.write_line(content.rstrip())
        width = self._config.get_terminal_writer().fullwidth
        terminalreporter.write_sep("=", "verdicts")
        terminalreporter.write(
            terminal.render(
                terminal.summary(self.session.outcome, self.session.report, self.session.comparison),
                width=width if terminalreporter.isatty else max(width, terminal.LEAST_WIDTH),
                colour=terminalreporter.hasmarkup,
            )
        )


class _Innermost:
    """Hooks that come before those of every other plugin get to see a report."""

    def __init__(self, criteria: Criteria) -> None:
        self._criteria = criteria

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Let the verdict be the outcome."""
        found = yield
        self._criteria.settle(found, item, call)
        return found


def _as_raised(judged: Judged, error: BaseException | None) -> pytest.ExceptionInfo[BaseException]:
    """Return the verdict in the form that others read: a failed assertion, or an error that is none."""
    failed = judged.verdict is Verdict.FAIL
    if error is not None and isinstance(error, AssertionError) is failed:
        return pytest.ExceptionInfo.from_exception(error)
    try:
        raise (CriterionFailed if failed else Inconclusive)(judged.finding.sentence) from error
    except (CriterionFailed, Inconclusive) as told:
        return pytest.ExceptionInfo.from_exception(told)


def _unwritten(error: BaseException | None) -> EvidenceError | None:
    """Return the error to tell if evidence is lost because there is no room for it."""
    if isinstance(error, EvidenceError) and raised.no_room(error.__cause__):
        return error
    if raised.no_room(error):
        return EvidenceError("evidence could not be written: the disk is full", found=str(error))
    return None


def _code(root: Path) -> dict[str, str]:
    """Return the digests of what judges: every module that is loaded from ``root``, and the harness."""
    package = Path(str(sys.modules[__name__.partition(".")[0]].__file__)).parent
    loaded = [
        Path(file) for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None))
    ]
    own = [
        file
        for file in loaded
        if file.is_relative_to(root) and "site-packages" not in file.parts and package not in file.parents
    ]
    return {**of_files(own, root), "the harness": of_package(package)}
