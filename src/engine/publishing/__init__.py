"""Room ``publishing``: the way of events from matching to a broker, whatever that broker does."""

from .position import Position
from .publisher import Publisher
from .queue import EventQueue
from .shadow import Shadow

__all__ = ["EventQueue", "Position", "Publisher", "Shadow"]
