"""What a Prometheus of other people demands of every request; from files, since others may see variables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from ..errors import UsageError
from .address import Address

TOKEN_VARIABLE = "PROMETHEUS_TOKEN_FILE"  # noqa: S105 - the name of one
HEADERS_VARIABLE = "PROMETHEUS_HEADERS_FILE"
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a token of RFC 9110


def headers(environment: Mapping[str, str], prometheus: Address) -> dict[str, str]:
    """Return what every request to a Prometheus has to carry, by the files that the variables name.

    Raises:
        UsageError: a file can't be read or understood, or there is a password as well as a token.
    """
    found = {}
    if path := environment.get(HEADERS_VARIABLE):
        for number, line in enumerate(_lines(HEADERS_VARIABLE, path), 1):
            name, colon, value = (part.strip() for part in line.partition(":"))
            if not (colon and _HEADER.fullmatch(name) and value):
                raise UsageError(
                    f"{HEADERS_VARIABLE} can't be understood",
                    expected="a header a line, such as X-Scope-OrgID: team-a",
                    found=f"line {number} is none",
                    where=path,
                )
            found[name] = value
    if path := environment.get(TOKEN_VARIABLE):
        token = " ".join(_lines(TOKEN_VARIABLE, path))
        if not token or " " in token:
            raise UsageError(
                f"{TOKEN_VARIABLE} can't be understood",
                expected="a file with a token and nothing else",
                found="several words" if token else "nothing in it",
                where=path,
            )
        found["Authorization"] = f"Bearer {token}"
    if prometheus.login and any(name.lower() == "authorization" for name in found):
        raise UsageError(
            "Prometheus is to be logged in to in two ways",
            expected="a password in its URL, or a token, and not both",
            found=f"both, the token by {TOKEN_VARIABLE} or {HEADERS_VARIABLE}",
            where="the environment",
        )
    return found


def _lines(variable: str, path: str) -> list[str]:
    """Return the lines of a file that say something."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UsageError(
            f"the file that {variable} names can't be read",
            expected="a text file",
            found=type(error).__name__ if isinstance(error, ValueError) else str(error.strerror),
            where=path,
        ) from error
    return [line.strip() for line in text.splitlines() if line.strip()]
