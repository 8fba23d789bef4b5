"""What a run ran on: what a reader has to know before comparing two runs."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import psutil

Described: TypeAlias = bool | int | float | str | Sequence["Described"] | Mapping[str, "Described"] | None

_DISTRIBUTIONS = ("verdict-harness", "httpx", "pytest", "tenacity")


def describe() -> dict[str, Described]:
    """Return cores, CPU, memory (bytes), system and Python of this machine.

    ``cores`` are those this process may use, which in a container or under
    ``taskset`` are fewer than the machine has.
    """
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        cores = os.cpu_count() or 1
    return {
        "cores": cores,
        "cpu": _cpu(),
        "memory": psutil.virtual_memory().total,
        "load": [round(load, 2) for load in os.getloadavg()],
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def versions() -> dict[str, Described]:
    """Return versions of the harness and of what its figures pass through."""
    found: dict[str, Described] = {}
    for name in _DISTRIBUTIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found


def commit(directory: Path) -> Described:
    """Return ``{"commit", "changed"}`` of the work tree around ``directory``; ``None`` if there is none."""
    head = _git(directory, "rev-parse", "HEAD")
    if not head:
        return None
    return {"commit": head, "changed": bool(_git(directory, "status", "--porcelain", "--untracked-files=no"))}


def _git(directory: Path, *words: str) -> str:
    # Not processes.run: no git, or no repository, is an answer here and not a failure to show.
    try:
        done = subprocess.run(
            ["git", *words],  # noqa: S607 - whichever git the user has
            cwd=directory,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
