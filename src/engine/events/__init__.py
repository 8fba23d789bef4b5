"""Room ``events``: what is told of each order, and its way to a broker, whatever that broker does."""

from .broker import REASONS, Broker, BrokerError, Told
from .event import TOPICS, TYPES, Event, events
from .marks import Mark, Marks, Place
from .position import Position
from .publisher import Publisher
from .queue import EventQueue
from .shadow import Shadow

__all__ = [
    "REASONS",
    "TOPICS",
    "TYPES",
    "Broker",
    "BrokerError",
    "Event",
    "EventQueue",
    "Mark",
    "Marks",
    "Place",
    "Position",
    "Publisher",
    "Shadow",
    "Told",
    "events",
]
