"""Which criteria smoke has: Grafana is asked where there is one, and where there is none a line says so."""

from __future__ import annotations

import os

import pytest

from verdict_harness.errors import UsageError

from .grafana import absent

_WHY = pytest.StashKey[str]()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what asks Grafana where nobody has one; a stored run knows itself what it judged."""
    asking = [item for item in items if "dashboards" in getattr(item, "fixturenames", ())]
    if not asking or config.getoption("verdict_judge"):
        return
    backend = config.getoption("verdict_backend") or os.environ.get("HARNESS_BACKEND") or "local"
    try:
        why = absent(backend, os.environ)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from error
    if why:
        config.stash[_WHY] = why
        config.hook.pytest_deselected(items=asking)
        items[:] = [item for item in items if item not in asking]


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Say that nobody asked Grafana, and why."""
    why = config.stash.get(_WHY, "")
    return [f"smoke.grafana is not judged: {why}"] if why else []
