"""Runs that reserve ports at the same time never get the same one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

RESERVE = """
import json, sys
from pathlib import Path
from verdict_harness.processes import ports
# a range this small makes them meet at every step
ports._FIRST, ports._LAST = {first}, {last}
mine = ports.Ports(Path(sys.argv[1]))
sys.stdin.readline()
held = []
for turn in range(60):
    held = [mine.reserve() for _ in range(5)]
    if turn < 59:
        mine.release()
print(json.dumps(held), flush=True)
sys.stdin.readline()
"""


def test_parallel_reservations_never_collide(tmp_path: Path) -> None:
    program = RESERVE.format(first=29_900, last=29_960)
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "p")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    try:
        for run in runs:
            assert run.stdin is not None
            run.stdin.write("go\n")
            run.stdin.flush()
        got = [port for run in runs if run.stdout is not None for port in json.loads(run.stdout.readline())]
    finally:
        for run in runs:
            run.communicate("end\n", timeout=30)
    assert len(got) == 20
    assert len(set(got)) == 20
