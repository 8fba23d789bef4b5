"""Room ``shard``: the numbered stages that an order passes, and the life around them."""

from .shard import MAX_ORDER, Shard

__all__ = ["MAX_ORDER", "Shard"]
