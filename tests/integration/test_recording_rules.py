"""The recording rules say of known series what they should: promtool runs the cases beside this file."""

import re
from pathlib import Path

import pytest
import yaml

from verdict_harness.errors import CommandError
from verdict_harness.processes import command
from verdict_harness.programs import provide

ROOT = Path(__file__).parents[2]
RULES = ROOT / "prometheus" / "recording-rules.yml"
CASES = Path(__file__).parent / "rules" / "recording-rules.test.yml"
CONTRACT = {
    "me:match_duration_p99:30s",
    "me:match_duration_p95:30s",
    "me:match_duration_p50:30s",
    "me:matches_per_minute:total",
    "me:matches_per_minute:by_shard",
    "me:validation_avg_seconds",
    "me:orderbook_insertion_avg_seconds",
    "me:matching_algorithm_avg_seconds",
    "me:wal_append_avg_seconds",
    "me:event_publish_avg_seconds",
    "me:gc_pause_max:1m",
    "me:orders_per_second",
}


def test_promtool_agrees_with_every_case():
    done = command.run([provide("promtool").path, "test", "rules", CASES], timeout=60)
    assert "SUCCESS" in done.stdout


def test_a_wrong_rule_fails_the_cases(tmp_path):
    """The cases can fail: with a p99 that is really a p90 promtool must refuse."""
    rules = tmp_path / "rules.yml"
    rules.write_text(RULES.read_text().replace("histogram_quantile(0.99", "histogram_quantile(0.90"))
    cases = tmp_path / "cases.yml"
    cases.write_text(re.sub(r"rule_files: .*", f"rule_files: [{rules}]", CASES.read_text(), count=1))
    with pytest.raises(CommandError, match="p99"):
        command.run([provide("promtool").path, "test", "rules", cases], timeout=60)


def test_the_rules_of_the_contract_are_there_each_tested_in_one_group_every_5_s():
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    recorded = {rule["record"] for rule in group["rules"]}
    assert group["interval"] == "5s"
    assert recorded == CONTRACT
    asked = {
        match
        for case in yaml.safe_load(CASES.read_text())["tests"]
        for query in case["promql_expr_test"]
        for match in re.findall(r"me:[a-z0-9_]+(?::[a-z0-9_]+)?", query["expr"])
    }
    assert asked == recorded


def test_prometheus_accepts_the_configuration_for_systems_started_by_hand():
    done = command.run(
        [provide("promtool").path, "check", "config", ROOT / "prometheus" / "prometheus.yml"], timeout=60
    )
    assert "SUCCESS" in done.stdout
