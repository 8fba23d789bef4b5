"""How the engine and the broker know each other: TLS, and SASL on top of it or without.

The files that the variables name are read at start, so that a mistake in them
shows there, and again before each connection: certificates and passwords that
are renewed while the engine runs need no restart.
"""

from __future__ import annotations

import contextlib
import ssl
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from ..errors import ConfigError
from .environment import Reader, mistake

PROTOCOL = "KAFKA_SECURITY_PROTOCOL"
PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")

_SASL = ("KAFKA_SASL_MECHANISM", "KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD", "KAFKA_SASL_PASSWORD_FILE")
_TLS = (
    "KAFKA_SSL_CAFILE",
    "KAFKA_SSL_CERTFILE",
    "KAFKA_SSL_KEYFILE",
    "KAFKA_SSL_KEY_PASSWORD",
    "KAFKA_SSL_KEY_PASSWORD_FILE",
    "KAFKA_SSL_CHECK_HOSTNAME",
)
_HIDDEN = "a value"  # what is found where it may be a secret
_ENDS = set("\r\n\0")  # no password has them, and a secret that was made with echo ends with one


@dataclass(frozen=True, slots=True)
class Secret:
    """A password, in a variable or in a file; no log and no ``repr`` has its text.

    >>> Secret("KAFKA_SASL_PASSWORD", "x")
    Secret(name='KAFKA_SASL_PASSWORD', path=None)
    """

    name: str
    text: str = field(default="", repr=False)
    path: Path | None = None

    def read(self) -> str:
        """Return the text; of a file, the one line that it holds.

        Raises:
            ConfigError: the file can't be read, or holds something else.
        """
        if self.path is None:
            return self.text
        try:
            text = self.path.read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
        except OSError as error:
            raise ConfigError([_unreadable(self.name, self.path, error)]) from error
        except UnicodeDecodeError:
            text = ""
        if not text or set(text) & _ENDS:
            raise ConfigError([mistake(self.name, "a file with one line of text", str(self.path))])
        return text


class _Leaving(ssl.SSLObject):
    """One end of a connection that does not wait for the other end's goodbye.

    A broker that hangs would not say it, the connection would stay for another
    30 s, and neither the client nor the event loop can be closed before.
    """

    def unwrap(self) -> None:
        with contextlib.suppress(ssl.SSLWantReadError):
            super().unwrap()


@dataclass(frozen=True, slots=True)
class Security:
    """What the variables ``KAFKA_SECURITY_PROTOCOL``, ``KAFKA_SASL_*`` and ``KAFKA_SSL_*`` said.

    Attributes:
        protocol: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.
        mechanism: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; '' without SASL.
        username: whom the broker is to know the engine as; '' without SASL.
        password: of that user.
        cafile: certificates (PEM) that vouch for the broker's; None for those that the system trusts.
        certfile: the engine's own certificate (PEM), with its chain.
        keyfile: the key of ``certfile``, if that does not hold it.
        key_password: of the key, if that is encrypted.
        check_hostname: whether the broker's certificate must be for the name that is connected to.
    """

    protocol: str = "PLAINTEXT"
    mechanism: str = ""
    username: str = ""
    password: Secret | None = None
    cafile: Path | None = None
    certfile: Path | None = None
    keyfile: Path | None = None
    key_password: Secret | None = None
    check_hostname: bool = True

    @classmethod
    def from_env(cls, read: Reader) -> Self:
        """Read the variables; every mistake in them and in the files they name is kept by ``read``."""
        before = len(read.mistakes)
        protocol = read.choice(PROTOCOL, "PLAINTEXT", PROTOCOLS)
        made = cls(protocol)
        if len(read.mistakes) == before:  # or all others could seem to be wrong, and are not
            made = cls(
                protocol,
                **_sasl(read, protocol, wanted=made.sasl),
                **_tls(read, protocol, wanted=made.tls),
            )
        try:
            made.options()
        except ConfigError as error:
            read.mistakes += error.mistakes
        return made

    @property
    def sasl(self) -> bool:
        """Whether the engine says who it is by name and password."""
        return self.protocol.startswith("SASL_")

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted, and the broker has to prove who it is."""
        return self.protocol.endswith("SSL")

    def options(self) -> dict[str, Any]:
        """Return what aiokafka's clients need to know, from the files as they are now.  Blocks for some ms.

        Raises:
            ConfigError: with every mistake that is in the files.
        """
        made: dict[str, Any] = {"security_protocol": self.protocol}
        mistakes: list[str] = []
        if self.sasl:
            try:
                password = "" if self.password is None else self.password.read()
                made |= {
                    "sasl_mechanism": self.mechanism,
                    "sasl_plain_username": self.username,
                    "sasl_plain_password": password,
                }
            except ConfigError as error:
                mistakes += error.mistakes
        if self.tls:
            try:
                made["ssl_context"] = _context(self, self._stamps())
            except ConfigError as error:
                mistakes += error.mistakes
        if mistakes:
            raise ConfigError(mistakes)
        return made

    def _stamps(self) -> tuple[tuple[int, ...], ...]:
        """What changes when a file does; the system's certificates count as unchanging."""
        secret = self.key_password.path if self.key_password else None
        found = []
        for path in (self.cafile, self.certfile, self.keyfile, secret):
            if path is not None and path.exists():
                stat = path.stat()
                found.append((stat.st_ino, stat.st_size, stat.st_mtime_ns))
        return tuple(found)


