"""What a Prometheus that stays does with what it saw of the system before."""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from verdict_harness.systems import System, prometheus

RULES = "groups: [{rules: [{record: a, expr: 'rate(x[30s]) + max_over_time(y[2m])'}]}]"


class Fake(http.server.ThreadingHTTPServer):
    status = 204
    asked: list[str]


@pytest.fixture
def server() -> Iterator[Fake]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            server.asked.append(self.path)
            if server.status:  # else it breaks off
                self.send_response(server.status)
                self.end_headers()

        def log_message(self, *args: object) -> None: ...

    server = Fake(("127.0.0.1", 0), Handler)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds slept; time passes by nothing else."""
    slept: list[float] = []
    ours = SimpleNamespace(sleep=slept.append, monotonic=lambda: sum(slept))
    monkeypatch.setattr(prometheus, "time", ours)  # not the module, which others read
    return slept


@pytest.fixture
def system(tmp_path: Path) -> System:
    rules = tmp_path / "rules.yml"
    rules.write_text(RULES)
    return System("s", (), recording_rules=rules)


def forget(server: Fake, system: System, *, ours: bool) -> None:
    prometheus.forget(f"http://127.0.0.1:{server.server_port}/proxy", system, ours=ours)


def test_ours_deletes_everything(server: Fake, slept: list[float], system: System) -> None:
    forget(server, system, ours=True)
    assert server.asked == ["/proxy/api/v1/admin/tsdb/delete_series?match%5B%5D=%7B__name__%3D~%22.%2B%22%7D"]
    assert slept == []


def test_where_it_may_not_delete_the_longest_look_back_is_waited_for(
    server: Fake, slept: list[float], system: System
) -> None:
    server.status = 400
    forget(server, system, ours=True)
    assert sum(slept) == 30 + 120 + 15, "it has no parser: all that the rules name"


def test_others_data_is_never_deleted(server: Fake, slept: list[float], system: System) -> None:
    forget(server, system, ours=False)
    assert server.asked == []
    assert sum(slept) == 30 + 120 + 15


def test_a_prometheus_that_breaks_off_has_deleted_nothing(
    server: Fake, slept: list[float], system: System
) -> None:
    server.status = 0
    forget(server, system, ours=True)
    assert sum(slept) == 30 + 120 + 15
