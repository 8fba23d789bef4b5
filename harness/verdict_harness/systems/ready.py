"""Whether a service answers: the same question at start, after a restart, and while a fault is on."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable
from functools import partial

from ..errors import UsageError
from ..processes import Answer, Pending, ask, not_yet
from .brokers import live_brokers
from .system import Endpoint, Service

_GOOD = (http.client.OK,)


def answers(service: Service, endpoint: Callable[[str], Endpoint], timeout: float = 1.0) -> bool:
    """Return ``True`` if ``service`` answers as its ``ready`` says.

    Args:
        service: whom to ask.
        endpoint: where a port of it, by name, is.
        timeout: seconds for each step of the answer.

    Raises:
        Pending: it does not; says what was seen instead.
        UsageError: ``ready`` can't be understood.
    """
    kind, _, rest = service.ready.partition(":")
    if kind == "http":
        path, _, word = rest.partition(" ")
        return ask(f"{endpoint('http').url}{path}", partial(_says, word), good=_GOOD, timeout=timeout)
    if kind not in ("kafka", "tcp"):
        raise UsageError(
            f"how {service.name} is ready can't be understood",
            expected="http:<path>, http:<path> <word>, kafka:<port name> or tcp:<port name>",
            found=service.ready,
        )
    where = endpoint(rest)
    with not_yet(timeout):
        if kind == "tcp":
            socket.create_connection((where.host, where.port), timeout).close()
        elif live_brokers(where, timeout) < 1:
            raise Pending("it knows of no live broker")
    return True


def _says(word: str, answer: Answer) -> bool:
    """Whether the answer has the word as a whole, among others or as a value of its JSON object."""
    if not word:
        return True
    if answer.text.lstrip().startswith("{"):
        found = word in answer.json().values()
    else:
        found = word in answer.text.split()
    if not found:
        raise Pending(f"no {word} in {answer}")
    return True
