"""Reading the environment: every mistake in it is kept, by name, and reading goes on with the default."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^\s:,\[\]]+):(?P<port>[0-9]{1,5})")


def mistake(name: str, expected: str, found: str) -> str:
    """Return the sentence that tells of one mistake.

    >>> mistake("HTTP_PORT", "a port", "no")
    "HTTP_PORT: expected a port, found 'no'"
    """
    return f"{name}: expected {expected}, found {found!r}"


class Reader:
    """Reads variables, of which an empty one counts as unset.

    Attributes:
        mistakes: a sentence for each, in the order of reading.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self.mistakes: list[str] = []

    def mistake(self, name: str, expected: str, found: str) -> None:
        """Keep one more mistake."""
        self.mistakes.append(mistake(name, expected, found))

    def has(self, name: str) -> bool:
        """Whether the variable is set."""
        return bool(self.raw(name))

    def raw(self, name: str) -> str:
        """Return the variable as it is, spaces and all; '' if it is not set."""
        return self._env.get(name, "")

    def text(self, name: str, default: str) -> str:
        """Return the variable without the spaces around it."""
        return self.raw(name).strip() or default

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        """Read an integer from ``low`` to ``high``."""
        text = self.text(name, str(default))
        # int() alone would take '1_000', ' 7 ' and other alphabets' digits.
        if not re.fullmatch(r"[0-9]{1,12}", text) or not low <= int(text) <= high:
            self.mistake(name, f"an integer from {low} to {high}", text)
            return default
        return int(text)

    def power_of_two(self, name: str, default: int, high: int) -> int:
        """Read a power of two, ``high`` at most."""
        before = len(self.mistakes)
        value = self.integer(name, default, 1, high)
        if len(self.mistakes) == before and value & (value - 1):
            self.mistake(name, "a power of two", self.text(name, ""))
        return value

    def seconds(self, name: str, default: float, high: float) -> float:
        """Read seconds, ``high`` at most, as a decimal number."""
        text = self.text(name, str(default))
        if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text) or float(text) > high:
            self.mistake(name, f"seconds from 0 to {high:g}", text)
            return default
        return float(text)

    def choice(self, name: str, default: str, among: tuple[str, ...]) -> str:
        """Read one of several words, in any case; it is returned in capitals."""
        text = self.text(name, default).upper()
        if text not in among:
            self.mistake(name, f"one of {', '.join(among)}", text)
            return default
        return text

    def addresses(self, name: str, default: str) -> str:
        """Read ``host:port``, or several with commas between."""
        text = self.text(name, default)
        parts = [part.strip() for part in text.split(",")]
        for part in parts:
            match = _ADDRESS.fullmatch(part)
            if match is None or not 0 < int(match["port"]) <= 65535:  # noqa: PLR2004 - the last port there is
                self.mistake(name, "host:port, or several with commas between", part)
        return ",".join(parts)

    def directory(self, name: str, default: str) -> Path:
        """Read the path of a directory, which need not be there yet."""
        path = Path(self.text(name, default))
        if path.exists() and not path.is_dir():
            self.mistake(name, "a directory", f"{path}, which is a file")
        return path

    def file(self, name: str) -> Path | None:
        """Read the path of a file; None if it is not set.  Whether it can be read is for its user to find."""
        text = self.text(name, "")
        return Path(text) if text else None
