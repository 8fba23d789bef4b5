"""Waiting for what covers the end of a load: a scrape of every target, then an evaluation of every rule."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from typing import Any

from ..errors import WaitTimeout
from ..processes import Pending, until, web
from .prometheus import query, unix
from .recorded import seconds

_OFTEN = 30.0  # seconds: what is scraped or evaluated less often is no part of what is measured here
_TRIES = 2  # failed scrapes after which a target is taken to be down
_PATIENCE = 20.0  # seconds: more than three intervals of the usual 5 s, and the time-out of a scrape


def wait_until_covered(url: str, moment: float, rules: Collection[str]) -> str:
    """Wait until Prometheus has scraped every target after ``moment``, and then evaluated ``rules``.

    A target that does not answer is tried again, since one that was only slow has yet to tell of the end.

    Args:
        url: base URL of Prometheus.
        moment: unix seconds, the end of a load.
        rules: names of recording rules.

    Returns:
        What was waited for in vain; empty if all came. Whether it matters, the samples themselves tell.
    """
    with web.client(url) as client:
        try:
            until(
                "a scrape after the load's end",
                lambda: _scraped(client, moment),
                timeout=_PATIENCE,
                interval=0.2,
            )
            after = time.time()
            if rules:
                until(
                    "the recording rules to be evaluated after that",
                    lambda: _evaluated(client, after, rules),
                    timeout=_PATIENCE,
                    interval=0.2,
                )
        except WaitTimeout as error:
            return f"{error.what}: {error.found}"
    return ""


def _scraped(client: web.Client, moment: float) -> bool:
    targets = query(client, "/api/v1/targets", lambda data: data["activeTargets"], state="active")
    waiting = [target for target in targets if not _covered(target, moment)]
    if waiting:
        words = [f"{_name(one)}: {one.get('lastError') or 'not scraped yet'}" for one in waiting]
        raise Pending("; ".join(words), ", ".join(_name(one) for one in waiting))
    return True


def _covered(target: Mapping[str, Any], moment: float) -> bool:
    interval = seconds(target.get("scrapeInterval", "5s"))
    if interval > _OFTEN:
        return True
    since = unix(target["lastScrape"]) - moment
    return since >= 0 if target.get("health") == "up" else since >= _TRIES * interval


def _evaluated(client: web.Client, after: float, rules: Collection[str]) -> bool:
    groups = query(client, "/api/v1/rules", lambda data: data["groups"], type="record")
    waiting = [
        group["name"]
        for group in groups
        if float(group.get("interval", 0)) <= _OFTEN
        and any(rule["name"] in rules for rule in group["rules"])
        and unix(group["lastEvaluation"]) < after
    ]
    if waiting:
        raise Pending(f"not evaluated since: {', '.join(waiting)}", ", ".join(waiting))
    return True


def _name(target: Mapping[str, Any]) -> str:
    labels = target.get("labels", {})
    return f"{labels.get('job', '?')} at {labels.get('instance', '?')}"
