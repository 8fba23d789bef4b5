"""The dashboard is what its code makes, what was asked for, and what Grafana 10 and later read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from experiments.exchange import recording_rules
from grafana.dashboard import FILE, STAGES, text

MODEL: Any = json.loads(text())
PANELS: dict[str, Any] = {panel["title"]: panel for panel in MODEL["panels"]}
FIRST = "Matching Latency (ASR 1) - p50/p95/p99"
SECOND = "Match Throughput per Shard (ASR 2)"
CONTRACT = (
    FIRST,
    SECOND,
    "Latency budget by stage",
    "Saturation",
    "k6 request rate",
    "k6 latency",
)


def expressions(title: str) -> dict[str, str]:
    """Queries of a panel by their legends."""
    return {target["legendFormat"]: target["expr"] for target in PANELS[title]["targets"]}


def lines(title: str) -> list[tuple[float, str]]:
    """Limits that a panel draws as lines."""
    defaults = PANELS[title]["fieldConfig"]["defaults"]
    assert defaults["custom"]["thresholdsStyle"] == {"mode": "line"}
    assert defaults["thresholds"]["mode"] == "absolute"
    base, *steps = defaults["thresholds"]["steps"]
    assert base["value"] is None
    return [(step["value"], step["color"]) for step in steps]


def overrides(title: str) -> dict[str, dict[str, Any]]:
    """Field options that only one query's series have, by its legend."""
    panel = PANELS[title]
    legends = {target["refId"]: target["legendFormat"] for target in panel["targets"]}
    found = {}
    for override in panel["fieldConfig"]["overrides"]:
        assert override["matcher"]["id"] == "byFrameRefID"
        found[legends[override["matcher"]["options"]]] = {
            one["id"]: one["value"] for one in override["properties"]
        }
    return found


def references(part: Any) -> Iterator[Any]:
    """Every mention of a data source, at any depth."""
    if isinstance(part, dict):
        if "datasource" in part:
            yield part["datasource"]
        part = list(part.values())
    if isinstance(part, list):
        for inner in part:
            yield from references(inner)


def test_the_file_is_what_the_code_makes():
    assert FILE.read_text() == text(), "nox -s dashboard writes it anew"
    assert FILE.name == "me-experiment.json"


def test_it_is_called_as_the_contract_says():
    assert MODEL["uid"] == "me-experiment"
    assert MODEL["title"] == "Matching Engine Experiment"
    assert MODEL["tags"] == ["matching-engine", "experiment"]
    assert MODEL["refresh"] == "5s"
    assert MODEL["time"] == {"from": "now-15m", "to": "now"}


