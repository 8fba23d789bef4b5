"""Real k6 against a tiny server: a sound load has no trouble, and each way of going wrong has its own."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx
import psutil
import pytest

from verdict_harness import loads as k6
from verdict_harness.errors import FaultError, LoadError
from verdict_harness.kubernetes.k6 import manifests
from verdict_harness.processes import Ports, ask, until
from verdict_harness.programs import provide
from verdict_harness.systems import Command, LocalBackend, Place, Process, Service, System
from verdict_harness.systems.local import LocalDeployment

SERVER = Path(__file__).with_name("tiny_server.py")
SCRIPT = """
import http from "k6/http";
export const options = {{ scenarios: {{ load: {{
  executor: "constant-arrival-rate", rate: {rate}, timeUnit: "1s", duration: "{seconds}s",
  preAllocatedVUs: {vus}, maxVUs: {vus} }} }},
  thresholds: {{ http_req_duration: ["p(99)<{limit}"] }} }};
export function setup() {{ http.post(`${{__ENV.URL}}/seed`, "x", {{ tags: {{ name: "seed" }} }}); }}
export default function () {{
  http.post(`${{__ENV.URL}}/orders`, "x", {{ tags: {{ name: "{name}", kind: "a" }} }});
  {then}
}}
"""


def tiny(name: str, *words: str) -> Service:
    def command(at: Place) -> Command:
        return Command((sys.executable, str(SERVER), *words), {"PORT": str(at.port("http"))})

    return Service(name, {"http": 8080}, "http:/health", Process(command))


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalDeployment]:
    """A quick server, a slow one, and a real Prometheus."""
    system = System("tiny", (tiny("quick"), tiny("slow", "--slow=0.5")))
    with LocalBackend().deploy(system, tmp_path_factory.mktemp("tiny")) as deployment:
        yield deployment


def script(
    at: Path,
    *,
    rate: int = 20,
    seconds: int = 2,
    vus: int = 10,
    limit: int = 1000,
    name: str = "order",
    then: str = "",
) -> Path:
    path = at / "script.js"
    path.write_text(SCRIPT.format(rate=rate, seconds=seconds, vus=vus, limit=limit, name=name, then=then))
    return path


def run(
    deployment: LocalDeployment,
    path: Path,
    at: Path,
    *,
    url: str = "",
    planned: int | None = 40,
    settle: float = 0.0,
    seconds: float = 2.0,
    tags: dict[str, str] | None = None,
    actions: Sequence[tuple[float, Callable[[], None]]] = (),
) -> k6.Load:
    load = k6.run_load(
        deployment,
        path,
        name="L",
        testid=f"{at.name}/L",
        directory=at / "load",
        env={"URL": url or deployment.endpoint("quick").url},
        planned=planned,
        settle=settle,
        seconds=seconds,
        tags={"name": "order"} if tags is None else tags,
        actions=actions,
    )
    assert k6.Load.from_json(json.loads(json.dumps(load.to_json()))) == load or load.requests == 0
    return load


def texts(load: k6.Load) -> list[str]:
    return [trouble.text for trouble in load.trouble]


def test_a_sound_load(deployment: LocalDeployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("K6_DURATION", "1s")  # of the user; it would replace the script's own scenario
    monkeypatch.setenv("K6_OUT", "json=elsewhere")
    before = time.time()
    load = run(deployment, script(tmp_path), tmp_path, tags={"name": "order", "kind": "a"})
    # where others take the cores k6 may begin some less, or more at the very end: and then that is said
    assert all(re.search("of 40 planned iterations", text) for text in texts(load))
    assert bool(load.trouble) == (load.requests not in {40, 41})
    assert 36 <= load.requests <= 46
    assert load.exit_status == 0
    assert load.requests == load.iterations == load.measured
    assert (load.offered, load.dropped, load.failed) == (40, 0, 0.0)
    assert load.statuses == {"200": load.requests}
    assert load.errors == {}
    assert before < load.started < load.window.start < load.window.end < load.ended
    assert 1.8 < load.window.seconds < 3.0
    # the seed's request is not among them, and the figures are k6's own
    summary = json.loads((tmp_path / "load" / "summary.json").read_text())["metrics"]
    assert summary["http_reqs"]["count"] == load.requests + 1
    assert summary["iteration_duration"]["count"] == load.iterations
    assert set(load.percentiles) == {"min", "avg", "med", "p(90)", "p(95)", "p(99)", "p(99.9)", "max"}
    assert (tmp_path / "load" / "load.json").exists()
    assert (tmp_path / "load" / "k6-L.log").exists()
    # k6's samples are in Prometheus, under the load's own tag and as a native histogram
    selector = f'{{testid="{tmp_path.name}/L",name="order"}}'
    query = f"histogram_count(sum(last_over_time(k6_http_req_duration_seconds{selector}[1m])))"
    answer = httpx.get(f"{deployment.prometheus}/api/v1/query", params={"query": query}).json()
    assert float(answer["data"]["result"][0]["value"][1]) == load.requests


def test_all_requests_give_k6s_own_figures(deployment: LocalDeployment, tmp_path: Path) -> None:
    path = script(tmp_path)
    path.write_text(re.sub(r"export function setup.*\n", "", path.read_text()))
    load = run(deployment, path, tmp_path, tags={})
    assert load.trouble == ()
    theirs = json.loads((tmp_path / "load" / "summary.json").read_text())["metrics"]["http_req_duration"]
    del theirs["thresholds"]
    assert theirs.pop("count") == load.requests
    assert load.percentiles == pytest.approx(theirs)


def test_crossed_thresholds_are_no_trouble(deployment: LocalDeployment, tmp_path: Path) -> None:
    load = run(deployment, script(tmp_path, limit=0), tmp_path)
    assert load.exit_status == 99
    assert load.trouble == ()


def test_settling_time_is_not_judged(deployment: LocalDeployment, tmp_path: Path) -> None:
    load = run(deployment, script(tmp_path), tmp_path, settle=1.0)
    assert load.trouble == ()
    assert 0.8 < load.window.seconds < 2.0
    assert 0 < load.measured < load.requests


def test_ended_before_it_settled(deployment: LocalDeployment, tmp_path: Path) -> None:
    load = run(deployment, script(tmp_path), tmp_path, settle=30.0)
    assert any("within the 30 s that are not judged" in trouble for trouble in texts(load))
    assert load.began == load.window.start, "and not 30 s before"


def test_a_closed_port(deployment: LocalDeployment, tmp_path: Path) -> None:
    load = run(deployment, script(tmp_path), tmp_path, url="http://127.0.0.1:1")
    assert load.exit_status in {0, 99}, "k6 itself is content"
    assert load.trouble == (), "that it refuses is the system's own"
    assert load.errors == {"dial: connection refused": load.requests}
    assert load.failed == 1.0
    assert load.percentiles == {}, "0 ms is not a latency"


def test_a_script_that_throws(deployment: LocalDeployment, tmp_path: Path) -> None:
    load = run(deployment, script(tmp_path, then='throw new Error("boom");'), tmp_path)
    assert load.exit_status == 0, "k6 itself is content"
    assert re.search(r"(\d+) of \1 iterations threw: Error: boom", "\n".join(texts(load)))


def test_a_script_that_throws_before_any_request(deployment: LocalDeployment, tmp_path: Path) -> None:
    path = script(tmp_path)
    path.write_text(
        path.read_text().replace("http.post(`${__ENV.URL}/orders`", "nothing.post(`${__ENV.URL}/orders`")
    )
    load = run(deployment, path, tmp_path)
    assert load.exit_status == 0, "k6 itself is content"
    assert texts(load)[0] == "no request was made"
    assert "ReferenceError: nothing is not defined" in texts(load)[1]
    assert load.percentiles == {}
    assert math.isnan(load.failed)


def test_a_load_that_k6_could_not_deliver(deployment: LocalDeployment, tmp_path: Path) -> None:
    path = script(tmp_path, vus=2)
    load = run(deployment, path, tmp_path, url=deployment.endpoint("slow").url)
    assert load.exit_status == 0, "k6 itself is content"
    assert load.dropped > 0
    assert load.full
    assert load.trouble == (), "no virtual user was free, for the system took its time"


def test_fewer_than_planned_without_a_drop(deployment: LocalDeployment, tmp_path: Path) -> None:
    load = run(deployment, script(tmp_path), tmp_path, planned=60)
    assert load.dropped == 0
    assert [re.sub(r"\d+(\.\d)?", "N", text) for text in texts(load)] == [
        "only N of N planned iterations (N%)"
    ]


def test_a_script_with_a_mistake(deployment: LocalDeployment, tmp_path: Path) -> None:
    load = run(deployment, script(tmp_path, then="let = ;"), tmp_path)
    assert load.exit_status == 107
    assert "exit status 107" in texts(load)[0]
    assert "Unexpected token" in texts(load)[0]
    assert "no request was made" in texts(load)
    assert load.requests == 0


def test_a_set_up_that_throws(deployment: LocalDeployment, tmp_path: Path) -> None:
    path = script(tmp_path)
    path.write_text(path.read_text().replace("setup() {", 'setup() { throw new Error("no seed");'))
    load = run(deployment, path, tmp_path)
    assert load.exit_status == 107
    assert "no seed" in texts(load)[0]


def test_a_tag_that_nothing_carries(deployment: LocalDeployment, tmp_path: Path) -> None:
    load = run(deployment, script(tmp_path, name="other"), tmp_path)
    assert re.search(r"no request carries the tags name=order; names seen: other \(4\d\)", texts(load)[0])


def test_no_script(deployment: LocalDeployment, tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="no such script"):
        run(deployment, tmp_path / "nothing.js", tmp_path)


def test_actions_happen_on_time_and_their_errors_are_trouble(
    deployment: LocalDeployment, tmp_path: Path
) -> None:
    happened: list[float] = []

    def fail() -> None:
        raise FaultError("it did not bite")

    actions = ((1.0, lambda: happened.append(time.time())), (0.5, fail), (90.0, fail))
    load = run(deployment, script(tmp_path), tmp_path, actions=actions)
    assert len(happened) == 1
    assert 0.5 < happened[0] - load.window.start < 2.5
    assert tuple(texts(load)) == (
        "at 0.5 s: it did not bite",
        "what was to happen 90 s into the load never did",
    )


def test_the_server_dies_in_mid_load(tmp_path: Path) -> None:
    with LocalBackend().deploy(System("mortal", (tiny("quick"),)), tmp_path / "run") as deployment:
        (server,) = (
            one
            for one in psutil.Process().children(recursive=True)
            if str(SERVER) in one.cmdline()
            and one.environ().get("PORT") == str(deployment.endpoint("quick").port)
        )
        timer = threading.Timer(2.5, server.kill)
        timer.start()
        load = run(deployment, script(tmp_path, seconds=60), tmp_path, planned=1200, seconds=60.0)
        timer.join()
    assert "quick died by itself" in load.died
    assert "ended by SIGKILL" in load.died
    assert load.died_at is not None
    assert load.started < load.died_at < load.ended
    assert load.ended - load.started < 45, "it was stopped early"
    assert load.requests > 0, "what was measured until then is kept"
    assert (tmp_path / "load" / "summary.json").exists()
    assert any("of 1200 planned iterations" in trouble for trouble in texts(load))


def test_k6_is_killed(deployment: LocalDeployment, tmp_path: Path) -> None:
    def kill() -> None:
        (process,) = (
            one
            for one in psutil.Process().children(recursive=True)
            if one.name() == "k6" and f"--tag=testid={tmp_path.name}/L" in one.cmdline()
        )
        process.kill()

    load = run(
        deployment, script(tmp_path, seconds=30), tmp_path, planned=600, seconds=30.0, actions=((1.5, kill),)
    )
    whole = "\n".join(texts(load))
    assert "k6 was ended by SIGKILL" in whole
    assert "break off in the middle" in whole
    assert "k6 left no summary" in whole


def test_prometheus_is_gone(tmp_path: Path) -> None:
    with LocalBackend().deploy(System("blind", (tiny("quick"),)), tmp_path / "run") as deployment:
        deployment.kill("prometheus")
        load = run(deployment, script(tmp_path), tmp_path)
    assert re.search(r"could not hand its samples over \d+ times: .*connection refused", load.unpushed)
    assert load.trouble == (), "what k6 itself has of them is whole"
    assert load.requests > 0


CTRL_C = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from verdict_harness.systems import LocalBackend
from verdict_harness.systems import System
from test_k6_runner import run, script, tiny
at = Path(sys.argv[2])
with LocalBackend().deploy(System("tiny", (tiny("quick"),)), at / "run") as deployment:
    print("up", deployment.endpoint("quick").url, flush=True)
    run(deployment, script(at, seconds=60), at, planned=1200, seconds=60.0)
"""


