"""The four verdicts and how several become one. Imports nothing of ours."""

from __future__ import annotations

import enum
from collections.abc import Iterable


class Verdict(enum.IntEnum):
    """What may be said of a criterion, ordered from good to bad.

    The order is the roll-up: a whole is as bad as its worst part.  INCONCLUSIVE
    ranks below FAIL because a proven breach stays proven however little is
    known of the rest, and above CONDITIONAL because what was not measured must
    never be taken for met.

    >>> Verdict.PASS < Verdict.CONDITIONAL < Verdict.INCONCLUSIVE < Verdict.FAIL
    True
    >>> str(Verdict.CONDITIONAL)
    'CONDITIONAL'
    """

    PASS = 0
    CONDITIONAL = 1
    INCONCLUSIVE = 2
    FAIL = 3

    def __str__(self) -> str:
        return self.name


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the worst of ``verdicts``; of none at all, INCONCLUSIVE.

    >>> worst([Verdict.PASS, Verdict.CONDITIONAL])
    <Verdict.CONDITIONAL: 1>
    >>> worst([])
    <Verdict.INCONCLUSIVE: 2>
    """
    return max(verdicts, default=Verdict.INCONCLUSIVE)
