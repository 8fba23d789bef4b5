"""Two brokers that can be hurt in the same ways: a Kafka process, and Redpanda as testcontainers start it."""

import json
import os
import shutil
import signal
import subprocess
import textwrap
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition
from testcontainers.community.kafka import RedpandaContainer
from testcontainers.core.container import ExecConfig

from verdict_harness.processes import Ports
from verdict_harness.programs import provide
from verdict_harness.systems import Endpoint, live_brokers
from verdict_harness.systems import kafka as kafka_service

REDPANDA = "redpandadata/redpanda:v26.1.14"
DISK = 512 << 20  # bytes: Redpanda sets 32 MiB aside for each partition that is written to
TOPICS = ("orders", "matches")
PASSING = (KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE)


class Record(NamedTuple):
    """One message as a consumer gets it."""

    topic: str
    partition: int
    offset: int
    key: str
    event: dict[str, Any]


class Broker(ABC):
    """A broker with two addresses for clients: its own, and one that it advertises as a proxy's.

    Attributes:
        host: where its ports are.
        port: its own.
        behind: the port that a proxy is to connect to.
        advertised: the proxy's port; takes effect at the next start.
        free_port: gives another one that nobody else gets.
    """

    host = "127.0.0.1"

    def __init__(self, ports: Ports) -> None:
        # Held for as long as the broker is there, since it is killed and started again at the same ones.
        self.free_port = ports.reserve
        self.port, self.behind, self.advertised = (ports.reserve() for _ in range(3))

    @property
    def bootstrap(self) -> str:
        return f"{self.host}:{self.port}"

    def answers(self) -> bool:
        try:
            return live_brokers(Endpoint(self.host, self.port), 2.0) == 1
        except (OSError, ValueError):
            return False

    def wait(self) -> None:
        deadline = time.monotonic() + 90
        while not self.answers():
            assert time.monotonic() < deadline, self.log()[-3000:]
            time.sleep(0.1)

    def restart(self, *, empty: bool = False) -> None:
        self.kill()
        self.start(empty=empty)

    def heal(self) -> None:
        """Make it whole after a test, whatever that did."""
        self.resume()
        self.free_disk()
        if not self.answers():
            self.start()

    @abstractmethod
    def log(self) -> str: ...
    @abstractmethod
    def pause(self) -> None: ...
    @abstractmethod
    def resume(self) -> None: ...
    @abstractmethod
    def kill(self) -> None: ...
    @abstractmethod
    def start(self, *, empty: bool = False) -> None: ...
    @abstractmethod
    def fill_disk(self) -> None: ...
    @abstractmethod
    def free_disk(self) -> None: ...
    @abstractmethod
    def own_tool(self, topic: str, count: int) -> list[str]:
        """The values of ``count`` messages, read by the command line tool that comes with the broker."""


