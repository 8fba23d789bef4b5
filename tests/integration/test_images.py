"""The images as a cluster runs them: no root, no capability, nothing to write to but the log's volume."""

import itertools
import json
import uuid
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import docker.errors
import httpx
import pytest
from testcontainers.core.container import DockerContainer
from testcontainers.core.image import DockerImage
from testcontainers.core.labels import create_labels

from experiments.cluster import ENGINE_IMAGE, GATEWAY_IMAGE
from verdict_harness.processes import ask, not_yet, until
from verdict_harness.systems import Image

BASE = "python:3.11-slim-bookworm"
RESTRICTED = {
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
    "user": "10001:10001",
}
GATEWAY_ENV = {"ME_SHARD_MAP": "a=http://127.0.0.1:1", "SHARD_SYMBOLS_MAP": "a=TEST-ASSET-A"}


def build(engine: Any, image: Image) -> Iterator[str]:
    engine.image(BASE)
    tag = f"verdict-test-{uuid.uuid4().hex[:8]}:{image.dockerfile.parent.name}"
    made = DockerImage(
        image.context,
        {"timeout": 600},  # seconds without a word from a build that installs packages
        tag,
        dockerfile_path=str(image.dockerfile),
        use_config_proxy=True,  # as the command line does
        labels=create_labels(tag, None),  # testcontainers gives them to containers only
    )
    try:
        made.build()
        yield tag
    except docker.errors.BuildError as error:
        error.add_note("".join(line.get("stream", "") for line in error.build_log))
        raise
    finally:
        made.remove()


@pytest.fixture(scope="module")
def engine_image(container_engine) -> Iterator[str]:
    yield from build(container_engine, ENGINE_IMAGE)


@pytest.fixture(scope="module")
def gateway_image(container_engine) -> Iterator[str]:
    yield from build(container_engine, GATEWAY_IMAGE)


