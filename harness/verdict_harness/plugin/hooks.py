"""The pytest plugin: criteria as tests, verdicts as outcomes.

It does nothing in a session that collects no test marked ``criterion``, and leaves to other plugins
whatever words and names they have taken: see :mod:`~verdict_harness.plugin.options`.
"""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import os
import types
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from ..errors import HarnessError, UsageError
from ..record import Run, Watched, forget
from ..systems import Backend, Options
from ..verdicts import Criterion, Judge, replay, requirements
from . import backends, options, short
from .criteria import Criteria
from .options import TABLE

_RUN = pytest.StashKey[Run]()
_CRITERIA = pytest.StashKey[Criteria]()
_CRITERION = pytest.StashKey[Criterion]()
_COLLECTED = pytest.StashKey[list[Criterion]]()
_REFUSAL = "verdict_harness_refuses"
_NO_WORKERS = "criteria can't be judged in parallel, each worker would load the machine too: run without -n"
_RIGHT = "criterion(id, experiment, asr='', fail_counts_as='FAIL')"


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Add what people type after ``--``, once all others have said which words are theirs."""
    if _autoloads(pluginmanager):
        # They would be loaded next in any case; a word that two plugins claim ends every session.
        pluginmanager.load_setuptools_entrypoints("pytest11")
    groups = (parser._anonymous, *parser._groups)  # noqa: SLF001 - nothing public says which words there are
    taken = {name for group in groups for option in group.options for name in option.names()}
    group = parser.getgroup("verdicts", "criteria and their verdicts")
    for word, told in TABLE.items():
        own = {"dest": options.dest(word.removeprefix("--")), **told}
        try:
            group.addoption(*options.spellings(word, taken), **own)
        except (ValueError, argparse.ArgumentError):
            group.addoption(*options.spellings(word, {word}), **own)
    parser.addini(
        "verdict_requirements",
        "TOML file that lists the criteria of each requirement: a run of fewer has not judged it whole",
    )


def _autoloads(manager: pytest.PytestPluginManager) -> bool:
    known = getattr(manager.get_plugin("pytestconfig"), "known_args_namespace", None)
    off = os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD") or getattr(known, "disable_plugin_autoload", False)
    return not off


def _asked(config: pytest.Config, word: str) -> Any:
    return config.getoption(options.dest(word))


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker and the fixtures; on replay, open the run and look for its tests."""
    config.addinivalue_line(
        "markers",
        f"{_RIGHT}: the test judges one criterion. "
        "{name} in the id stands for a parameter; fail_counts_as='CONDITIONAL' if a miss can't sink the "
        "whole ASR alone",
    )
    config.pluginmanager.register(_short_fixtures(config.pluginmanager), "verdict-harness-fixtures")
    if _asked(config, "backend"):
        try:
            _backend_name(config)
        except pytest.UsageError:
            forget(_runs(config) / "latest")
            raise
    if _asked(config, "judge"):
        given = Path(_asked(config, "judge"))
        places = [config.invocation_params.dir / given, config.rootpath / given]
        asked = {word: _asked(config, word) for word in ("backend", "profile")}
        run: Run = _usage(replay.open_run, places, asked)
        config.stash[_RUN] = run
        if config.args_source is not pytest.Config.ArgsSource.ARGS:
            config.args[:] = _usage(replay.files, run.evidence.run, config.rootpath)


def _short_fixtures(manager: pytest.PytestPluginManager) -> types.ModuleType:
    """Return the fixtures by their short names, where no other plugin has one of that name."""
    # one of a conftest.py is known by its place, and wins there by itself
    others = [
        one for one in manager.get_plugins() if not str(getattr(one, "__file__", "")).endswith("conftest.py")
    ]
    module = types.ModuleType("verdict_harness_fixtures")
    for name in ("run", "backend", "judge"):
        fixture = getattr(short, name)
        if not any(isinstance(getattr(other, name, None), type(fixture)) for other in others):
            setattr(module, name, fixture)
    return module


def _runs(config: pytest.Config) -> Path:
    runs = _asked(config, "runs")
    return config.invocation_params.dir / runs if runs else config.rootpath / "runs"


def _backend_name(config: pytest.Config) -> str:
    name = str(_asked(config, "backend") or os.environ.get("HARNESS_BACKEND") or "local")
    if name not in backends.NAMES:
        raise pytest.UsageError(f"no backend {name!r}: --backend is one of {', '.join(backends.NAMES)}")
    return name


def _options(config: pytest.Config) -> Options:
    return Options.read(lambda word: _asked(config, word), config.invocation_params.dir)


