"""A load that was run by hand, judged by a real Prometheus that has an engine's series of some minutes ago.

A real engine takes a hundred orders; what it exposes then is laid into the past at 17 orders/s, its recording
rules too. In the last minutes one order in ten takes 300 ms.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from experiments.collect.collected import UNCARRIED_1
from tests import verdict_schema
from verdict_harness.errors import UsageError
from verdict_harness.figures import moment
from verdict_harness.processes import Guarded, Plan, Ports, ask, command, until
from verdict_harness.programs import provide
from verdict_harness.systems import Address, check_past, expressions, wait_until_covered

from .conftest import Engine, exposed

ROOT = Path(__file__).parents[2]
RULES = ROOT / "prometheus" / "recording-rules.yml"
ORDERS, RATE = 100, 17
SECONDS, SLOW = 540, 180  # of the past that is there, and of its end that is slow
QUICK = 0.0001  # seconds in which every stage of every other order is done
STEP = 5
CARRIED = ("-k", "not alone and not refused")  # as docs/by-hand.md has it
ASKED = (
    *("me_match", "me_order", "me_wal_append", "me_event_publish_duration", "me_gc_pause"),
    *("me_process_cpu", "me_process_resident", "me_ringbuffer"),
)


@dataclass
class Past:
    """What is there.

    Attributes:
        directory: for runs.
        url: of the Prometheus, while it runs.
        end: unix seconds of its last scrape.
    """

    directory: Path
    url: Address
    end: int

    def judged(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        fixed = ("-q", "-p", "no:cacheprovider", "-p", "no:randomly", "--runs", str(self.directory / "runs"))
        return subprocess.run(
            [sys.executable, "-m", "pytest", *fixed, *words],
            cwd=ROOT,
            env={**os.environ, "PROM_URL": self.url, **env},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def collected(self, end: float, *words: str) -> subprocess.CompletedProcess[str]:
        asked = ("--window", "5m", "--until", f"{end}", *words)
        return self.judged("experiments/collect/test_asr1.py", "--backend", "external", *asked)

    @property
    def verdict(self) -> dict:
        return verdict_schema.read(self.directory / "runs" / "latest" / "verdict.json")


def loaded(engine: Engine) -> list:
    """What an engine exposes that has taken orders as the mix has them: 60 of 100 meet two that rest."""
    engine.seed(*[15000] * 2 * ORDERS, quantity=5)
    for number in range(ORDERS):
        engine.order(15000 if number % 5 < 3 else 14800, quantity=10)
    engine.settled(ORDERS)
    return ask(engine.metrics_url, exposed)


def laid_into_the_past(samples: list, end: int) -> Iterator[str]:
    """The lines of OpenMetrics that say so."""
    target = 'job="matching-engine",instance="127.0.0.1:9091"'
    for at in range(end - SECONDS, end + STEP, STEP):
        orders = RATE * (at - end + SECONDS)
        slow = max(0, RATE * (at - end + SLOW)) // 10
        yield f"up{{{target}}} 1 {at}"
        for one in samples:
            if not one.name.startswith(ASKED) or one.name.endswith("_created"):
                continue
            labels = ",".join(f'{key}="{value}"' for key, value in one.labels.items())
            value = one.value
            if float(one.labels.get("le", 0)) >= QUICK:
                value = ORDERS  # however long this machine took
            if one.name.endswith(("_total", "_count", "_sum", "_bucket")):
                value *= orders / ORDERS
                if one.name == "me_match_duration_seconds_bucket":
                    value = value * (orders - slow) / max(1, orders)
                    value += slow * (float(one.labels["le"]) >= 0.3)
                value = value if one.name.endswith("_sum") or "cpu" in one.name else math.floor(value)
            elif one.name == "me_gc_pause_max_seconds":
                value = 0.001  # likewise
            yield f"{one.name}{{{target},{labels}}} {value} {at}"
    yield "# EOF"


@contextmanager
def prometheus(directory: Path) -> Iterator[Address]:
    with Ports() as ports:
        port = ports.reserve()
        argv = (
            str(provide("prometheus").path),
            f"--config.file={directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={directory / 'data'}",
            "--storage.tsdb.retention.time=1d",
            f"--web.listen-address=127.0.0.1:{port}",
            "--query.lookback-delta=15s",
            "--log.level=warn",
        )
        held = [ports.descriptor(port)]
        with Guarded(Plan(argv, cwd=directory, log=directory / "log", hold=held)):
            url = Address.of(f"http://127.0.0.1:{port}")
            until("Prometheus", lambda: ask(f"{url}/-/ready", lambda _: True), timeout=60)
            yield url


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Past]:
    directory = tmp_path_factory.mktemp("past")
    end = int(time.time()) // STEP * STEP - 60
    engine = Engine(directory / "engine")
    try:
        samples = loaded(engine.ready())
    finally:
        engine.close()
    (directory / "scraped").write_text("\n".join(laid_into_the_past(samples, end)) + "\n")
    (directory / "prometheus.yml").write_text(f"rule_files: [{RULES}]\n")
    create = [provide("promtool").path, "tsdb", "create-blocks-from"]
    command.run([*create, "openmetrics", directory / "scraped", directory / "data"], timeout=60)
    with prometheus(directory) as url:
        when = (f"--start={end - SECONDS}", f"--end={end}", "--eval-interval=5s", f"--url={url}")
        output = f"--output-dir={directory / 'data'}"
        command.run([*create, "rules", *when, output, RULES], timeout=60)
    with prometheus(directory) as url:
        # of rules that were never evaluated nobody knows whether they can be
        assert not wait_until_covered(url, end, expressions(RULES))
        yield Past(directory, url, end)


def test_what_it_carries_is_judged_and_judged_again_without_it(past: Past) -> None:
    done = past.collected(past.end - SLOW - STEP)
    assert done.returncode == 10, done.stdout + done.stderr
    verdicts = {one["id"]: one["verdict"] for one in past.verdict["criteria"]}
    open_ = {f"asr1.{name}" for name in (*UNCARRIED_1, "errors")}
    assert {name for name, verdict in verdicts.items() if verdict == "INCONCLUSIVE"} == open_
    assert len(verdicts) == len(open_) + 8
    assert {verdicts[name] for name in {*verdicts} - open_} == {"PASS"}
    (figures,) = past.verdict["figures"]
    found = {(one["name"], one["of"]): one for one in figures["figures"]}
    assert found["matches/min", "shard a"]["value"] == pytest.approx(1.2 * RATE * 60, rel=0.01)
    assert found["matches executed", ""]["value"] == pytest.approx(1.2 * RATE * 300, rel=0.02)
    assert 0 < found["matching latency p99", "shard a"]["value"] <= 1000 * QUICK
    assert found["client response p99", ""]["reason"] == "no such series"
    assert {one["reason"] for (name, _), one in found.items() if "client" not in name} == {""}
    assert "1224 /min" in done.stdout, "they are printed"
    run = past.directory / "runs" / "latest"
    again = past.judged("experiments", "--judge", str(run), *CARRIED, PROM_URL="http://127.0.0.1:1")
    assert again.returncode == 0, again.stdout + again.stderr
    rejudged = verdict_schema.read(run / "verdict.rejudged.json")
    assert rejudged["comparison"]["same"], rejudged["comparison"]
    assert {one["id"] for one in rejudged["criteria"]} == {*verdicts} - open_
    assert rejudged["figures"] == past.verdict["figures"]


def test_what_is_slow_fails(past: Past) -> None:
    done = past.collected(past.end, *CARRIED)
    assert done.returncode == 1, done.stdout + done.stderr
    found = {one["id"]: one["verdict"] for one in past.verdict["criteria"]}
    assert found["asr1.match-p99"] == "FAIL"


def test_what_prometheus_does_not_have_is_said(past: Past) -> None:
    series = "me_orders_received_total"
    for start, end, what in (
        (past.end - SECONDS - 600, past.end - SECONDS - 300, "was not there yet"),
        (past.end - 200_000, past.end, "keeps nothing that old"),
        (past.end + 20, past.end + 50, "has nothing of that load"),
    ):
        with pytest.raises(UsageError, match=what):
            check_past(past.url, start, end, series)
    done = past.collected(past.end - SECONDS - 300)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "was not there yet" in done.stderr
    assert moment(past.end - SECONDS - 600) in done.stderr