@pytest.fixture(params=["engine", "gateway"])
def image(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue(f"{request.param}_image")


def running(tag: str, **options: Any) -> DockerContainer:
    """A container as a cluster runs it, unless ``options`` say otherwise; it runs in a ``with`` block."""
    # the engine knows nothing of the gateway's variables
    return DockerContainer(tag, ports=[8080, 9091], **{**RESTRICTED, "env": GATEWAY_ENV, **options})


def address(container: DockerContainer, port: int) -> str:
    return f"http://{container.get_container_host_ip()}:{container.get_exposed_port(port)}"


def log(container: DockerContainer) -> str:
    return container.get_wrapped_container().logs().decode()


def healthy(container: DockerContainer) -> dict[str, Any]:
    def alive() -> None:
        container.reload()
        assert container.status == "running", log(container)

    def look() -> dict[str, Any]:
        with not_yet():  # while it has no address
            url = f"{address(container, 8080)}/health"
        return ask(url, lambda answer: {"status": answer.json()["status"], **answer.json()})

    return until("the container", look, timeout=60, alive=alive)


def ended(container: DockerContainer) -> int:
    """Wait until it has ended; return the exit status."""
    return container.get_wrapped_container().wait(timeout=120)["StatusCode"]


def stopped(container: DockerContainer) -> int:
    """SIGTERM, and nothing harder; return the exit status."""
    container.get_wrapped_container().kill("SIGTERM")
    return ended(container)


def said(text: str, message: str) -> dict[str, Any]:
    """The one line of ``text`` with that message."""
    (line,) = [line for line in text.splitlines() if f'"message": "{message}"' in line]
    return json.loads(line)


def trade(url: str, accepted: list[str]) -> None:
    """Send orders, each of which matches any other side's, and note whose was accepted, until one is not."""
    with httpx.Client(base_url=url) as client:
        for side in itertools.cycle(("SELL", "BUY")):
            order = {"orderId": "1", "symbol": "TEST-ASSET-A", "side": side, "price": 15000, "quantity": 10}
            try:
                if client.post("/orders", json=order).json().get("status") != "ACCEPTED":
                    return
            except httpx.HTTPError:
                return
            accepted.append(side)


def test_the_engine_takes_orders_and_drains_at_sigterm(engine_image):
    senders = 4
    accepted: list[str] = []
    # The container goes first, whatever happens: without it the senders end.
    with futures.ThreadPoolExecutor(senders) as pool, running(engine_image) as container:
        assert healthy(container) == {"status": "UP", "shardId": "a"}
        assert "me_orders_received_total" in httpx.get(f"{address(container, 9091)}/metrics").text
        at = address(container, 8080)
        trading = [pool.submit(trade, at, accepted) for _ in range(senders)]
        until("200 orders", lambda: len(accepted) >= 200, timeout=60, interval=0.01)
        assert stopped(container) == 0  # in the midst of it
        futures.wait(trading)
        before = log(container)
        end = said(before, "stopped")
        # What each sender asked last may be in the log without an answer.
        assert 0 <= end["sequence"] - len(accepted) <= senders
        assert 0 <= end["matches"] - min(accepted.count("SELL"), accepted.count("BUY")) <= senders
        # its log is on a volume, the only place that it wrote to: the same container knows its orders again
        container.get_wrapped_container().start()
        healthy(container)
        again = said(log(container).removeprefix(before), "recovered")
        assert (again["sequence"], again["matches"]) == (end["sequence"], end["matches"])


def test_the_gateway_answers_and_ends_at_sigterm(gateway_image):
    with running(gateway_image) as container:
        assert healthy(container) == {"status": "UP", "component": "edge-gateway"}
        assert "gw_requests_total" in httpx.get(f"{address(container, 9091)}/metrics").text
        assert stopped(container) == 0
        assert '"message": "gateway stopped"' in log(container)


def test_nothing_is_written_where_writing_is_allowed(image):
    """A read-only root would hide an attempt that is given up in silence; here it would show."""
    with running(image, read_only=False) as container:
        healthy(container)
        assert stopped(container) == 0
        assert not container.get_wrapped_container().diff()


def test_a_read_only_root_without_a_volume_is_refused_by_name(engine_image):
    with running(engine_image, env={"WAL_PATH": "/nowhere"}) as container:
        assert ended(container) == 1
        assert "WAL_PATH /nowhere can't be used" in log(container)


def test_the_user_is_a_number_and_not_root(container_engine, image):
    user, _, group = container_engine.client.client.images.get(image).attrs["Config"]["User"].partition(":")
    assert int(user) > 0  # Kubernetes can't tell whether a name is root
    assert int(group) > 0


def listed(tag: str, *command: str) -> set[str]:
    with running(tag, command=list(command), entrypoint=[]) as container:
        assert ended(container) == 0, log(container)
        return set(log(container).split())


@pytest.mark.parametrize("package", ["engine", "gateway"])
def test_an_image_has_its_package_and_nothing_else_of_the_tree(package, request):
    tag = request.getfixturevalue(f"{package}_image")
    image = {"engine": ENGINE_IMAGE, "gateway": GATEWAY_IMAGE}[package]
    there = listed(tag, "find", "/app", "-maxdepth", "1", "-name", "*ngine*")
    there |= listed(tag, "find", "/app", "-maxdepth", "1", "-name", "*ateway*")
    assert there == {f"/app/{package}"}
    found = listed(tag, "find", f"/app/{package}", "-type", "f", "-not", "-name", "*.pyc")
    source = image.context / image.sources[0]
    assert found == {f"/app/{package}/{path.relative_to(source)}" for path in source.rglob("*.py")}


def test_an_image_has_exactly_what_the_lock_says(image):
    found = listed(image, "find", "/app", "-maxdepth", "1", "-name", "*.dist-info")
    installed = {
        Path(path).name.removesuffix(".dist-info").lower().replace("_", "-").rpartition("-")[::2]
        for path in found
    }
    lock = (ENGINE_IMAGE.context / "requirements-runtime.lock").read_text().splitlines()
    wanted = {tuple(line.split()[0].split("==")) for line in lock if line[:1].isalnum()}
    assert installed == wanted


def test_a_bare_image_starts(image):
    """With no variable at all: beside a broker and shards by the names of their Services, not there yet."""
    with running(image, env={}) as container:
        assert healthy(container)["status"] == "UP"
        assert stopped(container) == 0


def test_without_its_configuration_the_gateway_says_what_is_missing(gateway_image):
    with running(gateway_image, env={"ME_SHARD_MAP": ""}) as container:
        assert ended(container) == 2
        assert "ME_SHARD_MAP: not set" in log(container)
