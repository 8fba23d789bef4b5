"""The dashboard ``Matching Engine Experiment``, from which ``me-experiment.json`` is made.

A panel has data in every run: what only some loads move (the gateway, say) is one line among others.
Where a recording rule says it, the rule is asked and nothing else.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.builders.timeseries import Panel
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import AxisPlacement
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync

from .parts import Query, axis, datasource_variable, graph, label_variable, limits, logarithmic, stacked

UID = "me-experiment"
TITLE = "Matching Engine Experiment"
FILE = Path(__file__).with_name(f"{UID}.json")

LATENCY = {0.05: "yellow", 0.2: "red"}  # seconds: A2's budget and limit
SHOWN = 0.5  # seconds; the first panel's axis: both lines of it, and what lies well beyond them
SLOWEST = 10.0  # seconds; the match histogram ends there, and so do k6's timeouts

# The stages of an order, in its order
STAGES = {
    "validation": "me:validation_avg_seconds",
    "wal_append": "me:wal_append_avg_seconds",
    "orderbook_insertion": "me:orderbook_insertion_avg_seconds",
    "matching_algorithm": "me:matching_algorithm_avg_seconds",
    "event_publish": "me:event_publish_avg_seconds",
}

_SHARD = 'shard=~"$shard"'
_TEST = 'testid=~"$testid"'
_THICK = {"custom.lineWidth": 2}


def dashboard() -> Dashboard:
    """Return the dashboard: what the contract asks for first, then what explains it."""
    built = (
        Dashboard(TITLE)
        .uid(UID)
        .description("What the experiments on the matching engine measure, while they measure it.")
        .tags(["matching-engine", "experiment"])
        .refresh("5s")
        .time("now-15m", "now")
        .live_now(True)
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .annotations([])
        .with_variable(datasource_variable())
        .with_variable(
            label_variable(
                "shard", "Shard", "me_matches_total", "Sums over all shards are not narrowed by it."
            )
        )
        .with_variable(
            label_variable(
                "testid", "Load", "k6_http_reqs_total", "k6's tag: the run and the load, as in runs/."
            )
        )
    )
    panels = (
        matching_latency(),
        matches_per_minute(),
        latency_budget(),
        saturation(),
        request_rate(),
        client_latency(),
        latency_by_hop(),
        errors(),
        orders_per_second(),
        processors(),
        waiting_events(),
        log_sync(),
    )
    for number, panel in enumerate(panels, 1):
        built.with_panel(panel.id(number))
    return built


def model() -> dict[str, Any]:
    """Return it as Grafana's JSON model.

    The library writes schema 36, of Grafana 10.0, and leaves out what is empty. Schema 39, of Grafana 10.3,
    differs in tables, in legends that are hidden and in one transformation, of which there are none here.
    """
    built: dict[str, Any] = json.loads(json.dumps(dashboard().build(), cls=JSONEncoder))
    return {"id": None, **built, "schemaVersion": 39, "version": 1, "links": [], "timepicker": {}}


def text() -> str:
    """Return it as JSON, as the file holds it."""
    return json.dumps(model(), indent=2) + "\n"


def matching_latency() -> Panel:
    """From request received to result, by shard."""
    panel = graph(
        "Matching Latency (ASR 1) - p50/p95/p99",
        "From a request received to its result, over the last 30 s. Lines: A2's budget (50 ms) and limit"
        " (200 ms). The axis ends at 0.5 s; p99 by hop, below, shows what is far from it on either side.",
        "s",
        [
            Query(f"me:match_duration_p50:30s{{{_SHARD}}}", "p50 shard={{shard}}"),
            Query(f"me:match_duration_p95:30s{{{_SHARD}}}", "p95 shard={{shard}}"),
            Query(f"me:match_duration_p99:30s{{{_SHARD}}}", "p99 shard={{shard}}"),
        ],
    ).line_width(2)
    return limits(panel.min(0).max(SHOWN), LATENCY)


def matches_per_minute() -> Panel:
    """Throughput by shard and in all."""
    panel = graph(
        "Match Throughput per Shard (ASR 2)",
        "Matches of the last minute. Lines: ASR 1's 1,000 on one shard, ASR 2's 5,000 on three.",
        "short",
        [
            Query(f"me:matches_per_minute:by_shard{{{_SHARD}}}", "shard={{shard}}"),
            Query("me:matches_per_minute:total", "aggregate", _THICK),
        ],
    )
    panel.axis_label("matches/min").axis_soft_min(0).axis_soft_max(5500).decimals(0)
    return limits(panel, {1000: "yellow", 5000: "green"})


def latency_budget() -> Panel:
    """The five stages on each other."""
    return stacked(
        graph(
            "Latency budget by stage",
            "Mean time in each stage over the last minute, of the shard that is slowest in it: a mean over"
            " shards would hide the slow one. Choose one shard to see its own.",
            "s",
            [Query(f"max({rule}{{{_SHARD}}})", stage) for stage, rule in STAGES.items()],
        )
    )


def saturation() -> Panel:
    """How full everything is: the ring and pauses on the left, depth and memory on the right."""
    return graph(
        "Saturation",
        "Left: how full the ring is, and the longest pause of the garbage collector in the last minute (A2"
        " fails at 10 ms). Right: orders that rest, and memory.",
        "short",
        [
            Query(
                f"me_ringbuffer_utilization_ratio{{{_SHARD}}}",
                "ring {{shard}}",
                axis(AxisPlacement.LEFT, "percentunit", "ring", **{"custom.axisSoftMax": 1}),
            ),
            Query(
                f"me:gc_pause_max:1m{{{_SHARD}}}",
                "GC pause {{shard}}",
                axis(AxisPlacement.LEFT, "s", "GC pause", **{"custom.axisSoftMax": 0.01}),
            ),
            Query(
                f"sum by (shard) (me_orderbook_depth{{{_SHARD}}})",
                "depth {{shard}}",
                axis(AxisPlacement.RIGHT, "short", "orders"),
            ),
            Query(
                f"me_process_resident_memory_bytes{{{_SHARD}}}",
                "memory {{shard}}",
                axis(AxisPlacement.RIGHT, "bytes", "memory"),
            ),
        ],
    )


def request_rate() -> Panel:
    """What k6 sends."""
    return graph(
        "k6 request rate",
        "Requests that k6 finished, by name: orders, what replenishes the books for them, and the seeds.",
        "reqps",
        [
            Query(f"sum by (name) (rate(k6_http_reqs_total{{{_TEST}}}[$__rate_interval]))", "{{name}}"),
            Query(f"sum(rate(k6_http_reqs_total{{{_TEST}}}[$__rate_interval]))", "all", _THICK),
        ],
    ).axis_soft_min(0)


def _client(quantile: float) -> str:
    # one native histogram, without _bucket or le
    rate = f'rate(k6_http_req_duration_seconds{{{_TEST}, name="order"}}[$__rate_interval])'
    return f"histogram_quantile({quantile:g}, sum({rate}))"


def client_latency() -> Panel:
    """How long an order takes for who sent it."""
    panel = graph(
        "k6 latency",
        "Of orders, at the client; seeds, which are fast and would flatter, are left out. So is connecting."
        " Line: A2's limit (200 ms).",
        "s",
        [Query(_client(0.5), "p50"), Query(_client(0.99), "p99", _THICK)],
    )
    return limits(logarithmic(panel, SLOWEST), {0.2: "red"})


def latency_by_hop() -> Panel:
    """Where an order's time is spent."""
    gateway = f"sum by (le) (rate(gw_request_duration_seconds_bucket{{{_SHARD}}}[$__rate_interval]))"
    panel = graph(
        "p99 by hop",
        "An order at the client, in the gateway (with seeds; only where it goes through it), and in the"
        " slowest shard until its result.",
        "s",
        [
            Query(_client(0.99), "client"),
            Query(f"histogram_quantile(0.99, {gateway})", "gateway"),
            Query(f"max(me:match_duration_p99:30s{{{_SHARD}}})", "shard"),
        ],
    )
    return limits(logarithmic(panel, SLOWEST), LATENCY)


