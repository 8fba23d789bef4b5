"""One Kafka for the integration tests of a worker, started when the first of them asks."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.brokers import kafka as kafka_service
from harness.system import Endpoint


class Place:
    """Where the broker's process runs (see :class:`harness.system.Place`)."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._ports: dict[str, int] = {}

    def port(self, name: str) -> int:
        if name not in self._ports:
            with socket.create_server(("127.0.0.1", 0)) as free:
                self._ports[name] = free.getsockname()[1]
        return self._ports[name]

    def endpoint(self, service: str, port: str) -> Endpoint:
        raise AssertionError(f"the broker asked for {port} of {service}, and it is alone here")


@dataclass
class Kafka:
    """A broker that runs.

    Attributes:
        bootstrap: ``host:port`` for clients.
        process: the broker itself, to pause and resume.
    """

    bootstrap: str
    process: subprocess.Popen[bytes]

    def pause(self) -> None:
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)


@pytest.fixture(scope="session")
def kafka_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    place = Place(tmp_path_factory.mktemp("kafka"))
    recipe = kafka_service().process
    assert recipe is not None
    command = recipe.command(place)
    log = place.directory / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command.argv, env={**os.environ, **command.env}, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + 90
        while True:
            assert process.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < deadline, log.read_text()[-2000:]
            try:
                socket.create_connection(("127.0.0.1", place.port("kafka")), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield Kafka(f"127.0.0.1:{place.port('kafka')}", process)
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def kafka(kafka_node: Kafka) -> Iterator[Kafka]:
    """The broker, running again after the test whatever the test did with it."""
    yield kafka_node
    kafka_node.resume()
