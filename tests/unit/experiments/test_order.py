"""The order in which criteria are judged: a system's Prometheus is gone once the next one is up."""

import itertools
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module", params=[1, 562967366])  # the second shuffles A3 badly
def collected(request):
    """Names of the tests in the order in which a session with that seed runs them."""
    words = ["experiments", "--collect-only", "-q", "-p", "randomly", "-p", "no:cacheprovider"]
    seed = f"--randomly-seed={request.param}"
    argv = [sys.executable, "-m", "pytest", *words, seed]
    out = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout
    return [line.split("/")[-1] for line in out.splitlines() if "::" in line]


def test_loads_of_an_experiment_are_judged_one_after_the_other(collected):
    for file, some in (("test_a3_depth", 3), ("test_a4_broker_outage", 2)):
        tests = [name for name in collected if name.startswith(file)]
        loads = [name.partition("[")[2].partition("-")[0] for name in tests]
        runs = [load for load, _ in itertools.groupby(loads)]
        assert len(set(runs)) == len(runs) == some, f"{file}: {runs}"


def test_a_shard_is_killed_when_all_else_of_its_load_is_judged(collected):
    for file in ("test_a2_normal_load", "test_b2_peak_sustained"):
        *_, last = [name for name in collected if name.startswith(file)]
        assert last.endswith("_comes_back_from_a_kill")


def test_experiments_come_in_the_order_of_their_names_and_what_has_loads_of_its_own_last(collected):
    files = [file for file, _ in itertools.groupby(name.partition("::")[0] for name in collected)]
    assert files[0] == "test_smoke.py"
    assert [file[:7] for file in files[1:]] == sorted(file[:7] for file in files[1:])
    assert len(files) == len(set(files))
    assert files.index("test_b2_isolation.py") > files.index("test_b2_peak_sustained.py")
