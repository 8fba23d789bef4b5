"""What k6 is told of the Prometheus that takes its samples."""

from pathlib import PurePath

import pytest

from verdict_harness.loads import words
from verdict_harness.systems import Address

LOGIN = {"K6_PROMETHEUS_RW_USERNAME", "K6_PROMETHEUS_RW_PASSWORD"}


def test_k6_logs_in_where_the_address_says_how():
    told = words.environment(Address.of("http://me:s3cret@p:9090/proxy"), PurePath("/at"))
    assert told["K6_PROMETHEUS_RW_SERVER_URL"] == "http://p:9090/proxy/api/v1/write"
    assert (told["K6_PROMETHEUS_RW_USERNAME"], told["K6_PROMETHEUS_RW_PASSWORD"]) == ("me", "s3cret")
    assert [name for name, value in told.items() if "s3cret" in value] == ["K6_PROMETHEUS_RW_PASSWORD"]


@pytest.mark.parametrize("address", ["http://p:9090", Address.of("http://p:9090")])
def test_it_does_not_where_nothing_is_said(address):
    told = words.environment(address, PurePath("/at"))
    assert not LOGIN & told.keys()
    assert told["K6_PROMETHEUS_RW_SERVER_URL"] == "http://p:9090/api/v1/write"
