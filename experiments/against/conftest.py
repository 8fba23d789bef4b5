"""What judges one version against another: which, and the load that compares them, run once."""

from __future__ import annotations

from typing import Any

import pytest

from experiments.against.comparison import Comparison
from experiments.against.versions import commit, sources
from verdict_harness.errors import UsageError
from verdict_harness.loads import Stage
from verdict_harness.record import Run

COMMIT = pytest.StashKey[str]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Find the other version before a run begins."""
    config = session.config
    ref = config.getoption("--against")
    if not ref or config.getoption("verdict_judge") or config.option.collectonly:
        return
    if not any(item.get_closest_marker("against") for item in session.items):
        alone = f"nox -s asr1 -- --against {ref} -m against"
        raise pytest.UsageError(f"--against {ref}: what judges that is of asr1 and asr2; by itself: {alone}")
    try:
        config.stash[COMMIT] = commit(ref)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from error


@pytest.fixture(scope="session")
def against(stage: Stage, run: Run, pytestconfig: pytest.Config) -> Comparison:
    """The working tree's version against the one that was named."""
    folder = run.evidence.folder("against")

    def found() -> Any:
        other = pytestconfig.stash[COMMIT]
        sources(other, folder)
        return {"ref": pytestconfig.getoption("--against"), "commit": other}

    run.evidence.fact("against", found)
    return Comparison(stage, folder / "src")