def errors() -> Panel:
    """Everything that went wrong."""
    return graph(
        "Errors",
        "Per second. What the gateway answered other than 2xx and could not route, what shards refused, and"
        " what could not be published.",
        "cps",
        [
            Query(
                'sum by (status) (rate(gw_requests_total{status!="2xx"}[$__rate_interval]))',
                "gateway {{status}}",
            ),
            Query("sum by (reason) (rate(gw_routing_errors_total[$__rate_interval]))", "gateway {{reason}}"),
            Query(
                f"sum by (shard) (rate(me_orders_rejected_total{{{_SHARD}}}[$__rate_interval]))",
                "refused {{shard}}",
            ),
            Query(
                f"sum by (shard) (rate(me_event_publish_errors_total{{{_SHARD}}}[$__rate_interval]))",
                "publishing {{shard}}",
            ),
        ],
    ).axis_soft_min(0)


def orders_per_second() -> Panel:
    """What the shards accepted."""
    return graph(
        "Orders per second",
        "Orders that shards sequenced, in all over the last 30 s, and that each has matched. What replenishes"
        " books is seeded, and not among them.",
        "ops",
        [
            Query(f"rate(me_orders_matched_total{{{_SHARD}}}[$__rate_interval])", "matched {{shard}}"),
            Query("me:orders_per_second", "all", _THICK),
        ],
    ).axis_soft_min(0)


def processors() -> Panel:
    """Who uses the cores."""
    panel = graph(
        "CPU",
        "Cores in use, all threads. A shard matches on one thread: near 1 it has no reserve.",
        "short",
        [
            Query(f"rate(me_process_cpu_seconds_total{{{_SHARD}}}[$__rate_interval])", "shard {{shard}}"),
            Query("rate(gw_process_cpu_seconds_total[$__rate_interval])", "gateway"),
        ],
    )
    return limits(panel.axis_label("cores").axis_soft_min(0).axis_soft_max(1.1), {1: "red"})


def waiting_events() -> Panel:
    """What the broker has not got yet."""
    return graph(
        "Events that wait for the broker",
        "Log records that are not published yet, and events in memory. Both grow while the broker is away"
        " (A4), and fall when it is back.",
        "short",
        [
            Query(f"me_event_backlog_orders{{{_SHARD}}}", "records {{shard}}"),
            Query(f"me_event_queue_depth{{{_SHARD}}}", "in memory {{shard}}"),
        ],
    ).axis_soft_min(0)


def log_sync() -> Panel:
    """How the disk does."""
    buckets = f"sum by (shard, le) (rate(me_wal_sync_duration_seconds_bucket{{{_SHARD}}}[$__rate_interval]))"
    return graph(
        "Log to disk",
        "p99 of one group commit, left; records that a power loss could take, right. Matching does not wait"
        " for it.",
        "s",
        [
            Query(f"histogram_quantile(0.99, {buckets})", "sync {{shard}}"),
            Query(
                f"me_wal_unsynced_records{{{_SHARD}}}",
                "unsynced {{shard}}",
                axis(AxisPlacement.RIGHT, "short", "records"),
            ),
        ],
    ).axis_soft_min(0)
