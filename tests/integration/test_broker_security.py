"""TLS and SASL towards a real broker: who is let in, and that a refusal is an outage like any other.

One Kafka node with a listener for each way of being known, and for each flaw that a certificate can have.
"""

import datetime as dt
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from cryptography.hazmat.primitives import serialization

from experiments.broker import read
from verdict_harness.errors import Inconclusive

USER, PASSWORD = "alice", "correct-horse"
NEWCOMER = "carol"  # the broker knows her, and permits her nothing
SOON = 30  # seconds; a client that waits for its broker does for 40
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
        info = ScramCredentialInfo(ScramMechanism[kind.replace("-", "_")], 4096)
        wanted = UserScramCredentialUpsertion(user, info, password.encode())
        self._operate(lambda admin: admin.alter_user_scram_credentials([wanted]))

    def certify(self, listener: str, certificate: Path) -> None:
        """Have a listener show another certificate."""
        name = f"listener.name.{listener.lower()}.ssl.keystore.location"
        entry = ConfigEntry(name, str(certificate), incremental_operation=AlterConfigOpType.SET)
        node = ConfigResource(ResourceType.BROKER, "1", incremental_configs=[entry])
        self._operate(lambda admin: admin.incremental_alter_configs([node]))

    def permit(self, user: str, *operations: AclOperation) -> None:
        """Let ``user`` do something with both topics."""
        wanted = [
            AclBinding(
                ResourceType.TOPIC,
                topic,
                ResourcePatternType.LITERAL,
                f"User:{user}",
                "*",
                operation,
                AclPermissionType.ALLOW,
            )
            for topic in ("orders", "matches")
            for operation in operations
        ]
        self._operate(lambda admin: admin.create_acls(wanted))

    def forbid(self, user: str) -> None:
        """Take all from ``user`` that it was permitted."""
        every = AclBindingFilter(
            ResourceType.ANY,
            None,
            ResourcePatternType.ANY,
            f"User:{user}",
            None,
            AclOperation.ANY,
            AclPermissionType.ANY,
        )
        self._operate(lambda admin: admin.delete_acls([every]))

    def _operate(self, work: Callable[[AdminClient], dict[Any, Any]]) -> None:
        """Do something with a client that lives as long: another would complain when the broker has gone."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        for answer in work(admin).values():
            answer.result(30)


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
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:ANONYMOUS;User:{USER};User:bob;User:dave;User:engine",
        "ssl.principal.mapping.rules": "RULE:^.*$/engine/",
        "ssl.allow.dn.changes": "true",
        "ssl.allow.san.changes": "true",
        "listener.name.open.scram-sha-256.connections.max.reauth.ms": 1500,
        "listener.name.mutual.ssl.client.auth": "required",
        "listener.name.mutual.ssl.truststore.type": "PEM",
        "listener.name.mutual.ssl.truststore.location": keys.ca,
    }
    for name in ("sasl", "open"):
        lines[f"listener.name.{name}.plain.sasl.jaas.config"] = (
            f'{module}.plain.PlainLoginModule required user_{USER}="{PASSWORD}" user_{NEWCOMER}="{PASSWORD}";'
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


def assert_readable(engine: Any, told: dict[str, object]) -> None:
    """What the experiments read with, another client, gets the same in by the same door."""
    spoken = {name: str(value) for name, value in told.items()}
    found = read(spoken["KAFKA_BOOTSTRAP"], spoken)
    own = {topic: [e for e in found[topic]["events"] if e["log"] in engine.logs] for topic in found}
    assert (len(own["orders"]), len(own["matches"])) == (10, 5)


def failure_lines(engine: Any) -> list[dict[str, Any]]:
    return [line for line in engine.log() if line["message"].startswith("publishing failed")]


def failures(engine: Any) -> list[str]:
    return [line["error"] for line in failure_lines(engine)]


def assert_each_said_once(engine: Any) -> None:
    """No reason comes again soon: only after 30 s, which a slow machine may take, is one worth repeating."""
    last: dict[str, dt.datetime] = {}
    for line in failure_lines(engine):
        reason, at = line["error"], dt.datetime.fromisoformat(line["time"])
        assert reason not in last or (at - last[reason]).total_seconds() > 20, failures(engine)
        last[reason] = at


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
    told = broker.at(listener, KAFKA_SASL_MECHANISM=mechanism)
    it = engine(**told, LOG_LEVEL="DEBUG").ready()
    trade(it)

    assert_everything_arrived(it, broker)
    assert_readable(it, told)

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
    assert_readable(it, told)

    assert "of-the-key" not in it.output.read_text()


@pytest.mark.parametrize("wrong", ["password", "authority", "plain"])
def test_a_reader_that_is_refused_says_so(broker: Broker, tmp_path: Path, wrong: str) -> None:
    """Not "no events": what could not be read says nothing of what was published."""
    told = {name: str(value) for name, value in broker.at("SASL").items()}
    (tmp_path / "password").write_text("another one\n")
    changed = {
        "password": {"KAFKA_SASL_PASSWORD_FILE": str(tmp_path / "password")},
        "authority": {"KAFKA_SSL_CAFILE": str(broker.others.ca)},
        "plain": {"KAFKA_SECURITY_PROTOCOL": ""},
    }
    with pytest.raises(Inconclusive, match="the broker can't be read"):
        read(told["KAFKA_BOOTSTRAP"], {**told, **changed[wrong]})


def test_a_session_that_ends(engine: Callable[..., Any], broker: Broker) -> None:
    """The broker wants to be shown the password again now and then, and cuts off who does not."""

    def sessions() -> int:
        return sum(line["message"].startswith("Authenticated as") for line in it.log())

    it = engine(**broker.at("OPEN", LOG_LEVEL="DEBUG")).ready()
    trade(it)
    assert_everything_arrived(it, broker)
    before = sessions()
    time.sleep(2)  # longer than a session

    trade(it)

    assert_everything_arrived(it, broker, 2)
    assert sessions() > before


def test_a_password_that_is_changed_on_the_broker(engine: Callable[..., Any], broker: Broker) -> None:
    """The connection is there already, and it is aiokafka that can't make it again."""
    broker.let_in("dave", PASSWORD)
    it = engine(**broker.at("OPEN", KAFKA_SASL_USERNAME="dave")).ready()
    trade(it)
    assert_everything_arrived(it, broker)
    broker.let_in("dave", "changed")
    time.sleep(2)  # longer than a session

    trade(it)
    it.until(lambda: any("SaslAuthenticationFailed" in reason for reason in failures(it)))
    assert it.metrics()["me_event_publish_errors_total"] >= 1
    broker.let_in("dave", PASSWORD)

    assert_everything_arrived(it, broker, 2)


