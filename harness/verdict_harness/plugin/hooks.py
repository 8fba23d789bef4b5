"""The pytest plugin: criteria as tests, verdicts as outcomes. Only this file of the harness imports pytest.

It does nothing in a session that collects no test marked ``criterion``.
"""

from __future__ import annotations

import dataclasses
import inspect
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ..errors import HarnessError, UsageError, named
from ..processes import interrupt
from ..record import Run, Watched
from ..report import QUICK_NOTE, block, junit, quantity, terminal
from ..systems import Backend, Options
from ..verdicts import Criterion, Judge, Judged, Verdict, exit_status, replay, without_value
from . import backends
from .options import TABLE
from .session import Session

_RUN = pytest.StashKey[Run]()
_CRITERIA = pytest.StashKey["Criteria"]()
_CRITERION = pytest.StashKey[Criterion]()
_REFUSAL = "verdict_harness_refuses"
_NO_WORKERS = "criteria can't be judged in parallel, each worker would load the machine too: run without -n"
_SHOWN = {  # as pytest counts it, its letter, and pytest's word for its colour
    Verdict.PASS: ("passed", ".", "green"),
    Verdict.CONDITIONAL: ("conditional", "c", "yellow"),
    Verdict.INCONCLUSIVE: ("inconclusive", "?", "purple"),
    Verdict.FAIL: ("failed", "F", "red"),
}
_WORDS_ENOUGH = (pytest.skip.Exception, pytest.xfail.Exception)  # no traceback says more
_CONVENTIONAL = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what people type after ``--``."""
    group = parser.getgroup("verdicts", "criteria and their verdicts")
    for option, words in TABLE.items():
        group.addoption(option, **words)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker; on replay, open the run and look for its tests unless others were asked for."""
    config.addinivalue_line(
        "markers",
        "criterion(id, experiment, asr='', fail_counts_as='FAIL'): the test judges one criterion. "
        "{name} in the id stands for a parameter; fail_counts_as='CONDITIONAL' if a miss can't sink the "
        "whole ASR alone",
    )
    if config.getoption("backend"):
        _backend_name(config)
    if config.getoption("judge"):
        given = Path(config.getoption("judge"))
        places = [config.invocation_params.dir / given, config.rootpath / given]
        asked = {option: config.getoption(option) for option in ("backend", "profile")}
        run: Run = _usage(replay.open_run, places, asked)
        config.stash[_RUN] = run
        if config.args_source is not pytest.Config.ArgsSource.ARGS:
            config.args[:] = _usage(replay.files, run.evidence.run, config.rootpath)


def _backend_name(config: pytest.Config) -> str:
    name = str(config.getoption("backend") or os.environ.get("HARNESS_BACKEND") or "local")
    if name not in backends.NAMES:
        raise pytest.UsageError(f"no backend {name!r}: --backend is one of {', '.join(backends.NAMES)}")
    return name


def _options(config: pytest.Config) -> Options:
    return Options.read(config.getoption, config.invocation_params.dir)


