"""One question over HTTP, and for the record whatever came of it."""

from __future__ import annotations

import time
from collections.abc import Mapping

import httpx
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

from ..record import Json
from ..systems import Address, Login, is_near

ATTEMPTS = 3


def fetch(
    address: Address, path: str, params: Mapping[str, str], timeout: float, attempts: int = ATTEMPTS
) -> dict[str, Json]:
    """Ask once, or a few times where the connection failed; return for the record whatever came of it.

    Args:
        address: base URL; nothing of its login is recorded.
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
        response = asking(_get, url, params, timeout, address.login)
    except httpx.TimeoutException as error:
        return {**record, "error": f"{type(error).__name__}: no answer within {timeout:g} s"}
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return {**record, "error": f"{type(error).__name__}: {error}"}
    record |= {"answered": time.time(), "status": response.status_code, "date": response.headers.get("date")}
    try:
        body = response.json(parse_constant=_refuse)
    except ValueError:
        return {**record, "text": response.text}
    return {**record, "body": body}


def _get(url: str, params: Mapping[str, str], timeout: float, login: Login | None) -> httpx.Response:
    # A proxy of the environment is for the world, not for a port of this machine. Without TLS no
    # certificates are loaded, which takes longer than the whole question.
    with httpx.Client(
        timeout=timeout, verify=url.startswith("https:"), trust_env=not is_near(url), auth=login
    ) as client:
        return client.get(url, params=params)


def _transient(error: BaseException) -> bool:
    return isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError)


def _refuse(constant: str) -> Json:
    raise ValueError(f"{constant} is not JSON")
