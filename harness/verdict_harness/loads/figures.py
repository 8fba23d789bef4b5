"""Figures of a load: numbers that people look for under their own names, and by which nothing is judged.

They are asked beside what is judged, of the same evidence, so a stored run has them too.  Whatever keeps one
from being known is said in its place: it is never 0 for that, and no verdict is another one for it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ..errors import named
from ..figures import quantity
from ..samples import Estimate, Failed, NoValue, Unit, bound
from .server import ServerSide

_Load = TypeVar("_Load", bound=ServerSide)
_Asked_contra = TypeVar("_Asked_contra", bound=ServerSide, contravariant=True)


@dataclass(frozen=True, slots=True)
class Figure(Generic[_Asked_contra]):
    """What is asked of a load.

    Attributes:
        name: such as ``"matches/min"``.
        of: the part of the system that it is of, such as ``"shard a"``; empty if of all of it.
        unit: that it is shown in.
        ask: asks the load.
    """

    name: str
    of: str
    unit: Unit
    ask: Callable[[_Asked_contra], Estimate | NoValue]


@dataclass(frozen=True, slots=True)
class Found:
    """What was answered.

    Attributes:
        name: see :class:`Figure`.
        of: see :class:`Figure`.
        unit: see :class:`Figure`.
        sample: the number, or why there is none.
    """

    name: str
    of: str
    unit: Unit
    sample: Estimate | NoValue

    @property
    def value(self) -> float | None:
        """The number, in ``unit``; ``None`` where there is none, never 0 for that."""
        known = self.sample.value if isinstance(self.sample, Estimate) else None
        return None if known is None else self.unit.of(known)

    @property
    def interval(self) -> tuple[float, float] | None:
        """The ends between which it lies, in ``unit``, perhaps infinite; ``None`` where nothing is known."""
        if not isinstance(self.sample, Estimate):
            return None
        return self.unit.of(self.sample.lo), self.unit.of(self.sample.hi)

    @property
    def reason(self) -> str:
        """Why there is no number; empty if there is one."""
        if isinstance(self.sample, NoValue):
            return self.sample.reason
        if self.sample.value is not None:
            return ""
        return f"only known to be above {quantity(self.unit.of(self.sample.lo), self.unit.symbol)}"

    def to_json(self) -> dict[str, Any]:
        """Return it as ``verdict.json`` has it; an end at infinity is ``null``."""
        return {
            "name": self.name,
            "of": self.of,
            "value": self.value,
            "unit": self.unit.symbol,
            "interval": None if self.interval is None else [bound(end) for end in self.interval],
            "samples": self.sample.samples,
            "query": self.sample.query,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one load.

    Attributes:
        load: its name.
        found: in the order in which they are shown; those of one name follow one another.
    """

    load: str
    found: tuple[Found, ...]

    def to_json(self) -> dict[str, Any]:
        """Return them as ``verdict.json`` has them."""
        return {"load": self.load, "figures": [one.to_json() for one in self.found]}


def figures_of(name: str, load: _Load, wanted: Iterable[Figure[_Load]], metrics: Collection[str]) -> Figures:
    """Ask a load for figures; what can't be had is among them, with its reason.

    Args:
        name: of the load.
        load: a :class:`~.trial.Trial`, or what else Prometheus has watched.
        wanted: what to ask.
        metrics: all that is asked of Prometheus for it, in one question.
    """
    beside = load.aside(metrics)
    return Figures(name, tuple(Found(one.name, one.of, one.unit, _ask(one, beside)) for one in wanted))


def _ask(figure: Figure[_Load], load: _Load) -> Estimate | NoValue:
    try:
        return figure.ask(load)
    except Exception as error:  # noqa: BLE001 - whatever it is, no criterion shall break for want of a figure
        return Failed(figure.name, named(error))