def _usage(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call; an error of the harness ends the session with pytest's status for usage errors."""
    try:
        return call(*args, **kwargs)
    except HarnessError as error:
        raise pytest.UsageError(str(error)) from error


def _read(item: pytest.Item) -> Criterion | None:
    """Return the criterion that ``item`` judges, if it is marked to judge one."""
    mark = item.get_closest_marker("criterion")
    if mark is None:
        return None
    try:
        criterion = Criterion.marked(*mark.args, **mark.kwargs)
        params = item.callspec.params if hasattr(item, "callspec") else {}
        name = criterion.id.format_map(params) if "{" in criterion.id else criterion.id
    except (TypeError, ValueError, LookupError) as error:
        right = "criterion(id, experiment, asr='', fail_counts_as='FAIL')"
        raise pytest.UsageError(f"{item.nodeid}: {right} was misused: {error!r}") from error
    doc = inspect.getdoc(getattr(item, "obj", None)) or ""
    sentence = " ".join(doc.split("\n\n")[0].split())
    return dataclasses.replace(criterion, id=name, sentence=sentence, test=item.nodeid)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Read the markers; on replay, leave only what the stored run judged."""
    for item in items:
        if criterion := _read(item):
            item.stash[_CRITERION] = criterion
    if (run := config.stash.get(_RUN, None)) is None:
        return
    stored = {criterion.id for criterion in replay.criteria(run.evidence.run)}
    kept = [item for item in items if _CRITERION in item.stash and item.stash[_CRITERION].id in stored]
    if len(kept) < len(items):
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Take the session over if it has criteria."""
    config = session.config
    items = sorted((item for item in session.items if _CRITERION in item.stash), key=_order)
    criteria = [item.stash[_CRITERION] for item in items]
    if not criteria:
        return
    if hasattr(config, "workerinput"):
        config.workeroutput[_REFUSAL] = True  # type: ignore[attr-defined]
        pytest.exit(_NO_WORKERS, returncode=pytest.ExitCode.USAGE_ERROR)
    known: dict[str, Criterion] = {}
    for criterion in criteria:
        if (other := known.setdefault(criterion.id, criterion)) is not criterion:
            raise pytest.UsageError(
                f"two tests judge the criterion {criterion.id!r}: {other.test} and {criterion.test}; "
                "put {name of a parameter} into the id of a parametrized one"
            )
    if not (config.option.collectonly or config.getoption("setupplan", default=False)):
        config.stash[_CRITERIA] = Criteria(config, criteria)
        config.pluginmanager.register(config.stash[_CRITERIA])


def _order(item: pytest.Item) -> tuple[object, ...]:
    """Order criteria for readers: by requirement and experiment, then as written, however they run."""
    criterion, (path, line, _) = item.stash[_CRITERION], item.location
    return not criterion.asr, criterion.asr, criterion.experiment, path, line or 0, criterion.id


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """End a session whose workers found criteria (pytest-xdist calls this where the workers are led)."""
    if getattr(node, "workeroutput", {}).get(_REFUSAL):
        raise pytest.UsageError(_NO_WORKERS)


@pytest.fixture(scope="session")
def run(pytestconfig: pytest.Config) -> Iterator[Run]:
    """The run: its evidence, profile, backend, id and folder (see :class:`verdict_harness.record.Run`)."""
    criteria = pytestconfig.stash.get(_CRITERIA, None)
    if criteria and criteria.session:
        yield criteria.session.run
        return
    run = _open(pytestconfig)
    yield run
    run.evidence.seal()


@pytest.fixture(scope="session")
def backend(run: Run, pytestconfig: pytest.Config) -> Iterator[Backend]:
    """The backend that was asked for; on replay, one that refuses to deploy."""
    if run.replaying:
        yield replay.Stored(run)
    else:
        with backends.opened(run.backend, _options(pytestconfig)) as backend:
            yield backend


@pytest.fixture
def judge(request: pytest.FixtureRequest) -> Judge:
    """Judge samples: ``judge(sample, expectation)`` (see :class:`verdict_harness.verdicts.Judge`)."""
    criteria, criterion = request.config.stash.get(_CRITERIA, None), request.node.stash.get(_CRITERION, None)
    if criterion is None or criteria is None or criteria.session is None:
        raise UsageError(
            "nothing to judge for",
            expected="@pytest.mark.criterion(id, experiment) on a test that uses the fixture judge",
            where=request.node.nodeid,
        )
    return criteria.session.judge(criterion)


def _open(config: pytest.Config) -> Run:
    if _RUN in config.stash:
        return config.stash[_RUN]
    runs = config.getoption("runs")
    evidence = Watched.create(
        config.invocation_params.dir / runs if runs else config.rootpath / "runs",
        profile=config.getoption("profile") or "full",
        backend=_backend_name(config),
        argv=["pytest", *map(str, config.invocation_params.args)],
    )
    return Run(evidence, keep=config.getoption("keep"))


class Criteria(terminal.Beside):
    """Hooks of a session that has criteria."""

    def __init__(self, config: pytest.Config, criteria: Sequence[Criterion]) -> None:
        self._config = config
        self._criteria = criteria
        self._shown: list[tuple[pytest.TestReport, terminal.Block]] = []
        self.session: Session | None = None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Begin the run when it is certain that tests are run."""
        errors = session.testsfailed
        if not errors or self._config.option.continue_on_collection_errors:
            self._begin(errors)
        return (yield)

    def _begin(self, errors: int) -> None:
        if _RUN not in self._config.stash:  # a stored run needs no backend
            _usage(backends.check, _backend_name(self._config), _options(self._config))
        self._config.add_cleanup(interrupt.heed())
        run: Run = _usage(_open, self._config)
        self.session = _usage(Session, run, self._criteria, root=self._config.rootpath)
        if errors:
            self.session.failures.append(f"{errors} files could not be collected")
        if run.replaying:
            if not self._narrowed():
                judged = {criterion.id for criterion in self._criteria}
                self.session.missing([c for c in replay.criteria(run.evidence.run) if c.id not in judged])
        elif not getattr(self._config.option, "xmlpath", None):  # no such option without the plugin
            self._write_junit(run.directory / "junit.xml")
        if writer := self._config.pluginmanager.getplugin("terminalreporter"):
            how = f"backend {run.backend}, profile {run.profile}" + f" ({QUICK_NOTE})" * run.quick
            writer.write_line(f"{'judging again' if run.replaying else 'run'} {run.directory}: {how}")

    def _narrowed(self) -> bool:
        """Whether people asked for some of the tests only."""
        option = self._config.option
        chosen = self._config.args_source is pytest.Config.ArgsSource.ARGS
        some = chosen and any(".py" in argument for argument in self._config.args)
        return bool(some or option.keyword or option.markexpr or option.deselect or getattr(option, "lf", 0))

    def _write_junit(self, path: Path) -> None:
        """Let pytest's own plugin write JUnit XML to ``path``, as if it had been asked to at the start."""
        manager = self._config.pluginmanager
        if (plugin := manager.getplugin("junitxml")) is None:
            return
        before = set(manager.get_plugins())
        self._config.option.xmlpath = str(path)
        plugin.pytest_configure(self._config)
        for log in manager.get_plugins() - before:
            log.pytest_sessionstart()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None]:
        """Note which facts the test itself asks for."""
        if self.session and (criterion := item.stash.get(_CRITERION, None)):
            self.session.begin(criterion, getattr(item, "funcargs", {}))
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Turn what happened into findings, and the verdict into the outcome."""
        found = yield
        criterion, session = item.stash.get(_CRITERION, None), self.session
        if session is None:
            return found
        if criterion is None:
            if found.failed:
                session.failures.append(f"{item.nodeid} failed ({found.when}); it is no criterion")
            return found
        if call.when == "teardown":
            judged = session.judged(criterion)
            if call.excinfo:
                judged = session.disturb(criterion, f"its teardown broke: {named(call.excinfo.value)}")
            found.user_properties += junit.properties(judged)
        elif call.when == "call" or call.excinfo:
            if call.excinfo:
                _absorb(session.judge(criterion), call)
            elif found.failed and "[XPASS(strict)]" not in str(found.longrepr):
                session.judge(criterion).record(without_value(Verdict.FAIL, str(found.longrepr)))
            judged = session.end(criterion, getattr(item, "funcargs", {}))
            found.user_properties += junit.properties(judged)
            self._settle(found, judged, call, session.run)
        return found

    def _settle(
        self, found: pytest.TestReport, judged: Judged, call: pytest.CallInfo[None], run: Run
    ) -> None:
        found.__dict__.pop("wasxfail", None)  # a known breach is still a breach
        found.__dict__["judged"] = judged
        if judged.verdict < Verdict.INCONCLUSIVE:
            found.outcome, found.longrepr = "passed", None
            return
        error = call.excinfo.value if call.excinfo else None
        ours = error is None or isinstance(error, (HarnessError, *_WORDS_ENOUGH))
        message = f"{judged.verdict}: {judged.finding.sentence}"
        shown = terminal.Block(block(judged, run), message, None if ours else found.longrepr)
        if judged.verdict is Verdict.INCONCLUSIVE:
            self._shown.append((found, shown))
            if isinstance(error, pytest.skip.Exception):
                return  # still "skipped" to pytest: -x goes on
        found.outcome, found.longrepr = "failed", shown  # type: ignore[assignment]

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(
        self, report: pytest.CollectReport | pytest.TestReport, config: pytest.Config
    ) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
        """Show the verdict, and with ``-v`` the value and its limit."""
        judged: Judged | None = getattr(report, "judged", None)
        if judged is None:
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
        try:
            return (yield)
        finally:
            if self.session:
                self._finish(session, exitstatus, self.session)

    def _finish(self, session: pytest.Session, exitstatus: int, ours: Session) -> None:
        why = str(session.shouldfail or session.shouldstop or "the session ended before")
        interrupted = exitstatus == pytest.ExitCode.INTERRUPTED
        outcome = ours.finish("interrupted" if interrupted else f"not judged: {why}")
        if exitstatus in _CONVENTIONAL:
            session.exitstatus = exit_status(outcome.judged, outcome.failures, outcome.troubles)
        files = [] if ours.run.replaying else [ours.run.directory / "junit.xml"]
        if xmlpath := getattr(self._config.option, "xmlpath", None):
            asked = Path(os.path.expandvars(xmlpath)).expanduser()
            files.insert(0, self._config.invocation_params.dir / asked)
        if files:
            junit.settle(files[0], list(dict.fromkeys(files)), outcome.judged)

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say why what is INCONCLUSIVE is, then the table, the verdicts and the places."""
        if self.session is None or self.session.outcome is None:
            return
        if self._shown and not terminalreporter.no_summary:
            terminalreporter.write_sep("=", "INCONCLUSIVE", purple=True)
            for found, shown in self._shown:
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


def _absorb(judge: Judge, call: pytest.CallInfo[None]) -> None:
    """Make a finding of what a fixture or a test raised."""
    assert call.excinfo is not None  # noqa: S101 - for the type checker
    error = call.excinfo.value
    if isinstance(error, pytest.skip.Exception):
        judge.demote(f"not measured: skipped: {error.msg}")
    elif isinstance(error, pytest.xfail.Exception):
        if call.when == "call":
            judge.record(without_value(Verdict.FAIL, f"expected to fail: {error.msg}"))
        else:
            judge.demote(f"not measured: xfail: {error.msg}")
    elif isinstance(error, HarnessError):
        judge.demote(str(error))
    elif call.when == "setup":
        judge.demote(f"a fixture broke: {named(error)}")
    elif isinstance(error, pytest.fail.Exception):
        if "pytest-timeout" in str(error.msg):
            judge.demote(f"the test ran out of time: {error.msg}")
        else:
            judge.record(without_value(Verdict.FAIL, str(error.msg) or "the test failed"))
    elif isinstance(error, AssertionError):
        judge.record(without_value(Verdict.FAIL, str(error).strip() or "an assertion failed"))
    else:
        judge.demote(f"the test broke: {named(error)}")
