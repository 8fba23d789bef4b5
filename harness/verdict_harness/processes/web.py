"""The one place that makes HTTP clients: which proxy, whose certificates, how long.

Everybody else takes names from here, the library's own included, so that what stands behind them
can be another library by a change of one line.
"""

from __future__ import annotations

import ipaddress
import os
from functools import cache
from ssl import SSLContext
from typing import Any
from urllib.parse import urlsplit

import httpx

from ..errors import UsageError

Auth = httpx.Auth
BasicAuth = httpx.BasicAuth
Client = httpx.Client
Request = httpx.Request
Response = httpx.Response
Url = httpx.URL
status = httpx.codes

#: Nothing was answered, or nothing that HTTP has a word for; the next ones are some of these.
HttpError = httpx.HTTPError
NetworkError = httpx.NetworkError
ProtocolError = httpx.RemoteProtocolError
TimedOut = httpx.TimeoutException
InvalidUrl = httpx.InvalidURL

#: Variables that say whose certificates count, to this library and to k6.
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
TIMEOUT = 5.0  # seconds for each step of a request, unless who asks says otherwise


def client(url: str, *, timeout: float = TIMEOUT, auth: Auth | tuple[str, str] | None = None) -> Client:
    """Return a client for ``url`` and whatever is below it; a context manager.

    A proxy of the environment is for the world, not for a port of this machine.  Certificates are
    those of the system, or of ``SSL_CERT_FILE`` and ``SSL_CERT_DIR``; for a plain port of this machine none
    are loaded, which takes longer than most questions, and such a client speaks no TLS to anybody.

    Args:
        url: base URL.
        timeout: seconds for each step of a request.
        auth: whom to log in as; by default as an address says that has a login or headers of its own
            (:class:`~verdict_harness.systems.Address`).

    >>> with client("http://127.0.0.1:9090", timeout=2.0) as prometheus:
    ...     prometheus.base_url.port, prometheus.trust_env
    (9090, False)
    """
    near = is_near(url)
    told: dict[str, Any] = {
        "base_url": url,
        "timeout": timeout,
        "auth": auth or getattr(url, "login", None),
        "headers": getattr(url, "headers", None),
    }
    if near and not url.startswith("https:"):
        return Client(**told, trust_env=False, verify=False, event_hooks={"request": [_stay_plain]})
    certificates = _certificates(*(os.environ.get(name) for name in CERTIFICATES))
    return Client(**told, trust_env=not near, verify=certificates)


def is_near(url: str) -> bool:
    """Say whether ``url`` is on this machine, so that no proxy of the environment is for it.

    >>> is_near("http://127.0.0.1:9090"), is_near("http://localhost/prom"), is_near("http://example.org")
    (True, True, False)
    """
    host = ""
    try:
        host = urlsplit(url).hostname or ""
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _stay_plain(request: Request) -> None:
    """Refuse what nobody would check the certificate of."""
    if request.url.scheme == "https":
        raise UsageError(
            "a client for a plain port of this machine was asked for TLS",
            expected="http://",
            found=f"https://{request.url.host}",
            todo="make a client for that URL",
        )


@cache
def _certificates(_file: str | None, _directory: str | None) -> SSLContext:
    """Return what the environment trusts, read once as long as that says the same."""
    return httpx.create_ssl_context()
