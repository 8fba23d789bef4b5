"""Grafana, asked where there is one: whether it is up, reaches a Prometheus and has the dashboard."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import yaml

from experiments.by_hand import addresses
from experiments.cluster import GRAFANA, ROOT
from verdict_harness.errors import WaitTimeout
from verdict_harness.kubernetes import ClusterDeployment, Ways, left_out
from verdict_harness.processes import Answer, Pending, ask, until, web
from verdict_harness.samples import count, number
from verdict_harness.systems import Address, Deployment, Login, login_of
from verdict_harness.verdicts import Judge, Within

T = TypeVar("T")

VARIABLE = "GRAFANA_URL"
DASHBOARD: str = json.loads((ROOT / "grafana" / "me-experiment.json").read_text())["uid"]
PATIENCE = 20.0  # seconds: what is provisioned may come when its pod is ready already
TIMEOUT = 5.0  # seconds of one question
_DEPLOYING = ("k3d", "kube")
_LOG_IN = (
    f"{VARIABLE}=http://user:password@host:port says who asks, if not the user of k8s/grafana-values.yaml"
)
_BRING = (
    "nox -s dashboard -- --push URL brings it, with --prometheus URL a data source, too (docs/grafana.md)"
)


def absent(backend: str, environment: Mapping[str, str]) -> str:
    """Return why there is no Grafana to be asked; empty if there is to be one.

    Args:
        backend: the word after ``--backend``.
        environment: where ``GRAFANA_URL`` and ``GRAFANA_CHART`` are looked up.

    Raises:
        UsageError: ``GRAFANA_URL`` can't be understood.
    """
    if backend in _DEPLOYING and not left_out(GRAFANA, environment):
        return ""
    if environment.get(VARIABLE):
        _named(environment)
        return ""
    without = "is to bring none up" if backend in _DEPLOYING else "brings none up"
    return f"the backend {backend} {without}, and {VARIABLE} is not set"


def look(deployment: Deployment, environment: Mapping[str, str]) -> dict[str, Any]:
    """Ask the Grafana that was deployed, or else the one that ``GRAFANA_URL`` names.

    Returns:
        ``lacking``: why the one that was to be deployed is not up; or ``found``, see :func:`asked`, and
        ``where``.
    """
    if not isinstance(deployment, ClusterDeployment) or left_out(GRAFANA, environment):
        given = _named(environment)
        return {"where": given, "found": asked(given)}
    if why := deployment.lacking.get(GRAFANA.release):
        return {"lacking": why}
    # an API server's proxy, the way to everything else, would keep the login to itself
    way = [one for one in addresses.ways("single") if one.name == addresses.GRAFANA]
    with (
        tempfile.TemporaryDirectory(prefix="verdict-harness-") as directory,
        Ways(deployment.kubectl, way, Path(directory)) as opened,
    ):
        if not (here := opened.addresses.get(addresses.GRAFANA)):
            return {"lacking": f"there is no Service {way[0].service} in {way[0].namespace}"}
        return {"where": f"Service {way[0].service} in {way[0].namespace}", "found": asked(f"http://{here}")}


def asked(url: str) -> dict[str, str]:
    """Ask the Grafana at ``url`` for its health, a data source and the dashboard, in this order.

    Returns:
        What was asked for, to what there was instead and what to do; to nothing if it was right. Who is not
        up is asked for nothing more.
    """
    questions: dict[str, tuple[Callable[[web.Client], object], str]] = {
        "up": (_healthy, f"start it, or correct {VARIABLE}"),
        "a Prometheus to ask": (_source, _BRING),
        f"the dashboard {DASHBOARD}": (_dashboard, _BRING),
    }
    found: dict[str, str] = {}
    with web.client(url, timeout=TIMEOUT, auth=login_of(url) or _login()) as client:
        for name, (question, todo) in questions.items():
            try:
                until(f"Grafana: {name}", partial(question, client), timeout=PATIENCE, interval=0.5)
                found[name] = ""
            except WaitTimeout as error:
                found[name] = f"{error.found}; to do: {_LOG_IN if ' answers 401 ' in error.found else todo}"
                if question is _healthy:
                    break
    return found


def _login() -> Login:
    """Return who may ask, as our own Grafana is told."""
    values = yaml.safe_load(GRAFANA.values[0].read_text(encoding="utf-8"))
    return values["adminUser"], values["adminPassword"]


def judge_found(told: Mapping[str, Any], judge: Judge) -> None:
    """Judge what :func:`look` has found; what could not be deployed can't be judged."""
    if "lacking" in told:
        judge.inconclusive(f"no Grafana is up: {told['lacking']}; GRAFANA_CHART=none does without it")
        return
    found = {
        f"{what} at {told['where']}{instead and ': '}{instead}": number(
            f"Grafana: {what}", int(not instead), at=0.0, n=1
        )
        for what, instead in told["found"].items()
    }
    judge(found, Within(1 * count, 0 * count))


def _healthy(client: web.Client) -> object:
    return _ask(client, "/api/health", lambda answer: answer.json()["database"] == "ok")


def _source(client: web.Client) -> object:
    kinds = _ask(
        client, "/api/datasources", lambda answer: {one["uid"]: one["type"] for one in answer.json()}
    )
    uid = next((uid for uid, kind in kinds.items() if kind == "prometheus"), None)
    if uid is None:
        raise Pending(
            f"of its data sources none is a prometheus: {', '.join(kinds.values()) or 'none at all'}"
        )
    return _ask(client, f"/api/datasources/uid/{uid}/health", lambda answer: answer.json()["status"] == "OK")


def _dashboard(client: web.Client) -> object:
    path = f"/api/dashboards/uid/{DASHBOARD}"
    return _ask(client, path, lambda answer: answer.json()["dashboard"]["uid"] == DASHBOARD)


def _ask(client: web.Client, path: str, pick: Callable[[Answer], T]) -> T:
    def right(answer: Answer) -> T:
        if (found := pick(answer)) is False:
            raise Pending(f"{path} answers {answer}")
        return found

    return ask(path, right, timeout=TIMEOUT, client=client)


def _named(environment: Mapping[str, str]) -> Address:
    others = "http://host:port, or https; with user:password@ if these are not admin and admin"
    return Address.told(environment[VARIABLE], VARIABLE, expected=others)