class KafkaProcess(Broker):
    def __init__(self, directory: Path, ports: Ports, can_not_be_had: Callable[[str], NoReturn]) -> None:
        super().__init__(ports)
        self.directory = directory
        self.data = directory / "data"
        self.data.mkdir()
        self._controller = ports.reserve()
        self._can_not_be_had = can_not_be_had
        self._process: subprocess.Popen[bytes] | None = None
        # Only root may make a small disk; without it the one test that needs that is skipped.
        self.has_disk = False
        if os.geteuid() == 0 and shutil.which("mount") is not None:
            source = os.environ["VERDICT_TESTS_SESSION"]  # by which what is left behind is found
            mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", source, str(self.data)]
            self.has_disk = subprocess.run(mount, check=False, capture_output=True).returncode == 0

    def log(self) -> str:
        return (self.directory / "log").read_text()

    def start(self, *, empty: bool = False) -> None:
        if empty:
            self._empty()
        recipe = kafka_service().process
        assert recipe is not None
        command = recipe.command(_At(self.directory, {"kafka": self.port, "controller": self._controller}))
        with (self.directory / "server.properties").open("a") as properties:
            properties.write(
                "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT\n"
                f"listeners=PLAINTEXT://127.0.0.1:{self.port},PROXIED://127.0.0.1:{self.behind},"
                f"CONTROLLER://127.0.0.1:{self._controller}\n"
                f"advertised.listeners=PLAINTEXT://127.0.0.1:{self.port},"
                f"PROXIED://127.0.0.1:{self.advertised}\n"
                "inter.broker.listener.name=PLAINTEXT\n"
                # after a kill, the next start is not held up for long by the session of the one that died;
                # shorter still, a starved machine would have the broker believe that it is dead itself
                "broker.session.timeout.ms=4000\nbroker.heartbeat.interval.ms=500\n"
                # as hospitable as Redpanda in a container: whatever topic is named is made
                "auto.create.topics.enable=true\nnum.partitions=1\n"
            )
        with (self.directory / "log").open("ab") as output:
            self._process = subprocess.Popen(
                command.argv, env={**os.environ, **command.env}, stdout=output, stderr=subprocess.STDOUT
            )
        self.wait()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def fill_disk(self) -> None:
        if os.geteuid() != 0:  # no failure with --require-docker: many users have an engine without root
            pytest.skip("a full disk of the Kafka process needs root, to mount a small one")
        if not self.has_disk:
            self._can_not_be_had("a small disk for the Kafka process: root can't mount one here")
        _fill(self.data / "filler")

    def free_disk(self) -> None:
        (self.data / "filler").unlink(missing_ok=True)

    def own_tool(self, topic: str, count: int) -> list[str]:
        words = ["--bootstrap-server", self.bootstrap, "--topic", topic, "--from-beginning"]
        tool = [str(provide("java").path), "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"]
        tool += ["-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", f"{provide('kafka').path}/*"]
        tool += ["org.apache.kafka.tools.consumer.ConsoleConsumer", *words, "--max-messages", str(count)]
        done = subprocess.run(tool, check=True, capture_output=True, text=True, timeout=60)
        return done.stdout.splitlines()

    def _empty(self) -> None:
        for entry in self.data.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()

    def close(self) -> None:
        self.kill()
        if self.has_disk:
            subprocess.run(["umount", str(self.data)], check=True)


class _At:
    """See :class:`verdict_harness.systems.Place`."""

    def __init__(self, directory: Path, ports: dict[str, int]) -> None:
        self.directory = directory
        self.port = ports.__getitem__

    def endpoint(self, service: str, port: str) -> Endpoint:
        raise AssertionError(f"the broker asked for {port} of {service}, and it is alone here")


def _fill(path: Path) -> None:
    zeros = bytes(1 << 20)
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(zeros)
        except OSError:
            pass


class Redpanda(Broker, RedpandaContainer):
    """Redpanda, whose process can die and come back while its container, its ports and its disk stay."""

    DATA = "/var/lib/redpanda/data"

    def __init__(self, image: str, ports: Ports) -> None:
        Broker.__init__(self, ports)
        RedpandaContainer.__init__(self, image)
        self.ports = {}
        self.with_bind_ports(self.redpanda_port, self.port).with_bind_ports(self.behind, self.behind)
        self.with_tmpfs_mount(self.DATA, f"size={DISK},mode=1777")

    def with_command(self, command: Any) -> Any:
        # The script that starts the broker is to be process 1, or kill() would take it as well.
        return super().with_command(command.replace("; sh ", "; exec sh "))

    def tc_start(self) -> None:
        self.host = self.get_container_host_ip()
        script = f"""
            while true; do
                while [ -e /tmp/held ]; do sleep 0.1; done
                if [ -e /tmp/emptied ]; then rm -rf {self.DATA}/* /tmp/emptied; fi
                /usr/bin/rpk redpanda start --mode dev-container --smp 1 --memory 1G \\
                    --kafka-addr PLAINTEXT://0.0.0.0:29092,OUTSIDE://0.0.0.0:9092,PROXIED://0.0.0.0:{self.behind} \\
                    --advertise-kafka-addr PLAINTEXT://127.0.0.1:29092,OUTSIDE://{self.host}:{self.port},PROXIED://127.0.0.1:$(cat /tmp/advertised)
                sleep 0.1
            done
        """  # noqa: E501
        self.create_file(str(self.advertised).encode(), "/tmp/advertised")
        self.create_file(textwrap.dedent(script).encode(), self.TC_START_SCRIPT)

    def begin(self) -> None:
        RedpandaContainer.start(self, timeout=90)
        self.wait()

    def log(self) -> str:
        return b"".join(self.get_logs()).decode()

    def start(self, timeout: float = 0, *, empty: bool = False) -> Any:  # noqa: ARG002 - the container's own
        self._inside(f"echo {self.advertised} > /tmp/advertised")
        if empty:
            self._inside("touch /tmp/emptied")
        self._inside("rm -f /tmp/held")
        self.wait()

    def kill(self) -> None:
        # Process 1, which starts the broker again once it may, is the only one that this leaves.
        self._inside("touch /tmp/held; kill -9 -1", check=False)

    def pause(self) -> None:
        self.get_wrapped_container().pause()

    def resume(self) -> None:
        container = self.get_wrapped_container()
        container.reload()
        if container.status == "paused":
            container.unpause()

    def fill_disk(self) -> None:
        self._inside(f"dd if=/dev/zero of={self.DATA}/filler bs=1M", check=False)

    def free_disk(self) -> None:
        self._inside(f"rm -f {self.DATA}/filler")

    def own_tool(self, topic: str, count: int) -> list[str]:
        words = ["rpk", "topic", "consume", topic, "-n", str(count), "-f", "%v\\n"]
        done = self.exec(ExecConfig(words, environment={"RPK_BROKERS": "127.0.0.1:29092"}))
        assert done.exit_code == 0, done.output
        return [line for line in done.output.decode().splitlines() if line.startswith("{")]

    def _inside(self, script: str, *, check: bool = True) -> None:
        done = self.exec(["sh", "-c", script])
        assert done.exit_code == 0 or not check, done.output


