"""Run k6 loads, and know whether what came of one can carry a verdict.

k6 itself is content when no request was made, when every one was refused, when
every iteration threw, and when a tenth of what was asked for was delivered:
exit status 0 says little.  So a load is read back from its raw samples, and
:attr:`Load.trouble` holds every reason not to conclude anything from it.
"""

from __future__ import annotations

from .load import Load
from .runner import requests, run_load
from .samples import Request

__all__ = ["Load", "Request", "requests", "run_load"]
