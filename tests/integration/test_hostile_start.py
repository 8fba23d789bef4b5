"""A service that takes its time: refusals for three seconds, then all that may come instead of an answer."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from verdict_harness.errors import WaitTimeout
from verdict_harness.processes import Answer, ask
from verdict_harness.systems import Command, LocalBackend, Place, Process, Service, System, chaos

SERVER = Path(__file__).parents[1] / "hostile.py"


def hostile(refused: float, each: float, timeout: float = 120.0) -> System:
    def command(at: Place) -> Command:
        return Command((sys.executable, str(SERVER), str(at.port("http")), str(refused), str(each)))

    service = Service("web", {"http": 80}, "http:/health UP", Process(command), start_timeout=timeout)
    return System("hostile", (service,))


def test_it_is_waited_for_and_so_it_is_after_a_kill(tmp_path: Path) -> None:
    with LocalBackend().deploy(hostile(3.0, 0.3), tmp_path) as deployment:
        at = deployment.endpoint("web").url
        assert ask(f"{at}/health", Answer.json) == {"status": "UP"}
        with chaos.kill(deployment, "web"):
            deployment.check()
        assert ask(f"{at}/health", Answer.json) == {"status": "UP"}
        deployment.check()


def test_in_vain_it_is_told_what_there_was_instead(tmp_path: Path) -> None:
    never = hostile(0.1, 600.0, timeout=1.0)
    with pytest.raises(WaitTimeout) as caught, LocalBackend().deploy(never, tmp_path):
        pytest.fail("it must not come up")
    assert "web runs and is not ready after 1 s" in str(caught.value)
    assert "connection reset by peer" in str(caught.value)