def test_two_columns_and_what_the_contract_asks_for_comes_first():
    assert tuple(PANELS)[: len(CONTRACT)] == CONTRACT
    assert len(PANELS) == len(MODEL["panels"])
    places = [panel["gridPos"] for panel in MODEL["panels"]]
    assert {place["w"] for place in places} == {12}
    for number, place in enumerate(places):
        assert (place["x"], place["y"], place["h"]) == (number % 2 * 12, number // 2 * 8, 8)
    assert [place["y"] for place in places[:6]] == [0, 0, 8, 8, 16, 16]


def test_matching_latency():
    assert expressions(FIRST) == {
        f"p{p} shard={{{{shard}}}}": f'me:match_duration_p{p}:30s{{shard=~"$shard"}}' for p in (50, 95, 99)
    }
    assert lines(FIRST) == [(0.05, "yellow"), (0.2, "red")]
    defaults = PANELS[FIRST]["fieldConfig"]["defaults"]
    assert (defaults["unit"], defaults["min"], defaults["max"]) == ("s", 0, 0.5)
    assert defaults["custom"]["lineWidth"] == 2
    assert "scaleDistribution" not in defaults["custom"]


@pytest.mark.parametrize(("title", "highest"), [("p99 by hop", 0.2), ("k6 latency", 0.2)])
def test_a_limit_far_above_the_data_is_drawn_all_the_same(title, highest):
    """Grafana draws a line only where the axis reaches; on a logarithmic one it ignores soft bounds."""
    defaults = PANELS[title]["fieldConfig"]["defaults"]
    assert defaults["custom"]["scaleDistribution"]["type"] == "log"
    assert defaults["max"] > highest


def test_matches_per_minute():
    assert expressions(SECOND) == {
        "shard={{shard}}": 'me:matches_per_minute:by_shard{shard=~"$shard"}',
        "aggregate": "me:matches_per_minute:total",
    }
    assert [value for value, _ in lines(SECOND)] == [1000, 5000]
    assert PANELS[SECOND]["fieldConfig"]["defaults"]["custom"]["axisSoftMax"] > 5000


def test_the_latency_budget_stacks_five_stages():
    custom = PANELS["Latency budget by stage"]["fieldConfig"]["defaults"]["custom"]
    assert custom["stacking"] == {"mode": "normal", "group": "A"}
    assert custom["fillOpacity"] > 0
    found = expressions("Latency budget by stage")
    assert [re.sub(r"max\((.*)\{.*", r"\1", expr) for expr in found.values()] == list(STAGES.values())
    assert set(STAGES.values()) == {name for name in recording_rules() if name.endswith("_avg_seconds")}
    stages = ["validation", "wal_append", "orderbook_insertion", "matching_algorithm", "event_publish"]
    assert list(found) == stages


def test_saturation_has_four_quantities_on_two_axes():
    found = expressions("Saturation")
    assert [re.search(r"me[:_]\w+(:1m)?", expr).group() for expr in found.values()] == [
        "me_ringbuffer_utilization_ratio",
        "me:gc_pause_max:1m",
        "me_orderbook_depth",
        "me_process_resident_memory_bytes",
    ]
    placed = overrides("Saturation")
    assert [(one["custom.axisPlacement"], one["unit"]) for one in placed.values()] == [
        ("left", "percentunit"),
        ("left", "s"),
        ("right", "short"),
        ("right", "bytes"),
    ]


def test_k6_request_rate():
    assert expressions("k6 request rate")["all"] == (
        'sum(rate(k6_http_reqs_total{testid=~"$testid"}[$__rate_interval]))'
    )
    assert PANELS["k6 request rate"]["fieldConfig"]["defaults"]["unit"] == "reqps"


def test_k6_latency_is_of_native_histograms():
    found = expressions("k6 latency")
    assert list(found) == ["p50", "p99"]
    for expr, quantile in zip(found.values(), ("0.5", "0.99"), strict=True):
        assert expr.startswith(f"histogram_quantile({quantile}, sum(rate(k6_http_req_duration_seconds{{")
        assert "_bucket" not in expr
        assert 'testid=~"$testid"' in expr
    assert lines("k6 latency") == [(0.2, "red")]


def test_what_a_rule_records_is_asked_of_the_rule():
    """Each rule is used, and no query computes over a rate what a rule has computed."""
    queries = [expr for title in PANELS for expr in expressions(title).values()]
    used = {name for query in queries for name in re.findall(r"me:\w+(?::\w+)?", query)}
    assert used == set(recording_rules())
    computed = set()
    rules = yaml.safe_load((Path(__file__).parents[3] / "prometheus/recording-rules.yml").read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            computed |= set(re.findall(r"\b(me_\w+?)(?:_bucket|_sum|_count)?\b(?=\[)", rule["expr"]))
    assert "me_matches_total" in computed
    for query in queries:
        for name in re.findall(r"\b(me_\w+?)(?:_bucket|_sum|_count)?\b", query):
            assert name not in computed, query


def test_every_panel_can_be_read():
    for title, panel in PANELS.items():
        assert panel["type"] == "timeseries"
        assert panel["fieldConfig"]["defaults"]["unit"], title
        assert panel["description"].endswith("."), title
        legends = [target["legendFormat"] for target in panel["targets"]]
        assert len(set(legends)) == len(legends), title
        for target in panel["targets"]:
            by = re.search(r"sum by \((\w+)\) ", target["expr"])
            if by and by[1] != "le":
                assert f"{{{{{by[1]}}}}}" in target["legendFormat"], f"{title}: series of one name"


def test_a_panel_shows_something_where_nothing_goes_through_the_gateway():
    for title in PANELS:
        assert not all("gw_" in expr for expr in expressions(title).values()), title


def test_no_grafana_is_wired_in():
    """The data source is chosen by the reader; ids are Grafana's own affair."""
    assert MODEL["id"] is None
    assert "__inputs" not in MODEL
    assert len(list(references(MODEL))) > len(PANELS)
    for one in references(MODEL):
        assert one == {"type": "prometheus", "uid": "${datasource}"}
    first = MODEL["templating"]["list"][0]
    assert (first["name"], first["type"], first["query"]) == ("datasource", "datasource", "prometheus")
    assert first["current"] == {"text": "", "value": ""}


def test_variables_and_panels_have_ids_of_their_own():
    """Grafana 10 keeps variables by id, and the library gives all the same unless told."""
    variables = {one["name"]: one["id"] for one in MODEL["templating"]["list"]}
    assert variables == {"datasource": "datasource", "shard": "shard", "testid": "testid"}
    assert [panel["id"] for panel in MODEL["panels"]] == list(range(1, len(PANELS) + 1))
    for panel in MODEL["panels"]:
        assert [target["refId"] for target in panel["targets"]] == list("ABCDE")[: len(panel["targets"])]


def test_all_values_are_chosen_at_first():
    for one in MODEL["templating"]["list"][1:]:
        assert one["includeAll"] is True
        assert one["allValue"] == ".*"
        assert one["current"]["value"] == ["$__all"]
        assert one["query"].startswith("label_values(")


def test_it_follows_live_and_is_written_as_a_new_one():
    assert MODEL["schemaVersion"] == 39
    assert MODEL["version"] == 1
    assert MODEL["liveNow"] is True
    assert MODEL["links"] == []
    assert MODEL["timepicker"] == {}


def test_grafana_10_knows_every_field():
    """What the types of Grafana 10.1 read and write again is the same: nothing in it is unknown to them."""
    register_default_plugins()
    again = json.loads(json.dumps(Dashboard.from_json(MODEL), cls=JSONEncoder))
    assert {"id": None, **again, "timepicker": {}} == MODEL  # what is empty is filled in, or left out


def test_the_config_map_is_of_that_file_and_carries_the_label():
    given = yaml.safe_load(FILE.with_name("kustomization.yaml").read_text())
    (generated,) = given["configMapGenerator"]
    assert generated["files"] == [FILE.name]
    assert generated["namespace"] == "monitoring"
    assert generated["options"]["labels"] == {"grafana_dashboard": "1"}
    assert generated["options"]["disableNameSuffixHash"] is True
