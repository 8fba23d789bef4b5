"""What people and machines read of a verdict: the terminal, HTML with its plots, JUnit."""

from __future__ import annotations

from . import junit, terminal
from .page import QUICK_NOTE, Outcome, block, document, html

__all__ = [
    "QUICK_NOTE",
    "Outcome",
    "block",
    "document",
    "html",
    "junit",
    "terminal",
]
