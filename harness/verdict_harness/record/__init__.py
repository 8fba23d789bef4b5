"""What a run found out, on disk before anybody judges it, and asked again when it is judged later."""

from __future__ import annotations

from .evidence import Evidence, Json
from .files import write_atomic
from .run import Run, Watched, write_json

__all__ = [
    "Evidence",
    "Json",
    "Run",
    "Watched",
    "write_atomic",
    "write_json",
]
