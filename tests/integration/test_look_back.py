"""How far rules look back, as the parser of a real Prometheus reads them."""

import signal
import subprocess
from collections.abc import Iterator

import pytest

from verdict_harness.processes import Ports, ask, running, until, web
from verdict_harness.programs import provide
from verdict_harness.systems.recorded import look_back, seconds


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[web.Client]:
    place = tmp_path_factory.mktemp("parser")
    (place / "prometheus.yml").write_text("global: {}\n")
    with Ports() as ports, (place / "log").open("wb") as log:
        port = ports.reserve()
        words = [
            str(provide("prometheus").path),
            f"--config.file={place / 'prometheus.yml'}",
            f"--storage.tsdb.path={place / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        process = subprocess.Popen(words, stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}"
            alive = running(process, place / "log")
            until("Prometheus", lambda: ask(f"{url}/-/ready", lambda _: True), timeout=60, alive=alive)
            with web.client(url) as client:
                yield client
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("up", 0),
        ("rate(a_total[30s])", 30),
        ("rate(a_total[1h30m])", 5400),
        ("rate(a_total[500ms])", 0.5),
        ("rate(a_total[1m] offset 5m)", 360),
        ("a offset -1h", 0),
        ("max_over_time(sum(rate(b_total[30s]))[10m:1m] offset 1m) / 2", 690),
        ("rate(a_total[1d]) + ignoring(x) group_left rate(b_total[5m])", 86400),
        ('a{words="[2h]"}', 0),
    ],
)
def test_one_rule(prometheus: web.Client, expression: str, expected: float) -> None:
    assert look_back(prometheus, {"a": "up", "it": expression}) == expected


def test_rules_upon_rules(prometheus: web.Client) -> None:
    rules = {
        "one": "rate(a_total[30s])",
        "two": "max_over_time(one[5m])",
        "three": "sum(avg_over_time(two[1h])) + one",
        "loop": "max_over_time(loop[1m])",
    }
    assert look_back(prometheus, rules) == 3600 + 300 + 30


def test_what_it_can_not_parse_is_taken_for_all_that_it_names(prometheus: web.Client) -> None:
    assert look_back(prometheus, {"a": "rate(x[1m]", "b": "y offset 30s"}) == seconds("1m 30s")
