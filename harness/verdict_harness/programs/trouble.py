"""Turn what pip, Go and Maven's client say into errors that tell the user what to do."""

from __future__ import annotations

import errno
import re
from typing import TYPE_CHECKING

from ..errors import CommandError, ProgramError
from ..processes import Cancelled

if TYPE_CHECKING:
    from pathlib import Path

CACHE_VARIABLE = "VERDICT_HARNESS_CACHE"

_HASH = re.compile(
    r"DO NOT MATCH THE HASHES|checksum mismatch|missing go\.sum entry|Hashes are required", re.IGNORECASE
)
_DISK = re.compile(r"no space left on device|disk quota exceeded|errno (28|122)\b", re.IGNORECASE)
_NETWORK = re.compile(
    r"connection (refused|reset|aborted|timed out|broken)|no such host|name resolution|network is unreachable"
    r"|i/o timeout|read timed out|TLS handshake|certificate|failed to establish|max retries|retrying \("
    r"|proxy ?error|disabled by GOPROXY|unexpected EOF|incomplete-download|HTTP error [45]\d\d"
    r"|\b[45]\d\d (unauthorized|forbidden|not found|gone|proxy|too many|internal|bad|service|gateway)"
    r"|could not find a version|no matching distribution",
    re.IGNORECASE,
)


def explain(error: CommandError, what: str, *, where: str, network: str) -> ProgramError | Cancelled:
    """Return the error to raise for a package client that failed.

    Args:
        error: what it ended with; its ``found`` holds the ends of its streams.
        what: what could not be done.
        where: what it was run on.
        network: what to do if the registry can't be reached.
    """
    if isinstance(error, Cancelled):
        return error
    said = error.found
    if _HASH.search(said):
        return wrong_hash(what, expected="the content that the pins name", found=said, where=where)
    if _DISK.search(said):
        return ProgramError(what, expected="room on the disk", found=said, where=where, todo=_ROOM)
    if _NETWORK.search(said):
        return ProgramError(
            what, expected="an answer from the registry", found=said, where=where, todo=network
        )
    return ProgramError(what, expected=error.expected, found=f"{error.what}\n{said}", where=where)


def wrong_hash(what: str, *, expected: str, found: str, where: str) -> ProgramError:
    """Return the error for content that is not what the pins say."""
    return ProgramError(
        what,
        expected=expected,
        found=found,
        where=where,
        todo="try again: nothing of it was kept. If it stays, whoever answers for the registry (a mirror, a\n"
        "proxy) serves other content than was pinned: ask them; don't update the pins to make this go away",
    )


def disk_error(error: OSError, what: str, path: Path) -> ProgramError:
    """Return the error for something that could not be written below ``path``."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ProgramError(what, expected="room on the disk", found=str(error), where=str(path), todo=_ROOM)
    return ProgramError(
        what,
        expected="a directory that may be written to",
        found=str(error),
        where=str(path),
        todo=f"make it writable, or set {CACHE_VARIABLE} to a directory that is",
    )


_ROOM = f"free some space, or set {CACHE_VARIABLE} to a directory on another disk; what is here is reused"
