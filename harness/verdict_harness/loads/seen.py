"""A load that others ran, as a Prometheus has it: the questions of a trial that need no client of ours."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from ..processes import progress
from ..record import Evidence, Json
from ..samples import Prometheus, Server, Window
from ..systems import Address, wait_until_covered
from .server import ServerSide, Watched

_BESIDE = 30.0  # seconds before and after a window in which the scrapes are that bound it


class Seen(ServerSide):
    """A stretch of time in which others loaded the system.

    Attributes:
        name: what it is called.
        window: what is judged: all of it.
        whole: the same, with the scrapes shortly before and after.
        evidence: the file that holds what is known of it, relative to the run's folder.
    """

    def __init__(self, name: str, record: Mapping[str, Any], evidence: Evidence, file: str) -> None:
        self.name = name
        self.evidence = (file,)
        self.window = Window(*record["window"])
        self.whole = Window(*record["whole"])
        self.ended = self.window.end
        self._prometheus = Prometheus(record["prometheus"], evidence)
        self.watched = Watched(self._prometheus, self.whole, record["rules"], record["counted"])

    @property
    def totals(self) -> Server:
        """The window: of what came before it nobody knows whether it is the load's."""
        return self.server


def see(
    evidence: Evidence,
    name: str,
    asked: Callable[[], tuple[Address, Window]],
    rules: Mapping[str, str],
    counted: str = "orders",
) -> Seen:
    """Return a load that others ran, once the Prometheus that watched it has scraped its end.

    Args:
        evidence: where it is recorded.
        name: unique in a run.
        asked: says which Prometheus, and when the load was; on replay it is not called.
        rules: name to expression of the system's recording rules.
        counted: what the load is made of, in the plural.
    """
    live: dict[str, Address] = {}

    def look() -> Json:
        prometheus, window = asked()
        live[str(prometheus)] = prometheus
        lacking = ""
        if time.time() - window.end < _BESIDE:
            lacking = wait_until_covered(prometheus, window.end, rules)
            progress.done()
        if lacking:
            progress.say(f"{name}: {lacking}")
        return {
            "prometheus": str(prometheus),
            "window": [window.start, window.end],
            "whole": [window.start - _BESIDE, min(time.time(), window.end + _BESIDE)],
            "rules": dict(rules),
            "counted": counted,
            "uncovered": lacking,
        }

    key = f"load {name}"
    record: Any = evidence.fact(key, look)
    file = evidence.where(key).relative_to(evidence.directory).as_posix()
    # a recorded address has no password, which Prometheus may ask for
    return Seen(
        name, {**record, "prometheus": live.get(record["prometheus"], record["prometheus"])}, evidence, file
    )
