"""Room ``http``: how clients and Prometheus reach the shard; all decisions are the shard's."""

from .api import create_app
from .connections import Connection, abort_all, close_idle
from .ports import bind, listen, serve_metrics

__all__ = ["Connection", "abort_all", "bind", "close_idle", "create_app", "listen", "serve_metrics"]
