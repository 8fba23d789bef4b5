"""How a session that has criteria begins: what a test judges, the table of requirements, the run.

Imported when there is a criterion, or a word after ``--`` that is about one: the hooks are loaded in
every session of pytest, and nobody shall wait there for what judges.
"""

from __future__ import annotations

import dataclasses
import inspect
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from ..errors import HarnessError, UsageError
from ..record import Run, Watched, forget
from ..systems import Backend, Options
from ..verdicts import Criterion, Judge, replay, requirements
from . import backends
from .criteria import Criteria
from .options import RIGHT, asked

RUN = pytest.StashKey[Run]()
CRITERIA = pytest.StashKey[Criteria]()
CRITERION = pytest.StashKey[Criterion]()
COLLECTED = pytest.StashKey[list[Criterion]]()


def early(config: pytest.Config) -> None:
    """Check what was typed, before anything is collected; on replay, open the run and look for its tests."""
    if asked(config, "backend"):
        try:
            _backend_name(config)
        except pytest.UsageError:
            forget(_runs(config) / "latest")
            raise
    if asked(config, "judge"):
        given = Path(asked(config, "judge"))
        places = [config.invocation_params.dir / given, config.rootpath / given]
        words = {word: asked(config, word) for word in ("backend", "profile")}
        run: Run = _usage(replay.open_run, places, words)
        config.stash[RUN] = run
        if config.args_source is not pytest.Config.ArgsSource.ARGS:
            config.args[:] = _usage(replay.files, run.evidence.run, config.rootpath)


def _runs(config: pytest.Config) -> Path:
    runs = asked(config, "runs")
    return config.invocation_params.dir / runs if runs else config.rootpath / "runs"


def _backend_name(config: pytest.Config) -> str:
    name = str(asked(config, "backend") or os.environ.get("HARNESS_BACKEND") or "local")
    if name not in backends.NAMES:
        raise pytest.UsageError(f"no backend {name!r}: --backend is one of {', '.join(backends.NAMES)}")
    return name


def _options(config: pytest.Config) -> Options:
    return Options.read(lambda word: asked(config, word), config.invocation_params.dir)


