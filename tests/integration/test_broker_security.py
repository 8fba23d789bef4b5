"""TLS and SASL towards a real broker: who is let in, and that a refusal is an outage like any other.

One Kafka node with a listener for each way of being known, and for each flaw that a certificate can have.
"""

import datetime as dt
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from harness.programs import provide

USER, PASSWORD = "alice", "correct-horse"
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
# How clients are known at each listener of the broker.
LISTENERS = {
    "SASL": "SASL_SSL",
    "OPEN": "SASL_PLAINTEXT",
    "MUTUAL": "SSL",
    "EXPIRED": "SSL",
    "ELSEWHERE": "SSL",
}


class Keys:
    """A certificate authority, and files of what it signed."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self._directory = directory
        self._ca = trustme.CA()
        self.ca = directory / "ca.pem"
        self._ca.cert_pem.write_to_path(str(self.ca))

    def issue(self, file: str, name: str = "127.0.0.1", *, password: str = "", days: int = 30) -> Path:
        """A key, as PKCS #8 (Kafka reads no other), and the certificate for it, in one file."""
        until = dt.datetime.now(dt.UTC) + dt.timedelta(days=days)
        since = until - dt.timedelta(days=60)
        made = self._ca.issue_cert(name, not_before=since, not_after=until)
        key = serialization.load_pem_private_key(made.private_key_pem.bytes(), None)
        protection = (
            serialization.BestAvailableEncryption(password.encode())
            if password
            else serialization.NoEncryption()
        )
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection)
        path = self._directory / file
        path.write_bytes(pem + b"".join(blob.bytes() for blob in made.cert_chain_pems))
        return path


class Broker:
    """The broker, its keys, and what its operator can do."""

    def __init__(self, kafka: Any, keys: Keys, others: Keys) -> None:
        self.bootstrap = kafka.bootstrap
        self.kafka = kafka
        self.keys = keys
        self.others = others

    def at(self, listener: str, **more: object) -> dict[str, object]:
        """What an engine is told that is to connect to ``listener``."""
        protocol = LISTENERS[listener]
        told: dict[str, object] = {
            "KAFKA_BOOTSTRAP": f"127.0.0.1:{self.kafka.place.port(listener)}",
            "KAFKA_SECURITY_PROTOCOL": protocol,
        }
        if protocol.endswith("SSL"):
            told["KAFKA_SSL_CAFILE"] = self.keys.ca
        if protocol.startswith("SASL"):
            told |= {"KAFKA_SASL_USERNAME": USER, "KAFKA_SASL_PASSWORD": PASSWORD}
            told["KAFKA_SASL_MECHANISM"] = "SCRAM-SHA-256"
        return {**told, **more}

    def let_in(self, user: str, password: str, kind: str = "SCRAM-SHA-256") -> None:
        """Give ``user`` a password."""
        credential = f"{kind}=[iterations=4096,password={password}]"
        self._configure("--entity-type", "users", "--entity-name", user, "--add-config", credential)

    def certify(self, listener: str, certificate: Path) -> None:
        """Have a listener show another certificate."""
        setting = f"listener.name.{listener.lower()}.ssl.keystore.location={certificate}"
        self._configure("--entity-type", "brokers", "--entity-name", "1", "--add-config", setting)

    def _configure(self, *words: str) -> None:
        tool = ("-XX:TieredStopAtLevel=1", "-cp", f"{provide('kafka').path}/*", "kafka.admin.ConfigCommand")
        done = subprocess.run(
            [str(provide("java").path), *tool, "--bootstrap-server", self.bootstrap, "--alter", *words],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def properties(place: Any, keys: Keys) -> str:
    """What makes the broker ask who its clients are."""
    at = {name: f"{name}://127.0.0.1:{place.port(name)}" for name in LISTENERS}
    at["PLAINTEXT"] = f"PLAINTEXT://127.0.0.1:{place.port('kafka')}"
    everywhere = ",".join(at.values())
    protocols = {**LISTENERS, "PLAINTEXT": "PLAINTEXT", "CONTROLLER": "PLAINTEXT"}
    certificates = {
        "SASL": keys.issue("broker.pem"),
        "MUTUAL": keys.issue("mutual.pem"),
        "EXPIRED": keys.issue("expired.pem", days=-1),
        "ELSEWHERE": keys.issue("elsewhere.pem", "broker.example"),
    }
    module = "org.apache.kafka.common.security"
    lines = {
        "listeners": f"{everywhere},CONTROLLER://127.0.0.1:{place.port('controller')}",
        "advertised.listeners": everywhere,
        "listener.security.protocol.map": ",".join(f"{name}:{kind}" for name, kind in protocols.items()),
        "sasl.enabled.mechanisms": ",".join(MECHANISMS),
        "listener.name.mutual.ssl.client.auth": "required",
        "listener.name.mutual.ssl.truststore.type": "PEM",
        "listener.name.mutual.ssl.truststore.location": keys.ca,
    }
    for name in ("sasl", "open"):
        lines[f"listener.name.{name}.plain.sasl.jaas.config"] = (
            f'{module}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
        )
        for kind in MECHANISMS[1:]:
            lines[f"listener.name.{name}.{kind.lower()}.sasl.jaas.config"] = (
                f"{module}.scram.ScramLoginModule required;"
            )
    for name, path in certificates.items():
        lines[f"listener.name.{name.lower()}.ssl.keystore.type"] = "PEM"
        lines[f"listener.name.{name.lower()}.ssl.keystore.location"] = path
    return "".join(f"{key}={value}\n" for key, value in lines.items())


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, start_kafka: Callable[..., Any]) -> Iterator[Broker]:
    root = tmp_path_factory.mktemp("secure")
    keys, others = Keys(root / "keys"), Keys(root / "others")
    place = root / "kafka"
    place.mkdir()
    with start_kafka(place, lambda place: properties(place, keys)) as kafka:
        made = Broker(kafka, keys, others)
        made.let_in(USER, PASSWORD)
        yield made


