"""No load lacks what every load is judged by, and a requirement that names its criteria names these."""

import subprocess
import sys
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest

from experiments.conftest import DEPTHS, FAULTS
from experiments.judging.standing import GATEWAY, STANDING
from experiments.loads import PROFILES

ROOT = Path(__file__).parents[3]
VARIANTS = {"A3": [f"-{depth}" for depth in DEPTHS], "A4": [f"-{fault}" for fault in FAULTS]}
APART = {"isolation"}  # a comparison within one load, which is no experiment by itself
LOADS = [
    (name, variant, given["target"])
    for name, given in PROFILES["experiments"].items()
    if name not in APART
    for variant in VARIANTS.get(name, [""])
]


@pytest.fixture(scope="module")
def criteria():
    """The ids of all criteria, as a session that only collects lists them."""
    words = ["experiments", "--collect-only", "-q", "-p", "no:randomly", "-p", "no:cacheprovider"]
    plugin = "import pytest,sys\n" + (
        "class Plugin:\n"
        "    def pytest_collection_finish(self, session):\n"
        "        from verdict_harness.plugin.hooks import _CRITERION\n"
        "        for item in session.items:\n"
        "            one = item.stash.get(_CRITERION, None)\n"
        "            if one: print('criterion', one.id, one.experiment, one.asr.replace(' ', '_') or '-')\n"
        f"sys.exit(pytest.main({words!r}, plugins=[Plugin()]))\n"
    )
    argv = [sys.executable, "-c", plugin]
    out = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True).stdout
    return {
        line.split()[1]: tuple(line.split()[2:]) for line in out.splitlines() if line.startswith("criterion ")
    }


@pytest.mark.parametrize(("name", "variant", "target"), LOADS)
def test_every_load_is_judged_by_every_witness(criteria, name, variant, target):
    wanted = [*STANDING, GATEWAY] if target == "gateway" else STANDING
    missing = {f"{name}.{one}{variant}" for one in wanted} - criteria.keys()
    assert not missing


def test_there_are_five_of_them_for_each():
    assert [one.name for one in STANDING] == ["client-p99", "match-p99", "errors", "conservation", "load"]


def test_the_requirements_list_the_criteria_that_claim_to_be_of_them(criteria):
    listed = {
        asr.replace(" ", "_"): set(given["criteria"])
        for asr, given in tomllib.loads((ROOT / "experiments" / "requirements.toml").read_text()).items()
    }
    claimed = defaultdict(set)
    for name, (_, asr) in criteria.items():
        if asr != "-":
            claimed[asr].add(name)
    assert listed == dict(claimed)
