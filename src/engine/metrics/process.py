"""What the process itself uses."""

from __future__ import annotations

import math
import os
import resource
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

_DESCRIPTORS = (Path("/proc/self/fd"), Path("/dev/fd"))  # Linux, macOS


def resident_memory() -> float:
    """Return the memory that this process holds, in bytes; where that is not told, the most it ever held."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def process(shard: str) -> Iterator[Metric]:
    """Yield memory, CPU time, threads and open descriptors."""
    memory = GaugeMetricFamily("me_process_resident_memory_bytes", "Memory held.", labels=["shard"])
    memory.add_metric([shard], resident_memory())
    yield memory
    cpu = CounterMetricFamily("me_process_cpu_seconds_total", "CPU time, of all threads.", labels=["shard"])
    cpu.add_metric([shard], time.process_time())
    yield cpu
    for name, text, value in (
        ("me_process_threads", "Threads of Python's.", threading.active_count()),
        ("me_process_open_fds", "Open descriptors: files, sockets and all.", open_descriptors()),
        ("me_process_max_fds", "Descriptors that may be open at once.", max_descriptors()),
    ):
        gauge = GaugeMetricFamily(name, text, labels=["shard"])
        gauge.add_metric([shard], value)
        yield gauge


def open_descriptors() -> float:
    """Return how many descriptors this process has open; NaN where that is not told."""
    directory = next((path for path in _DESCRIPTORS if path.exists()), None)
    return math.nan if directory is None else sum(1 for _ in directory.iterdir()) - 1  # this look's own


def max_descriptors() -> float:
    """Return how many descriptors it may have open."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return math.inf if soft == resource.RLIM_INFINITY else soft
