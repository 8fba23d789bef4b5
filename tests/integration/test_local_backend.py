"""The local backend with real processes and a real Prometheus; the services are tiny ones of our own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest

from verdict_harness.errors import HarnessError, ServiceDied, UsageError, WaitTimeout
from verdict_harness.processes import Guarded, until
from verdict_harness.systems import Capability, Command, LocalBackend, Place, Process, Service, System
from verdict_harness.systems.local import LocalDeployment

SERVER = Path(__file__).with_name("tiny_server.py")
RULES = """
groups:
  - name: tiny
    interval: 5s
    rules:
      - record: tiny:requests:rate
        expr: rate(tiny_requests_total[30s])
"""


def tiny(
    name: str = "tiny", *words: str, needs: str = "", timeout: float = 120.0, scrape: bool = False
) -> Service:
    def command(at: Place) -> Command:
        env = {"PORT": str(at.port("http")), "MARK": f"{at.directory / 'mark'}"}
        if needs:
            env["OTHER"] = at.endpoint(needs, "http").url
        return Command((sys.executable, str(SERVER), *words), env)

    return Service(
        name=name,
        ports={"http": 8080},
        ready="http:/health",
        process=Process(command, stop_grace=5.0),
        scrape="http" if scrape else None,
        start_timeout=timeout,
    )


def ours() -> set[int]:
    """Processes below this test, guards and their trees included."""
    return {child.pid for child in psutil.Process().children(recursive=True)}


def died(deployment: LocalDeployment) -> bool:
    try:
        deployment.check()
    except ServiceDied:
        return True
    return False


def test_up_scraped_and_gone_again(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yml"
    rules.write_text(RULES)
    before = ours()
    system = System("pair", (tiny("one", scrape=True), tiny("two", needs="one", scrape=True)), rules)
    with LocalBackend().deploy(system, tmp_path / "run") as deployment:
        assert deployment.system is system
        assert httpx.get(f"{deployment.endpoint('two').url}/other").text == deployment.endpoint("one").url
        query = {"query": "up"}
        answer = httpx.get(f"{deployment.prometheus}/api/v1/query", params=query).json()
        assert {one["metric"]["job"]: one["value"][1] for one in answer["data"]["result"]} == {
            "one": "1",
            "two": "1",
        }
        groups = httpx.get(f"{deployment.prometheus}/api/v1/rules").json()["data"]["groups"]
        assert [rule["health"] for rule in groups[0]["rules"]] == ["ok"]
        config = httpx.get(f"{deployment.prometheus}/api/v1/status/config").json()["data"]["yaml"]
        assert "scrape_interval: 5s" in config
        assert "scrape_timeout: 5s" in config
        assert httpx.post(f"{deployment.prometheus}/api/v1/write").status_code != 404
        deployment.check()
        assert "listening" in deployment.logs("one")
        assert (tmp_path / "run" / "state" / "prometheus" / "data").is_dir()
        ports = [deployment.endpoint(name).port for name in ("one", "two", "prometheus")]
        assert len(set(ports)) == 3
    assert ours() == before
    assert not (tmp_path / "run" / "state").exists()
    logs = tmp_path / "run" / "logs"
    assert {path.name for path in logs.iterdir()} == {
        f"{name}.{kind}" for name in ("one", "two", "prometheus") for kind in ("log", "json")
    }
    told = json.loads((logs / "two.json").read_text())
    assert told["argv"]
    assert told["environment"]["PATH"] == os.environ["PATH"]
    # stopped in order: whoever needs another goes first
    assert "SIGTERM; other answers" in (tmp_path / "run" / "logs" / "two.log").read_text()


def test_death_at_start_is_told_at_once_with_the_log(tmp_path: Path) -> None:
    system = System("dying", (tiny("fine"), tiny("dying", "--die=3", timeout=300.0)))
    started = time.monotonic()
    with pytest.raises(ServiceDied) as caught, LocalBackend().deploy(system, tmp_path):
        pytest.fail("it must not come up")
    assert time.monotonic() - started < 100, "it waited for the timeout"
    assert "dying died by itself" in str(caught.value)
    assert "exit status 3" in str(caught.value)
    assert "alas" in str(caught.value)
    assert not (tmp_path / "state").exists()


def test_not_ready_in_time_says_what_was_seen(tmp_path: Path) -> None:
    system = System("slow", (tiny("slow", "--unwell", timeout=1.0),))
    with pytest.raises(WaitTimeout) as caught, LocalBackend().deploy(system, tmp_path):
        pytest.fail("it must not come up")
    assert "slow runs and is not ready after 1 s" in str(caught.value)
    assert "/health answers 503 not well" in str(caught.value)
    assert "listening" in str(caught.value)


def test_a_program_that_is_not_there_takes_the_rest_down(tmp_path: Path) -> None:
    before = ours()
    missing = Service("missing", {}, "tcp:x", Process(lambda _: Command((str(tmp_path / "nothing"),))))
    with (
        pytest.raises(Exception, match="could not be started"),
        LocalBackend().deploy(System("half", (tiny(), missing)), tmp_path),
    ):
        pytest.fail("it must not come up")
    assert ours() == before


def test_a_target_that_is_not_up_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verdict_harness.systems.prometheus._TIMEOUT", 15.0)
    system = System("mute", (tiny("mute", "--no-metrics", scrape=True),))
    with pytest.raises(WaitTimeout) as caught, LocalBackend().deploy(system, tmp_path):
        pytest.fail("it must not come up")
    assert "mute: server returned HTTP status 404" in str(caught.value)


def test_bad_rules_are_prometheus_own_refusal(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yml"
    rules.write_text(RULES.replace("rate(", "rat("))
    with (
        pytest.raises(ServiceDied) as caught,
        LocalBackend().deploy(System("bad", (tiny(),), rules), tmp_path / "run"),
    ):
        pytest.fail("it must not come up")
    assert "unknown function" in str(caught.value)


@pytest.fixture
def no_prometheus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the instrument by a tiny server, for tests that measure nothing."""
    monkeypatch.setattr("verdict_harness.systems.prometheus.service", lambda _: tiny("prometheus"))


