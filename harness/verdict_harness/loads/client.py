"""What the client of a system says of it: questions about a load's orders that need k6 alone."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Self

from ..samples import Empty, Estimate, NoValue, Window, Windows
from . import response as asked
from .load import Load
from .orders import Order, Orders
from .runner import read_orders


class Kept:
    """The orders of a load, read once for all that is asked about it and its parts.

    Args:
        directory: where the load's files are.
        load: the load.
    """

    def __init__(self, directory: Path, load: Load) -> None:
        self._directory = directory
        self._load = load

    @cached_property
    def orders(self) -> Orders:
        """What became of every order."""
        return read_orders(self._directory, self._load)


class ClientSide:
    """Questions that rest on k6's raw samples alone, whatever Prometheus has or lost.

    Attributes:
        load: what k6 did.
        window: the judged part.
        kept: the load's orders.
    """

    load: Load
    window: Window
    kept: Kept
    _chosen: tuple[str, Callable[[Order], bool]] | None = None

    def only(self, which: str, chosen: Callable[[Order], bool]) -> Self:
        """Return this, its client asked only about some orders; what Prometheus has is not affected.

        Args:
            which: ends the load's name in what is asked, such as ``"for shard a"``.
            chosen: says whether an order is one of them. One that was never sent has no id.
        """
        some = copy.copy(self)
        some._chosen = (which, chosen)  # noqa: SLF001 - a copy of itself
        return some

    def response(self, p: float) -> Estimate | Empty:
        """Return a quantile of the time from when an order was due to its answer, in seconds.

        Every order that was due in the window counts: one that was refused took as long as its refusal at
        the best and for ever at the worst, one that was not answered waited as long as it did at the best.

        Args:
            p: such as 0.99.
        """
        return asked.response(self._due(), p)

    def response_windows(self, p: float, seconds: float = asked.PART) -> Windows | NoValue:
        """Return what :meth:`response` does, of the whole window and of its parts of ``seconds`` at least."""
        return asked.response_windows(self._due(), p, seconds)

    def errors(self) -> Estimate | Empty:
        """Return the share, 0 to 1, of the orders due in the window that the script did not hold accepted."""
        return asked.errors(self._due())

    def claimed(self) -> Estimate | Empty:
        """Return the share, 0 to 1, of all planned orders that were sent when they were due.

        Those that the system kept from being sent are missing; of those that k6 sent late or not at all
        nobody knows.
        """
        return asked.claimed(self.load.name, self.kept.orders)

    def _due(self) -> asked.Stretch:
        # to the load's end nothing is too late: what was due and never answered is of the window, too
        end = math.inf if self.window.end >= self.load.window.end else self.window.end
        stretch = asked.Stretch.of(self.load.name, self.kept.orders, self.window.start, end)
        if self._chosen is None:
            return stretch
        which, chosen = self._chosen
        some = [order for order in stretch.orders if chosen(order)]
        return stretch._replace(name=f"{stretch.name} {which}", orders=some)
