"""What integration tests share: engines as processes, and a Kafka that is started when first asked for."""

import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker.errors
import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families
from testcontainers.core.docker_client import DockerClient
from testcontainers.core.labels import LABEL_SESSION_ID, SESSION_ID
from xdist.scheduler import LoadFileScheduling

from experiments.broker import PARTITIONS, TOPICS, read
from verdict_harness.errors import WaitTimeout
from verdict_harness.processes import Answer, Ports, ask, not_yet, running, until
from verdict_harness.systems import Endpoint, answers
from verdict_harness.systems import kafka as kafka_service

NOWHERE = "127.0.0.1:1"
MADE_BY = "VERDICT_TESTS_SESSION"
PATIENCE = 30  # seconds in which what was told to end does
# What takes minutes goes first: begun last, it would keep one worker busy when the other has nothing to do.
LONG = (
    "test_nothing_passes",
    "test_broker_outage",
    "test_ends",
    "test_outages",
    "test_k6_runner",
    "test_together",
)
# Files whose tests share nothing that is costly: each test goes to whichever worker is free. Most of what
# they do is waiting for a load's end; with a file a worker the machine would have little to do for minutes.
APART = (
    "test_again",
    "test_broker_outage",
    "test_ends",
    "test_full_disk",
    "test_nothing_passes",
    "test_terminal",
)
BOOK = ("me_orderbook_depth", "me_orderbook_price_levels")


def leftovers(session: str, temporary: Path) -> list[str]:
    """What the tests of this process have left behind, one line each."""
    found = []
    me = psutil.Process()
    for process in psutil.process_iter():
        try:
            if process != me and process.environ().get(MADE_BY) == session:
                found.append(f"process {process.pid}: {' '.join(process.cmdline())[:200]}")
        except psutil.Error:  # it ends just now, or is not ours to ask
            continue
    found += [
        f"port {at.laddr.port} of this process" for at in me.net_connections("tcp") if at.status == "LISTEN"
    ]
    found += [
        f"thread {one.name}"
        for one in threading.enumerate()
        if not one.daemon and one != threading.main_thread()
    ]
    # Sessions of pytest in sessions of pytest keep their last three directories, as pytest does.
    found += [f"file {path}" for path in temporary.iterdir() if not path.name.startswith("pytest-of-")]
    found += [f"mount {line.split()[1]}" for line in mounts() if line.split()[0] == session]
    return found + in_the_container_engine()


def mounts() -> list[str]:
    try:
        return Path("/proc/mounts").read_text().splitlines()
    except FileNotFoundError:  # not Linux
        return []


def in_the_container_engine() -> list[str]:
    """What testcontainers has labelled as made by this process, in the engine that it uses."""
    client = None
    with suppress(docker.errors.DockerException, OSError):
        client = DockerClient().client
    if client is None:
        # What docker's library has opened in vain nobody can close; it is no leak of any test.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
        return []
    ours = {"label": f"{LABEL_SESSION_ID}={SESSION_ID}"}
    try:
        containers = client.containers.list(all=True, filters=ours, ignore_removed=True)
        return [
            *(f"container {one.name} of {one.attrs['Config']['Image']}" for one in containers),
            *(f"image {one.id} {one.tags}" for one in client.images.list(filters=ours)),
            *(f"volume {one.name}" for one in client.volumes.list(filters=ours)),
        ]
    finally:
        client.close()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path.stem, len(LONG)))


