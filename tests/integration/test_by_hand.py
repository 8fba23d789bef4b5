"""The exchange brought up by hand on this machine, seeded, and taken down from another terminal."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import psutil

from experiments.by_hand import record
from experiments.cluster import ROOT
from verdict_harness.processes import Pending, until

COMMAND = (sys.executable, "-m", "experiments.by_hand")


def run(*words: str) -> str:
    done = subprocess.run(
        [*COMMAND, *words], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_up_seeded_and_down(tmp_path: Path) -> None:
    file = tmp_path / "up.json"
    log = (tmp_path / "log").open("w")
    with (
        log,
        subprocess.Popen(
            [*COMMAND, "up", "single", "--runs", str(tmp_path)], cwd=ROOT, stdout=log, stderr=log
        ) as up,
    ):

        def alive() -> None:
            assert up.poll() is None, (tmp_path / "log").read_text()

        def there() -> dict[str, Any]:
            if not (told := record.read(file)):
                raise Pending("nobody is up")
            return told

        try:
            addresses = until("the exchange", there, timeout=120, alive=alive)["addresses"]
            processes = psutil.Process(up.pid).children(recursive=True)
            said = (tmp_path / "log").read_text()
            assert all(f"http://{address}" in said for address in addresses.values())
            with httpx.Client(trust_env=False) as http:
                health = http.get(f"http://{addresses['me-shard-a']}/health").json()
                assert health["status"] == "UP"
                assert http.get(f"http://{addresses['prometheus']}/-/ready").status_code == 200
                # the mode follows what is up: shard a's four symbols
                run("seed", "--depth", "30", "--levels", "6", "--runs", str(tmp_path))

                def seeded() -> float:
                    query = {"query": 'sum(me_orderbook_depth{shard="a",side="ask"})'}
                    url = f"http://{addresses['prometheus']}/api/v1/query"
                    result = http.get(url, params=query).json()["data"]["result"]
                    if not result or not float(result[0]["value"][1]):
                        raise Pending("not scraped yet")
                    return float(result[0]["value"][1])

                assert until("a scrape", seeded, timeout=30, alive=alive) == 4 * 30
            assert "nox -s up kept up (single)" in run("down", "--runs", str(tmp_path))
            assert up.wait(10) == 0
        finally:
            up.terminate()
    gone, left = psutil.wait_procs(processes, timeout=10)
    assert gone
    assert left == []
    assert not file.exists()
    assert run("down", "--runs", str(tmp_path)) == "nothing was up\n"
    assert re.search("^ending$", (tmp_path / "log").read_text(), re.MULTILINE)
