"""A load by plain k6, as k6/README.md has its command line, on a real shard and into a real Prometheus."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from experiments.exchange import SINGLE, SYMBOLS
from verdict_harness.processes import Answer, Pending, ask, until
from verdict_harness.programs import provide
from verdict_harness.systems import LocalBackend
from verdict_harness.systems.local import LocalDeployment

K6 = Path(__file__).parents[2] / "k6"
SCRIPT = "test-asr1-a2-normal-load.js"
SECONDS = 12
NAMES = """
import * as config from "./lib/config.js";
import * as orders from "./lib/orderGenerator.js";
import * as seeds from "./lib/seedHelper.js";
export const options = { vus: 1, iterations: 1 };
export default function () {
  const seeded = seeds.seedShardDirect(config.ME_SHARD_A_URL, ["TEST-ASSET-A"], 3, 2);
  const through = seeds.seedShard(config.GATEWAY_URL, "a", config.SHARD_A_SYMBOLS.slice(0, 2), 3, 2);
  const order = orders.generateSeedSellOrder("TEST-ASSET-A", 1);
  const { SHARD_A_SYMBOLS: a, SHARD_B_SYMBOLS: b, SHARD_C_SYMBOLS: c, ALL_SYMBOLS: all } = config;
  console.log(`told:${JSON.stringify({ a, b, c, all, seeded, through, order })}`);
}
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalDeployment]:
    with LocalBackend().deploy(SINGLE, tmp_path_factory.mktemp("by-hand")) as deployment:
        yield deployment


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts, with every load a few seconds long."""
    copy = tmp_path_factory.mktemp("scripts") / "k6"
    shutil.copytree(K6, copy)
    profiles = copy / "lib" / "profiles.json"
    told = json.loads(profiles.read_text())
    for experiment in told["experiments"].values():
        for stage in experiment["stages"]:
            stage["length_s"] = {"full": SECONDS, "quick": SECONDS}
    profiles.write_text(json.dumps(told))
    return copy


def environment() -> dict[str, str]:
    here = {name: value for name, value in os.environ.items() if not name.startswith("K6_")}
    return {**here, "PATH": f"{provide('k6').path.parent}{os.pathsep}{os.environ['PATH']}", "NO_PROXY": "*"}


def written(deployment: LocalDeployment) -> str:
    """Return the command line of the README, with the addresses of ``deployment``."""
    (command,) = re.findall(r"```sh\n(K6_PROMETHEUS.*?)```", (K6 / "README.md").read_text(), re.DOTALL)
    assert f"k6/{SCRIPT}" in command
    for old, new in (
        ("http://localhost:9090", deployment.prometheus),
        ("ME_SHARD_A_URL=http://localhost:8080", f"ME_SHARD_A_URL={deployment.endpoint('me-shard-a').url}"),
    ):
        assert old in command
        command = command.replace(old, new)
    return command


def test_the_written_command_line_brings_its_metrics_into_prometheus(
    running: LocalDeployment, scripts: Path
) -> None:
    done = subprocess.run(
        ["/bin/bash", "-c", written(running)],
        cwd=scripts.parent,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode in (0, 99), done.stdout + done.stderr  # a busy machine may be slow, no more

    def value(query: str) -> float:
        def read(answer: Answer) -> float:
            found: list[Any] = answer.json()["data"]["result"]
            if not found:
                raise Pending(f"nothing for {query}")
            return float(found[0]["value"][1])

        url = f"{running.prometheus}/api/v1/query"
        with httpx.Client(trust_env=False) as client:
            return until(query, lambda: ask(url, read, params={"query": query}, client=client), timeout=30)

    of = 'testid="by-hand"'
    assert value(f"max_over_time(k6_match_count_total{{{of}}}[2m])") >= 17 * SECONDS * 0.9
    assert value(f"max_over_time(k6_orders_accepted_total{{{of}}}[2m])") >= 17 * SECONDS * 0.9
    # what the dashboard asks of it: a native histogram, of orders alone
    rate = f'rate(k6_http_req_duration_seconds{{{of}, name="order"}}[2m])'
    assert 0 < value(f"histogram_quantile(0.99, sum({rate}))") < 10


def test_scripts_of_ones_own_find_what_they_import(running: LocalDeployment, scripts: Path) -> None:
    (scripts / "own.js").write_text(NAMES)
    done = subprocess.run(
        [provide("k6").path, "run", "--no-usage-report", "--address", "", scripts / "own.js"],
        env={
            **environment(),
            "ME_SHARD_A_URL": running.endpoint("me-shard-a").url,
            "GATEWAY_URL": running.endpoint("edge-gateway").url,
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    (line,) = re.findall(r'told:(\{.*\})"', done.stdout + done.stderr)
    told = json.loads(line.replace('\\"', '"'))
    assert [tuple(told[shard]) for shard in "abc"] == list(SYMBOLS.values())
    assert told["all"] == [symbol for each in SYMBOLS.values() for symbol in each]
    assert (told["seeded"], told["through"]) == (3, 6)
    assert {**told["order"], "orderId": "", "timestamp": 0, "quantity": 10} == {
        "orderId": "",
        "symbol": "TEST-ASSET-A",
        "side": "SELL",
        "type": "LIMIT",
        "price": 15001,
        "quantity": 10,
        "timestamp": 0,
    }


def test_prometheus_by_hand_scrapes_every_service_under_the_names_of_a_cluster() -> None:
    text = (K6.parent / "prometheus" / "prometheus.yml").read_text()
    services = {*re.findall(r"service: ([a-z-]+)", text)}
    assert services == {"me-shard-a", "me-shard-b", "me-shard-c", "edge-gateway"}
    assert re.findall(r"job_name: (\S+)", text) == ["matching-engine"]
