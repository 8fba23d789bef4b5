"""From samples to verdicts: expectations make findings, the judge gathers them, the worst rolls up.

Expectations are pure functions from samples to findings::

    Below          a value, or every point of a series, is under a limit
    AtLeast        … reaches a limit, if asked for long enough
    Within         … is as far from a centre as tolerated, or nearer
    Budget         … is within so many times a budget
    Change         a value is not much more (or less) than one measured before
    Scaling        a value is near N times one measured of a single part
    NotGrowing     a series has no trend upwards

An expectation knows its limit with its unit, shows it as people read it
(``str``), and makes a :class:`~verdict_harness.verdicts.Finding` of a sample.  Whatever
is not a number (:class:`~verdict_harness.samples.NoValue`) is INCONCLUSIVE with its
reason.

Two numbers that differ by less than one part in a billion are *equal* here:
``0.05 * ms`` times three is not exactly ``0.15 * ms``, and a verdict must not
hang on the last bit.  At the limit itself ``<`` is then not met, ``<=`` and
``>=`` are.

>>> from verdict_harness.samples import Value, ms
>>> finding = Below(200 * ms, conditional=50 * ms).judge(Value("p99", 0.120, at=0.0, samples=5100))
>>> print(finding.verdict, finding.value, finding.unit, finding.limit, sep=" | ")
CONDITIONAL | 120.0 | ms | < 200 ms
>>> print(finding.reason)
120 ms is below 200 ms, but not below 50 ms
"""

from . import replay
from .baseline import Change, Scaling
from .expectation import Expectation, together
from .finding import Finding
from .judge import Exhibit, Judge, carriers, without_value
from .limits import AtLeast, Below, Budget, Within
from .replay import Comparison
from .rollup import Criterion, Judged, Whole, exit_status, roll_up
from .trend import NotGrowing
from .verdict import Verdict

__all__ = [
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
    "NotGrowing",
    "Scaling",
    "Verdict",
    "Whole",
    "Within",
    "carriers",
    "exit_status",
    "replay",
    "roll_up",
    "together",
    "without_value",
]
