"""Whether a service answers: the same question at start, after a restart, and while a fault is on."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable

from ..errors import UsageError
from ..processes import Pending
from .brokers import live_brokers
from .system import Endpoint, Service

_SHOWN = 120  # characters of an unexpected answer


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
    try:
        if kind == "http":
            _http(endpoint("http"), rest, timeout)
        elif kind == "kafka":
            if live_brokers(endpoint(rest), timeout) < 1:
                raise Pending("it knows of no live broker")
        elif kind == "tcp":
            where = endpoint(rest)
            socket.create_connection((where.host, where.port), timeout).close()
        else:
            raise UsageError(
                f"how {service.name} is ready can't be understood",
                expected="http:<path>, kafka:<port name> or tcp:<port name>",
                found=service.ready,
            )
    except TimeoutError:
        raise Pending(f"no answer within {timeout:g} s") from None
    except OSError as error:
        raise Pending(error.strerror.lower() if error.strerror else str(error)) from None
    except (http.client.HTTPException, ValueError) as error:
        raise Pending(f"{type(error).__name__}: {error}") from None
    return True


def _http(endpoint: Endpoint, path: str, timeout: float) -> None:
    connection = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=timeout)
    try:
        connection.request("GET", endpoint.path + path, headers={"Connection": "close"})
        response = connection.getresponse()
        body = response.read(_SHOWN).decode("utf-8", "replace").strip()
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise Pending(f"{path} answers {response.status} {body}")
