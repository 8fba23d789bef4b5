"""The program of the machine's witness; see :mod:`.witness`.

It is run by path, isolated and without site packages (``python -I -S``): the
standard library only, nothing of ours.  Words: the file to write, k6's process
id (0 for none).  It ends with its standard input.

One JSON object a line: ``{"from", "to"}``, when it woke late; once a second
``{"at", "k6", "waiting", "stolen"}``; and ``{"ended"}`` at last. Where it can't write, on a full disk, it
ends at once with status 1: that the last line lacks says so to whoever reads the file.
"""

from __future__ import annotations

import gc
import json
import os
import select
import sys
import time
from typing import Any

_SLEEP = 0.002  # seconds; each wake costs some 15 us
_LATE = 0.01  # seconds: less is what any scheduler may do
_SECOND = 1.0


def main() -> None:
    """Watch until standard input ends."""
    gc.disable()  # nothing here makes garbage that needs it, and a collection would look like a stall
    path, pid = sys.argv[1], int(sys.argv[2])
    ticks = os.sysconf("SC_CLK_TCK")
    ended = select.poll()
    ended.register(0, select.POLLIN | select.POLLHUP)
    with open(path, "a", encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs milliseconds at start
        looked, before = time.monotonic(), _counts(pid)
        while not ended.poll(0):
            slept = time.monotonic()
            time.sleep(_SLEEP)
            woke = time.monotonic()
            if woke - slept - _SLEEP >= _LATE:
                now = time.time()
                _write(file, {"from": round(now - (woke - slept - _SLEEP), 6), "to": round(now, 6)})
            if woke - looked >= _SECOND:
                counts = _counts(pid)
                _write(file, {"at": round(time.time(), 3), **_rates(before, counts, woke - looked, ticks)})
                looked, before = time.monotonic(), counts
        _write(file, {"ended": round(time.time(), 3)})


def _write(file: Any, line: dict[str, Any]) -> None:
    file.write(json.dumps(line) + "\n")
    file.flush()


def _counts(pid: int) -> dict[str, float]:
    """Return how much there has been since the machine started: of k6's CPU, of waiting, of stolen time."""
    found: dict[str, float] = {}
    if pid and (fields := _read(f"/proc/{pid}/stat").rpartition(")")[2].split()):
        found["k6"] = float(fields[11]) + float(fields[12])
    if pressure := _read("/proc/pressure/cpu"):
        found["waiting"] = float(pressure.split("\n", 1)[0].rpartition("total=")[2])
    if cpu := _read("/proc/stat").split("\n", 1)[0].split()[1:]:
        found["stolen"] = float(cpu[7])
    return found


def _rates(before: dict[str, float], after: dict[str, float], seconds: float, ticks: int) -> dict[str, float]:
    """Return cores (k6, stolen) and a share (waiting)."""
    units = {"k6": ticks, "waiting": 1e6, "stolen": ticks}
    return {
        what: round((after[what] - before[what]) / unit / seconds, 4)
        for what, unit in units.items()
        if what in before and what in after
    }


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:  # noqa: PTH123 - as above
            return file.read()
    except OSError:
        return ""


if __name__ == "__main__":
    try:
        main()
    except OSError:  # a traceback would be one more on the terminal of a session that says why it ends
        sys.exit(1)
