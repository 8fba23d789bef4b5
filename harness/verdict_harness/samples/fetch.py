"""One question over HTTP, and for the record whatever came of it."""

from __future__ import annotations

import time
from collections.abc import Mapping

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

from ..processes import web
from ..record import Json
from ..systems import Address

ATTEMPTS = 3


def fetch(
    address: Address, path: str, params: Mapping[str, str], timeout: float, attempts: int = ATTEMPTS
) -> dict[str, Json]:
    """Ask once, or a few times where the connection failed; return for the record whatever came of it.

    Args:
        address: base URL; nothing of its login or headers is recorded.
        path: below ``/api/v1/``.
        params: the question.
        timeout: seconds to wait for an answer.
        attempts: how often to ask where the connection failed.

    Returns:
        With ``"error"`` if there was no answer at all.
    """
    url = f"{address}/api/v1/{path}"
    params = {**params, "timeout": f"{timeout:.3f}"}
    record: dict[str, Json] = {"url": url, "params": params, "asked": time.time()}
    asking = Retrying(
        retry=retry_if_exception(_transient),
        stop=stop_after_attempt(attempts),
        wait=wait_exponential(multiplier=0.1),
        reraise=True,
    )
    try:
        response = asking(_get, address, path, params, timeout)
    except web.TimedOut as error:
        return {**record, "error": f"{type(error).__name__}: no answer within {timeout:g} s"}
    except (web.HttpError, web.InvalidUrl) as error:
        return {**record, "error": f"{type(error).__name__}: {error}"}
    record |= {"answered": time.time(), "status": response.status_code, "date": response.headers.get("date")}
    try:
        body = response.json(parse_constant=_refuse)
    except ValueError:
        return {**record, "text": response.text}
    return {**record, "body": body}


def _get(address: Address, path: str, params: Mapping[str, str], timeout: float) -> web.Response:
    with web.client(address, timeout=timeout) as client:
        return client.get(f"/api/v1/{path}", params=params)


def _transient(error: BaseException) -> bool:
    return isinstance(error, web.NetworkError | web.ProtocolError)


def _refuse(constant: str) -> Json:
    raise ValueError(f"{constant} is not JSON")
