"""Where k6 runs: what it is told, and what a place for it must be able to do.

A :class:`Generator` turns a :class:`Brief` into a k6 that is :class:`Running`,
on this machine or elsewhere.  Whoever runs a load sees no difference, but that
a clock may differ and that results may fail to come back.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

#: Files that k6 writes, where it runs and in :attr:`Brief.directory`.
RAW, SUMMARY = "raw.csv.gz", "summary.json"


@dataclass(frozen=True, slots=True)
class Brief:
    """What k6 is to do.

    Attributes:
        name: of the load; short, for people and file names.
        script: the script, an absolute path; what it imports is in its directory or below.
        testid: tag of every sample.
        env: variables for the script.
        seconds: after which it is ended if it has not ended by then, set-up and all.
        directory: an absolute path; where its files are once it was collected.
    """

    name: str
    script: Path
    testid: str
    env: Mapping[str, str]
    seconds: float
    directory: Path

    @property
    def log(self) -> Path:
        """What k6 said."""
        return self.directory / f"k6-{self.name}.log"

    @property
    def raw(self) -> Path:
        """Its raw samples."""
        return self.directory / RAW

    @property
    def summary(self) -> Path:
        """Its summary."""
        return self.directory / SUMMARY


@dataclass(frozen=True, slots=True)
class Remains:
    """What is known once k6 has ended, apart from its files.

    Attributes:
        status: its exit status; minus the signal's number if one ended it; ``None`` if nobody knows.
        ahead: by how many seconds the clock there is ahead of ours; 0 where no difference can be seen.
        trouble: what went wrong with the place itself.
    """

    status: int | None
    ahead: float = 0.0
    trouble: tuple[str, ...] = ()


class Running(Protocol):
    """A k6 that was started."""

    def ended(self, timeout: float) -> bool:
        """Wait up to ``timeout`` seconds for its end; say whether it came."""

    def begun(self) -> bool:
        """Whether set-up is over and iterations are being made."""

    def interrupt(self) -> None:
        """Ask it to end in order, as SIGINT does: it still writes its summary."""

    def collect(self) -> Remains:
        """Bring its files to where the brief says; a k6 that has not ended by now is ended by force."""


class Generator(Protocol):
    """A place for k6."""

    def start(self, brief: Brief) -> AbstractContextManager[Running]:
        """Start k6. Leaving the context leaves nothing of it, but for what was collected.

        Raises:
            HarnessError: it could not be started.
        """
