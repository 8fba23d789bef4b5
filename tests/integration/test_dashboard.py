"""Every query of the dashboard, asked of a real Prometheus about a real load, as Grafana would ask it."""

from __future__ import annotations

import copy
import json
import math
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NoReturn

import httpx
import pytest
import yaml

from experiments.exchange import MULTI, RULES, SYMBOLS
from experiments.loads import Workload
from grafana.dashboard import FILE
from verdict_harness.loads import Stage, Trial
from verdict_harness.record import Run, Watched
from verdict_harness.samples import Estimate
from verdict_harness.systems import LocalBackend

SECONDS = 25  # long enough for every 20 s and 30 s of a rate to have something in them
MODEL: Any = json.loads(FILE.read_text())
PANELS = [panel["title"] for panel in MODEL["panels"]]
STEP = 5  # seconds; the least step that the queries name
# What Grafana puts for variables: 15 minutes on a screen need no step above the queries' own of 5 s, and four
# of those are $__rate_interval; "All" is the value that the variable itself gives for it.
ALL = {"__rate_interval": f"{4 * STEP}s", "shard": ".*", "testid": ".*"}


def filled(query: str, **chosen: str) -> str:
    """Return a query with its variables replaced, and fail if one is left that nobody would replace."""
    values = {**ALL, **chosen}
    return re.sub(r"\$(\w+)", lambda found: values[found[1]], query)


@dataclass
class Seen:
    """A load that was run, and the Prometheus that saw it."""

    trial: Trial
    prometheus: str

    def ask(self, path: str, **params: Any) -> Any:
        answer = httpx.get(f"{self.prometheus}/api/v1/{path}", params=params, timeout=10, trust_env=False)
        assert answer.status_code == 200, answer.text
        assert "warnings" not in answer.json(), answer.text
        return answer.json()["data"]

    def points(self, query: str) -> dict[str, list[float]]:
        """Return what a graph of the load's last 20 s would show: series, by labels, to finite values."""
        end = self.trial.window.end
        data = self.ask("query_range", query=query, start=end - 20, end=end, step=STEP)
        shown = {}
        for series in data["result"]:
            assert "histograms" not in series, f"{query}: Grafana would draw a heat map"
            values = [float(value) for _, value in series["values"]]
            if finite := [value for value in values if math.isfinite(value)]:
                shown[json.dumps(series["metric"], sort_keys=True)] = finite
        return shown

    def silent(self, title: str, **chosen: str) -> list[str]:
        """Return the queries of a panel that show nothing, or series that can't be told apart."""
        (panel,) = (panel for panel in MODEL["panels"] if panel["title"] == title)
        wrong = []
        for target in panel["targets"]:
            query = filled(target["expr"], **chosen)
            assert target["interval"] == f"{STEP}s"
            shown = self.points(query)
            legends = [legend(target["legendFormat"], json.loads(labels)) for labels in shown]
            if not shown or len(set(legends)) < len(legends) or "" in legends:
                wrong.append(f"{query} shows {legends}")
            if "{{shard}}" in target["legendFormat"]:
                shown_shards = {re.split("[ =]", one)[-1] for one in legends}
                missing = [shard for shard in SYMBOLS if shard not in shown_shards]
                wrong += [f"{query} shows no shard {shard}" for shard in missing]
        return wrong


def legend(form: str, labels: dict[str, str]) -> str:
    """Return the name of a series in Grafana."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), form).strip()


@pytest.fixture(scope="module")
def seen(
    shortened: Callable[..., AbstractContextManager[None]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Seen]:
    """Three shards and their gateway under B2's load, as long as a test can wait for."""
    root = tmp_path_factory.mktemp("dashboard")
    run = Run(Watched.create(root / "runs", profile="quick", backend="local", argv=["test"]))
    with shortened(root, "B2", SECONDS), Stage(run, LocalBackend()) as stage:
        trial = stage.trial(Workload.of("B2", "quick").plan(run.run_id))
        assert trial.load.requests > 10 * SECONDS  # a slow machine is no defect of the dashboard
        yield Seen(trial, stage.up(MULTI).prometheus)


@pytest.mark.parametrize("title", PANELS)
def test_every_query_is_answered(seen: Seen, title: str) -> None:
    assert seen.silent(title) == []


