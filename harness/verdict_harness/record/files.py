"""Files that are all there or not at all, and errors that say why one could not be written."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from ..errors import EvidenceError


def write_atomic(path: Path, data: bytes) -> None:
    """Write ``path`` so that a reader sees all of it or the old one, also after a power cut.

    Raises:
        EvidenceError: with the reason, a full disk among them; ``path`` is as it was.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with writing(path):
        try:
            with draft.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        finally:
            with contextlib.suppress(OSError):
                draft.unlink()
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)  # the rename itself must last
        finally:
            os.close(directory)


def make_unique(root: Path, stem: str) -> Path:
    """Make a folder ``root/<stem>-<4 hex digits>`` that did not exist, and return it."""
    while True:
        directory = root / f"{stem}-{secrets.token_hex(2)}"
        with contextlib.suppress(FileExistsError):
            directory.mkdir()
            return directory


def point(link: Path, target: str) -> None:
    """Let ``link`` point at ``target``, with no moment in which it does not exist."""
    draft = link.with_name(f".{link.name}.{target}")
    with writing(link):
        try:
            draft.symlink_to(target)
            draft.replace(link)
        finally:
            with contextlib.suppress(OSError):
                draft.unlink()


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn whatever the file system says while ``path`` is written into an error that says what to do.

    Raises:
        EvidenceError: an :class:`OSError` came up within.
    """
    try:
        yield
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
        raise EvidenceError(
            "evidence could not be written" + (": the disk is full" if full else ""),
            expected="room for the evidence of the run" if full else "a folder that can be written to",
            found=str(error),
            where=str(path),
            todo="make room (old runs can go), then run again"
            if full
            else "check the path and its permissions",
        ) from error