@pytest.mark.usefixtures("no_prometheus")
def test_pause_and_resume(tmp_path: Path) -> None:
    assert Capability.PAUSE in LocalBackend().capabilities
    with LocalBackend().deploy(System("s", (tiny(),)), tmp_path) as deployment:
        url = deployment.endpoint("tiny").url
        deployment.resume("tiny")
        deployment.pause("tiny")
        with pytest.raises(httpx.TimeoutException):
            httpx.get(f"{url}/health", timeout=0.5)
        deployment.check()
        deployment.resume("tiny")
        assert httpx.get(f"{url}/health").status_code == 200


@pytest.mark.usefixtures("no_prometheus")
def test_kill_and_start_on_the_same_port_and_directory(tmp_path: Path) -> None:
    with LocalBackend().deploy(System("s", (tiny(),)), tmp_path) as deployment:
        url = deployment.endpoint("tiny").url
        assert httpx.get(f"{url}/mark").text == "1"
        with pytest.raises(UsageError, match="runs already"):
            deployment.start("tiny")
        deployment.kill("tiny")
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{url}/health")
        deployment.check()
        with pytest.raises(ServiceDied):
            deployment.pause("tiny")
        deployment.start("tiny")
        assert deployment.endpoint("tiny").url == url
        assert httpx.get(f"{url}/mark").text == "2"
        assert deployment.logs("tiny").count("listening") == 2
        deployment.check()


@pytest.mark.usefixtures("no_prometheus")
def test_a_death_nobody_asked_for(tmp_path: Path) -> None:
    with LocalBackend().deploy(System("s", (tiny(),)), tmp_path) as deployment:
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"{deployment.endpoint('tiny').url}/die")

        until("the death to be seen", partial(died, deployment), timeout=60)
        with pytest.raises(ServiceDied) as caught:
            deployment.check()
    assert "ended by SIGKILL" in str(caught.value)
    assert "listening" in str(caught.value)


@pytest.mark.usefixtures("no_prometheus")
@pytest.mark.parametrize(
    ("number", "whom", "said"),
    [
        (40, "process", "ended by signal 40"),  # it has no name
        (signal.SIGKILL, "guard", "its guard was killed, and it with it"),
    ],
)
def test_a_death_by_a_signal_says_whose(tmp_path: Path, number: int, whom: str, said: str) -> None:
    with LocalBackend().deploy(System("s", (tiny(),)), tmp_path) as deployment:
        guarded = deployment._running("tiny")
        os.kill(guarded.pid if whom == "process" else guarded.guard_pid, number)
        until("the death to be seen", partial(died, deployment), timeout=60)
        with pytest.raises(ServiceDied, match="tiny died by itself") as caught:
            deployment.check()
        assert said in caught.value.found
        for ask in (
            deployment.used,
            deployment.resident,
            deployment.pause,
            lambda name: deployment.share(name, 0.5),
        ):
            with pytest.raises(ServiceDied, match="tiny does not run"):
                ask("tiny")


@pytest.mark.usefixtures("no_prometheus")
def test_what_is_asked_of_what_is_not_there(tmp_path: Path) -> None:
    with LocalBackend().deploy(System("s", (tiny(),)), tmp_path) as deployment:
        with pytest.raises(UsageError, match="tiny has no port 'grpc'") as caught:
            deployment.endpoint("tiny", "grpc")
        assert caught.value.expected == "one of ['http']"
        with pytest.raises(UsageError, match="there is no service 'tinny' in s") as caught:
            deployment.logs("tinny")
        assert "'tiny'" in caught.value.expected
        (tmp_path / "logs" / "tiny.log").unlink()
        assert deployment.logs("tiny") == ""
        assert deployment.used("tiny") > 0
        assert deployment.resident("tiny") > 1e6


