"""The order-matching engine: one process that owns a shard's symbols and matches their orders."""
