"""Loads: what k6 does to a system that is up, and whether what came of one can carry a verdict.

k6 itself is content when no request was made, when every one was refused, when
every iteration threw, and when a tenth of what was asked for was delivered:
exit status 0 says little.  So a load is read back from its raw samples, and
:attr:`Load.trouble` holds every reason to conclude less from it than its numbers say.  What became of each
order, and when it was due, is in :class:`Orders`.
"""

from __future__ import annotations

from . import words
from .arrivals import Arrivals, Ramp
from .capacity import Arm, Ask, Claim, Conclusion, Outcome, Ruling
from .figures import Figure, Figures, Found, figures_of
from .interleaved import Held, Interleaved, Schedule, Switch, at_the_client, change, latencies
from .load import Load
from .orders import Fate, Order, Orders
from .raw import Request
from .runner import requests, run_load
from .search import SETTLE, Capacity, Demand
from .seen import Seen, see
from .server import ServerSide
from .sustained import Meter
from .trial import Plan, Stage, Trial

__all__ = [
    "SETTLE",
    "Arm",
    "Arrivals",
    "Ask",
    "Capacity",
    "Claim",
    "Conclusion",
    "Demand",
    "Fate",
    "Figure",
    "Figures",
    "Found",
    "Held",
    "Interleaved",
    "Load",
    "Meter",
    "Order",
    "Orders",
    "Outcome",
    "Plan",
    "Ramp",
    "Request",
    "Ruling",
    "Schedule",
    "Seen",
    "ServerSide",
    "Stage",
    "Switch",
    "Trial",
    "at_the_client",
    "change",
    "figures_of",
    "latencies",
    "requests",
    "run_load",
    "see",
    "words",
]
