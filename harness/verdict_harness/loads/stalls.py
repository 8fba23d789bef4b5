"""When k6 or its machine stood still, and what that may have done to an order."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

#: From and to, unix seconds.
Stall: TypeAlias = tuple[float, float]

#: Seconds for which k6 or the machine must stand still to be told from a busy moment.
STALL = 0.02
_PUNCTUAL = 0.001  # seconds: what k6 takes to begin an order that is due


def merged(spans: Iterable[Stall]) -> list[Stall]:
    """Return the same stretches, in order, those that touch made one.

    >>> merged([(3, 4), (0, 1), (1, 2)])
    [(0, 2), (3, 4)]
    """
    found: list[Stall] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((start, end))
    return found


@dataclass
class Shadow:
    """What a stall may have done to an order: what it lasted, and as long again for what had piled up.

    Args:
        stalls: in order, apart from one another.
    """

    stalls: Sequence[Stall]
    _starts: list[float] = field(init=False)
    _ends: list[float] = field(init=False)

    def __post_init__(self) -> None:
        self._starts = [start for start, _ in self.stalls]
        self._ends = [2 * end - start for start, end in self.stalls]

    def over(self, due: float) -> bool:
        """Whether an order that was due at that moment was due in a stall or soon after."""
        at = bisect.bisect_right(self._starts, due) - 1
        return at >= 0 and due < self._ends[at]

    def lightened(self, due: float, waited: float, late: float) -> float:
        """Return how long an order has waited for the system at least.

        Nothing is known of one that was due in a stall. Any other may have stood
        still for as long as the stalls that came while it was under way.
        """
        if self.over(due):
            return 0.0
        ended, stood = due + waited, late if late > _PUNCTUAL else 0.0
        at = bisect.bisect_right(self._starts, due)
        while at < len(self._starts) and self._starts[at] < ended:
            stood += min(self._ends[at], ended) - self._starts[at]
            at += 1
        return max(0.0, waited - stood)
