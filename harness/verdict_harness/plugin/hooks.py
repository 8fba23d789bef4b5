"""The pytest plugin: criteria as tests, verdicts as outcomes.

It does nothing in a session that collects no test marked ``criterion``, and imports nothing that judges:
that is in :mod:`~verdict_harness.plugin.opening`.  It leaves to other plugins whatever words and names they
have taken: see :mod:`~verdict_harness.plugin.options`.
"""

from __future__ import annotations

import argparse
import os
import types
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from ..processes import progress  # noqa: F401 - it takes standard error as it is before pytest captures that
from . import options, short
from .options import RIGHT, TABLE, asked

if TYPE_CHECKING:
    from ..record import Run
    from ..systems import Backend
    from ..verdicts import Judge

_REFUSAL = "verdict_harness_refuses"
_NO_WORKERS = "criteria can't be judged in parallel, each worker would load the machine too: run without -n"


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
        except argparse.ArgumentError:  # of a plugin that went past pytest's groups
            group.addoption(*options.spellings(word, {word}), **own)
    parser.addini(
        "verdict_requirements",
        "TOML file that lists the criteria of each requirement: a run of fewer has not judged it whole",
    )


def _autoloads(manager: pytest.PytestPluginManager) -> bool:
    known = getattr(manager.get_plugin("pytestconfig"), "known_args_namespace", None)
    off = os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD") or getattr(known, "disable_plugin_autoload", False)
    return not off


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker and the fixtures; on replay, open the run and look for its tests."""
    config.addinivalue_line(
        "markers",
        f"{RIGHT}: the test judges one criterion. "
        "{name} in the id stands for a parameter; fail_counts_as='CONDITIONAL' if a miss can't sink the "
        "whole ASR alone",
    )
    config.pluginmanager.register(_short_fixtures(config.pluginmanager), "verdict-harness-fixtures")
    if asked(config, "backend") or asked(config, "judge"):
        from . import opening  # noqa: PLC0415 - as said above

        opening.early(config)


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


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None]:
    """Read the markers before anything is deselected; on replay, leave only what the stored run judged."""
    marked = _marked(items)
    if not marked and not asked(config, "judge"):
        yield
        return
    from . import opening  # noqa: PLC0415 - as said above

    opening.collect(config, marked)
    yield
    if asked(config, "judge"):
        opening.keep_stored(config, items)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Take the session over if it has criteria."""
    config = session.config
    if not (marked := _marked(session.items)):
        return
    if hasattr(config, "workerinput"):
        config.workeroutput[_REFUSAL] = True  # type: ignore[attr-defined]
        pytest.exit(_NO_WORKERS, returncode=pytest.ExitCode.USAGE_ERROR)
    from . import opening  # noqa: PLC0415 - as said above

    opening.take_over(config, marked)


def _marked(items: list[pytest.Item]) -> list[pytest.Item]:
    return [item for item in items if item.get_closest_marker("criterion")]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """End a session whose workers found criteria (pytest-xdist calls this where the workers are led)."""
    if getattr(node, "workeroutput", {}).get(_REFUSAL):
        raise pytest.UsageError(_NO_WORKERS)


@pytest.fixture(scope="session")
def verdict_run(pytestconfig: pytest.Config) -> Iterator[Run]:
    """The run: its evidence, profile, backend, id and folder (see :class:`verdict_harness.record.Run`)."""
    from . import opening  # noqa: PLC0415 - as said above

    criteria = pytestconfig.stash.get(opening.CRITERIA, None)
    if criteria and criteria.session:
        yield criteria.session.run
        return
    run = opening.open_run(pytestconfig)
    yield run
    run.evidence.seal()


@pytest.fixture(scope="session")
def verdict_backend(verdict_run: Run, pytestconfig: pytest.Config) -> Iterator[Backend]:
    """The backend that was asked for; on replay, one that refuses to deploy."""
    from . import opening  # noqa: PLC0415 - as said above

    with opening.backend(verdict_run, pytestconfig) as backend:
        yield backend


@pytest.fixture
def verdict_judge(request: pytest.FixtureRequest) -> Judge:
    """Judge samples: ``judge(sample, expectation)`` (see :class:`verdict_harness.verdicts.Judge`)."""
    from . import opening  # noqa: PLC0415 - as said above

    return opening.judge(request.config, request.node)
