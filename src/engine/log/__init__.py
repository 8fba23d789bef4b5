"""Room ``log``: every accepted order on the disk, in the order that everything else follows from."""

from .segments import ORDER, SEED, Reader
from .wal import Wal

__all__ = ["ORDER", "SEED", "Reader", "Wal"]
