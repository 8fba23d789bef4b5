"""What a cluster on this machine needs, as a table: found, needed, how to get it.

::

    python -m verdict_harness.kubernetes.prerequisites
"""

from __future__ import annotations

import json
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from ..errors import CommandError
from ..processes import run
from . import tools

MEMORY, DISK = 8, 10  # GB: what three shards, broker, Prometheus and Grafana take, and their images
_GB = 1e9
_NEARLY = 0.9  # a machine of 8 GB has a little less for programs
_WIDEST = 48  # characters of what a tool says
_TIMEOUT = 20.0


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that is needed.

    Attributes:
        name: of it.
        found: what there is.
        needed: what there should be.
        get: how to get that; empty if it is there.
    """

    name: str
    found: str
    needed: str
    get: str

    @property
    def met(self) -> bool:
        """Whether nothing has to be done."""
        return not self.get


def rows() -> Iterator[Row]:
    """Yield a row for each tool, and for the machine's memory and disk."""
    where = "WSL 2" if "microsoft" in platform.release().lower() else platform.system()
    systems = platform.system() in ("Linux", "Darwin")
    yield Row(
        "system",
        f"{where}, {platform.machine()}",
        "Linux, macOS or WSL 2",
        "" if systems else "on Windows, all of it goes inside WSL 2",
    )
    for tool in (tools.DOCKER, tools.K3D, tools.KUBECTL, tools.HELM):
        found = tools.found(tool)
        yield Row(
            tool.name,
            found.version or found.trouble.partition(".")[0][:_WIDEST],
            f"{tools.shown(tool.least)} or later",
            tool.get if found.trouble else "",
        )
    yield _size("memory", _memory(), MEMORY, "give Docker more memory: Docker Desktop, Settings, Resources")
    disk = shutil.disk_usage(Path.home()).free / _GB
    yield _size("free disk", disk, DISK, "docker system prune frees what Docker holds and nobody uses")


def table(found: list[Row]) -> str:
    """Return the rows for people.

    >>> k3d, memory = Row("k3d", "none", "5.0 or later", "https://k3d.io"), Row("memory", "16 GB", "8 GB", "")
    >>> print(table([k3d, memory]))
    what    found  needed
    k3d     none   5.0 or later  missing: https://k3d.io
    memory  16 GB  8 GB          ok
    """
    head = ("what", "found", "needed", "")
    lines = [head, *((one.name, one.found, one.needed, _said(one)) for one in found)]
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    return "\n".join(
        "  ".join((*(word.ljust(width) for word, width in zip(line, widths, strict=False)), line[3])).rstrip()
        for line in lines
    )


def _said(row: Row) -> str:
    return "ok" if row.met else f"missing: {row.get}"


def _size(name: str, found: float, needed: float, get: str) -> Row:
    return Row(name, f"{found:.1f} GB", f"{needed} GB", "" if found >= needed * _NEARLY else get)


def _memory() -> float:
    """Return what containers can have, in GB: Docker's own on a Mac; else the machine's."""
    try:
        done = run(["docker", "info", "--format", "{{json .MemTotal}}"], timeout=_TIMEOUT, check=False)
        told = json.loads(done.stdout) if done.status == 0 else 0
    except (CommandError, ValueError):
        told = 0
    return float(told if isinstance(told, int) and told else psutil.virtual_memory().total) / _GB


def main() -> int:
    """Print the table; return 1 if something is missing."""
    found = list(rows())
    sys.stdout.write(f"{table(found)}\n")
    if missing := [one.name for one in found if not one.met]:
        sys.stdout.write(f"--backend k3d lacks: {', '.join(missing)}; --backend local needs none of this\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
