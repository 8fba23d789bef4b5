"""What was asked of a backend beyond its name."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked of a backend beyond its name.

    Attributes:
        reuse: use what an earlier run left up.
        context: which cluster; empty for the current one.
        namespace: where services go; empty for where their manifests say.
        overlay: which manifests; ``None`` for those that the system names.
        environment: where variables are looked up.
    """

    reuse: bool = False
    context: str = ""
    namespace: str = ""
    overlay: Path | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)

    @classmethod
    def read(cls, ask: Callable[[str], Any], directory: Path) -> Options:
        """Return the options that ``ask``, given a name, knows; paths are relative to ``directory``."""
        overlay = ask("overlay")
        return cls(
            reuse=bool(ask("reuse")),
            context=ask("context") or "",
            namespace=ask("namespace") or "",
            overlay=(directory / overlay).resolve() if overlay else None,
        )
