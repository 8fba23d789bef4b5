"""The ring buffer between sequencing and matching: fixed in size, allocated once."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class Ring(Generic[T]):
    """A bounded first-in, first-out buffer over a preallocated list.

    One thread writes and reads it, so a slot that :attr:`full` says is free
    stays free until :meth:`publish`: that is how a slot is reserved before the
    log is written.

    Args:
        size: slots, a power of two.

    >>> ring = Ring[str](2)
    >>> ring.publish("first"); ring.publish("second")
    >>> ring.full, ring.utilization, ring.take()
    (True, 1.0, 'first')
    """

    __slots__ = ("_head", "_mask", "_slots", "_tail", "size")

    def __init__(self, size: int) -> None:
        if size < 1 or size & (size - 1):
            raise ValueError(f"a ring's size must be a power of two, not {size}")
        self.size = size
        self._mask = size - 1
        self._slots: list[T | None] = [None] * size
        self._head = 0  # next to take; both only ever grow
        self._tail = 0  # next to fill

    def __len__(self) -> int:
        return self._tail - self._head

    @property
    def full(self) -> bool:
        """Whether there is no free slot."""
        return self._tail - self._head == self.size

    @property
    def utilization(self) -> float:
        """How full it is, 0 to 1."""
        return (self._tail - self._head) / self.size

    def publish(self, item: T) -> None:
        """Fill the next slot.  O(1).

        Raises:
            OverflowError: if there is none.
        """
        if self._tail - self._head == self.size:
            raise OverflowError("the ring is full")
        self._slots[self._tail & self._mask] = item
        self._tail += 1

    def take(self) -> T:
        """Empty the oldest slot and return what was in it.  O(1).

        Raises:
            IndexError: if there is none.
        """
        if self._tail == self._head:
            raise IndexError("the ring is empty")
        at = self._head & self._mask
        item = self._slots[at]
        self._slots[at] = None  # or the order would outlive its last fill by a whole round
        self._head += 1
        return item  # type: ignore[return-value] # a slot between head and tail holds an item
