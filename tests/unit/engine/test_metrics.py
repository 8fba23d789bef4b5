import itertools
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from engine.events import REASONS as FAILURES
from engine.events import TYPES
from engine.metrics import Histogram, Metrics, buckets, quantile
from engine.orders import REASONS
from engine.shard import Shard

STAGE = {0.0001, 0.0005, 0.001, 0.005, 0.01}
CONTRACT = {
    "me_match_duration_seconds": {0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0},
    "me_order_validation_duration_seconds": STAGE,
    "me_orderbook_insertion_duration_seconds": STAGE,
    "me_event_publish_duration_seconds": STAGE,
    "me_matching_algorithm_duration_seconds": STAGE | {0.05},
    "me_wal_append_duration_seconds": {0.001, 0.005, 0.01, 0.025, 0.05, 0.1},
}


def scrape(metrics: Metrics) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(generate_latest(metrics.registry).decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def test_every_bucket_of_the_contract_is_there_exactly(shard: Callable[..., Shard]) -> None:
    samples = scrape(shard().metrics)

    for name, wanted in CONTRACT.items():
        bounds = {float(dict(labels)["le"]) for labels in samples[f"{name}_bucket"]}
        assert wanted <= bounds, name
        assert float("inf") in bounds


def test_where_p99_lives_ten_percent_can_be_told_apart() -> None:
    bounds = buckets.MATCH_BUCKETS
    there = [bound for bound in bounds if 50e-6 <= bound <= 20e-3]

    assert bounds[0] <= 20e-6
    assert (there[0], there[-1]) == (50e-6, 20e-3)
    assert all(later / earlier < 1.08 for earlier, later in itertools.pairwise(there))


def test_every_series_is_there_from_the_start_and_says_its_shard(shard: Callable[..., Shard]) -> None:
    samples = scrape(shard().metrics)

    assert all(dict(labels)["shard"] == "a" for series in samples.values() for labels in series)
    for name, label, values in (
        ("me_orders_received_total", "side", {"buy", "sell"}),
        ("me_orderbook_depth", "side", {"bid", "ask"}),
        ("me_orderbook_price_levels", "side", {"bid", "ask"}),
        ("me_events_published_total", "topic", {"orders", "matches"}),
        ("me_orders_rejected_total", "reason", set(REASONS)),
        ("me_events_made_total", "type", set(TYPES)),
        ("me_events_sent_total", "type", set(TYPES)),
        ("me_events_acknowledged_total", "type", set(TYPES)),
        ("me_wal_records_total", "kind", {"order", "seed"}),
        ("me_event_publish_failures_total", "reason", set(FAILURES)),
    ):
        assert {dict(labels)[label] for labels in samples[name]} == values
        assert set(samples[name].values()) == {0.0}
    for name in (
        "me_matches_total",
        "me_orders_executed_total",
        "me_event_publish_errors_total",
        "me_ringbuffer_utilization_ratio",
        "me_gc_pause_max_seconds",
        "me_gc_pause_seconds_count",
        "me_event_queue_depth",
        "me_event_queue_overflows_total",
        "me_event_backlog_orders",
        "me_event_loop_lag_max_seconds",
        "me_event_loop_lag_seconds_count",
        "me_event_partitions_expired",
        "me_event_problems",
        "me_event_throttled_seconds_total",
        "me_orders_matched_total",
        "me_ring_wait_seconds_count",
        "me_wal_bytes_total",
        "me_wal_lost_orders",
    ):
        assert list(samples[name].values()) == [0.0], name
    assert samples["me_process_resident_memory_bytes"][(("shard", "a"),)] > 1e6
    assert samples["me_process_threads"][(("shard", "a"),)] >= 2  # the log's is one
    assert (
        3
        < samples["me_process_open_fds"][(("shard", "a"),)]
        < samples["me_process_max_fds"][(("shard", "a"),)]
    )
    assert samples["me_process_cpu_seconds_total"][(("shard", "a"),)] > 0


@given(st.lists(st.floats(0, 1), max_size=20))
@settings(max_examples=25)
def test_a_histogram_counts_as_prometheus_defines_it(values: list[float]) -> None:
    bounds = (0.1, 0.25, 0.5)
    metrics = Metrics("a")
    metrics.match = Histogram("me_match_duration_seconds", "As the contract's.", bounds)
    for value in values:
        metrics.match.observe(value)

    samples = scrape(metrics)

    buckets = {
        dict(labels)["le"]: value for labels, value in samples["me_match_duration_seconds_bucket"].items()
    }
    for bound in bounds:
        assert buckets[str(bound)] == sum(value <= bound for value in values)
    assert buckets["+Inf"] == len(values)
    assert samples["me_match_duration_seconds_count"][(("shard", "a"),)] == len(values)
    assert samples["me_match_duration_seconds_sum"][(("shard", "a"),)] == pytest.approx(sum(values))


@pytest.mark.parametrize(
    ("counts", "fraction", "expected"),
    [([0, 0, 0], 0.99, None), ([1, 0, 0], 0.99, 0.1), ([99, 1, 0], 0.99, 0.1), ([98, 2, 0], 0.99, 0.2)],
)
def test_a_quantile_is_the_bound_of_its_bucket(
    counts: list[int], fraction: float, expected: float | None
) -> None:
    assert quantile((0.1, 0.2), counts, fraction) == expected


def test_gauges_are_asked_at_each_scrape(shard: Callable[..., Shard]) -> None:
    made = shard(RING_BUFFER_SIZE=4)
    order = made.matcher.books["X"]
    assert scrape(made.metrics)["me_ringbuffer_utilization_ratio"][(("shard", "a"),)] == 0
    made.ready = True

    made.accept(b'{"orderId": "1", "symbol": "X", "side": "BUY", "price": 5, "quantity": 1}')

    assert scrape(made.metrics)["me_ringbuffer_utilization_ratio"][(("shard", "a"),)] == 0.25
    made._consume()
    samples = scrape(made.metrics)
    assert samples["me_ringbuffer_utilization_ratio"][(("shard", "a"),)] == 0
    assert samples["me_orderbook_depth"][(("shard", "a"), ("side", "bid"))] == order.bids.depth == 1
    assert samples["me_orderbook_price_levels"][(("shard", "a"), ("side", "bid"))] == 1
