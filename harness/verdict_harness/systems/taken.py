"""What a process of this machine has taken of it, by the word of the operating system."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import psutil

from ..errors import ServiceDied, named

T = TypeVar("T")


def cpu(service: str, pid: int) -> float:
    """Return the seconds of CPU that the process of a service has used.

    Raises:
        ServiceDied: there is no such process.
    """
    times = _known(service, pid, lambda process: process.cpu_times())
    return float(times.user + times.system)


def memory(service: str, pid: int) -> float:
    """Return the bytes of memory that the process of a service holds.

    Raises:
        ServiceDied: there is no such process.
    """
    return float(_known(service, pid, lambda process: process.memory_info()).rss)


def _known(service: str, pid: int, ask: Callable[[psutil.Process], T]) -> T:
    try:
        return ask(psutil.Process(pid))
    except psutil.Error as error:
        raise ServiceDied(f"{service} does not run", expected="a process", found=named(error)) from error
