"""Room ``events``: what is told of each order, and its way to a broker, whatever that broker does."""

from .broker import Broker
from .event import TOPICS, Event, events
from .marks import Mark, Marks, Place
from .position import Position
from .publisher import Publisher
from .queue import EventQueue
from .shadow import Shadow

__all__ = [
    "TOPICS",
    "Broker",
    "Event",
    "EventQueue",
    "Mark",
    "Marks",
    "Place",
    "Position",
    "Publisher",
    "Shadow",
    "events",
]
