"""Mistakes in what the engine is told of keys and passwords; what a refusal is called; no secret leaks."""

import asyncio
import logging
import ssl
from pathlib import Path

import pytest
import trustme
from aiokafka.errors import KafkaConnectionError, SaslAuthenticationFailed
from cryptography.hazmat.primitives import serialization

from engine import logs
from engine.config import Config
from engine.errors import ConfigError
from engine.kafka.broker import connection_options
from engine.kafka.refusal import Overheard, explain

SASL = {
    "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
    "KAFKA_SASL_MECHANISM": "scram-sha-256",
    "KAFKA_SASL_USERNAME": "alice",
    "KAFKA_SASL_PASSWORD": " pass word ",
}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of ca.pem, certificate.pem, key.pem, encrypted.pem, both.pem and others.pem."""
    directory = tmp_path_factory.mktemp("keys")
    ca = trustme.CA()
    made = ca.issue_cert("engine.example")
    ca.cert_pem.write_to_path(str(directory / "ca.pem"))
    made.cert_chain_pems[0].write_to_path(str(directory / "certificate.pem"))
    made.private_key_pem.write_to_path(str(directory / "key.pem"))
    made.private_key_and_cert_chain_pem.write_to_path(str(directory / "both.pem"))
    ca.issue_cert("other.example").private_key_pem.write_to_path(str(directory / "others.pem"))
    key = serialization.load_pem_private_key(made.private_key_pem.bytes(), None)
    (directory / "encrypted.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"of-the-key"),
        )
    )
    return directory


def mistakes(**env: object) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        Config.from_env({key: str(value) for key, value in env.items()})
    return caught.value.mistakes


def options(**env: object) -> dict[str, object]:
    return connection_options(Config.from_env({key: str(value) for key, value in env.items()}))


def test_without_a_word_everything_is_plain() -> None:
    assert options(KAFKA_SASL_PASSWORD="") == {
        "bootstrap_servers": "localhost:9092",
        "client_id": "me-shard-a",
        "request_timeout_ms": 5000,
        "security_protocol": "PLAINTEXT",
    }


def test_a_user_and_a_password() -> None:
    found = options(**SASL)

    assert found["security_protocol"] == "SASL_PLAINTEXT"
    assert found["sasl_mechanism"] == "SCRAM-SHA-256"
    assert (found["sasl_plain_username"], found["sasl_plain_password"]) == ("alice", " pass word ")
    assert "ssl_context" not in found


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_password_in_a_file(tmp_path: Path, end: str) -> None:
    file = tmp_path / "password"
    file.write_bytes(f" sésame {end}".encode())

    found = options(**{**SASL, "KAFKA_SASL_PASSWORD": ""}, KAFKA_SASL_PASSWORD_FILE=file)

    assert found["sasl_plain_password"] == " sésame "


@pytest.mark.parametrize("content", [b"", b"\n", b"one\ntwo", b"\xff\xfe", b"nul\0"])
def test_a_file_that_holds_no_password(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "password"
    file.write_bytes(content)

    found = mistakes(**{**SASL, "KAFKA_SASL_PASSWORD": ""}, KAFKA_SASL_PASSWORD_FILE=file)

    assert found == (f"KAFKA_SASL_PASSWORD_FILE: expected a file with one line of text, found '{file}'",)


def test_tls_with_the_systems_certificates() -> None:
    context = options(KAFKA_SECURITY_PROTOCOL="ssl")["ssl_context"]

    assert isinstance(context, ssl.SSLContext)
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)


def test_the_name_need_not_be_checked_but_the_certificate_is(keys: Path) -> None:
    told = {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CAFILE": keys / "ca.pem"}

    context = options(**told, KAFKA_SSL_CHECK_HOSTNAME="false")["ssl_context"]

    assert isinstance(context, ssl.SSLContext)
    assert (context.check_hostname, context.verify_mode) == (False, ssl.CERT_REQUIRED)
    assert len(context.get_ca_certs()) == 1


@pytest.mark.parametrize(
    ("certificate", "key", "password"),
    [("certificate", "key", ""), ("both", "", ""), ("certificate", "encrypted", "of-the-key")],
)
def test_a_certificate_of_its_own(keys: Path, certificate: str, key: str, password: str) -> None:
    options(
        KAFKA_SECURITY_PROTOCOL="SSL",
        KAFKA_SSL_CERTFILE=keys / f"{certificate}.pem",
        KAFKA_SSL_KEYFILE=keys / f"{key}.pem" if key else "",
        KAFKA_SSL_KEY_PASSWORD=password,
    )


@pytest.mark.parametrize(
    ("certificate", "key", "password", "expected"),
    [
        ("certificate", "others", "", "KAFKA_SSL_CERTFILE: expected a certificate (PEM) and its key"),
        ("certificate", "", "", "KAFKA_SSL_CERTFILE: expected a certificate (PEM) and its key"),
        ("key", "key", "", "KAFKA_SSL_CERTFILE: expected a certificate (PEM) and its key"),
        ("certificate", "encrypted", "", "KAFKA_SSL_KEY_PASSWORD: expected the password of the key"),
        ("certificate", "encrypted", "hunter2", "KAFKA_SSL_KEY_PASSWORD: expected the password of the key"),
        ("absent", "key", "", "KAFKA_SSL_CERTFILE: expected a file that can be read"),
        ("certificate", "absent", "", "KAFKA_SSL_KEYFILE: expected a file that can be read"),
        ("", "key", "", "KAFKA_SSL_CERTFILE: expected the certificate of the key that is given"),
        (
            "",
            "",
            "hunter2",
            "KAFKA_SSL_CERTFILE: expected the certificate of the key that is given",
        ),
    ],
)
def test_a_certificate_that_can_not_be_used(
    keys: Path, certificate: str, key: str, password: str, expected: str
) -> None:
    (found,) = mistakes(
        KAFKA_SECURITY_PROTOCOL="SSL",
        KAFKA_SSL_CERTFILE=keys / f"{certificate}.pem" if certificate else "",
        KAFKA_SSL_KEYFILE=keys / f"{key}.pem" if key else "",
        KAFKA_SSL_KEY_PASSWORD=password,
    )

    assert found.startswith(expected)
    assert "hunter2" not in found


@pytest.mark.parametrize("file", ["absent.pem", "key.pem", "."])
def test_what_vouches_for_no_broker(keys: Path, file: str) -> None:
    (found,) = mistakes(KAFKA_SECURITY_PROTOCOL="SSL", KAFKA_SSL_CAFILE=keys / file)

    assert found.startswith("KAFKA_SSL_CAFILE: expected certificates (PEM), found ")
    assert str(keys) in found


def test_every_mistake_at_once_by_name(tmp_path: Path) -> None:
    found = mistakes(
        KAFKA_SECURITY_PROTOCOL="SASL_SSL",
        KAFKA_SASL_MECHANISM="GSSAPI",
        KAFKA_SASL_PASSWORD="hunter2",
        KAFKA_SASL_PASSWORD_FILE=tmp_path / "absent",
        KAFKA_SSL_CAFILE=tmp_path / "absent",
        KAFKA_SSL_CERTFILE=tmp_path / "absent",
        KAFKA_SSL_KEYFILE=tmp_path / "absent",
        KAFKA_SSL_KEY_PASSWORD_FILE=tmp_path / "absent",
        KAFKA_SSL_CHECK_HOSTNAME="maybe",
    )

    assert [mistake.split(":")[0] for mistake in found] == [
        "KAFKA_SASL_MECHANISM",
        "KAFKA_SASL_PASSWORD_FILE",
        "KAFKA_SASL_USERNAME",
        "KAFKA_SSL_CHECK_HOSTNAME",
        "KAFKA_SSL_CAFILE",
        "KAFKA_SSL_CERTFILE",
        "KAFKA_SSL_KEYFILE",
        "KAFKA_SSL_KEY_PASSWORD_FILE",
    ]
    assert "hunter2" not in "".join(found)


def test_nothing_is_quietly_without_effect() -> None:
    told = {**SASL, "KAFKA_SECURITY_PROTOCOL": "", "KAFKA_SSL_CAFILE": "ca.pem"}

    found = mistakes(**told)

    assert [mistake.split(" as ")[0] for mistake in found] == [
        f"{name}: expected nothing,"
        for name in ("KAFKA_SASL_MECHANISM", "KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD", "KAFKA_SSL_CAFILE")
    ]
    assert not {"alice", " pass word "} & set("".join(found).split("'"))


def test_a_mistaken_protocol_makes_no_other_mistakes() -> None:
    found = mistakes(**{**SASL, "KAFKA_SECURITY_PROTOCOL": "TLS"})

    assert found == (
        "KAFKA_SECURITY_PROTOCOL: expected one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL, found 'TLS'",
    )


def test_a_password_that_was_made_with_a_line_end_too_many() -> None:
    (found,) = mistakes(**{**SASL, "KAFKA_SASL_PASSWORD": "hunter2\n"})

    assert found == "KAFKA_SASL_PASSWORD: expected one line of text, found 'several'"


def test_no_secret_is_in_a_repr(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hunter2")
    told = {**SASL, "KAFKA_SASL_PASSWORD": "hunter2"}

    assert "hunter2" not in repr(Config.from_env(told))
    told = {**SASL, "KAFKA_SASL_PASSWORD": "", "KAFKA_SASL_PASSWORD_FILE": str(tmp_path / "password")}
    assert "hunter2" not in repr(Config.from_env(told))


def test_renewed_files_count_from_the_next_connection_on(keys: Path, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes((keys / "ca.pem").read_bytes())
    config = Config.from_env({"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CAFILE": str(file)})
    first = connection_options(config)["ssl_context"]
    assert connection_options(config)["ssl_context"] is first

    trustme.CA().cert_pem.write_to_path(str(file))

    assert connection_options(config)["ssl_context"].get_ca_certs() != first.get_ca_certs()
    file.unlink()
    with pytest.raises(ConfigError, match=r"KAFKA_SSL_CAFILE: .* No such file"):
        connection_options(config)


# What a refusal is called


def closed_by(cause: BaseException) -> KafkaConnectionError:
    error = KafkaConnectionError("Connection at k:9092 closed")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (SaslAuthenticationFailed("no"), "[Error 58] SaslAuthenticationFailed: no (KAFKA_SASL_USERNAME and"),
        (
            closed_by(ssl.SSLError(1, "certificate required")),
            "SSLError: certificate required (KAFKA_",
        ),
        (closed_by(ConnectionResetError()), "ConnectionResetError (it is cut off if KAFKA_SECURITY_PROTOCOL"),
        (closed_by(asyncio.IncompleteReadError(b"", 4)), "IncompleteReadError: 0 bytes read on a total of 4"),
    ],
)
def test_what_lies_behind_an_error_is_said(error: Exception, expected: str) -> None:
    assert explain(error).startswith(expected)


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
def test_what_a_library_only_logs_is_heard(
    level: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    root, theirs = logging.getLogger(), logging.getLogger("aiokafka")
    before = root.handlers[:], root.level, theirs.propagate, theirs.level

    def restore() -> None:
        root.handlers[:], theirs.propagate = before[0], before[2]
        root.setLevel(before[1])
        theirs.setLevel(before[3])
        logging.captureWarnings(capture=False)

    request.addfinalizer(restore)
    logs.configure("INFO", "a")
    logs.configure(level, "a")

    with Overheard() as overheard:
        logging.getLogger("aiokafka.client").error("Unable connect to %s: %s", "k", OSError("why"))
        logging.getLogger("aiokafka.client").error("no exception")
    logging.getLogger("aiokafka.client").error("Unable connect to %s: %s", "k", OSError("later"))

    assert str(overheard.reason) == "why"
    printed = capsys.readouterr().err
    assert ("Unable connect to k: why" in printed) is (level == "DEBUG")
    assert not logging.getLogger("aiokafka.conn").isEnabledFor(logging.DEBUG)