def test_a_query_for_what_is_not_there_is_noticed(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = copy.deepcopy(MODEL)
    target = broken["panels"][PANELS.index("Saturation")]["targets"][0]
    target["expr"] = target["expr"].replace("me_ringbuffer", "me_ring_buffer")
    monkeypatch.setattr(f"{__name__}.MODEL", broken)
    assert any("me_ring_buffer" in one and "shows []" in one for one in seen.silent("Saturation"))
    assert seen.silent("Matching Latency (ASR 1) - p50/p95/p99") == []


def test_the_variables_offer_what_there_is(seen: Seen) -> None:
    offered = {}
    for variable in MODEL["templating"]["list"][1:]:
        found = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"])
        assert found
        offered[variable["name"]] = seen.ask(f"label/{found[2]}/values", **{"match[]": found[1]})
    assert offered == {"shard": sorted(SYMBOLS), "testid": [seen.trial.load.testid]}


def test_one_load_and_one_shard_can_be_chosen(seen: Seen) -> None:
    # Grafana escapes what it puts into a regular expression; all characters here stand for themselves
    assert seen.silent("k6 latency", testid=f"({seen.trial.load.testid})") == []
    assert seen.silent("k6 request rate", testid="no such load") != []
    (series,) = seen.points(filled('me:match_duration_p99:30s{shard=~"$shard"}', shard="b"))
    assert json.loads(series)["shard"] == "b"


def test_what_it_shows_is_what_was_measured(seen: Seen) -> None:
    """Seconds where it says seconds, minutes where it says minutes: against raw samples of the same load."""

    def last(title: str, name: str) -> float:
        (panel,) = (panel for panel in MODEL["panels"] if panel["title"] == title)
        (query,) = (target["expr"] for target in panel["targets"] if target["legendFormat"] == name)
        *_, (*_, value) = seen.points(filled(query)).values()
        return value

    median = seen.trial.load.percentiles["med"] / 1000
    assert median / 10 < last("k6 latency", "p50") < median * 10
    matches = seen.trial.totals.growth("me_matches_total", shard=list(SYMBOLS))
    assert isinstance(matches, Estimate)
    per_minute = matches.value / SECONDS * 60
    # of a minute of which less than half was load
    assert per_minute / 5 < last("Match Throughput per Shard (ASR 2)", "aggregate") < per_minute * 3
    orders = seen.trial.load.requests / SECONDS
    assert orders / 3 < last("Orders per second", "all") < orders * 3
    assert orders / 3 < last("Orders per second", "matched {{shard}}") * len(SYMBOLS) < orders * 3


def test_every_recording_rule_is_its_expression_over_live_series(seen: Seen) -> None:
    """What was recorded during the load is what Prometheus answers for that moment when asked afterwards."""
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    for rule in group["rules"]:
        recorded = seen.ask("query", query=f"{rule['record']}[20s]", time=seen.trial.window.end)["result"]
        assert recorded, rule["record"]
        for series in recorded:
            labels = {name: value for name, value in series["metric"].items() if name != "__name__"}
            agreeing = 0
            for at, value in series["values"]:
                answer = seen.ask("query", query=rule["expr"], time=at)["result"]
                again = [found["value"][1] for found in answer if found["metric"] == labels]
                agreeing += [float(one) for one in again] == [pytest.approx(float(value), nan_ok=True)]
            # A scrape that ended while the rule was evaluated is in one of the two answers only.
            assert agreeing >= len(series["values"]) / 2, (rule["record"], labels, series["values"])


@pytest.mark.parametrize("overlay", ["single", "multi", "eks", "oke"])
def test_every_overlay_brings_the_config_map_that_grafanas_sidecar_looks_for(
    overlay: str, can_not_be_had: Callable[[str], NoReturn]
) -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        can_not_be_had("kubectl is not on PATH")
    made = subprocess.run(
        [kubectl, "kustomize", FILE.parents[1] / "k8s" / "overlays" / overlay],
        check=True,
        capture_output=True,
        text=True,
    )
    (found,) = (one for one in yaml.safe_load_all(made.stdout) if FILE.name in one.get("data", ()))
    assert found["metadata"] == {
        "name": "grafana-dashboards",
        "namespace": "monitoring",
        "labels": {"grafana_dashboard": "1"},
    }
    assert {name: json.loads(content) for name, content in found["data"].items()} == {FILE.name: MODEL}
