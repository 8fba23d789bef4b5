"""For every test of this repository."""

import copy
import gc
import json
import shutil
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import docker
import docker.errors
import hypothesis
import pytest
from testcontainers.core.config import testcontainers_config
from testcontainers.core.docker_client import DockerClient

from experiments import loads

pytest_plugins = ["pytester"]

# How long one example takes says something of the machine, and nothing of the code.
hypothesis.settings.register_profile("verdicts", deadline=None)
hypothesis.settings.load_profile("verdicts")

# A shell that starts a job in the background lets it ignore Ctrl-C, and its children inherit that: tests of
# Ctrl-C would wait for an interrupt that nobody hears.
if (
    threading.current_thread() is threading.main_thread()
    and signal.getsignal(signal.SIGINT) == signal.SIG_IGN
):
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-docker",
        action="store_true",
        help="fail, rather than skip, where a container engine, an image or a tool for clusters can't be had",
    )


def unavailable(config: pytest.Config, what: str) -> NoReturn:
    """Skip the test for want of ``what``, one line; with ``--require-docker`` fail it."""
    __tracebackhide__ = True
    why = " ".join(what.split())
    if config.getoption("--require-docker"):
        pytest.fail(f"--require-docker: {why}", pytrace=False)
    pytest.skip(f"{why}; --require-docker makes this a failure")


@pytest.fixture(scope="session")
def can_not_be_had(pytestconfig: pytest.Config) -> Callable[[str], NoReturn]:
    """Call it with what is missing of an engine, an image or a tool for clusters, and why: one line."""
    return lambda what: unavailable(pytestconfig, what)


@dataclass(frozen=True)
class ContainerEngine:
    """An engine that answers.

    Attributes:
        client: of testcontainers' own; its ``client`` is the one of docker's library.
    """

    client: DockerClient
    missing: Callable[[str], NoReturn]

    def image(self, name: str) -> str:
        """Return ``name`` once the engine has that image; where it can't be had, the test is skipped."""
        if why := self._lacks(name):
            self.missing(f"the image {name} can't be had: {why}")
        return name

    def _lacks(self, name: str) -> str:
        images: Any = self.client.client.images
        try:
            images.get(name)
        except docker.errors.ImageNotFound:
            try:
                images.pull(name)
            except (docker.errors.APIError, OSError) as error:
                return str(getattr(error, "explanation", None) or error)
        return ""

    def can_reap(self) -> bool:
        """Whether testcontainers' own clean-up after a killed session can be had."""
        return not self._lacks(testcontainers_config.ryuk_image)


@pytest.fixture(scope="session")
def container_engine(can_not_be_had: Callable[[str], NoReturn]) -> Iterator[ContainerEngine]:
    """The machine's container engine, where testcontainers finds one; else the test is skipped."""
    why = ""
    try:
        client = DockerClient(timeout=60)
        client.client.ping()
    except (docker.errors.DockerException, OSError) as error:
        why = str(error)
    if why:
        # What docker's library has opened in vain nobody can close; it is not to be blamed on a later test.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
        can_not_be_had(f"no container engine answers: {why}")
    engine = ContainerEngine(client, can_not_be_had)
    # Our fixtures remove what they make. Ryuk is for sessions that are killed, and needs an image of its own.
    if not testcontainers_config.ryuk_disabled and not engine.can_reap():
        testcontainers_config.ryuk_disabled = True
    yield engine
    client.client.close()


@contextmanager
def _shortened(root: Path, experiment: str, seconds: float, **other: Any) -> Iterator[None]:
    given = copy.deepcopy(loads.PROFILES["experiments"][experiment])
    given["stages"][0]["length_s"]["quick"] = seconds
    given.update(other)
    shutil.copytree(loads.ROOT / "k6", root / "k6")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(loads.PROFILES["experiments"], experiment, given)
        (root / "k6" / "lib" / "profiles.json").write_text(json.dumps(loads.PROFILES))
        patch.setattr(loads, "ROOT", root)
        yield


@pytest.fixture(scope="session")
def shortened() -> Callable[..., AbstractContextManager[None]]:
    """In ``with shortened(root, experiment, seconds):`` its quick load is that long, for k6 and harness."""
    return _shortened
