"""k6's command line and environment, the same wherever it runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from types import MappingProxyType

from ..errors import UsageError
from ..processes import web
from ..systems import RAW, SUMMARY, Address, Brief, login_of
from .raw import TREND

#: The execution state in which set-up is over and iterations begin, as k6's REST API has it.
RUNNING = 7

_STATS = ",".join((*TREND, "count"))
_PUSH_INTERVAL = "2s"
_BEARER = "Bearer "
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


def environment(
    prometheus: str, directory: PurePath, given: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    """Return the variables for a k6 that hands its samples over.

    Args:
        prometheus: base URL of the Prometheus that takes them.
        directory: where it writes them, too. Not on the command line, where a path may hold neither ``=``
            nor a comma.
        given: the caller's environment, of which only that is kept which says whose certificates count, and
            only where Prometheus has one.

    Raises:
        UsageError: Prometheus wants a header that k6 can't send.
    """
    told = {
        "K6_PROMETHEUS_RW_SERVER_URL": f"{Address.of(prometheus)}/api/v1/write",
        "K6_PROMETHEUS_RW_TREND_AS_NATIVE_HISTOGRAM": "true",
        "K6_PROMETHEUS_RW_STALE_MARKERS": "true",
        "K6_PROMETHEUS_RW_PUSH_INTERVAL": _PUSH_INTERVAL,
        "K6_CSV_TIME_FORMAT": "unix_micro",
        "K6_CSV_FILENAME": str(directory / RAW),
    }
    if login := login_of(prometheus):
        told["K6_PROMETHEUS_RW_USERNAME"], told["K6_PROMETHEUS_RW_PASSWORD"] = login
    told |= _headers(getattr(prometheus, "headers", {}))
    if prometheus.startswith("https:"):
        told |= {name: given[name] for name in web.CERTIFICATES if given.get(name)}
    return told


def _headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that have k6 send headers; it separates them by commas, and quotes none."""
    told = {}
    others = []
    for name, value in headers.items():
        if name.lower() == "authorization" and value.startswith(_BEARER):
            told["K6_PROMETHEUS_RW_BEARER_TOKEN"] = value.removeprefix(_BEARER)
        elif "," in value:
            raise UsageError(
                f"k6 can't send the header {name} to Prometheus",
                expected="a value without a comma: k6 separates headers by commas",
                found="one in it",
            )
        else:
            others.append(f"{name}:{value}")
    if others:
        told["K6_PROMETHEUS_RW_HTTP_HEADERS"] = ",".join(others)
    return told
