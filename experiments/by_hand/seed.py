"""Rest orders in the books of an exchange that is up: ``k6/seed-orderbooks.js`` with what was asked for."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from verdict_harness.programs import provide

from ..cluster import ROOT

SCRIPT = ROOT / "k6" / "seed-orderbooks.js"


def variables(mode: str, depth: int, levels: int, up: Mapping[str, Any]) -> dict[str, str]:
    """Return what the script is told: where ``up`` says, unless whoever asks has set the variable.

    >>> variables("single", 500, 50, {"addresses": {"me-shard-a": "localhost:8080"}})["ME_SHARD_A_URL"]
    'http://localhost:8080'
    """
    there = up.get("addresses", {})
    targets = {"ME_SHARD_A_URL": "me-shard-a", "GATEWAY_URL": "edge-gateway"}
    return {
        "SEED_MODE": mode,
        "SEED_DEPTH": str(depth),
        "SEED_LEVELS": str(levels),
        **{name: f"http://{there[service]}" for name, service in targets.items() if service in there},
        **{name: os.environ[name] for name in targets if os.environ.get(name)},
    }


def seed(told: Mapping[str, str], script: Path = SCRIPT) -> int:
    """Run the script; return k6's exit status, 0 if every order rests."""
    command = [str(provide("k6").path), "run", "--no-usage-report", "--address", "", "--quiet", str(script)]
    return subprocess.run(command, env={**os.environ, **told}, check=False).returncode
