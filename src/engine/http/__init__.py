"""Room ``http``: how clients and Prometheus reach the shard; all decisions are the shard's."""

from .api import Api
from .ports import bind, listen

__all__ = ["Api", "bind", "listen"]
