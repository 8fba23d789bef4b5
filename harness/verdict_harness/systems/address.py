"""The URL of something that may want a password: safe to show and to write down, wherever it ends up."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Self, TypeAlias
from urllib.parse import unquote, urlsplit, urlunsplit

from .. import processes  # its web, an HTTP client, only when asked for
from ..errors import UsageError

Login: TypeAlias = tuple[str, str]
"""User and password."""


class Address(str):  # noqa: SLOT000 - few are made, and a slot could have no default
    """A URL as text, without the password that was in it, or a token that goes with it.

    Whoever is to log in asks for :attr:`login` and :attr:`headers`; whoever does not know of these shows,
    records or passes on a text that gives nothing away.

    Attributes:
        login: user and password; ``None`` if there were none.
        headers: what every request has to carry, such as a token or the name of a tenant.

    >>> address = Address.of("https://me:s3cret@example.org/prom/")
    >>> print(address, address.login)
    https://example.org/prom ('me', 's3cret')
    """

    login: Login | None = None
    headers: Mapping[str, str] = MappingProxyType({})

    @classmethod
    def of(cls, url: str) -> Self:
        """Split a URL into what may be seen and what may not; slashes at its end are left out."""
        try:
            parts = urlsplit(url)
        except ValueError:  # no URL; whoever asks there is told so
            return cls(hidden(url))
        host = parts.netloc.rpartition("@")[2]
        address = cls(urlunsplit(parts._replace(netloc=host)).rstrip("/"))
        address.login = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
        return address

    @classmethod
    def told(cls, url: str, variable: str, *, expected: str = "http://host:port, or https") -> Self:
        """Return what a variable of the environment says.

        Raises:
            UsageError: that is no URL that can be asked.

        >>> print(Address.told("http://localhost:9090/", "PROMETHEUS_URL"))
        http://localhost:9090
        """
        address = cls.of(url)
        try:
            parts = processes.web.Url(address)
            good = parts.scheme in {"http", "https"} and bool(parts.host)
        except processes.web.InvalidUrl:
            good = False
        if not good:
            raise unreadable(url, variable, expected)
        return address

    def carrying(self, headers: Mapping[str, str]) -> Self:
        """Return this address, every request to which carries ``headers``."""
        address = type(self)(self)
        address.login, address.headers = self.login, MappingProxyType(dict(headers))
        return address


def login_of(url: str) -> Login | None:
    """Return user and password of ``url``, be it an :class:`Address` or a plain URL with both in it."""
    return (url if isinstance(url, Address) else Address.of(url)).login


def unreadable(text: str, variable: str, expected: str) -> UsageError:
    """Return the error of a variable that says something else than an address, less a password in it."""
    return UsageError(
        f"{variable} can't be understood",
        expected=expected,
        found=repr(hidden(text)),
        where="the environment",
    )


def hidden(text: str) -> str:
    """Return what a user gave for a URL, less what may be a password, to be shown in an error.

    >>> hidden("http//me:s3cret@example.org"), hidden("localhost")
    ('…@example.org', 'localhost')
    """
    before, at, rest = text.rpartition("@")
    return f"…@{rest}" if before or at else text