class Scheduling(LoadFileScheduling):
    """A file's tests run in one worker, as they share what is started for them; those of ``APART`` in any."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return nodeid if Path(file).stem in APART else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    return Scheduling(config, log)


@pytest.fixture(scope="session", autouse=True)
def nothing_left_behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fail the last test of a worker if anything outlives it: processes, ports, containers, temporary files.

    Every process that a test starts inherits a variable by which it is found,
    whoever its parent is by then, and a directory for temporary files.
    """
    session = uuid.uuid4().hex
    tmp_path_factory.getbasetemp()  # settled before the patch: pytest keeps its directories after the session
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="verdict-") as temporary:
        patch.setenv(MADE_BY, session)
        patch.setenv("TMPDIR", temporary)
        patch.setattr(tempfile, "tempdir", temporary)  # this process has asked for it already
        yield
        gc.collect()
        left: list[str] = []

        def all_gone() -> bool:
            left[:] = leftovers(session, Path(temporary))
            return not left

        with suppress(WaitTimeout):
            until("what the tests left behind", all_gone, timeout=PATIENCE, interval=0.2)
    assert not left, "left behind:\n" + "\n".join(left)


def exposed(answer: Answer) -> list[Any]:
    """Every sample of a Prometheus exposition."""
    return [one for family in text_string_to_metric_families(answer.text) for one in family.samples]


class Engine:
    """A process of ``python -m engine`` on any free ports, and a client of it."""

    def __init__(self, directory: Path, **env: object) -> None:
        self.directory = directory
        directory.mkdir(exist_ok=True)
        self.output = directory / f"log-{time.monotonic_ns()}"
        told = {
            "PYTHONWARNINGS": "error",
            "HOST": "127.0.0.1",
            "HTTP_PORT": "0",
            "METRICS_PORT": "0",
            "WAL_PATH": str(directory / "wal"),
            "WAL_SIZE_MB": "4",
            "KAFKA_BOOTSTRAP": NOWHERE,
            "DRAIN_SECONDS": "0.2",
        }
        with self.output.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "engine"],
                env={**os.environ, **told, **{key: str(value) for key, value in env.items()}},
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        self.client = httpx.Client(timeout=60)
        self.alone = "KAFKA_BOOTSTRAP" not in env

    def close(self) -> None:
        self.client.close()
        self.process.kill()
        self.process.wait()

    def log(self) -> list[dict[str, Any]]:
        *whole, _ = self.output.read_text().split("\n")
        return [json.loads(line) for line in whole if line.endswith("}")]

    def ready(self) -> "Engine":
        facts = self.until(lambda: next((one for one in self.log() if one["message"] == "serving"), None))
        self.client.base_url = httpx.URL(f"http://127.0.0.1:{facts['http_port']}")
        self.metrics_url = f"http://127.0.0.1:{facts['metrics_port']}/metrics"
        health = self.until(lambda: ask("/health", Answer.json, client=self.client))
        if not self.alone:  # what its broker refuses may be known already, and doesn't keep it from being up
            health.pop("problems", None)
        assert health == {"status": "UP", "shardId": "a"}
        return self

    def until(self, probe: Callable[[], Any], seconds: float = 120) -> Any:
        """What ``probe`` finds; a sample, a line of the log or an answer that it misses is not there yet."""

        def look() -> Any:
            with not_yet():
                return probe() or None

        return until(
            "the engine", look, timeout=seconds, interval=0.02, alive=running(self.process, self.output)
        )

    def order(self, price: int | None, quantity: int = 10, side: str = "BUY", **more: Any) -> httpx.Response:
        body = {"orderId": "o", "symbol": "TEST-ASSET-A", "side": side, "price": price, "quantity": quantity}
        return self.client.post("/orders", json={**body, **more})

    def seed(self, *prices: int, quantity: int = 10) -> httpx.Response:
        base = {"symbol": "TEST-ASSET-A", "side": "SELL", "quantity": quantity}
        made = [{**base, "orderId": f"s{number}", "price": price} for number, price in enumerate(prices)]
        return self.client.post("/seed", json={"orders": made})

    def metrics(self) -> dict[str, float]:
        samples = ask(self.metrics_url, exposed, timeout=30)
        assert {sample.labels["shard"] for sample in samples} == {"a"}
        found = {}
        for sample in samples:
            labels = {key: value for key, value in sample.labels.items() if key != "shard"}
            found[sample.name + (str(labels) if labels else "")] = sample.value
        return found

    def settled(self, received: int) -> dict[str, float]:
        """The metrics once ``received`` orders have been matched."""
        return self.until(
            lambda: (
                found if (found := self.metrics())["me_match_duration_seconds_count"] == received else None
            )
        )

    def book(self) -> dict[str, float]:
        return {key: value for key, value in self.metrics().items() if key.startswith(BOOK)}

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def log_id(self) -> str:
        """The identity of the log, from its header."""
        header = (self.directory / "wal" / "segment-00000001.wal").read_bytes()[:128]
        return header[8:24].hex()

    @property
    def logs(self) -> set[str]:
        """The identities of the log's records: one for each engine that was started on it."""
        outputs = [path.read_text().splitlines() for path in self.directory.glob("log-*")]
        lines = [json.loads(line) for output in outputs for line in output if line.endswith("}")]
        return {self.log_id, *(line["log"] for line in lines if line["message"] == "recovered")}

    def everything_published(self) -> bool:
        return self.metrics()["me_event_backlog_orders"] == 0

    def events(self, bootstrap: str) -> dict[str, list[dict[str, Any]]]:
        """Every event of this engine's log that is in the two topics, in the order of each partition."""
        logs, found = self.logs, read(bootstrap)
        assert [found[topic]["partitions"] for topic in TOPICS] == [PARTITIONS, PARTITIONS]
        assert all(event["key"] == event["symbol"] for topic in TOPICS for event in found[topic]["events"])
        return {
            topic: [
                {name: value for name, value in event.items() if name != "key"}
                for event in found[topic]["events"]
                if event["log"] in logs
            ]
            for topic in TOPICS
        }


