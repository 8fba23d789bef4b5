from pathlib import Path

import pytest

from engine.config import Config, Security
from experiments.exchange import SINGLE
from verdict_harness.systems import Endpoint


class Somewhere:
    directory = Path("somewhere")

    def port(self, _name: str) -> int:
        return 0

    def endpoint(self, _service: str, _port: str) -> Endpoint:
        return Endpoint("127.0.0.1", 1234)


def test_a_shard_of_ours_meets_a_plain_broker_whatever_the_shell_knows_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    others = {
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SASL_PASSWORD": "hunter2",
        "KAFKA_SSL_CAFILE": "/ca.pem",
    }
    for name, value in others.items():
        monkeypatch.setenv(name, value)
    process = next(one.process for one in SINGLE.services if one.name == "me-shard-a")
    assert process is not None

    env = process.command(Somewhere()).env

    assert Config.from_env({**others, **env}).kafka_security == Security()