def assert_refused(engine: Any, words: str) -> None:
    """It works as ever, counts what fails, and says why, once; for another reason, too, if it is slow."""
    trade(engine)
    engine.until(lambda: engine.metrics()["me_event_publish_errors_total"] >= 3)
    found = engine.settled(10)
    assert (found["me_matches_total"], found["me_event_queue_depth"]) == (5, 15)
    assert any(words in reason for reason in failures(engine)), failures(engine)
    assert_each_said_once(engine)


def assert_mended(engine: Any, broker: Broker) -> None:
    trade(engine)
    assert_everything_arrived(engine, broker, 2)
    assert_each_said_once(engine)
    assert [line["message"] for line in engine.log()].count("connected to the broker") == 1
    assert engine.metrics()["me_event_publish_errors_total"] >= 3


def test_a_user_that_the_broker_does_not_know_yet(engine: Callable[..., Any], broker: Broker) -> None:
    it = engine(**broker.at("SASL", KAFKA_SASL_USERNAME="bob", KAFKA_SASL_PASSWORD="of-bob")).ready()
    assert_refused(it, "SaslAuthenticationFailed")

    broker.let_in("bob", "of-bob")

    assert_mended(it, broker)
    assert "of-bob" not in it.output.read_text()


def test_a_password_that_is_renewed_in_its_file(
    engine: Callable[..., Any], broker: Broker, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text("outdated\n")
    told = broker.at("SASL", KAFKA_SASL_MECHANISM="PLAIN", KAFKA_SASL_PASSWORD_FILE=file)
    it = engine(**{**told, "KAFKA_SASL_PASSWORD": ""}).ready()
    assert_refused(it, "KAFKA_SASL_USERNAME and its password must be a user of the broker's")

    file.write_text(PASSWORD)

    assert_mended(it, broker)
    assert "outdated" not in it.output.read_text()


def test_a_user_who_may_not_write_yet(engine: Callable[..., Any], broker: Broker) -> None:
    told = broker.at("SASL", KAFKA_SASL_MECHANISM="PLAIN", KAFKA_SASL_USERNAME=NEWCOMER)
    it = engine(**told).ready()
    assert_refused(it, "AuthorizationFailed")

    broker.permit(NEWCOMER, AclOperation.CREATE, AclOperation.WRITE)

    assert_mended(it, broker)
    assert it.stop() == 0
    it = engine(**told).ready()  # who may not read can't look whether all is still there
    assert it.order(100).status_code == 200
    it.until(it.everything_published)
    assert failures(it) == []


def test_a_permission_that_is_taken_away(engine: Callable[..., Any], broker: Broker) -> None:
    """In mid-course: orders go on, somebody is told, and once it is given back everything arrives."""
    told = broker.at("SASL", KAFKA_SASL_MECHANISM="PLAIN", KAFKA_SASL_USERNAME=NEWCOMER)
    permissions = AclOperation.CREATE, AclOperation.WRITE, AclOperation.READ
    broker.permit(NEWCOMER, *permissions)
    try:
        it = engine(**told).ready()
        trade(it)
        assert_everything_arrived(it, broker)
        before = it.metrics()
        assert before["me_event_publish_failures_total{'reason': 'not_permitted'}"] == 0
        broker.forbid(NEWCOMER)
        trade(it)
        it.until(lambda: it.client.get("/health").json().get("problems"))
        (problem,) = it.client.get("/health").json()["problems"]
        assert problem.startswith("events do not reach the broker: ")
        assert "AuthorizationFailed" in problem
        during = it.settled(20)
        assert during["me_event_publish_failures_total{'reason': 'not_permitted'}"] >= 1
        assert (during["me_matches_total"], during["me_event_problems"]) == (10, 1)
        assert any("AuthorizationFailed" in reason for reason in failures(it))
        broker.permit(NEWCOMER, *permissions)
        assert_everything_arrived(it, broker, 2)
        it.until(lambda: "problems" not in it.client.get("/health").json())
        assert it.metrics()["me_event_resends_total"] == 0
        assert it.stop() == 0
    finally:
        broker.forbid(NEWCOMER)


def test_a_broker_that_nobody_vouches_for(engine: Callable[..., Any], broker: Broker, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(broker.others.ca.read_bytes())
    it = engine(**broker.at("SASL", KAFKA_SSL_CAFILE=file)).ready()
    assert_refused(it, "unable to get local issuer certificate")

    file.write_bytes(broker.keys.ca.read_bytes())

    assert_mended(it, broker)


@pytest.mark.parametrize(
    ("listener", "words"),
    [
        ("EXPIRED", "certificate has expired"),
        ("ELSEWHERE", "IP address mismatch, certificate is not valid for '127.0.0.1'"),
    ],
)
def test_a_certificate_that_is_not_the_brokers(
    engine: Callable[..., Any], broker: Broker, listener: str, words: str
) -> None:
    it = engine(**broker.at(listener)).ready()
    assert_refused(it, words)

    broker.certify(listener, broker.keys.issue(f"mended-{listener}.pem"))

    assert_mended(it, broker)


def test_an_engine_that_does_not_say_who_it_is(engine: Callable[..., Any], broker: Broker) -> None:
    it = engine(**broker.at("MUTUAL")).ready()

    assert_refused(it, "KAFKA_SSL_CERTFILE")


@pytest.mark.parametrize(
    ("spoken", "listener"),
    [("PLAINTEXT", "SASL"), ("SSL", "SASL"), ("SSL", "OPEN"), ("SASL_PLAINTEXT", "PLAINTEXT")],
)
def test_an_engine_that_speaks_another_protocol(
    engine: Callable[..., Any], broker: Broker, spoken: str, listener: str
) -> None:
    like = {"SSL": "MUTUAL", "SASL_PLAINTEXT": "OPEN"}
    told = broker.at(like[spoken]) if spoken in like else {}
    port = broker.kafka.place.port("kafka" if listener == "PLAINTEXT" else listener)
    it = engine(**{**told, "KAFKA_BOOTSTRAP": f"127.0.0.1:{port}"}).ready()

    assert_refused(it, "KAFKA_SECURITY_PROTOCOL")


def test_a_stop_while_the_broker_refuses(engine: Callable[..., Any], broker: Broker) -> None:
    told = broker.at("SASL", KAFKA_SASL_MECHANISM="PLAIN", DRAIN_SECONDS=2)
    it = engine(**{**told, "KAFKA_SASL_PASSWORD": "wrong"}).ready()
    assert_refused(it, "SaslAuthenticationFailed")

    it.process.send_signal(signal.SIGTERM)

    assert it.process.wait(SOON) == 0
    assert it.log()[-1]["message"] == "stopped"
    it = engine(**told).ready()
    assert_everything_arrived(it, broker)


def test_a_stop_while_nobody_answers_the_handshake(engine: Callable[..., Any], broker: Broker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        told = broker.at("SASL", KAFKA_BOOTSTRAP=f"127.0.0.1:{silent.getsockname()[1]}", DRAIN_SECONDS=1)
        it = engine(**told).ready()
        trade(it)
        it.process.send_signal(signal.SIGTERM)
        assert it.process.wait(SOON) == 0
    assert it.log()[-1]["message"] == "stopped"


def test_a_stop_while_the_broker_hangs(engine: Callable[..., Any], broker: Broker) -> None:
    """A TLS connection is closed by both ends, and this broker does not do its part."""
    it = engine(**broker.at("SASL", DRAIN_SECONDS=1)).ready()
    trade(it)
    assert_everything_arrived(it, broker)
    broker.kafka.pause()
    try:
        it.process.send_signal(signal.SIGTERM)
        assert it.process.wait(SOON) == 0
    finally:
        broker.kafka.resume()
    assert it.log()[-1]["message"] == "stopped"


def test_an_outage_of_a_broker_with_tls(engine: Callable[..., Any], broker: Broker) -> None:
    it = engine(**broker.at("SASL", DRAIN_SECONDS=1)).ready()
    trade(it)
    assert_everything_arrived(it, broker)
    broker.kafka.pause()
    try:
        trade(it)
        it.until(lambda: it.metrics()["me_event_publish_errors_total"] >= 1)
    finally:
        broker.kafka.resume()
    assert_everything_arrived(it, broker, 2)
    assert it.stop() == 0
