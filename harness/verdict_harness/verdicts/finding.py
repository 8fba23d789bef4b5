"""A finding: one criterion, judged. The row of the table, of ``verdict.json`` and of JUnit."""

from __future__ import annotations

from dataclasses import dataclass

from .verdict import Verdict


@dataclass(frozen=True, slots=True)
class Finding:
    """What one expectation says of one sample.

    Attributes:
        verdict: the verdict of this expectation alone.
        value: the number that was compared, in ``unit``; ``None`` where there was none (never 0 for that).
        unit: symbol of the unit of ``value`` and of ``limit``.
        limit: the limit as people read it, such as ``"< 200 ms"``.
        query: the PromQL, file or request that ``value`` came from.
        samples: how many samples ``value`` rests on.
        reason: one sentence: why this verdict.
    """

    verdict: Verdict
    value: float | None
    unit: str
    limit: str
    query: str
    samples: int
    reason: str
