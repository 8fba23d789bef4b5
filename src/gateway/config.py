"""What the gateway is told by its environment, checked as a whole before anything starts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

NO_SHARD = "none"
"""Label value of requests that belong to no shard; no shard may be called that."""

_SHARD_NAME = re.compile(r"[A-Za-z0-9_-]+")
_PORTS = range(1, 65536)


class ConfigError(Exception):
    """The environment is unusable.

    Attributes:
        problems: one sentence for each mistake, each beginning with its variable's name.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Config:
    """A configuration that holds together.

    Attributes:
        host: address to listen on, for the API and for metrics.
        http_port: port of the API.
        metrics_port: port of ``/metrics``.
        shards: base URL of each shard, without a slash at the end.
        symbols: the shard that owns each symbol.
    """

    host: str
    http_port: int
    metrics_port: int
    shards: Mapping[str, str]
    symbols: Mapping[str, str]


def load(environ: Mapping[str, str]) -> Config:
    """Read the configuration from environment variables.

    ``HOST`` (0.0.0.0), ``HTTP_PORT`` (8080), ``METRICS_PORT`` (9091), and two that must be there:
    ``ME_SHARD_MAP`` such as ``a=http://host:port,b=...`` and ``SHARD_SYMBOLS_MAP`` such as ``a=S1:S2,b=...``.

    Raises:
        ConfigError: with every mistake there is, not only the first.

    >>> load({"ME_SHARD_MAP": "a=http://shard-a:8080", "SHARD_SYMBOLS_MAP": "a=X:Y"}).symbols
    {'X': 'a', 'Y': 'a'}
    >>> load({"HTTP_PORT": "http", "ME_SHARD_MAP": "a=shard-a"})
    Traceback (most recent call last):
    gateway.config.ConfigError: HTTP_PORT: 'http' is not a port (1 to 65535)
    ME_SHARD_MAP: shard 'a': 'shard-a' is not a URL such as http://host:port
    SHARD_SYMBOLS_MAP: not set; expected a=SYMBOL1:SYMBOL2,b=...
    """
    problems: list[str] = []
    http_port = _port(environ, "HTTP_PORT", 8080, problems)
    metrics_port = _port(environ, "METRICS_PORT", 9091, problems)
    if http_port == metrics_port != 0:
        problems.append(f"METRICS_PORT: {metrics_port} is HTTP_PORT too; each needs a port of its own")
    addresses = _entries(environ, "ME_SHARD_MAP", "a=http://host:port,b=...", problems)
    shards = {shard: _base_url(shard, text, problems) for shard, text in addresses.items()}
    symbol_lists = _entries(environ, "SHARD_SYMBOLS_MAP", "a=SYMBOL1:SYMBOL2,b=...", problems)
    symbols = _owners(symbol_lists, problems)
    if addresses and symbol_lists:
        problems += [
            f"SHARD_SYMBOLS_MAP: nothing for shard {shard!r}, which ME_SHARD_MAP names"
            for shard in sorted(addresses.keys() - symbol_lists.keys())
        ]
        problems += [
            f"ME_SHARD_MAP: nothing for shard {shard!r}, which SHARD_SYMBOLS_MAP names"
            for shard in sorted(symbol_lists.keys() - addresses.keys())
        ]
    if problems:
        raise ConfigError(problems)
    host = environ.get("HOST", "").strip() or "0.0.0.0"  # noqa: S104 - what a container needs
    return Config(host, http_port, metrics_port, shards, symbols)


def _port(environ: Mapping[str, str], name: str, default: int, problems: list[str]) -> int:
    text = environ.get(name, "").strip() or str(default)
    if text.isascii() and text.isdigit() and int(text) in _PORTS:
        return int(text)
    problems.append(f"{name}: {text!r} is not a port (1 to 65535)")
    return 0


def _entries(environ: Mapping[str, str], name: str, form: str, problems: list[str]) -> dict[str, str]:
    """Split ``shard=value,...``; a value is looked at by whom it is for."""
    text = environ.get(name, "").strip()
    if not text:
        problems.append(f"{name}: not set; expected {form}")
        return {}
    entries: dict[str, str] = {}
    for entry in text.split(","):
        shard, separator, value = (part.strip() for part in entry.partition("="))
        if not (separator and shard and value):
            problems.append(f"{name}: {entry.strip()!r} is not of the form {form.partition(',')[0]}")
        elif not _SHARD_NAME.fullmatch(shard):
            problems.append(
                f"{name}: shard {shard!r}: only letters, digits, _ and - can be in a shard's name"
            )
        elif shard == NO_SHARD:
            problems.append(
                f"{name}: shard {shard!r}: metrics use that name for requests that reach no shard"
            )
        elif shard in entries:
            problems.append(f"{name}: shard {shard!r} is there twice")
        else:
            entries[shard] = value
    return entries


def _base_url(shard: str, text: str, problems: list[str]) -> str:
    try:
        url = urlsplit(text)
        # `port` raises where it is no number or out of range; 0 is no port to connect to.
        usable = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:
        usable = False
    if not usable or any(character.isspace() for character in text):
        problems.append(f"ME_SHARD_MAP: shard {shard!r}: {text!r} is not a URL such as http://host:port")
    elif url.path.strip("/") or url.query or url.fragment or "@" in url.netloc:
        problems.append(f"ME_SHARD_MAP: shard {shard!r}: {text!r} says more than http://host:port")
    return text.rstrip("/")


def _owners(symbol_lists: Mapping[str, str], problems: list[str]) -> dict[str, str]:
    owners: dict[str, str] = {}
    for shard, text in symbol_lists.items():
        for symbol in (part.strip() for part in text.split(":")):
            if not symbol:
                problems.append(f"SHARD_SYMBOLS_MAP: shard {shard!r}: an empty symbol in {text!r}")
            elif symbol not in owners:
                owners[symbol] = shard
            elif owners[symbol] == shard:
                problems.append(f"SHARD_SYMBOLS_MAP: shard {shard!r}: symbol {symbol!r} is there twice")
            else:
                both = f"{owners[symbol]!r} and {shard!r}"
                problems.append(f"SHARD_SYMBOLS_MAP: symbol {symbol!r} belongs to both shard {both}")
    return owners
