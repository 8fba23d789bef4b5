"""The top floor, pytest: ``hooks`` is what pytest loads; the rest is imported when there is a criterion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import _later

if TYPE_CHECKING:
    from . import opening
else:
    __getattr__ = _later.face(__name__, {"opening": ("opening",)})

__all__ = ["opening"]
