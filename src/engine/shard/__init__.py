"""Room ``shard``: the numbered stages that an order passes, and the life around them."""

from .shard import Shard

__all__ = ["Shard"]
