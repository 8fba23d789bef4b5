"""The edge gateway: sends each order to the shard that owns its symbol.

One request passes :mod:`~gateway.api` (HTTP in), :mod:`~gateway.routing` (which shard)
and :mod:`~gateway.client` (HTTP out); :mod:`~gateway.metrics` counts what happened.
"""
