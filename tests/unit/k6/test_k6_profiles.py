"""The numbers that k6 and whoever judges its runs share, against the contract's table."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

K6 = Path(__file__).parents[3] / "k6"
PROFILES: dict[str, Any] = json.loads((K6 / "lib" / "profiles.json").read_text())
EXPERIMENTS: dict[str, Any] = PROFILES["experiments"]
SCRIPTS = sorted(K6.glob("*.js"))

# id: script, target, orders per second, seconds (full), seconds (quick), depth and levels by shard
CONTRACT: dict[str, tuple[str, str, float, int, int, dict[str, tuple[int, int]]]] = {
    "A1": ("test-asr1-a1-warmup.js", "shard", 500 / 60, 120, 18, {"a": (500, 50)}),
    "A2": ("test-asr1-a2-normal-load.js", "shard", 17, 300, 40, {"a": (500, 50)}),
    "A3": ("test-asr1-a3-depth-variation.js", "shard", 17, 180, 31, {"a": (1000, 100)}),
    "A4": ("test-asr1-a4-kafka-degradation.js", "shard", 17, 180, 48, {"a": (500, 50)}),
    "B1": ("test-asr2-b1-baseline.js", "shard", 17, 180, 46, {"a": (500, 50)}),
    "B2": ("test-asr2-b2-peak-sustained.js", "gateway", 84, 300, 66, dict.fromkeys("abc", (500, 50))),
    "B3": ("test-asr2-b3-ramp.js", "gateway", 17, 600, 95, dict.fromkeys("abc", (500, 50))),
    "B4": (
        "test-asr2-b4-hot-symbol.js",
        "gateway",
        84,
        300,
        35,
        {"a": (2000, 100), "b": (500, 50), "c": (500, 50)},
    ),
}


def test_the_experiments_are_the_contracts() -> None:
    assert set(EXPERIMENTS) == {*CONTRACT, "smoke"}


@pytest.mark.parametrize("name", CONTRACT)
def test_an_experiment_offers_what_the_contract_says(name: str) -> None:
    script, target, rate, full, quick, seeds = CONTRACT[name]
    given = EXPERIMENTS[name]
    assert (given["script"], given["target"]) == (script, target)
    assert given["arrivals"]["rate"] / given["arrivals"]["per_s"] == rate
    assert sum(stage["length_s"]["full"] for stage in given["stages"]) == full
    assert sum(stage["length_s"]["quick"] for stage in given["stages"]) == quick
    assert {shard: (seed["depth"], seed["levels"]) for shard, seed in given["seeds"].items()} == seeds


def test_a_burst_is_full_but_for_half_an_hour_of_peak() -> None:
    assert PROFILES["like"] == {"burst": "full"}
    longer = {
        name: [stage["length_s"]["burst"] for stage in given["stages"] if "burst" in stage["length_s"]]
        for name, given in EXPERIMENTS.items()
    }
    assert {name: lengths for name, lengths in longer.items() if lengths} == {"B2": [1800]}


def test_the_depths_of_a3() -> None:
    depths = [(one["depth"], one["levels"]) for one in EXPERIMENTS["A3"]["depths"]]
    assert depths == [(100, 10), (1000, 100), (10000, 500)]


def test_the_brokers_pause_in_a4() -> None:
    outage = EXPERIMENTS["A4"]["outage"]
    assert outage == {"start_s": {"full": 60, "quick": 15}, "length_s": {"full": 120, "quick": 20}}


def test_the_ramp_has_the_same_shape_in_both_profiles() -> None:
    stages = EXPERIMENTS["B3"]["stages"]
    assert [stage["to"] for stage in stages] == [17, 42, 84, 84]
    assert [stage["length_s"]["full"] for stage in stages] == [120, 120, 120, 240]
    quick = [stage["length_s"]["quick"] for stage in stages]
    assert quick == [34, 16, 15, 30], "300 orders in each, and what is not judged before"


def test_four_of_five_orders_are_for_the_hot_symbol() -> None:
    assert EXPERIMENTS["B4"]["hot"] == {"symbol": "TEST-ASSET-A", "orders": 4, "of": 5}


def test_each_shard_owns_four_symbols() -> None:
    names = [symbol for shard in "abc" for symbol in PROFILES["shards"][shard]]
    assert names == [f"TEST-ASSET-{letter}" for letter in "ABCDEFGHIJKL"]
    assert [len(symbols) for symbols in PROFILES["shards"].values()] == [4, 4, 4]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_script_runs_the_experiment_it_is_named_for(name: str) -> None:
    text = (K6 / EXPERIMENTS[name]["script"]).read_text()
    assert re.findall(r"experiment\('(\w+)'[,)]", text) == [name]


def test_every_script_belongs_to_an_experiment() -> None:
    named = {given["script"] for given in EXPERIMENTS.values()}
    assert {script.name for script in SCRIPTS} == named | {"seed-orderbooks.js", "constant-rate.js"}


@pytest.mark.parametrize("script", [*SCRIPTS, *sorted(K6.glob("lib/*.js"))], ids=lambda path: path.name)
def test_imports_are_k6s_own_or_files_that_are_here(script: Path) -> None:
    imported = re.findall(r"""(?:from|import|require\()\s*['"]([^'"]+)['"]""", script.read_text())
    for name in imported:
        if name.startswith("."):
            assert (script.parent / name).is_file(), name
        else:
            assert re.fullmatch(r"k6(/[a-z]+)?", name), name
