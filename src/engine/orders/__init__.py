"""Room ``orders``: what an order is, and which requests are one."""

from .order import Order
from .reading import read_order, read_seed, split_seeds
from .validation import MAX_ORDER_ID, MAX_VALUE, REASONS, Rejected, parse, parse_seed

__all__ = [
    "MAX_ORDER_ID",
    "MAX_VALUE",
    "REASONS",
    "Order",
    "Rejected",
    "parse",
    "parse_seed",
    "read_order",
    "read_seed",
    "split_seeds",
]
