"""Room ``log``: every accepted order on the disk, in the order that everything else follows from."""

from .identity import Identity
from .records import ORDER, SEED
from .segments import Reader
from .wal import Wal

__all__ = ["ORDER", "SEED", "Identity", "Reader", "Wal"]
