"""Our fixtures by the short names that tests use; those that are free are registered by the hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ..record import Run
    from ..systems import Backend
    from ..verdicts import Judge


@pytest.fixture(scope="session")
def run(verdict_run: Run) -> Run:
    """The run; ``verdict_run`` by its short name."""
    return verdict_run


@pytest.fixture(scope="session")
def backend(verdict_backend: Backend) -> Backend:
    """The backend that was asked for; ``verdict_backend`` by its short name."""
    return verdict_backend


@pytest.fixture
def judge(verdict_judge: Judge) -> Judge:
    """Judge samples; ``verdict_judge`` by its short name."""
    return verdict_judge