class Place:
    """Where the broker's process runs (see :class:`verdict_harness.systems.Place`)."""

    def __init__(self, directory: Path, ports: Ports) -> None:
        self.directory = directory
        self._reserved = ports
        self._ports: dict[str, int] = {}

    def port(self, name: str) -> int:
        if name not in self._ports:
            self._ports[name] = self._reserved.reserve()
        return self._ports[name]

    def endpoint(self, service: str, port: str) -> Endpoint:
        raise AssertionError(f"the broker asked for {port} of {service}, and it is alone here")


@dataclass
class Kafka:
    """A broker that runs.

    Attributes:
        place: where, and at which ports.
        process: the broker itself, to pause and resume.
    """

    place: Place
    process: subprocess.Popen[bytes]

    @property
    def bootstrap(self) -> str:
        """``host:port`` for clients."""
        return f"127.0.0.1:{self.place.port('kafka')}"

    def pause(self) -> None:
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)


@contextmanager
def running_kafka(directory: Path, amend: Callable[[Place], str] = lambda _place: "") -> Iterator[Kafka]:
    """A broker of its own, with further lines in its properties, of which a key's last line counts."""
    with Ports() as ports:
        place = Place(directory, ports)
        recipe = kafka_service().process
        assert recipe is not None
        command = recipe.command(place)
        with (directory / "server.properties").open("a") as properties:
            properties.write(amend(place))
        log = place.directory / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command.argv, env={**os.environ, **command.env}, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            broker, at = kafka_service(), Endpoint("127.0.0.1", place.port("kafka"))
            until("Kafka", lambda: answers(broker, lambda _: at), timeout=180, alive=running(process, log))
            yield Kafka(place, process)
        finally:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def start_kafka() -> Callable[..., AbstractContextManager[Kafka]]:
    """For a test that needs a broker that is not like others'."""
    return running_kafka


@pytest.fixture(scope="session")
def kafka_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    with running_kafka(tmp_path_factory.mktemp("kafka")) as kafka:
        yield kafka


@pytest.fixture
def kafka(kafka_node: Kafka) -> Iterator[Kafka]:
    """The broker, running again after the test whatever the test did with it."""
    yield kafka_node
    kafka_node.resume()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Callable[..., Engine]]:
    with ExitStack() as stack:

        def make(name: str = "a", **env: object) -> Engine:
            made = Engine(tmp_path / name, **env)
            stack.callback(made.close)
            return made

        yield make
