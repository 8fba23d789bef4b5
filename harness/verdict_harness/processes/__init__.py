"""Processes of this machine: run one, guard one that stays, wait for it, say what goes on, end in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import _later
from . import command, environment, interrupt, progress
from .command import Cancelled, Completed, run, signal_name, tail

if TYPE_CHECKING:
    from . import web
    from .guarded import Guarded, Plan
    from .ports import Ports
    from .probe import Answer, ask, not_yet
    from .wait import Pending, running, until
else:
    __getattr__ = _later.face(
        __name__,
        {
            "guarded": (
                "Guarded",
                "Plan",
            ),
            "ports": ("Ports",),
            "probe": (
                "Answer",
                "ask",
                "not_yet",
            ),
            "web": ("web",),
            "wait": (
                "Pending",
                "running",
                "until",
            ),
        },
    )

__all__ = [
    "Answer",
    "Cancelled",
    "Completed",
    "Guarded",
    "Pending",
    "Plan",
    "Ports",
    "ask",
    "command",
    "environment",
    "interrupt",
    "not_yet",
    "progress",
    "run",
    "running",
    "signal_name",
    "tail",
    "until",
    "web",
]
