"""Loads: what k6 does to a system that is up, and whether what came of one can carry a verdict.

k6 itself is content when no request was made, when every one was refused, when
every iteration threw, and when a tenth of what was asked for was delivered:
exit status 0 says little.  So a load is read back from its raw samples, and
:attr:`Load.trouble` holds every reason not to conclude anything from it.
"""

from __future__ import annotations

from . import words
from .load import Load
from .raw import Request
from .runner import requests, run_load
from .trial import Plan, Stage, Trial

__all__ = [
    "Load",
    "Plan",
    "Request",
    "Stage",
    "Trial",
    "requests",
    "run_load",
    "words",
]
