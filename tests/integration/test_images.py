"""The images as a cluster runs them: no root, no capability, nothing to write to but the log's volume."""

import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest

from experiments.cluster import ENGINE_IMAGE, GATEWAY_IMAGE
from harness.system import Image

BASE = "python:3.11-slim-bookworm"
RESTRICTED = {
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
    "user": "10001:10001",
}
GATEWAY_ENV = {"ME_SHARD_MAP": "a=http://127.0.0.1:1", "SHARD_SYMBOLS_MAP": "a=TEST-ASSET-A"}


def build(engine: Any, can_not_be_had: Callable[[str], NoReturn], image: Image) -> Iterator[str]:
    engine.image(BASE)
    tag = f"verdict-test-{uuid.uuid4().hex[:8]}:{image.dockerfile.parent.name}"
    try:
        made = subprocess.run(
            ["docker", "build", "-q", "-t", tag, "-f", str(image.context / image.dockerfile), "."],
            cwd=image.context,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        can_not_be_had("docker is not on PATH")
    assert made.returncode == 0, made.stdout + made.stderr
    yield tag
    engine.client.client.images.remove(tag, force=True)


@pytest.fixture(scope="module")
def engine_image(container_engine, can_not_be_had) -> Iterator[str]:
    yield from build(container_engine, can_not_be_had, ENGINE_IMAGE)


@pytest.fixture(scope="module")
def gateway_image(container_engine, can_not_be_had) -> Iterator[str]:
    yield from build(container_engine, can_not_be_had, GATEWAY_IMAGE)


@pytest.fixture(params=["engine", "gateway"])
def image(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue(f"{request.param}_image")


@contextmanager
def running(engine: Any, tag: str, **options: Any) -> Iterator[Any]:
    container = engine.client.client.containers.run(
        tag,
        detach=True,
        ports={"8080/tcp": ("127.0.0.1", None), "9091/tcp": ("127.0.0.1", None)},
        # the engine knows nothing of the gateway's variables
        **{**RESTRICTED, "environment": GATEWAY_ENV, **options},
    )
    try:
        yield container
    finally:
        container.remove(force=True, v=True)


def address(container: Any, port: int) -> str:
    container.reload()
    (where, *_) = container.attrs["NetworkSettings"]["Ports"][f"{port}/tcp"]
    return f"http://127.0.0.1:{where['HostPort']}"


def healthy(container: Any) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while True:
        container.reload()
        assert container.status == "running", container.logs().decode()
        try:
            answer = httpx.get(f"{address(container, 8080)}/health", timeout=2)
            if answer.status_code == 200:
                return answer.json()
        except (httpx.HTTPError, KeyError):
            pass
        assert time.monotonic() < deadline, container.logs().decode()
        time.sleep(0.1)


def stopped(container: Any) -> int:
    """SIGTERM, and nothing harder; return the exit status."""
    container.kill("SIGTERM")
    return container.wait(timeout=30)["StatusCode"]


def test_the_engine_takes_orders_and_drains_at_sigterm(container_engine, engine_image):
    with running(container_engine, engine_image) as container:
        assert healthy(container) == {"status": "UP", "shardId": "a"}
        order = {"orderId": "1", "symbol": "TEST-ASSET-A", "side": "BUY", "price": 15000, "quantity": 10}
        answer = httpx.post(f"{address(container, 8080)}/orders", json=order)
        assert answer.json()["status"] == "ACCEPTED", answer.text
        assert "me_orders_received_total" in httpx.get(f"{address(container, 9091)}/metrics").text
        assert stopped(container) == 0
        log = container.logs().decode()
        assert '"message": "stopped"' in log
        # its log is on a volume, the only place that it wrote to: the same container knows its orders again
        container.start()
        healthy(container)
        restarted = container.logs().decode().removeprefix(log)
        assert '"message": "recovered"' in restarted
        assert '"sequence": 1,' in restarted


def test_the_gateway_answers_and_ends_at_sigterm(container_engine, gateway_image):
    with running(container_engine, gateway_image) as container:
        assert healthy(container) == {"status": "UP", "component": "edge-gateway"}
        assert "gw_requests_total" in httpx.get(f"{address(container, 9091)}/metrics").text
        assert stopped(container) == 0
        assert '"message": "gateway stopped"' in container.logs().decode()


def test_nothing_is_written_where_writing_is_allowed(container_engine, image):
    """A read-only root would hide an attempt that is given up in silence; here it would show."""
    with running(container_engine, image, read_only=False) as container:
        healthy(container)
        assert stopped(container) == 0
        assert not container.diff()


def test_a_read_only_root_without_a_volume_is_refused_by_name(container_engine, engine_image):
    with running(container_engine, engine_image, environment={"WAL_PATH": "/nowhere"}) as container:
        assert container.wait(timeout=30)["StatusCode"] == 1
        assert "WAL_PATH /nowhere can't be used" in container.logs().decode()


def test_the_user_is_a_number_and_not_root(container_engine, image):
    user, _, group = container_engine.client.client.images.get(image).attrs["Config"]["User"].partition(":")
    assert int(user) > 0  # Kubernetes can't tell whether a name is root
    assert int(group) > 0


def listed(container_engine, tag: str, *command: str) -> set[str]:
    with running(container_engine, tag, command=list(command), entrypoint=[]) as container:
        assert container.wait(timeout=30)["StatusCode"] == 0, container.logs().decode()
        return set(container.logs().decode().split())


@pytest.mark.parametrize("package", ["engine", "gateway"])
def test_an_image_has_its_package_and_nothing_else_of_the_tree(container_engine, package, request):
    tag = request.getfixturevalue(f"{package}_image")
    image = {"engine": ENGINE_IMAGE, "gateway": GATEWAY_IMAGE}[package]
    there = listed(container_engine, tag, "find", "/app", "-maxdepth", "1", "-name", "*ngine*")
    there |= listed(container_engine, tag, "find", "/app", "-maxdepth", "1", "-name", "*ateway*")
    assert there == {f"/app/{package}"}
    found = listed(container_engine, tag, "find", f"/app/{package}", "-type", "f", "-not", "-name", "*.pyc")
    source = image.context / image.sources[0]
    assert found == {f"/app/{package}/{path.relative_to(source)}" for path in source.rglob("*.py")}


def test_an_image_has_exactly_what_the_lock_says(container_engine, image):
    found = listed(container_engine, image, "find", "/app", "-maxdepth", "1", "-name", "*.dist-info")
    installed = {
        Path(path).name.removesuffix(".dist-info").lower().replace("_", "-").rpartition("-")[::2]
        for path in found
    }
    lock = (ENGINE_IMAGE.context / "requirements-runtime.lock").read_text().splitlines()
    wanted = {tuple(line.split()[0].split("==")) for line in lock if line[:1].isalnum()}
    assert installed == wanted


def test_without_its_configuration_the_gateway_says_what_is_missing(container_engine, gateway_image):
    with running(container_engine, gateway_image, environment={}) as container:
        assert container.wait(timeout=30)["StatusCode"] == 2
        assert "ME_SHARD_MAP: not set" in container.logs().decode()
