"""Files of raw samples as k6 leaves them, made up."""

from __future__ import annotations

import gzip
from pathlib import Path

HEADER = (
    "metric_name,timestamp,metric_value,check,error,error_code,expected_response,group,method,name,proto,scenario,"
    "service,status,subproto,tls_version,url,extra_tags,metadata"
)


def row(  # noqa: PLR0917
    metric: str,
    at: float,
    value: float,
    name: str = "order",
    group: str = "",
    status: str = "200",
    error: str = "",
    extra: str = "",
    metadata: str = "",
) -> str:
    begin = f"{metric},{at * 1e6:.0f},{value},,{error},,true,{group},POST,{name}"
    return f"{begin},HTTP/1.1,s,,{status},,,{name},{extra},{metadata}"


def request(at: float, ms: float, **more: str) -> list[str]:
    """The rows of one request that ended at ``at``, unix seconds."""
    failed = float(more.get("status", "200") != "200")
    return [
        row("http_reqs", at, 1, **more),
        row("http_req_duration", at, ms, **more),
        row("http_req_waiting", at, ms, **more),
        row("http_req_failed", at, failed, **more),
    ]


def written(at: Path, lines: list[str]) -> Path:
    """Write them into the directory ``at``, under the name that k6's file has."""
    path = at / "raw.csv.gz"
    path.write_bytes(gzip.compress("\n".join([HEADER, *lines, ""]).encode()))
    return path
