"""Whether a gate would notice: defects are planted, one at a time, and the criteria have to turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import _later
from .defect import RUN, Defect, Patch, Plant, Variable, Wrapper

if TYPE_CHECKING:
    from .table import unnamed
else:
    __getattr__ = _later.face(__name__, {"table": ("unnamed",)})

__all__ = ["RUN", "Defect", "Patch", "Plant", "Variable", "Wrapper", "unnamed"]
