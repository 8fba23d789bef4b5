"""Processes of this machine: run one, guard one that stays, wait for it, say what goes on, end in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import _later
from . import command, interrupt, progress
from .command import Cancelled, Completed, run, tail

if TYPE_CHECKING:
    from .guarded import Guarded, Plan
    from .ports import Ports
    from .wait import Pending, until
else:
    __getattr__ = _later.face(
        __name__,
        {
            "guarded": (
                "Guarded",
                "Plan",
            ),
            "ports": ("Ports",),
            "wait": (
                "Pending",
                "until",
            ),
        },
    )

__all__ = [
    "Cancelled",
    "Completed",
    "Guarded",
    "Pending",
    "Plan",
    "Ports",
    "command",
    "interrupt",
    "progress",
    "run",
    "tail",
    "until",
]
