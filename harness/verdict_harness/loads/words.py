"""k6's command line and environment, the same wherever it runs."""

from __future__ import annotations

from pathlib import PurePath
from urllib.parse import unquote, urlsplit

from ..systems import RAW, SUMMARY, Brief
from .raw import TREND

#: The execution state in which set-up is over and iterations begin, as k6's REST API has it.
RUNNING = 7

_STATS = ",".join((*TREND, "count"))
_PUSH_INTERVAL = "2s"
# k6's own, and the two by which every sample tells the iteration that it is of; these are in no time series
_TAGS = (
    "proto,subproto,status,method,url,name,group,check,error,error_code,tls_version,scenario,service,"
    "expected_response,vu,iter"
)


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
        "--out=csv",
        f"--summary-export={directory / SUMMARY}",
        "--summary-mode=full",
        f"--summary-trend-stats={_STATS}",
        f"--system-tags={_TAGS}",
        f"--tag=testid={brief.testid}",
        *variables,
        str(script),
    )


def environment(prometheus: str, directory: PurePath) -> dict[str, str]:
    """Return the variables for a k6 that hands its samples over.

    Args:
        prometheus: base URL of the Prometheus that takes them.
        directory: where it writes them, too. Not on the command line, where a path may hold neither ``=``
            nor a comma.
    """
    url = urlsplit(prometheus)
    anonymous = url._replace(netloc=url.netloc.rpartition("@")[2]).geturl()
    told = {
        "K6_PROMETHEUS_RW_SERVER_URL": f"{anonymous}/api/v1/write",
        "K6_PROMETHEUS_RW_TREND_AS_NATIVE_HISTOGRAM": "true",
        "K6_PROMETHEUS_RW_STALE_MARKERS": "true",
        "K6_PROMETHEUS_RW_PUSH_INTERVAL": _PUSH_INTERVAL,
        "K6_CSV_TIME_FORMAT": "unix_micro",
        "K6_CSV_FILENAME": str(directory / RAW),
    }
    if url.username:
        told["K6_PROMETHEUS_RW_USERNAME"] = unquote(url.username)
        told["K6_PROMETHEUS_RW_PASSWORD"] = unquote(url.password or "")
    return told
