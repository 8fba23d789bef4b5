"""Puts the dashboard into a Grafana that runs, through its HTTP API.

The endpoints below ``/api`` are those that Grafana 10 to 13 have in common; ``/apis`` came with 12.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from verdict_harness.errors import HarnessError, UsageError
from verdict_harness.processes import web

from .parts import STEP

SOURCE = "me-experiment"  # uid of the data source that push can make
_TIMEOUT = 15.0  # seconds
_ANSWER = 300  # characters of an answer that are shown


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of a dashboard.

    Attributes:
        change: ``"created"``, ``"updated"`` or ``"unchanged"``.
        version: Grafana's number of it, one more with each change.
        url: where a browser finds it.
    """

    change: str
    version: int
    url: str


def credentials(environment: Mapping[str, str]) -> web.Auth:
    """Return how to log in: by GRAFANA_TOKEN, a service account's, or GRAFANA_USER and GRAFANA_PASSWORD.

    Raises:
        UsageError: neither is there.
    """
    if token := environment.get("GRAFANA_TOKEN"):
        return _Bearer(token)
    user, password = environment.get("GRAFANA_USER"), environment.get("GRAFANA_PASSWORD")
    if user and password:
        return web.BasicAuth(user, password)
    raise UsageError(
        "Grafana wants to know who pushes",
        expected="GRAFANA_TOKEN, or GRAFANA_USER and GRAFANA_PASSWORD",
        found=", ".join(name for name in environment if name.startswith("GRAFANA_")) or "none of them",
        todo="make a service account with the role Editor in Grafana, and a token for it",
    )


class _Bearer(web.Auth):
    def __init__(self, token: str) -> None:
        self._header = f"Bearer {token}"

    def auth_flow(self, request: web.Request) -> Any:
        request.headers["Authorization"] = self._header
        yield request


class Grafana:
    """A Grafana that runs. A context manager.

    Args:
        url: where it answers, a path below which it is served included.
        auth: as :func:`credentials` returns it.

    Raises:
        UsageError: ``url`` is none, or holds a password.
    """

    def __init__(self, url: str, auth: web.Auth) -> None:
        try:
            self._url = web.Url(url)
        except web.InvalidUrl as error:
            raise UsageError("that is no URL", expected="http://host:port", found=str(error)) from error
        if self._url.scheme not in ("http", "https") or not self._url.host or self._url.userinfo:
            raise UsageError(
                "that is no URL of a Grafana",
                expected="http://host:port or https://host, without user and password",
                found=str(self._url.copy_with(userinfo=b"")),
            )
        self._client = web.client(url, timeout=_TIMEOUT, auth=auth)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._client.close()

    def push(self, dashboard: Mapping[str, Any], folder: str | None = None) -> Pushed:
        """Create the dashboard or replace the one with its uid; Grafana keeps the old one as a version.

        Args:
            dashboard: Grafana's JSON model, with a uid.
            folder: uid of the folder to put it in; where it is by default, and at the top if it is new.

        Raises:
            HarnessError: Grafana does not answer, refuses it, or provisions it from a file.
        """
        uid = dashboard["uid"]
        there = self._ask("GET", f"/api/dashboards/uid/{uid}", needed=("dashboard", "meta"), missing=True)
        sent: dict[str, Any] = {"dashboard": {**dashboard, "id": None}, "overwrite": False}
        if there is not None:
            meta, old = there["meta"], there["dashboard"]
            if meta.get("provisioned"):
                raise HarnessError(
                    "Grafana has that dashboard from a file, and lets nobody else change it",
                    expected=f"no {uid}, or one that was pushed",
                    found=f"one that is provisioned from {meta.get('provisionedExternalId') or 'a file'}",
                    where=str(self._url),
                    todo="change what provisions it (in Kubernetes its ConfigMap), or end that first",
                )
            moved = folder is not None and folder != meta.get("folderUid", "")
            if not moved and {**old, "id": 0, "version": 0} == {**dashboard, "id": 0, "version": 0}:
                return Pushed("unchanged", old["version"], self._page(meta["url"]))
            # Naming the version that we saw makes Grafana refuse if somebody else saved one meanwhile.
            sent["dashboard"] |= {"id": old.get("id"), "version": old["version"]}
            folder = meta.get("folderUid") if folder is None else folder
        if folder:
            sent["folderUid"] = folder
        body = {**sent, "message": "nox -s dashboard"}
        saved = self._ask("POST", "/api/dashboards/db", body, needed=("url", "version"))
        return Pushed("created" if there is None else "updated", saved["version"], self._page(saved["url"]))

    def use_prometheus(self, url: str) -> str:
        """Make the data source ``me-experiment`` ask the Prometheus at ``url``; return its uid.

        Raises:
            HarnessError: Grafana does not answer or refuses it. It takes an administrator.
        """
        there = self._ask("GET", f"/api/datasources/uid/{SOURCE}", missing=True)
        source = {
            "name": "Matching Engine Experiment",
            "type": "prometheus",
            "uid": SOURCE,
            "access": "proxy",
            "url": url,
            "jsonData": {"httpMethod": "POST", "prometheusType": "Prometheus", "timeInterval": STEP},
        }
        if there is None:
            self._ask("POST", "/api/datasources", source)
        else:
            self._ask("PUT", f"/api/datasources/uid/{SOURCE}", {**there, **source})
        return SOURCE

    def _page(self, path: str) -> str:
        return str(self._url.join(path))

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        needed: tuple[str, ...] = (),
        missing: bool = False,
    ) -> Any:
        """Return the answer's JSON object; ``None`` for 404 if ``missing``: then it is an answer too."""
        try:
            answer = self._client.request(method, path, json=body)
        except web.HttpError as error:
            raise HarnessError(
                "Grafana does not answer",
                expected=f"an answer within {_TIMEOUT:g} s",
                found=f"{type(error).__name__}: {error}",
                where=str(self._url),
            ) from error
        said = _json(answer)
        if answer.is_success and said:
            if lacking := sorted(set(needed) - said.keys()):
                raise HarnessError(
                    "that is not what Grafana answers",
                    expected=f"JSON with {', '.join(needed)}",
                    found=f"no {lacking[0]!r} in {answer.text[:_ANSWER]}",
                    where=f"{method} {answer.url}",
                )
            return said
        if missing and answer.status_code == web.status.NOT_FOUND and said:
            return None
        shown = said.get("message", said) if said else answer.text[:_ANSWER]
        if location := answer.headers.get("location"):
            shown = f"a redirect to {location}"
        raise HarnessError(
            f"Grafana refused to {'save' if body else 'show'} that",
            expected="200 and JSON",
            found=f"{answer.status_code} {answer.reason_phrase}: {shown}",
            where=f"{method} {answer.url}",
            todo=_todo(answer, said),
        )


def _json(answer: web.Response) -> dict[str, Any]:
    """Return the object that was answered; an empty one if that was none."""
    try:
        said = answer.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _todo(answer: web.Response, said: dict[str, Any]) -> str:
    if not said:
        return "is this a Grafana? give the URL below which its /api is"
    if said.get("status") == "version-mismatch":
        return "somebody saved it at the same time: look at what they did, then push again"
    return {
        web.status.UNAUTHORIZED: "look at GRAFANA_TOKEN, or GRAFANA_USER and GRAFANA_PASSWORD",
        web.status.FORBIDDEN: "the role Editor may save dashboards, Admin data sources too",
    }.get(web.status(answer.status_code), "")
