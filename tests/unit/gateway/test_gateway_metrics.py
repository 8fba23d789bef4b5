from __future__ import annotations

import sys
import threading

import pytest

from gateway.metrics import REASONS, REQUEST_BUCKETS, SHARD_UNAVAILABLE, STATUSES, Metrics


def test_every_series_is_there_before_the_first_request() -> None:
    registry = Metrics(["a", "b"]).registry
    for shard in ("a", "b", "none"):
        for status in STATUSES:
            assert registry.get_sample_value("gw_requests_total", {"shard": shard, "status": status}) == 0
        assert registry.get_sample_value("gw_request_duration_seconds_count", {"shard": shard}) == 0
    for reason in ("unknown_symbol", "shard_unavailable", "timeout"):
        assert registry.get_sample_value("gw_routing_errors_total", {"reason": reason}) == 0
    assert len(REASONS) == 3


def test_the_buckets_of_the_match_histogram_are_among_ours() -> None:
    assert {0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0} <= set(REQUEST_BUCKETS)
    assert list(REQUEST_BUCKETS) == sorted(set(REQUEST_BUCKETS))


def test_an_answer_is_counted_under_its_shard_and_class() -> None:
    counts = Metrics(["a", "b"])
    counts.answered("a", 200, 0.0012)
    counts.answered("a", 503, 0.3)
    counts.answered("none", 400, 0.00001)
    value = counts.registry.get_sample_value
    assert value("gw_requests_total", {"shard": "a", "status": "2xx"}) == 1
    assert value("gw_requests_total", {"shard": "a", "status": "5xx"}) == 1
    assert value("gw_requests_total", {"shard": "none", "status": "4xx"}) == 1
    assert value("gw_requests_total", {"shard": "b", "status": "2xx"}) == 0
    assert value("gw_request_duration_seconds_bucket", {"shard": "a", "le": "0.0015"}) == 1
    assert value("gw_request_duration_seconds_bucket", {"shard": "a", "le": "0.5"}) == 2
    assert value("gw_request_duration_seconds_sum", {"shard": "a"}) == pytest.approx(0.3012)


def test_a_redirect_is_counted_as_what_it_is() -> None:
    counts = Metrics(["a"])
    counts.answered("a", 307, 0.001)
    assert counts.registry.get_sample_value("gw_requests_total", {"shard": "a", "status": "3xx"}) == 1


def test_a_routing_error_is_counted_under_its_reason() -> None:
    counts = Metrics(["a"])
    counts.routing_error(SHARD_UNAVAILABLE)
    value = counts.registry.get_sample_value
    assert value("gw_routing_errors_total", {"reason": "shard_unavailable"}) == 1
    assert value("gw_routing_errors_total", {"reason": "timeout"}) == 0


def test_tallies_begin_anew_when_taken() -> None:
    counts = Metrics(["a", "b"])
    counts.answered("a", 200, 0.2)
    counts.answered("a", 504, 0.1)
    taken = counts.take_tallies()
    assert (taken["a"].requests, taken["a"].errors, taken["a"].slowest) == (2, 1, 0.2)
    assert taken["b"].requests == 0
    assert counts.take_tallies()["a"].requests == 0


@pytest.mark.skipif(sys.platform != "linux", reason="the process collector reads /proc")
def test_memory_and_cpu_of_the_process_are_there() -> None:
    value = Metrics(["a"]).registry.get_sample_value
    memory = value("gw_process_resident_memory_bytes")
    assert memory is not None
    assert memory > 2**20
    assert value("gw_process_cpu_seconds_total") is not None


def test_threads_are_counted() -> None:
    value = Metrics(["a"]).registry.get_sample_value
    before, end = value("gw_process_threads"), threading.Event()
    other = threading.Thread(target=end.wait)
    other.start()
    assert before is not None
    assert value("gw_process_threads") == before + 1
    end.set()
    other.join()
