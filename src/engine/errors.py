"""Every error of the engine that its operator can see at start.

::

    EngineError
    ├── ConfigError     the environment holds mistakes; all of them are listed
    ├── BindError       a port could not be had
    └── WalError        the write-ahead log can't be opened, read or written

An error says what was expected, what was found, where, and what to do.
"""

from __future__ import annotations

from collections.abc import Sequence


class EngineError(Exception):
    """The root of the tree; its text is complete in itself."""


class ConfigError(EngineError):
    """The environment holds mistakes.

    Args:
        mistakes: one sentence for each, beginning with the variable's name.
    """

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("; ".join(mistakes))
        self.mistakes = tuple(mistakes)


class BindError(EngineError):
    """A port could not be had."""


class WalError(EngineError):
    """The write-ahead log can't be opened, read or written."""