def _usage(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call; an error of the harness ends the session with pytest's status for usage errors."""
    try:
        return call(*args, **kwargs)
    except HarnessError as error:
        raise pytest.UsageError(str(error)) from error


def collect(config: pytest.Config, marked: list[pytest.Item]) -> None:
    """Note what each test of ``marked`` judges, and that all of them were there."""
    for item in marked:
        item.stash[CRITERION] = _read(item)
    config.stash[COLLECTED] = [item.stash[CRITERION] for item in marked]


def keep_stored(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect whatever the stored run did not judge."""
    stored = {criterion.id for criterion in replay.criteria(config.stash[RUN].evidence.run)}
    kept = [item for item in items if CRITERION in item.stash and item.stash[CRITERION].id in stored]
    if len(kept) < len(items):
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept


def take_over(config: pytest.Config, marked: list[pytest.Item]) -> None:
    """Have the criteria of ``marked`` judged, unless tests are only listed."""
    # a marker that could not be read ended the collection; pytest calls this all the same
    items = sorted((item for item in marked if CRITERION in item.stash), key=_order)
    if not items:
        return
    criteria = {item: item.stash[CRITERION] for item in items}
    known: dict[str, Criterion] = {}
    for criterion in criteria.values():
        if (other := known.setdefault(criterion.id, criterion)) is not criterion:
            raise pytest.UsageError(
                f"two tests judge the criterion {criterion.id!r}: {other.test} and {criterion.test}; "
                "put {name of a parameter} into the id of a parametrized one"
            )
    if not (config.option.collectonly or config.getoption("setupplan", default=False)):
        table, troubles = _usage(_table, config, list(criteria.values()))
        config.stash[CRITERIA] = Criteria(config, criteria, table, troubles, lambda: _begin(config))
        config.stash[CRITERIA].register()


def judge(config: pytest.Config, node: pytest.Item) -> Judge:
    """Return what the test ``node`` judges with."""
    criteria, criterion = config.stash.get(CRITERIA, None), node.stash.get(CRITERION, None)
    if criterion is None or criteria is None or criteria.session is None:
        raise UsageError(
            "nothing to judge for",
            expected="@pytest.mark.criterion(id, experiment) on a test that uses the fixture judge",
            where=node.nodeid,
        )
    return criteria.session.judge(criterion)


def backend(run: Run, config: pytest.Config) -> AbstractContextManager[Backend]:
    """Return the backend that was asked for, to be entered; on replay, one that refuses to deploy."""
    return (
        nullcontext(replay.Stored(run)) if run.replaying else backends.opened(run.backend, _options(config))
    )


def _read(item: pytest.Item) -> Criterion:
    """Return the criterion that ``item`` is marked to judge."""
    marks = list(item.iter_markers("criterion"))
    if len(marks) > 1:
        ids = " and ".join(str((*mark.args, *mark.kwargs.values())[:1]) for mark in marks)
        raise pytest.UsageError(f"{item.nodeid}: one test judges one criterion, and this is marked {ids}")
    (mark,) = marks
    try:
        criterion = Criterion.marked(*mark.args, **mark.kwargs)
        params = item.callspec.params if hasattr(item, "callspec") else {}
        name = criterion.id.format_map(params) if "{" in criterion.id else criterion.id
    except (TypeError, ValueError, LookupError) as error:
        raise pytest.UsageError(f"{item.nodeid}: {RIGHT} was misused: {error!r}") from error
    doc = inspect.getdoc(getattr(item, "obj", None)) or ""
    sentence = " ".join(doc.split("\n\n")[0].split())
    return dataclasses.replace(criterion, id=name, sentence=sentence, test=item.nodeid)


def _table(config: pytest.Config, selected: list[Criterion]) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Return the criteria of each requirement, and where tests and table disagree."""
    collected = config.stash.get(COLLECTED, selected)
    claims = [(one.asr, one.id) for one in collected]
    if not (given := str(config.getini("verdict_requirements"))):
        names = {name for name, _ in claims if name}
        return {name: tuple(id_ for claimed, id_ in claims if claimed == name) for name in names}, []
    path = (config.inipath.parent if config.inipath else config.rootpath) / given
    table = requirements.read(path)
    # Of tests in other files than were asked for, nothing is known.
    places = [config.invocation_params.dir / str(argument).partition("::")[0] for argument in config.args]
    everywhere = any(path.is_relative_to(folder.resolve()) for folder in places)
    troubles = requirements.gaps(table, claims, [(one.asr, one.id) for one in selected])
    return table, troubles if everywhere else [one for one in troubles if "no test judges it" not in one]


def _begin(config: pytest.Config) -> Run:
    """Open the run, live or stored."""
    if RUN not in config.stash:
        # whatever keeps this run from beginning, what an earlier one found is not the latest any more
        forget(_runs(config) / "latest")
        _usage(backends.check, _backend_name(config), _options(config))
    run: Run = _usage(open_run, config)
    return run


def open_run(config: pytest.Config) -> Run:
    """Return the run of this session, made if there is none yet."""
    if RUN in config.stash:
        return config.stash[RUN]
    evidence = Watched.create(
        _runs(config),
        profile=asked(config, "profile") or "full",
        backend=_backend_name(config),
        argv=["pytest", *map(str, config.invocation_params.args)],
        run_id=os.environ.get("HARNESS_RUN_ID", ""),
    )
    return Run(evidence, keep=asked(config, "keep"))


def _order(item: pytest.Item) -> tuple[object, ...]:
    """Order criteria for readers: by requirement and experiment, then as written, however they run."""
    criterion, (path, line, _) = item.stash[CRITERION], item.location
    return not criterion.asr, criterion.asr, criterion.experiment, path, line or 0, criterion.id
