"""One look at a program that may not be up yet: its answer, or what there was instead.

A program that is starting refuses, resets, keeps silent, or answers with
whatever stands before it: a page of HTML, a 503, half of a JSON text.  All of
that is :class:`~verdict_harness.processes.Pending` here, and :func:`~verdict_harness.processes.until` asks
again until the program has died or its time is over.  So nobody who waits
parses an answer before it is known to be one::

    until("Prometheus", lambda: ask(url, lambda answer: answer.json()["data"]), timeout=30, alive=alive)
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from ..errors import named
from . import web
from .wait import Pending

T = TypeVar("T")

TIMEOUT = 2.0  # seconds
_SHOWN = 200  # characters of an answer that was none
_MOST = 64 * 2**20  # bytes; more is no answer that anybody here asks for
_GOOD = range(200, 300)


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered over HTTP.

    Attributes:
        status: such as 200.
        text: the body.
    """

    status: int
    text: str

    def json(self) -> Any:
        """Return the body, read as JSON.

        Raises:
            ValueError: it is none, or not all of it.
        """
        return json.loads(self.text)

    def __str__(self) -> str:
        return f"{self.status} {' '.join(self.text.split())[:_SHOWN] or 'and nothing else'}"


def ask(  # noqa: PLR0913 - a request has as many parts
    url: str,
    pick: Callable[[Answer], T],
    *,
    method: str = "GET",
    params: Mapping[str, str] | None = None,
    content: bytes | None = None,
    good: Container[int] = _GOOD,
    timeout: float = TIMEOUT,
    client: web.Client | None = None,
) -> T:
    """Ask once, and return what ``pick`` finds in the answer.

    Args:
        url: whom; a path, with a client that has a base URL.
        pick: reads the answer. What it stumbles over (no JSON, a key, an item or a next one that is not
            there, another type) is "not yet", and so is a
            :class:`~verdict_harness.processes.Pending` that it raises itself.
        method: of the request.
        params: of the query.
        content: the request's body.
        good: the statuses of an answer; with any other it is none.
        timeout: seconds for each step of the answer, and for all of its body.
        client: through which to ask; by default one of its own.

    Raises:
        Pending: there is no such answer; says what there is instead.
    """
    if client is None:
        with web.client(url) as own:
            return ask(
                url,
                pick,
                method=method,
                params=params,
                content=content,
                good=good,
                timeout=timeout,
                client=own,
            )
    with (
        not_yet(timeout),
        client.stream(method, url, params=params, content=content, timeout=timeout) as response,
    ):
        answer = Answer(response.status_code, _body(response, timeout))
    path = web.Url(url).path
    if answer.status not in good:
        raise Pending(f"{path} answers {answer}")
    try:
        return pick(answer)
    except _STUMBLES as error:
        raise Pending(f"{path} answers {answer} ({_named(error)})") from error


_UNREACHED = (web.HttpError, http.client.HTTPException, OSError)
_STUMBLES = (ValueError, LookupError, TypeError, AttributeError, StopIteration)


@contextmanager
def not_yet(timeout: float | None = None) -> Iterator[None]:
    """Within it, whatever shows that somebody is not up yet is :class:`~verdict_harness.processes.Pending`.

    For looks that are not one request over HTTP; those are :func:`ask`'s.

    Args:
        timeout: seconds that it was waited for an answer, for whoever reads that there was none.

    Raises:
        Pending: in place of a connection that failed or an answer that can't be read.

    >>> with not_yet():
    ...     {}["me_matches_total"]
    Traceback (most recent call last):
    verdict_harness.processes.wait.Pending: KeyError: 'me_matches_total'
    """
    try:
        yield
    except (TimeoutError, web.TimedOut) as error:
        within = "" if timeout is None else f" within {timeout:g} s"
        raise Pending(f"no answer{within}") from error
    except (*_UNREACHED, *_STUMBLES) as error:
        raise Pending(_named(error)) from error


def _body(response: web.Response, timeout: float) -> str:
    """Return the whole body; one that comes a byte at a time must not be waited for without end."""
    until_then = time.monotonic() + timeout
    parts, size = [], 0
    for part in response.iter_bytes():
        parts.append(part)
        size += len(part)
        if time.monotonic() > until_then or size > _MOST:
            raise Pending(f"an answer without end: {size} bytes by now")
    return b"".join(parts).decode("utf-8", "replace")


def _named(error: BaseException) -> str:
    """Return the error in the system's words where it was the system that refused."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
        cause = cause.__cause__ or cause.__context__
    return named(error)
