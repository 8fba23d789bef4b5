"""Whether a gate would notice: defects are planted, one at a time, and the criteria have to turn."""

from __future__ import annotations

from .defect import RUN, Defect, Patch, Plant, Variable, Wrapper

__all__ = ["RUN", "Defect", "Patch", "Plant", "Variable", "Wrapper"]