@pytest.fixture(scope="session")
def ports() -> Iterator[Ports]:
    with Ports() as held:
        yield held


@pytest.fixture(scope="session")
def kafka_process(
    tmp_path_factory: pytest.TempPathFactory, ports: Ports, can_not_be_had: Callable[[str], NoReturn]
) -> Iterator[Broker]:
    broker = KafkaProcess(tmp_path_factory.mktemp("broker"), ports, can_not_be_had)
    try:
        broker.start()
        yield broker
    finally:
        broker.close()


@pytest.fixture(scope="session")
def redpanda_container(container_engine: Any, ports: Ports) -> Iterator[Broker]:
    broker = Redpanda(container_engine.image(REDPANDA), ports)
    try:
        broker.begin()
        yield broker
    finally:
        broker.stop()


@pytest.fixture(params=["kafka_process", "redpanda_container"])
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """Each broker in turn: the worker's only one of its kind, whole again after the test."""
    found: Broker = request.getfixturevalue(request.param)
    yield found
    found.heal()


def end_of(consumer: Consumer, at: TopicPartition) -> int:
    """Where a partition ends; a broker that has just come back may not know yet that it leads it."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return int(consumer.get_watermark_offsets(at, timeout=20)[1])
        except KafkaException as error:
            if error.args[0].code() not in PASSING or time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def everything(broker: Broker) -> list[Record]:
    """Both topics from their beginning to where they end now, by a client that is not the engine's."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "tests", "log_level": 0})
    try:
        found: list[Record] = []
        for topic in TOPICS:
            there = consumer.list_topics(topic, timeout=20).topics[topic].partitions
            places = [TopicPartition(topic, number, OFFSET_BEGINNING) for number in sorted(there)]
            ends = {at.partition: end_of(consumer, at) for at in places}
            consumer.assign(places)
            left = sum(ends.values())
            deadline = time.monotonic() + 60
            while left > 0:
                assert time.monotonic() < deadline, f"{left} of {sum(ends.values())} never came"
                for message in consumer.consume(500, timeout=1):
                    assert message.error() is None, message.error()
                    left -= message.offset() < ends[message.partition()]
                    found.append(
                        Record(
                            topic,
                            message.partition(),
                            message.offset(),
                            message.key().decode(),
                            json.loads(message.value()),
                        )
                    )
            consumer.unassign()
    finally:
        consumer.close()
    return found


@pytest.fixture(scope="session")
def read_all() -> Callable[[Broker], list[Record]]:
    """For a test that has its broker from elsewhere."""
    return everything


@pytest.fixture
def consume(broker: Broker) -> Callable[..., list[Record]]:
    """Read what both topics hold, or only the events of one log, by its identities."""

    def read(logs: Collection[str] | None = None) -> list[Record]:
        return [record for record in everything(broker) if logs is None or record.event["log"] in logs]

    return read
