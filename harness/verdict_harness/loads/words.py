"""k6's command line and environment, the same wherever it runs."""

from __future__ import annotations

from pathlib import PurePath

from ..systems import RAW, SUMMARY, Brief
from .raw import TREND

#: The execution state in which set-up is over and iterations begin, as k6's REST API has it.
RUNNING = 7

_STATS = ",".join((*TREND, "count"))
_PUSH_INTERVAL = "2s"


def arguments(
    brief: Brief, *, program: str, script: PurePath, address: str, directory: PurePath
) -> tuple[str, ...]:
    """Return the command line.

    Args:
        brief: what k6 is to do.
        program: k6, as it is called there.
        script: the script there.
        address: ``host:port`` for its REST API.
        directory: where it writes there.
    """
    variables = [word for key, value in brief.env.items() for word in ("--env", f"{key}={value}")]
    return (
        program,
        "run",
        "--quiet",
        "--no-color",
        "--no-usage-report",
        f"--address={address}",
        "--out=experimental-prometheus-rw",
        f"--out=csv={directory / RAW}",
        f"--summary-export={directory / SUMMARY}",
        "--summary-mode=full",
        f"--summary-trend-stats={_STATS}",
        f"--tag=testid={brief.testid}",
        *variables,
        str(script),
    )


def environment(prometheus: str) -> dict[str, str]:
    """Return the variables for a k6 that hands its samples to the Prometheus at this base URL."""
    return {
        "K6_PROMETHEUS_RW_SERVER_URL": f"{prometheus}/api/v1/write",
        "K6_PROMETHEUS_RW_TREND_AS_NATIVE_HISTOGRAM": "true",
        "K6_PROMETHEUS_RW_STALE_MARKERS": "true",
        "K6_PROMETHEUS_RW_PUSH_INTERVAL": _PUSH_INTERVAL,
        "K6_CSV_TIME_FORMAT": "unix_micro",
    }
