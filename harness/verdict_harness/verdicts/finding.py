"""A finding: one criterion, judged. The row of the table, of ``verdict.json`` and of JUnit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..samples import Doubt, bound
from .verdict import Verdict


@dataclass(frozen=True, slots=True)
class Finding:
    """What one expectation says of one sample.

    Attributes:
        verdict: the verdict of this expectation alone.
        value: the number that is shown, in ``unit``; ``None`` where there was none (never 0 for that).
        unit: symbol of the unit of ``value``, of ``interval`` and of ``limit``.
        limit: the limit as people read it, such as ``"< 200 ms"``.
        query: the PromQL, file or request that ``value`` came from.
        samples: the observations that it rests on, such as orders.
        reason: one clause: why this verdict.
        interval: what was judged: the ends between which the quantity lies, in ``unit``, perhaps infinite;
            ``None`` where there was nothing to judge.
        doubts: all that widens the interval, their ends in ``unit`` too.
        doubt: the first of them with which the verdict is open, or what else keeps it from being known.
        besides: further doubts with each of which the verdict would be open although ``doubt`` were removed.
        decides: what would decide it, such as ``"a bucket edge at 40 ms"``; empty where it is decided.
        counted: what was observed, in the plural.
        otherwise: what would be said if it were not for ``doubt``, where that forbids any conclusion.
    """

    verdict: Verdict
    value: float | None
    unit: str
    limit: str
    query: str
    samples: int
    reason: str
    interval: tuple[float, float] | None = None
    doubts: tuple[Doubt, ...] = ()
    doubt: Doubt | None = None
    besides: tuple[Doubt, ...] = ()
    decides: str = ""
    counted: str = "observations"
    otherwise: str = ""

    @property
    def sentence(self) -> str:
        """Why this verdict, with the doubt that leaves it open and what would decide it."""
        return self.told(self.doubt.text if self.doubt else "")

    def told(self, doubt: str) -> str:
        """Return :attr:`sentence` with other words for the doubt, such as the number of a note."""
        if self.otherwise:
            return f"{doubt} (otherwise: {self.otherwise})"
        parts = [self.reason, doubt, f"{self.decides} would decide" if self.decides else ""]
        parts += [f"besides, {one.text}" for one in self.besides]
        return "; ".join(part for part in parts if part)

    def to_json(self) -> dict[str, Any]:
        """Return it as ``verdict.json`` has it; an end at infinity is ``null``."""
        return {
            "verdict": str(self.verdict),
            "value": self.value,
            "unit": self.unit,
            "limit": self.limit,
            "query": self.query,
            "samples": self.samples,
            "reason": self.sentence,
            "interval": None if self.interval is None else [bound(end) for end in self.interval],
            "counted": self.counted,
            "decides": self.decides,
            "doubts": [doubt.to_json() for doubt in self.doubts],
        }
