"""What a run found out, on disk before anybody judges it, and asked again when it is judged later."""

from __future__ import annotations

from .digests import of_files, of_package
from .evidence import Evidence, Json
from .files import forget, full, write_atomic
from .machine import commit, describe
from .run import Run, Watched, strict, write_json

__all__ = [
    "Evidence",
    "Json",
    "Run",
    "Watched",
    "commit",
    "describe",
    "forget",
    "full",
    "of_files",
    "of_package",
    "strict",
    "write_atomic",
    "write_json",
]
