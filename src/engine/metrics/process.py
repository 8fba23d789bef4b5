"""What the process itself uses."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric


def resident_memory() -> float:
    """Return the memory that this process holds, in bytes; where that is not told, the most it ever held."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def process(shard: str) -> Iterator[Metric]:
    """Yield memory and CPU time."""
    memory = GaugeMetricFamily("me_process_resident_memory_bytes", "Memory held.", labels=["shard"])
    memory.add_metric([shard], resident_memory())
    yield memory
    cpu = CounterMetricFamily("me_process_cpu_seconds_total", "CPU time, of all threads.", labels=["shard"])
    cpu.add_metric([shard], time.process_time())
    yield cpu