def _usage(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call; an error of the harness ends the session with pytest's status for usage errors."""
    try:
        return call(*args, **kwargs)
    except HarnessError as error:
        raise pytest.UsageError(str(error)) from error


def _read(item: pytest.Item) -> Criterion | None:
    """Return the criterion that ``item`` judges, if it is marked to judge one."""
    marks = list(item.iter_markers("criterion"))
    if not marks:
        return None
    if len(marks) > 1:
        ids = " and ".join(str((*mark.args, *mark.kwargs.values())[:1]) for mark in marks)
        raise pytest.UsageError(f"{item.nodeid}: one test judges one criterion, and this is marked {ids}")
    (mark,) = marks
    try:
        criterion = Criterion.marked(*mark.args, **mark.kwargs)
        params = item.callspec.params if hasattr(item, "callspec") else {}
        name = criterion.id.format_map(params) if "{" in criterion.id else criterion.id
    except (TypeError, ValueError, LookupError) as error:
        raise pytest.UsageError(f"{item.nodeid}: {_RIGHT} was misused: {error!r}") from error
    doc = inspect.getdoc(getattr(item, "obj", None)) or ""
    sentence = " ".join(doc.split("\n\n")[0].split())
    return dataclasses.replace(criterion, id=name, sentence=sentence, test=item.nodeid)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None]:
    """Read the markers before anything is deselected; on replay, leave only what the stored run judged."""
    for item in items:
        if criterion := _read(item):
            item.stash[_CRITERION] = criterion
    config.stash[_COLLECTED] = [item.stash[_CRITERION] for item in items if _CRITERION in item.stash]
    yield
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
    criteria = {item: item.stash[_CRITERION] for item in items}
    if not criteria:
        return
    if hasattr(config, "workerinput"):
        config.workeroutput[_REFUSAL] = True  # type: ignore[attr-defined]
        pytest.exit(_NO_WORKERS, returncode=pytest.ExitCode.USAGE_ERROR)
    known: dict[str, Criterion] = {}
    for criterion in criteria.values():
        if (other := known.setdefault(criterion.id, criterion)) is not criterion:
            raise pytest.UsageError(
                f"two tests judge the criterion {criterion.id!r}: {other.test} and {criterion.test}; "
                "put {name of a parameter} into the id of a parametrized one"
            )
    if not (config.option.collectonly or config.getoption("setupplan", default=False)):
        table, troubles = _usage(_table, config, list(criteria.values()))
        config.stash[_CRITERIA] = Criteria(config, criteria, table, troubles, lambda: _begin(config))
        config.stash[_CRITERIA].register()


def _table(config: pytest.Config, selected: list[Criterion]) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Return the criteria of each requirement, and where tests and table disagree."""
    collected = config.stash.get(_COLLECTED, selected)
    claims = [(one.asr, one.id) for one in collected]
    if not (given := str(config.getini("verdict_requirements"))):
        names = {name for name, _ in claims if name}
        return {name: tuple(id_ for claimed, id_ in claims if claimed == name) for name in names}, []
    path = (config.inipath.parent if config.inipath else config.rootpath) / given
    table = requirements.read(path)
    # Of tests in other files than were asked for, nothing is known.
    asked = [config.invocation_params.dir / str(argument).partition("::")[0] for argument in config.args]
    everywhere = any(path.is_relative_to(folder.resolve()) for folder in asked)
    troubles = requirements.gaps(table, claims, [(one.asr, one.id) for one in selected])
    return table, troubles if everywhere else [one for one in troubles if "no test judges it" not in one]


def _begin(config: pytest.Config) -> Run:
    """Open the run, live or stored."""
    if _RUN not in config.stash:
        # whatever keeps this run from beginning, what an earlier one found is not the latest any more
        forget(_runs(config) / "latest")
        _usage(backends.check, _backend_name(config), _options(config))
    run: Run = _usage(_open, config)
    return run


def _open(config: pytest.Config) -> Run:
    if _RUN in config.stash:
        return config.stash[_RUN]
    evidence = Watched.create(
        _runs(config),
        profile=_asked(config, "profile") or "full",
        backend=_backend_name(config),
        argv=["pytest", *map(str, config.invocation_params.args)],
        run_id=os.environ.get("HARNESS_RUN_ID", ""),
    )
    return Run(evidence, keep=_asked(config, "keep"))


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
def verdict_run(pytestconfig: pytest.Config) -> Iterator[Run]:
    """The run: its evidence, profile, backend, id and folder (see :class:`verdict_harness.record.Run`)."""
    criteria = pytestconfig.stash.get(_CRITERIA, None)
    if criteria and criteria.session:
        yield criteria.session.run
        return
    run = _open(pytestconfig)
    yield run
    run.evidence.seal()


@pytest.fixture(scope="session")
def verdict_backend(verdict_run: Run, pytestconfig: pytest.Config) -> Iterator[Backend]:
    """The backend that was asked for; on replay, one that refuses to deploy."""
    if verdict_run.replaying:
        yield replay.Stored(verdict_run)
    else:
        with backends.opened(verdict_run.backend, _options(pytestconfig)) as backend:
            yield backend


@pytest.fixture
def verdict_judge(request: pytest.FixtureRequest) -> Judge:
    """Judge samples: ``judge(sample, expectation)`` (see :class:`verdict_harness.verdicts.Judge`)."""
    criteria, criterion = request.config.stash.get(_CRITERIA, None), request.node.stash.get(_CRITERION, None)
    if criterion is None or criteria is None or criteria.session is None:
        raise UsageError(
            "nothing to judge for",
            expected="@pytest.mark.criterion(id, experiment) on a test that uses the fixture judge",
            where=request.node.nodeid,
        )
    return criteria.session.judge(criterion)
