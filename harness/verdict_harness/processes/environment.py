"""The environment of a program that is measured, or that measures: built, and never the caller's.

A variable that somebody happens to have set would otherwise make it another
program, and nobody could tell later which.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

_SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|CREDENTIAL|HEADERS", re.IGNORECASE)
_USER = re.compile(r"(?<=://)[^/@\s]+@")
_HIDDEN = "(not recorded)"


def built(
    home: Path, asked: Mapping[str, str] | None = None, given: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return the whole environment of a program.

    Args:
        home: a directory of its own, in which no settings of the user's are.
        asked: what the program is to be told.
        given: the caller's, of which only the way to other programs is kept.

    >>> built(Path("/h"), {"PORT": "1"}, {"PATH": "/bin", "K6_DURATION": "1s"})
    {'PATH': '/bin', 'HOME': '/h', 'LANG': 'C.UTF-8', 'LC_ALL': 'C.UTF-8', 'PORT': '1'}
    """
    return {
        "PATH": given.get("PATH", os.defpath),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        **(asked or {}),
    }


def shown(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment as it may be recorded: in order, and without secrets.

    >>> shown({"URL": "http://me:secret@host/", "DB_PASSWORD": "secret"})
    {'DB_PASSWORD': '(not recorded)', 'URL': 'http://host/'}
    """
    return {
        name: _HIDDEN if _SECRET.search(name) else _USER.sub("", value)
        for name, value in sorted(environment.items())
    }
