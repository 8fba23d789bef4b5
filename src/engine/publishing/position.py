"""How far publishing has come, on the disk."""

from __future__ import annotations

import json
import logging
import os
import threading
from typing import Any

from ..errors import WalError
from ..events import Marks
from ..log import Wal

log = logging.getLogger(__name__)


class Position:
    """The sequence up to which every event was acknowledged, kept beside the log.

    It is written after the fact and about once a second, so a restart may
    publish some events again, and never too few.

    Attributes:
        sequence: of the last record whose events were all acknowledged.
        marks: where the last ones lie.
    """

    def __init__(self, wal: Wal) -> None:
        self._path = wal.directory / "published.json"
        self._wal = wal
        self._lock = threading.Lock()  # a stop may find a save under way
        self.sequence = 0
        self.marks = Marks()
        self._written = self.snapshot()

    def load(self) -> None:
        """Read the file; without one, or with one of another log, nothing counts as published."""
        try:
            stored = json.loads(self._path.read_text())
            known, sequence = stored["log"] == self._wal.log_id, int(stored["sequence"])
            marks = Marks.from_json(stored.get("marks", ()), self._wal.log_id)  # former versions wrote none
            tells_seeds = bool(stored.get("seeds"))
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning(
                "the published position is not legible; all events are sent again",
                extra={"error": str(error)},
            )
            return
        if not known:
            log.warning("the published position is another log's; all events are sent again")
            return
        if not tells_seeds:
            log.warning("the published position is from before seeds were told; all events are sent again")
            return
        self.sequence = sequence
        self.marks = marks
        self._written = self.snapshot()

    def check(self) -> None:
        """Raise :class:`WalError` if more was published than the log holds: its end is missing."""
        if self.sequence > self._wal.sequence:
            raise WalError(
                f"{self._path} says that sequence {self.sequence} was published, and the log ends at "
                f"{self._wal.sequence}: records are missing; restore the log from a copy, or remove that "
                "file to go on without them (then all events are sent again)"
            )

    def snapshot(self) -> dict[str, Any]:
        """Return what is saved.  Call it in the loop, or a sequence may get the marks of another."""
        return {
            "log": self._wal.log_id,
            "sequence": self.sequence,
            "seeds": True,
            "marks": self.marks.to_json(),
        }

    def save(self, snapshot: dict[str, Any]) -> None:
        """Write the file, atomically, if there is news.  Blocks for a sync: call it in a thread."""
        with self._lock:
            if snapshot == self._written:
                return
            partial = self._path.with_suffix(".tmp")
            with partial.open("w") as file:
                json.dump(snapshot, file)
                file.flush()
                os.fdatasync(file.fileno())
            partial.replace(self._path)
            self._written = snapshot
