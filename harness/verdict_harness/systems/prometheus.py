"""Prometheus as the measuring instrument: its configuration, its process, and proof that it measures."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from ..processes import Pending, progress, until
from ..programs import provide
from .system import Command, Place, Process, Service, System

NAME = "prometheus"
INTERVAL = "5s"
LOOKBACK = "15s"

_TIMEOUT = 45.0  # seconds; a target is scraped within one interval of being there, a rule evaluated one later
_LOOKBACK = float(LOOKBACK.removesuffix("s"))
_UNITS = {"s": 1, "m": 60, "h": 3600}
_RANGE = re.compile(r"\[(\d+)([smh])[\]:]")
_RECORD = re.compile(r"^\s*(?:-\s*)?record:\s*[\"']?([^\s\"'#]+)", re.MULTILINE)


def service(system: System) -> Service:
    """Return the Prometheus that scrapes ``system``, evaluates its recording rules and takes remote write."""

    def command(at: Place) -> Command:
        file = at.directory / "prometheus.yml"
        # JSON is YAML; what reads it sees no difference, and we need no YAML library
        file.write_text(json.dumps(configuration(system, at), indent=2), encoding="utf-8")
        return Command(
            (
                str(provide("prometheus").path),
                f"--config.file={file}",
                f"--storage.tsdb.path={at.directory / 'data'}",
                f"--web.listen-address=127.0.0.1:{at.port('http')}",
                "--web.enable-remote-write-receiver",
                f"--query.lookback-delta={LOOKBACK}",
            )
        )

    return Service(name=NAME, ports={"http": 9090}, ready="http:/-/ready", process=Process(command))


def configuration(system: System, at: Place) -> dict[str, Any]:
    """Return the configuration: one job, named as the service, for each service that is scraped."""
    return {
        "global": {
            "scrape_interval": INTERVAL,
            # Prometheus refuses to start with a timeout above the interval, and its default is 10 s
            "scrape_timeout": INTERVAL,
            "evaluation_interval": INTERVAL,
        },
        "rule_files": [str(system.recording_rules.resolve())] if system.recording_rules else [],
        "scrape_configs": [
            {
                "job_name": one.name,
                "static_configs": [{"targets": [at.endpoint(one.name, one.scrape).address]}],
            }
            for one in system.services
            if one.scrape
        ],
    }


def recorded_names(rules: Path) -> list[str]:
    """Return the names that a rules file records, in its order."""
    return _RECORD.findall(rules.read_text(encoding="utf-8"))


def wait_until_measuring(url: str, system: System, alive: Callable[[], None]) -> None:
    """Wait until every scraped service is ``up`` in Prometheus and every recording rule was evaluated.

    Args:
        url: base URL of Prometheus.
        system: what it measures.
        alive: raises when waiting has no sense any more.

    Raises:
        WaitTimeout: says which target or rule was missing, and Prometheus' own word on it.
    """
    jobs = [one.name for one in system.services if one.scrape]
    with httpx.Client(base_url=url, timeout=2.0, trust_env=False) as client:
        if jobs:
            until(
                "Prometheus to scrape every target",
                lambda: _all_up(client, jobs),
                timeout=_TIMEOUT,
                interval=0.2,
                alive=alive,
            )
        if system.recording_rules:
            until(
                "Prometheus to evaluate every recording rule",
                lambda: _all_evaluated(client),
                timeout=_TIMEOUT,
                interval=0.2,
                alive=alive,
            )


def forget(url: str, system: System, *, ours: bool) -> None:
    """Let a Prometheus that has watched another system before forget that.

    What one of ours has is deleted.  One of others keeps what it has; then, and where the API for that is
    switched off, the longest stretch of time that a recording rule looks back is waited for.

    Args:
        url: base URL of Prometheus.
        system: what it measures from now on.
        ours: whether nobody else needs what it has.
    """
    if ours and _deleted(url):
        return
    rules = system.recording_rules.read_text(encoding="utf-8") if system.recording_rules else ""
    ranges = [int(number) * _UNITS[unit] for number, unit in _RANGE.findall(rules)]
    until_then = time.monotonic() + max(ranges, default=0) + _LOOKBACK
    while (left := until_then - time.monotonic()) > 0:
        progress.status(f"waiting {left:.0f} s, so that recording rules forget the system before")
        time.sleep(min(1.0, left))
    progress.done()


def _deleted(url: str) -> bool:
    with httpx.Client(base_url=url, timeout=30.0, trust_env=False) as client:
        try:
            answer = client.post("/api/v1/admin/tsdb/delete_series", params={"match[]": '{__name__=~".+"}'})
        except httpx.HTTPError:
            return False
    return answer.is_success


def ask(client: httpx.Client, path: str, **parameters: str) -> Any:
    """Return ``data`` of an answer of Prometheus' API.

    Raises:
        Pending: it did not answer, or not with success.
    """
    try:
        response = client.get(path, params=parameters)
    except httpx.HTTPError as error:
        raise Pending(f"{type(error).__name__}: {error}") from None
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict) or body.get("status") != "success":
        raise Pending(f"{path} answers {response.status_code} {response.text[:200]}")
    return body["data"]


def _all_up(client: httpx.Client, jobs: list[str]) -> bool:
    found = ask(client, "/api/v1/query", query="up")["result"]
    up = {one["metric"].get("job") for one in found if one["value"][1] == "1"}
    missing = [job for job in jobs if job not in up]
    if missing:
        targets = ask(client, "/api/v1/targets", state="active")["activeTargets"]
        words = {one["labels"].get("job"): one["lastError"] or "not scraped yet" for one in targets}
        seen = "; ".join(f"{job}: {words.get(job, 'no such target')}" for job in missing)
        raise Pending(seen, ", ".join(missing))
    return True


def _all_evaluated(client: httpx.Client) -> bool:
    groups = ask(client, "/api/v1/rules", type="record")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    if not rules:
        raise Pending("Prometheus knows of no recording rule")
    bad = [rule for rule in rules if rule["health"] != "ok"]
    if bad:
        raise Pending(
            "; ".join(f"{rule['name']}: {rule.get('lastError') or 'not evaluated yet'}" for rule in bad),
            f"{len(rules) - len(bad)} of {len(rules)}",
        )
    return True
