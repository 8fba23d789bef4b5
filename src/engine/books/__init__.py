"""Room ``books``: what rests, and who trades with whom; no clock, no file, no queue."""

from .book import Book, Level, Side
from .matching import NO_FILLS, Fill, Matcher

__all__ = ["NO_FILLS", "Book", "Fill", "Level", "Matcher", "Side"]