def test_what_is_no_process_is_the_descriptions_mistake(tmp_path: Path) -> None:
    system = System("s", (Service("disk", {"http": 80}, "http:/"),))
    with (
        pytest.raises(UsageError, match="disk can't run as a process of this machine"),
        LocalBackend().deploy(system, tmp_path),
    ):
        pytest.fail("it must not come up")
    assert not (tmp_path / "state").exists()


@pytest.mark.usefixtures("no_prometheus")
def test_a_system_that_cannot_be_left_up_is_taken_down(tmp_path: Path) -> None:
    (tmp_path / "kept.json").mkdir()
    before = ours()
    with (
        pytest.raises(HarnessError, match="the system could not be left up") as caught,
        LocalBackend().deploy(System("s", (tiny(),)), tmp_path, keep=True),
    ):
        pass
    assert "kept.json" in caught.value.found
    assert ours() <= before
    assert not (tmp_path / "state").exists()


@pytest.mark.usefixtures("no_prometheus")
def test_what_does_not_end_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No process outlives SIGKILL that is not the kernel's prisoner, so that this one is made up."""
    real = Guarded.stop
    with (
        pytest.raises(HarnessError, match="could not be ended") as caught,
        LocalBackend().deploy(System("s", (tiny(),)), tmp_path),
    ):
        monkeypatch.setattr(Guarded, "stop", lambda guarded: [*real(guarded), 4711])
    assert caught.value.found == "process ids [4711]"
    assert len(caught.value.__notes__) == 1, "the other one, too"


@pytest.mark.usefixtures("no_prometheus")
def test_what_failed_first_is_what_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("disk on fire")

    def body() -> None:
        with LocalBackend().deploy(System("s", (tiny(),)), tmp_path):
            monkeypatch.setattr("verdict_harness.systems.local.shutil.rmtree", fail)
            raise KeyError("the first")

    with pytest.raises(KeyError, match="the first") as caught:
        body()
    assert "disk on fire" in caught.value.__notes__[0]
    with (
        pytest.raises(Exception, match="could not be removed"),
        LocalBackend().deploy(System("s", (tiny(),)), tmp_path),
    ):
        pass


def test_names_must_differ(tmp_path: Path) -> None:
    for names in (("a", "a"), ("a", "prometheus")):
        system = System("s", tuple(tiny(name) for name in names))
        with pytest.raises(UsageError, match="names of their own"), LocalBackend().deploy(system, tmp_path):
            pytest.fail("it must not come up")


KEEPER = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from test_local_backend import tiny
from verdict_harness.plugin.backends import backend
from verdict_harness.systems import System
system = System("kept", (tiny("one"), tiny("two", needs="one")))
with backend("local").deploy(system, Path(sys.argv[2]), keep=True):
    pass
"""


def test_keep_and_stop(tmp_path: Path) -> None:
    run = tmp_path / "run"
    kept = subprocess.run(
        [sys.executable, "-c", KEEPER, str(Path(__file__).parent), str(run)],
        check=True,
        capture_output=True,
        text=True,
    )
    identities = [
        one[key]
        for one in json.loads((run / "kept.json").read_text())["services"].values()
        for key in ("process", "guard")
    ]
    pids = [identity["pid"] for identity in identities]
    try:
        found = re.search(r"one +http (\S+)", kept.stderr)
        assert found, kept.stderr
        assert httpx.get(f"http://{found[1]}/health").status_code == 200
        command = re.search(r"stop it with: (.*)", kept.stderr)
        assert command, kept.stderr
    finally:
        stopped = subprocess.run(
            [sys.executable, "-m", "verdict_harness.systems.kept", "stop", str(run)],
            check=True,
            capture_output=True,
            text=True,
        )
    assert command[1].split() == [sys.executable, "-m", "verdict_harness.systems.kept", "stop", str(run)]
    assert "one" in stopped.stdout
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert not (run / "state").exists()
    assert "SIGTERM; other answers" in (run / "logs" / "two.log").read_text()
    again = subprocess.run(
        [sys.executable, "-m", "verdict_harness.systems.kept", "stop", str(run)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert again.returncode == 1
    assert "no system was left up there" in again.stderr


def test_stop_never_ends_a_stranger(tmp_path: Path) -> None:
    stranger = subprocess.Popen(["sleep", "600"])
    try:
        started = psutil.Process(stranger.pid).create_time()
        reused = {"pid": stranger.pid, "started": started - 3600}
        content = {
            "stop_in_this_order": [["x"]],
            "services": {"x": {"guard": reused, "process": reused, "endpoints": {}}},
        }
        (tmp_path / "kept.json").write_text(json.dumps(content))
        command = [sys.executable, "-m", "verdict_harness.systems.kept", "stop", str(tmp_path)]
        answer = subprocess.run(command, check=True, capture_output=True, text=True)
        assert "had all ended before" in answer.stdout
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
