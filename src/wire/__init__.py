"""The outside edge that engine and gateway share: HTTP requests in, answers out, every answer counted.

:mod:`~wire.message` says what a request and an answer are and how large they may be, :mod:`~wire.site` which
handler a request is for, :mod:`~wire.incoming` takes requests as they arrive, :mod:`~wire.connection` answers
one client, :mod:`~wire.server` looks after all of them; :mod:`~wire.listening` takes ports and
:mod:`~wire.exposition` serves metrics.

Nothing is done for a request before its size, its path and its method are known to be acceptable, and there
is one place where answers are written and counted, whoever made them.
"""

from .connection import Edge
from .exposition import Exposition
from .listening import BACKLOG, ListenError, bind, listen, raise_file_limit
from .message import JSON, Answer, Limits, Request
from .server import Server
from .site import Handler, Route, Site

__all__ = [
    "BACKLOG",
    "JSON",
    "Answer",
    "Edge",
    "Exposition",
    "Handler",
    "Limits",
    "ListenError",
    "Request",
    "Route",
    "Server",
    "Site",
    "bind",
    "listen",
    "raise_file_limit",
]