def trade(engine: Any) -> None:
    """Ten orders, five matches."""
    for number in range(10):
        assert engine.order(100, 1, side="BUY" if number % 2 else "SELL").status_code == 200


def assert_everything_arrived(engine: Any, broker: Broker, times: int = 1) -> None:
    engine.until(engine.everything_published)
    found = engine.events(broker.bootstrap)
    assert sorted({event["sequence"] for event in found["orders"]}) == list(range(1, times * 10 + 1))
    assert sorted({event["sequence"] for event in found["matches"]}) == list(range(1, times * 5 + 1))


def failures(engine: Any) -> list[str]:
    return [line["error"] for line in engine.log() if line["message"].startswith("publishing failed")]


@pytest.mark.parametrize(
    ("listener", "mechanism"),
    [("SASL", "PLAIN"), ("SASL", "SCRAM-SHA-256"), ("SASL", "SCRAM-SHA-512"), ("OPEN", "SCRAM-SHA-256")],
)
def test_every_event_arrives(
    engine: Callable[..., Any], broker: Broker, listener: str, mechanism: str
) -> None:
    if mechanism.endswith("512"):
        broker.let_in(USER, PASSWORD, mechanism)
    # At this level aiokafka would log what it sends, and with PLAIN that is the password.
    it = engine(**broker.at(listener, KAFKA_SASL_MECHANISM=mechanism, LOG_LEVEL="DEBUG")).ready()
    trade(it)

    assert_everything_arrived(it, broker)

    assert it.metrics()["me_event_publish_errors_total"] == 0
    assert PASSWORD not in it.output.read_text()
    assert PASSWORD not in it.client.get(it.metrics_url).text


def test_each_knows_the_other_by_certificate(
    engine: Callable[..., Any], broker: Broker, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("of-the-key\n")
    own = broker.keys.issue("engine.pem", "engine", password="of-the-key")
    told = broker.at("MUTUAL", KAFKA_SSL_CERTFILE=own, KAFKA_SSL_KEY_PASSWORD_FILE=tmp_path / "password")
    it = engine(**told).ready()
    trade(it)

    assert_everything_arrived(it, broker)

    assert "of-the-key" not in it.output.read_text()
