"""What ``up`` leaves on the disk while it runs, so that ``seed`` finds it and ``down`` can end it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

_SAME_START = 2.0  # seconds; a start time is computed from the boot time, which a clock's step may shift


@contextmanager
def kept(file: Path, shape: str, addresses: Mapping[str, str]) -> Iterator[None]:
    """Say in ``file`` who is up, and where, for as long as that is so."""
    me = psutil.Process()
    told = {"pid": me.pid, "started": me.create_time(), "shape": shape, "addresses": dict(addresses)}
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_suffix(f".{os.getpid()}")
    aside.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    aside.replace(file)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def read(file: Path) -> dict[str, Any]:
    """Return what was written; empty if nobody is up: also where whoever wrote it was killed."""
    try:
        told: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return told if owner(told) else {}


def owner(told: Mapping[str, Any]) -> psutil.Process | None:
    """Return the process that keeps it up, never another one that has its id today."""
    try:
        process = psutil.Process(int(told["pid"]))
        same = abs(process.create_time() - told["started"]) <= _SAME_START
    except psutil.NoSuchProcess:
        return None
    return process if same and process.status() != psutil.STATUS_ZOMBIE else None
