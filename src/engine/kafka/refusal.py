"""Why the broker could not be connected to, in words that say what to look at.

aiokafka's exceptions say that a connection failed ("Unable to bootstrap"), and
why is only in its log.
"""

from __future__ import annotations

import logging
import ssl
from types import TracebackType
from typing import Self

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    IllegalSaslStateError,
    KafkaConnectionError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)

TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)
_NOT_PERMITTED = (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
)
_REFUSED = (IllegalSaslStateError, UnsupportedSaslMechanismError, ssl.SSLError)

_HINTS = (
    (TOO_LARGE, "max.message.bytes of the topic, or message.max.bytes of the broker, is below what was sent"),
    (TopicAuthorizationFailedError, "the engine's user needs to describe and write both topics"),
    (SaslAuthenticationFailed, "KAFKA_SASL_USERNAME and its password must be a user of the broker's"),
    (UnsupportedSaslMechanismError, "KAFKA_SASL_MECHANISM must be one of the broker's"),
    (IllegalSaslStateError, "KAFKA_SECURITY_PROTOCOL must be that of the broker's port"),
    (ssl.SSLCertVerificationError, "KAFKA_SSL_CAFILE and the address must fit the broker's certificate"),
    (ssl.SSLError, "KAFKA_SECURITY_PROTOCOL and KAFKA_SSL_CERTFILE must be what the broker's port asks for"),
    ((EOFError, ConnectionResetError), "it is cut off if KAFKA_SECURITY_PROTOCOL is not that of the port"),
)


class Overheard(logging.Handler):
    """Hears aiokafka say why a connection failed, while it is entered.

    Attributes:
        reason: what it was the last time; None if nothing was said.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.reason: BaseException | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the exception that ``record`` was made of."""
        said = record.args if isinstance(record.args, tuple) else ()
        self.reason = next((part for part in said if isinstance(part, BaseException)), self.reason)

    def __enter__(self) -> Self:
        logging.getLogger("aiokafka").addHandler(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        logging.getLogger("aiokafka").removeHandler(self)


def reason_of(error: BaseException) -> tuple[str, bool]:
    """Return the label for a failure, and whether it stays until somebody changes something.

    >>> reason_of(TopicAuthorizationFailedError()), reason_of(OSError())
    (('not_permitted', True), ('unreachable', False))
    """
    for kinds, label in ((TOO_LARGE, "too_large"), (_NOT_PERMITTED, "not_permitted"), (_REFUSED, "refused")):
        if isinstance(error, kinds):
            return label, True
    return "unreachable", False


def explain(error: BaseException) -> str:
    """Return ``error`` in words, with what lies behind it and what to look at.

    >>> explain(OSError(111, "Connection refused"))
    'ConnectionRefusedError: [Errno 111] Connection refused'
    """
    while isinstance(error, KafkaConnectionError) and error.__cause__ is not None:
        error = error.__cause__
    said, name = str(error), type(error).__name__
    if name not in said:
        said = f"{name}: {said}" if said else name
    hint = next((hint for kinds, hint in _HINTS if isinstance(error, kinds)), None)
    return f"{said} ({hint})" if hint else said
