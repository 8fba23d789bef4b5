"""From samples to verdicts: expectations make findings, the judge gathers them, the worst rolls up.

Expectations are pure functions from samples to findings::

    Below          a number is under a limit
    AtLeast        … reaches a limit, if asked for long enough
    Within         … is as far from a centre as tolerated, or nearer
    Budget         … is within so many times a budget
    Change         … is not much more (or less) than one measured before
    NotGrowing     a series has no trend upwards

An expectation knows its limit with its unit, shows it as people read it (``str``), and makes a
:class:`~verdict_harness.verdicts.Finding` of a sample by one rule (:mod:`~verdict_harness.verdicts.zones`):
PASS if all of the sample's interval meets the limit, FAIL if none of it does, INCONCLUSIVE if it straddles,
with the doubt that makes it straddle and what would decide it.  Of windows the whole is judged, and any part
that surely fails is a FAIL.  Whatever is not a number (:class:`~verdict_harness.samples.NoValue`) is
INCONCLUSIVE with its reason.

Two numbers that differ by less than one part in a billion are *equal* here:
``0.05 * ms`` times three is not exactly ``0.15 * ms``, and a verdict must not
hang on the last bit.  At the limit itself ``<`` is then not met, ``<=`` and
``>=`` are.

>>> from verdict_harness.samples import exact, ms
>>> p99 = exact("p99", 0.033, at=0.0, n=5100, counted="orders")
>>> p99 = p99.widened("resolution", "no bucket has an edge between 20 ms and 50 ms", lo=0.02, hi=0.05)
>>> finding = Below(40 * ms).judge(p99)
>>> print(finding.verdict, finding.value, finding.unit, finding.limit, finding.decides, sep=" | ")
INCONCLUSIVE | 33.0 | ms | < 40 ms | a bucket edge at 40 ms
>>> print(finding.reason)
33 ms (20 ms to 50 ms): whether that is < 40 ms can't be told
"""

from . import replay, requirements
from .baseline import Change
from .expectation import Expectation, together
from .finding import Finding
from .judge import Exhibit, Judge, Listing, Mark, carriers, without_value
from .limits import AtLeast, Below, Budget, Within
from .replay import Comparison
from .requirements import Requirement, Table
from .rollup import UNKNOWN, Criterion, Judged, Whole, exit_status, roll_up
from .trend import NotGrowing
from .verdict import Verdict

__all__ = [
    "UNKNOWN",
    "AtLeast",
    "Below",
    "Budget",
    "Change",
    "Comparison",
    "Criterion",
    "Exhibit",
    "Expectation",
    "Finding",
    "Judge",
    "Judged",
    "Listing",
    "Mark",
    "NotGrowing",
    "Requirement",
    "Table",
    "Verdict",
    "Whole",
    "Within",
    "carriers",
    "exit_status",
    "replay",
    "requirements",
    "roll_up",
    "together",
    "without_value",
]
