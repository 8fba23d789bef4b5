"""Room ``config``: what the environment told this process, checked as a whole."""

from .config import Config
from .security import Security

__all__ = ["Config", "Security"]