def orders_at(url: str) -> int:
    return ask(f"{url}/metrics", lambda answer: int(answer.text.split()[-1]))


def test_ctrl_c_writes_what_was_measured_and_goes_on(tmp_path: Path) -> None:
    words = [sys.executable, "-c", CTRL_C, str(Path(__file__).parent), str(tmp_path)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    up, url = process.stdout.readline().split()
    assert up == "up"

    def alive() -> None:
        assert process.poll() is None

    until("orders", lambda: orders_at(url) >= 20, timeout=60, alive=alive)
    below = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert "KeyboardInterrupt" in errors
    assert [one for one in below if one.is_running()] == []
    load = k6.Load.from_json(json.loads((tmp_path / "load" / "load.json").read_text()))
    assert load.requests > 0
    assert texts(load)[0] == "it was interrupted by Ctrl-C"
    assert load.exit_status == 105
    assert os.listdir(tmp_path / "run") == ["logs"]  # noqa: PTH208


@pytest.mark.parametrize("way", ["wget", "bash"])
def test_what_looks_out_for_k6_in_a_pod_sees_when_it_runs(
    deployment: LocalDeployment, tmp_path: Path, way: str
) -> None:
    """The shell text of the pod, on this machine: nothing listens, k6 sets up and then it runs."""
    tools = {name: shutil.which(name) for name in ("sh", "grep", "cat", way)}
    if not all(tools.values()):
        pytest.skip(f"no {way} here")
    for name, path in tools.items():
        (tmp_path / name).symlink_to(str(path))
    with Ports() as ports:
        port = ports.reserve()
        look = manifests.LOOK_OUT.replace(manifests.ADDRESS.replace(":", "/"), f"127.0.0.1/{port}").replace(
            manifests.ADDRESS, f"127.0.0.1:{port}"
        )

        def runs() -> bool:
            asked = ["sh", "-c", f"{look}\nk6_runs"]
            return subprocess.run(asked, env={"PATH": str(tmp_path)}, check=False, timeout=30).returncode == 0

        assert not runs(), "nothing listens there"
        words = [
            str(provide("k6").path),
            "run",
            "--paused",
            f"--address=127.0.0.1:{port}",
            "-q",
        ]
        file = script(tmp_path, seconds=20)
        url = {**os.environ, "URL": deployment.endpoint("quick").url}
        with subprocess.Popen([*words, str(file)], env=url, stdout=subprocess.DEVNULL) as process:
            try:
                status = f"http://127.0.0.1:{port}/v1/status"
                until("k6's API", lambda: ask(status, lambda answer: answer.json()["data"]), timeout=60)
                assert not runs(), "it is paused"
                body = {"data": {"type": "status", "id": "default", "attributes": {"paused": False}}}
                ask(status, lambda _: True, method="PATCH", content=json.dumps(body).encode())
                assert until("k6 to run", lambda: runs() or None, timeout=60)
            finally:
                process.kill()
