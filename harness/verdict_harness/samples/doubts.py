"""Why a number is known only up to an interval, and why nothing may be concluded from a load."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeAlias, get_args

Kind: TypeAlias = Literal["resolution", "chance", "missing", "instrument"]
Against: TypeAlias = Literal["PASS", "ANY"]


@dataclass(frozen=True, slots=True)
class Doubt:
    """One reason why an interval is as wide as it is.

    Attributes:
        kind: ``"resolution"``, how finely it was measured; ``"chance"``, how few were measured;
            ``"missing"``, what was not measured, counted at its best and at its worst; ``"instrument"``,
            whatever else the instruments left open.
        text: one clause that says it, such as ``"95 % of 510 orders"``; equal doubts of several criteria
            are said once in the report.
        lo: the interval's lower end as this doubt and those before it leave it.
        hi: its upper end.
        instrument: whose trouble it is, such as ``"k6"``, ``"scrapes of shard-a"``, ``"clock"``; empty if
            nobody's.
        least: of chance, the number of observations below which there is no bound at all.
        cure: what would remove it, such as ``"no failed scrape of shard-a"``; empty where the kind says
            enough (chance: more observations; resolution: a bucket's edge at the limit).

    Raises:
        ValueError: ``lo`` is not at or below ``hi``, or the kind is none.
    """

    kind: Kind
    text: str
    lo: float
    hi: float
    instrument: str = ""
    least: int = 0
    cure: str = ""

    def __post_init__(self) -> None:
        if not self.lo <= self.hi:
            raise ValueError(f"no interval from {self.lo} to {self.hi}: {self.text}")
        if self.kind not in get_args(Kind):
            raise ValueError(f"no kind of doubt: {self.kind}")

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON; an end at infinity is ``null``."""
        return {
            "kind": self.kind,
            "text": self.text,
            "lo": bound(self.lo),
            "hi": bound(self.hi),
            "instrument": self.instrument,
            "least": self.least,
            "cure": self.cure,
        }

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Self:
        """Make one of what :meth:`to_json` returned."""
        return cls(**{**entry, **ends(entry)})


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why less may be concluded from a load than its numbers say.

    What the *system* did, such as a crash, refusals or orders that came late because it was slow, is never
    a trouble: it is in the numbers, and makes them bad.

    Attributes:
        text: one clause that says it.
        instrument: whose trouble it is, such as ``"k6"``.
        against: ``"PASS"``: the load was gentler than it claims, or part of it is not known, so that no
            PASS may rest on it, while a FAIL stands; ``"ANY"``: nothing may be concluded at all.

    >>> Trouble.from_json(Trouble("601 iterations of 10", "k6", "ANY").to_json()).against
    'ANY'
    """

    text: str
    instrument: str
    against: Against = "ANY"

    def __post_init__(self) -> None:
        if self.against not in get_args(Against):
            raise ValueError(f"trouble speaks against PASS or ANY, not against {self.against}")

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {"text": self.text, "instrument": self.instrument, "against": self.against}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Self:
        """Make one of what :meth:`to_json` returned."""
        return cls(**entry)


def bound(end: float) -> float | None:
    """Return one end of an interval as JSON can hold it.

    >>> bound(0.2), bound(math.inf)
    (0.2, None)
    """
    return end if math.isfinite(end) else None


def ends(entry: Mapping[str, Any]) -> dict[str, float]:
    """Return both ends of an interval from what :func:`bound` made of them."""
    lo, hi = entry["lo"], entry["hi"]
    return {"lo": -math.inf if lo is None else lo, "hi": math.inf if hi is None else hi}
