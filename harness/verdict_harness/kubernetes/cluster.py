"""A k3d cluster of our own: made, found again, and deleted; never one that somebody else made."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CommandError, UsageError
from ..processes import progress, run
from .images import transportable

IMAGE = "rancher/k3s:v1.34.4-k3s1"
IMAGE_VARIABLE = "K3S_IMAGE"
NAME_VARIABLE = "K3D_CLUSTER"

# What makes a cluster ours is written into its server's command line by the very call that makes it:
# there is no moment in which it is there and not marked, and a cluster that does not start shows it, too.
MARK = "verdict-harness/cluster=made-by-it"

_AGENTS = 3
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_START = 300.0
_TIMEOUT = 60.0
_IMPORT = 600.0


@dataclass(frozen=True, slots=True)
class Cluster:
    """A k3d cluster by name, there or not.

    Attributes:
        name: as k3d calls it.
        image: of its nodes, if it is to be made.
    """

    name: str
    image: str = IMAGE

    @classmethod
    def of(cls, environment: Mapping[str, str], name: str) -> Cluster:
        """Return the cluster ``name``, or what the variables say instead."""
        return cls(environment.get(NAME_VARIABLE) or name, environment.get(IMAGE_VARIABLE) or IMAGE)

    @property
    def context(self) -> str:
        """Name of its context in a kubeconfig."""
        return f"k3d-{self.name}"

    def nodes(self) -> list[dict[str, Any]]:
        """Return its nodes as k3d lists them; none if there is no such cluster."""
        listed = json.loads(run(["k3d", "cluster", "list", "-o", "json"], timeout=_TIMEOUT).stdout or "[]")
        return [node for one in listed or [] if one["name"] == self.name for node in one.get("nodes") or []]

    def ours(self, nodes: Sequence[Mapping[str, Any]]) -> bool:
        """Whether we made the cluster of these nodes."""
        servers = [node["name"] for node in nodes if node.get("role") == "server"]
        if not servers:
            return False
        done = run(
            ["docker", "inspect", "--format", "{{json .Config.Cmd}}", *servers], timeout=_TIMEOUT, check=False
        )
        return done.status == 0 and all(MARK in line for line in done.stdout.splitlines() if line.strip())

    def create(self) -> None:
        """Make it: one server, three agents, and no Traefik. The user's kubeconfig is not touched.

        Raises:
            CommandError: k3d failed; it has taken back what it had made by then.
        """
        run(
            [
                *("k3d", "cluster", "create", self.name, "--servers", "1", "--agents", str(_AGENTS)),
                *("--image", self.image),
                *("--k3s-arg", "--disable=traefik@server:*"),
                *("--k3s-arg", f"--node-label={MARK}@server:*"),
                *("--kubeconfig-update-default=false", "--kubeconfig-switch-context=false"),
                *("--wait", "--timeout", f"{_START:.0f}s"),
            ],
            timeout=_START + 30.0,
            on_line=lambda line: progress.status(f"creating the cluster {self.name}: {line}"),
        )

    def start(self) -> None:
        """Start it, if its nodes are stopped, as they are after a restart of the machine."""
        if not all(node.get("State", {}).get("Running", True) for node in self.nodes()):
            run(["k3d", "cluster", "start", self.name], timeout=_START)

    def delete(self) -> None:
        """Delete it, and make sure of that.

        Raises:
            CommandError: it would not go.
        """
        run(["k3d", "cluster", "delete", self.name], timeout=_START)
        if left := self.nodes():
            raise CommandError(
                f"the cluster {self.name} could not be deleted whole",
                expected="no node of it",
                found=", ".join(node["name"] for node in left),
                todo=f"k3d cluster delete {self.name}",
            )

    def refuse(self) -> UsageError:
        """Return the error for a cluster of this name that is not ours."""
        return UsageError(
            f"there is a k3d cluster {self.name} that this harness did not make, and it is not touched",
            expected="none of that name, or one that the harness made",
            found=f"a cluster without the mark {MARK} on its server",
            where="k3d cluster list",
            todo=f"if nobody needs it: k3d cluster delete {self.name}; or set {NAME_VARIABLE} to another "
            "name; or judge what runs on it: --backend kube --context " + self.context,
        )

    def kubeconfig(self, directory: Path) -> Path:
        """Write its kubeconfig, which holds a key to it, into ``directory`` for us alone; return the file."""
        text = run(["k3d", "kubeconfig", "get", self.name], timeout=_TIMEOUT).stdout
        descriptor, name = tempfile.mkstemp(prefix="kubeconfig-", dir=directory)  # mode 600
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        return Path(name)

    def import_images(self, images: Sequence[str]) -> None:
        """Bring images of the container engine to every node.

        Raises:
            CommandError: k3d could not, or a node would not take them.
        """
        progress.status(f"importing {', '.join(images)} into the nodes of {self.name}")
        with transportable(images) as given:
            done = run(
                ["k3d", "image", "import", *given, "--cluster", self.name],
                timeout=_IMPORT,
                on_line=lambda line: progress.status(f"importing images into {self.name}: {line}"),
            )
        # k3d says which node did not take them, and exits with 0 all the same (seen with 5.8.3)
        lines = _COLOUR.sub("", done.stdout + done.stderr).splitlines()
        wrong = [at for at, line in enumerate(lines) if "failed to import" in line]
        if wrong:
            raise CommandError(
                f"not every node of {self.name} took the images",
                expected="each of them to be imported",
                found="\n".join(lines[wrong[0] : wrong[0] + 8]),  # the reason is on the lines that follow
                where=", ".join(images),
                todo="if it says that a content digest was not found: docker image rm those images, "
                "and run this again",
            )
