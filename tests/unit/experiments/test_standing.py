"""No load lacks what every load is judged by, and a requirement that names its criteria names these."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.conftest import DEPTHS, FAULTS
from experiments.judging.standing import GATEWAY, STANDING
from experiments.loads import PROFILES, Workload

ROOT = Path(__file__).parents[3]
VARIANTS = {
    "smoke": ["", "-single"],
    "A3": [f"-{depth}" for depth in DEPTHS],
    "A4": [f"-{fault}" for fault in FAULTS],
}
LOADS = [
    (name, variant, Workload.of(name, "full", variant.removeprefix("-")).target)
    for name in PROFILES["experiments"]
    for variant in VARIANTS.get(name, [""])
]


PLUGIN = """
import os, pathlib

def pytest_collection_finish(session):
    marks = [(item, item.get_closest_marker("criterion")) for item in session.items]
    params = [getattr(getattr(item, "callspec", 0), "params", {}) for item, _ in marks]
    ids = [mark.args[0].format_map(some) for (_, mark), some in zip(marks, params)]
    pathlib.Path(os.environ["FOUND"]).write_text("\\n".join(ids))
"""


@pytest.fixture(scope="module")
def criteria(tmp_path_factory):
    """The ids of all criteria, as a session that only collects has them."""
    folder = tmp_path_factory.mktemp("collected")
    (folder / "lister.py").write_text(PLUGIN)
    words = (
        "experiments",
        "--collect-only",
        "-q",
        "-p",
        "lister",
        "-p",
        "no:randomly",
        "-p",
        "no:cacheprovider",
    )
    env = {**os.environ, "PYTHONPATH": str(folder), "FOUND": str(folder / "found")}
    subprocess.run(
        [sys.executable, "-m", "pytest", *words], cwd=ROOT, env=env, capture_output=True, check=True
    )
    return set((folder / "found").read_text().splitlines())


@pytest.mark.parametrize(("name", "variant", "target"), LOADS)
def test_every_load_is_judged_by_every_witness(criteria, name, variant, target):
    wanted = [*STANDING, GATEWAY] if target == "gateway" else STANDING
    missing = {f"{name}.{one}{variant}" for one in wanted} - criteria
    assert not missing


def test_what_the_gateway_does_is_judged_of_no_load_that_goes_around_it(criteria):
    around = {f"{name}.{GATEWAY}{variant}" for name, variant, target in LOADS if target == "shard"}
    assert not around & criteria


def test_there_are_five_of_them_for_each():
    assert [one.name for one in STANDING] == ["client-p99", "match-p99", "errors", "conservation", "load"]


def test_what_judges_loads_by_hand_is_left_out(criteria):
    """It needs a Prometheus that somebody names, and a window."""
    assert not [one for one in criteria if one.startswith(("asr1.", "asr2."))]
