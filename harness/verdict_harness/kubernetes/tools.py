"""The tools that a backend needs: are they there, are they new enough, and how to get them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import CommandError, UsageError
from ..processes import run, tail

_TIMEOUT = 20.0
_VERSION = re.compile(r"\bv?(\d+)\.(\d+)[.\w+-]*")


@dataclass(frozen=True, slots=True)
class Tool:
    """A program of the user's.

    Attributes:
        name: what it is, for people.
        ask: the command line that prints its version, and fails if it can't be used.
        least: the oldest version that will do.
        get: how to get it.
    """

    name: str
    ask: tuple[str, ...]
    least: tuple[int, int]
    get: str


DOCKER = Tool(
    "a container engine",
    ("docker", "version", "--format", "{{.Server.Version}}"),
    (20, 10),
    "install and start Docker Desktop or Docker Engine: https://docs.docker.com/get-started/get-docker/",
)
K3D = Tool("k3d", ("k3d", "version"), (5, 0), "https://k3d.io/stable/#installation (macOS: brew install k3d)")
KUBECTL = Tool(
    "kubectl",
    ("kubectl", "version", "--client"),
    (1, 28),
    "https://kubernetes.io/docs/tasks/tools/ (macOS: brew install kubectl)",
)
HELM = Tool(
    "helm",
    ("helm", "version", "--short"),
    (3, 13),  # labels of releases
    "https://helm.sh/docs/intro/install/ (macOS: brew install helm)",
)


def preflight(tools: Sequence[Tool], backend: str) -> None:
    """Check that all ``tools`` are there, can be used and are new enough.

    Raises:
        UsageError: names everything that is in the way, and how to get it.
    """
    wrong = {tool: trouble for tool in tools if (trouble := found(tool).trouble)}
    if wrong:
        raise UsageError(
            f"the backend {backend} needs tools that are missing, too old, or do not answer",
            expected=", ".join(f"{tool.name} {shown(tool.least)} or later" for tool in wrong),
            found="\n".join(f"{tool.name}: {trouble}" for tool, trouble in wrong.items()),
            where="PATH",
            todo="\n".join(f"{tool.name}: {tool.get}" for tool in wrong)
            + "\nor use --backend local, which needs none of them",
        )


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of a tool.

    Attributes:
        version: what it says; empty if nothing.
        trouble: what is wrong with it; empty if nothing is.
    """

    version: str = ""
    trouble: str = ""


def found(tool: Tool) -> Found:
    """Return what there is of a tool."""
    try:
        done = run(tool.ask, timeout=_TIMEOUT, check=False)
    except CommandError as error:
        missing = "could not be started" in error.what
        return Found(trouble=f"no {tool.ask[0]} on PATH" if missing else error.found)
    if done.status:
        return Found(trouble=tail(done.stderr, 1) or tail(done.stdout, 1) or f"exit status {done.status}")
    said = _VERSION.search(done.stdout)
    if said is None:
        return Found(trouble=f"it says no version: {tail(done.stdout, 1)!r}")
    version = f"{said[1]}.{said[2]}"
    return Found(version, f"version {version}" if (int(said[1]), int(said[2])) < tool.least else "")


def shown(version: tuple[int, int]) -> str:
    """Return a version as people write it."""
    return ".".join(map(str, version))
