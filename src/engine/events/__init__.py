"""Room ``events``: what is told of each order, and what is asked of a broker that takes it."""

from .broker import REASONS, Broker, BrokerError, Told
from .event import EXECUTED, PLACED, SEEDED, TOPICS, TYPES, Entry, Event, events
from .marks import Mark, Marks, Place

__all__ = [
    "EXECUTED",
    "PLACED",
    "REASONS",
    "SEEDED",
    "TOPICS",
    "TYPES",
    "Broker",
    "BrokerError",
    "Entry",
    "Event",
    "Mark",
    "Marks",
    "Place",
    "Told",
    "events",
]