def _sasl(read: Reader, protocol: str, *, wanted: bool) -> dict[str, Any]:
    if not wanted:
        _refuse(read, _SASL, protocol, "SASL_PLAINTEXT and SASL_SSL")
        return {}
    made: dict[str, Any] = {
        "mechanism": read.choice("KAFKA_SASL_MECHANISM", "", MECHANISMS),
        "username": read.text("KAFKA_SASL_USERNAME", ""),
        "password": _secret(read, "KAFKA_SASL_PASSWORD"),
    }
    if not made["username"]:
        read.mistake("KAFKA_SASL_USERNAME", f"a user, as {PROTOCOL} is {protocol}", "")
    if made["password"] is None:
        read.mistake("KAFKA_SASL_PASSWORD", "a password, or its file in KAFKA_SASL_PASSWORD_FILE", "")
    return made


def _tls(read: Reader, protocol: str, *, wanted: bool) -> dict[str, Any]:
    if not wanted:
        _refuse(read, _TLS, protocol, "SSL and SASL_SSL")
        return {}
    made: dict[str, Any] = {
        "cafile": read.file("KAFKA_SSL_CAFILE"),
        "certfile": read.file("KAFKA_SSL_CERTFILE"),
        "keyfile": read.file("KAFKA_SSL_KEYFILE"),
        "key_password": _secret(read, "KAFKA_SSL_KEY_PASSWORD"),
        "check_hostname": read.choice("KAFKA_SSL_CHECK_HOSTNAME", "TRUE", ("TRUE", "FALSE")) == "TRUE",
    }
    if made["certfile"] is None and (made["keyfile"] or made["key_password"]):
        read.mistake("KAFKA_SSL_CERTFILE", "the certificate of the key that is given", "")
        made["keyfile"] = made["key_password"] = None
    return made


def _refuse(read: Reader, names: tuple[str, ...], protocol: str, users: str) -> None:
    """Keep a mistake for each variable that would be without effect: its setter believes otherwise."""
    for name in names:
        if read.has(name):
            read.mistake(name, f"nothing, as {PROTOCOL} is {protocol} and only {users} use it", _HIDDEN)


def _secret(read: Reader, name: str) -> Secret | None:
    in_file = f"{name}_FILE"
    path = read.file(in_file)
    if path is not None and read.has(name):
        read.mistake(in_file, f"nothing beside {name}", str(path))
    elif path is not None:
        return Secret(in_file, path=path)
    elif set(read.raw(name)) & _ENDS:
        read.mistake(name, "one line of text", "several")
    return Secret(name, read.raw(name)) if read.has(name) else None


@lru_cache(maxsize=1)  # the system's certificates alone take 20 ms, in which no order is matched
def _context(security: Security, _stamps: tuple[tuple[int, ...], ...]) -> ssl.SSLContext:
    mistakes: list[str] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context = ssl.create_default_context(cafile=security.cafile)
    except OSError as error:  # SSLError is one
        mistakes.append(_unreadable("KAFKA_SSL_CAFILE", security.cafile, error, "certificates (PEM)"))
    context.sslobject_class = _Leaving
    context.check_hostname = security.check_hostname
    if security.certfile is not None:
        mistakes += _identify(context, security, security.certfile)
    if mistakes:
        raise ConfigError(mistakes)
    return context


def _identify(context: ssl.SSLContext, security: Security, certfile: Path) -> list[str]:
    """Load the engine's own certificate and key; return the mistakes."""
    mistakes = []
    for name, path in (("KAFKA_SSL_CERTFILE", certfile), ("KAFKA_SSL_KEYFILE", security.keyfile)):
        try:
            if path is not None:
                path.read_bytes()
        except OSError as error:
            mistakes.append(_unreadable(name, path, error))
    secret = security.key_password
    try:
        password = secret.read() if secret else ""
    except ConfigError as error:
        mistakes += error.mistakes
    if mistakes:
        return mistakes
    asked = False

    def answer() -> str:  # without it OpenSSL would ask at the terminal
        nonlocal asked
        asked = True
        return password

    try:
        context.load_cert_chain(certfile, security.keyfile, answer)
    except OSError as error:
        if asked:
            name, found = ("KAFKA_SSL_KEY_PASSWORD", "") if secret is None else (secret.name, "another one")
            return [mistake(name, "the password of the key, which is encrypted", found)]
        both = f"{certfile}, {security.keyfile}" if security.keyfile else str(certfile)
        expected = "a certificate (PEM) and its key, here or in KAFKA_SSL_KEYFILE"
        return [mistake("KAFKA_SSL_CERTFILE", expected, f"{both}: {_reason(error)}")]
    return []


def _unreadable(
    name: str, path: Path | None, error: OSError, expected: str = "a file that can be read"
) -> str:
    return mistake(name, expected, f"{path}: {_reason(error)}")


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason or str(error)
    return error.strerror or str(error)
