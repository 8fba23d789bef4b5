"""Another team plants defects into its own service, by the same command: caught, missed, and gone."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from verdict_harness.programs import provide_all

SHOP = Path(__file__).with_name("little_shop")
PLACES = {
    "shop.py": "shop.py",
    "checkout.js": "checkout.js",
    "criteria.py": "criteria/test_checkout.py",
    "defects.py": "defects.py",
}
REQUIREMENTS = '["Checkout is fast"]\ncriteria = ["checkout.p90", "checkout.errors"]\n'


@pytest.fixture
def shop(tmp_path):
    root = tmp_path / "shop"
    (root / "criteria").mkdir(parents=True)
    for name, place in PLACES.items():
        shutil.copy(SHOP / name, root / place)
    (root / "criteria" / "requirements.toml").write_text(REQUIREMENTS)
    (root / "pytest.ini").write_text(
        "[pytest]\nverdict_requirements = criteria/requirements.toml\naddopts = -p no:randomly\n"
    )
    return root


def test_a_team_sees_what_its_gate_notices(shop):
    provide_all(("k6", "prometheus"))
    words = ["-m", "verdict_harness.sensitivity", "defects", "--criteria", "criteria", "--at-once", "2"]
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "HARNESS_"))}
    done = subprocess.run(
        [sys.executable, *words, "--table", "sensitivity.md"],
        cwd=shop,
        env=mine,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    seen = {
        path.stem: json.loads(path.read_text())["seen"] for path in (shop / ".nox/sensitivity").glob("*.json")
    }
    assert {name: one["outcome"] for name, one in seen.items()} == {
        "slow-checkout": "caught",
        "wrong-price": "missed",
        "sold-twice": "broken",
    }, seen
    assert seen["slow-checkout"]["verdicts"] == {"checkout.p90": "FAIL", "checkout.errors": "PASS"}
    assert 5 < seen["slow-checkout"]["noticed"] <= seen["slow-checkout"]["took"]
    assert seen["wrong-price"]["why"] == "checkout.errors is PASS, and has to turn"
    assert "the code has moved" in seen["sold-twice"]["why"]
    page = (shop / "sensitivity.md").read_text()
    assert "3 defects: 1 caught, 1 missed, 1 broken." in page
    assert "- `wrong-price`: checkout.errors is PASS, and has to turn" in page
    assert "## Unproven: criteria that no defect has failed\n\n- checkout.errors\n" in page
    assert not (shop / "runs").exists(), "nothing was run in the project itself"
