"""Faces that open late: what a room offers is imported when it is first asked for, and not before.

The plugin is loaded in every session of pytest, criteria or not; nobody shall wait there for an HTTP client.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module


def face(room: str, offers: Mapping[str, Iterable[str]]) -> Callable[[str], object]:
    """Return a ``__getattr__`` for the package ``room``.

    Args:
        room: its full name.
        offers: names by the module that they are in; a module's own name stands for the module.
    """
    homes = {name: module for module, names in offers.items() for name in names}

    def __getattr__(name: str) -> object:  # noqa: N807 - what a module has, made for it
        if name not in homes:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        module = import_module(f"{room}.{homes[name]}")
        return module if name == homes[name] else getattr(module, name)

    return __getattr__
