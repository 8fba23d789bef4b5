"""Prometheus as the measuring instrument: its configuration, its process, and proof that it measures."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Callable
from typing import Any, TypeVar

from ..processes import Answer, Pending, ask, progress, until, web
from ..programs import provide
from .recorded import expressions, look_back
from .system import Command, Place, Process, Service, System

T = TypeVar("T")

NAME = "prometheus"
INTERVAL = "5s"
LOOKBACK = "15s"

_TIMEOUT = 90.0  # seconds; a target is scraped within one interval of being there, a rule evaluated one later
_LOOKBACK = float(LOOKBACK.removesuffix("s"))


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

    return Service(name=NAME, ports={"http": 9090}, ready="http:/-/ready Ready.", process=Process(command))


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


def wait_until_measuring(url: str, system: System, alive: Callable[[], None]) -> None:
    """Wait until every scraped service is ``up`` in Prometheus and every recording rule was evaluated.

    Args:
        url: base URL of Prometheus.
        system: what it measures.
        alive: raises when waiting has no sense any more.

    Raises:
        WaitTimeout: says which target or rule was missing, and Prometheus' own word on it.
    """
    names = [one.name for one in system.services if one.scrape]
    with web.client(url) as client:
        if names:
            until(
                "Prometheus to scrape every target",
                lambda: _all_up(client, names),
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


def wait_until_scraped(url: str, *metrics: str) -> None:
    """Wait until whatever has these metrics was scraped once more, each of its targets.

    Raises:
        WaitTimeout: says which was not.
    """
    with web.client(url) as client:

        def now() -> float:  # by Prometheus' clock: a scrape before is older, whatever ours says
            return query(client, "/api/v1/query", lambda data: float(data["result"][1]), query="time()")

        def all_since() -> bool:
            for metric in metrics:
                oldest = f"min(timestamp({metric}))"
                at = query(
                    client, "/api/v1/query", lambda data: float(data["result"][0]["value"][1]), query=oldest
                )
                if at <= since:
                    raise Pending(f"a {metric} was last scraped {since - at:.1f} s before that", metric)
            return True

        since = until("Prometheus to tell the time", now, timeout=_TIMEOUT)
        until("Prometheus to scrape once more", all_since, timeout=_TIMEOUT, interval=0.2)


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
    rules = expressions(system.recording_rules) if system.recording_rules else {}
    with web.client(url) as client:
        until_then = time.monotonic() + look_back(client, rules) + _LOOKBACK
    while (left := until_then - time.monotonic()) > 0:
        progress.status(f"waiting {left:.0f} s, so that recording rules forget the system before")
        time.sleep(min(1.0, left))
    progress.done()


def _deleted(url: str) -> bool:
    with web.client(url, timeout=30.0) as client:
        try:
            answer = client.post("/api/v1/admin/tsdb/delete_series", params={"match[]": '{__name__=~".+"}'})
        except web.HttpError:
            return False
    return answer.is_success


def query(client: web.Client, path: str, pick: Callable[[Any], T], **parameters: str) -> T:
    """Return what ``pick`` finds in ``data`` of an answer of Prometheus' API.

    Raises:
        Pending: it did not answer, or not with success, or ``pick`` stumbles over it.
    """

    def read(answer: Answer) -> T:
        body = answer.json()
        if body["status"] != "success":
            raise Pending(f"{path} answers {answer}")
        return pick(body["data"])

    return ask(path, read, params=parameters, client=client)


def unix(text: str) -> float:
    """Return the unix seconds of a time as Prometheus writes it.

    >>> unix("1970-01-01T00:01:00.123456789Z"), unix("0001-01-01T00:00:00Z") < 0
    (60.123456, True)

    Raises:
        ValueError: it is no such time.
    """
    return dt.datetime.fromisoformat(text).timestamp()


def _all_up(client: web.Client, names: list[str]) -> bool:
    def named(labels: dict[str, str]) -> str | None:
        return labels.get("service", labels.get("job"))

    def up(data: Any) -> set[str | None]:
        return {named(one["metric"]) for one in data["result"] if one["value"][1] == "1"}

    def words(data: Any) -> dict[str | None, str]:
        return {named(one["labels"]): one["lastError"] or "not scraped yet" for one in data["activeTargets"]}

    there = query(client, "/api/v1/query", up, query="up")
    if missing := [name for name in names if name not in there]:
        said = query(client, "/api/v1/targets", words, state="active")
        seen = "; ".join(f"{name}: {said.get(name, 'no such target')}" for name in missing)
        raise Pending(seen, ", ".join(missing))
    return True


def _all_evaluated(client: web.Client) -> bool:
    def states(data: Any) -> list[tuple[str, str]]:
        """Return each rule's name, and what keeps it from being evaluated."""
        return [
            (rule["name"], "" if rule["health"] == "ok" else rule.get("lastError") or "not evaluated yet")
            for group in data["groups"]
            for rule in group["rules"]
        ]

    rules = query(client, "/api/v1/rules", states, type="record")
    if not rules:
        raise Pending("Prometheus knows of no recording rule")
    if bad := [f"{name}: {why}" for name, why in rules if why]:
        raise Pending("; ".join(bad), f"{len(rules) - len(bad)} of {len(rules)}")
    return True
