"""A stand-in for Grafana: the part of its HTTP API that pushing needs, as its manual describes it."""

from __future__ import annotations

import base64
import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

BASIC = "Basic " + base64.b64encode(b"admin:secret").decode()
ROLES = {"Bearer editors-token": "Editor", "Bearer viewers-token": "Viewer", BASIC: "Admin"}
MAY = {"dashboards": ("Editor", "Admin"), "datasources": ("Admin",)}


@dataclass
class StandIn:
    """What it holds, and how it behaves.

    Attributes:
        below: path below which it is served.
        migrates: whether it shows dashboards in its own schema, as Grafana 12 does.
        race: somebody else saves the dashboard whenever it was read.
        instead: an answer to everything: status, body, and headers.
    """

    below: str = ""
    dashboards: dict[str, dict[str, Any]] = field(default_factory=dict)
    metas: dict[str, dict[str, Any]] = field(default_factory=dict)
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    folders: tuple[str, ...] = ("team",)
    migrates: bool = False
    race: bool = False
    instead: tuple[int, str, dict[str, str]] | None = None
    messages: list[str] = field(default_factory=list)
    url: str = ""

    def answer(self, method: str, path: str, login: str | None, body: Any) -> tuple[int, Any]:  # noqa: PLR0911
        if login not in ROLES:
            return 401, {"message": "Unauthorized", "messageId": "api-key.invalid", "statusCode": 401}
        match (method, *path.removeprefix(self.below).strip("/").split("/")):
            case ("GET", "api", "dashboards", "uid", uid):
                return self.dashboard(uid)
            case (_, "api", kind, *_) if method != "GET" and ROLES[login] not in MAY[kind]:
                return 403, {"message": f"You'll need additional permissions: {kind}:write"}
            case ("POST", "api", "dashboards", "db"):
                return self.save(body)
            case ("GET", "api", "datasources", "uid", uid):
                return (200, self.sources[uid]) if uid in self.sources else (404, {"message": "not found"})
            case ("POST", "api", "datasources"):
                if body["uid"] in self.sources:
                    return 409, {"message": "data source with the same uid already exists"}
                self.sources[body["uid"]] = {**body, "id": len(self.sources) + 1, "readOnly": False}
                return 200, {"datasource": self.sources[body["uid"]], "message": "Datasource added"}
            case ("PUT", "api", "datasources", "uid", uid):
                if self.sources[uid]["readOnly"]:
                    return 403, {"message": "Cannot update read-only data source"}
                self.sources[uid] = body
                return 200, {"datasource": body, "message": "Datasource updated"}
        return 404, {"message": "Not found"}

    def dashboard(self, uid: str) -> tuple[int, Any]:
        if uid not in self.dashboards:
            return 404, {"message": "Dashboard not found"}
        shown = {**self.dashboards[uid], **({"schemaVersion": 42} if self.migrates else {})}
        if self.race:
            self.dashboards[uid]["version"] += 1
        return 200, {"dashboard": shown, "meta": self.metas[uid]}

    def save(self, body: Any) -> tuple[int, Any]:
        given = body["dashboard"]
        if not given.get("title"):
            return 400, {"message": "Dashboard title cannot be empty", "status": "empty-name"}
        if body.get("folderUid", "") not in ("", *self.folders):
            return 400, {"message": "folder not found"}
        uid = given["uid"]
        old = self.dashboards.get(uid)
        if old is not None:
            if self.metas[uid]["provisioned"]:
                return 400, {"message": "Cannot save provisioned dashboard"}
            if given.get("id") not in (None, old["id"]):
                return 412, {"message": "A dashboard with the same uid exists", "status": "name-exists"}
            if given.get("version") != old["version"] and not body.get("overwrite"):
                text = "The dashboard has been changed by someone else"
                return 412, {"message": text, "status": "version-mismatch"}
        version = old["version"] + 1 if old else 1
        self.dashboards[uid] = {**given, "id": old["id"] if old else 7, "version": version}
        self.messages.append(body["message"])
        self.metas[uid] = {
            "url": f"{self.below}/d/{uid}/slug",
            "folderUid": body.get("folderUid", ""),  # whoever leaves it out moves the dashboard to the top
            "provisioned": False,
            "provisionedExternalId": "",
        }
        saved = {"id": 7, "uid": uid, "url": self.metas[uid]["url"], "status": "success", "version": version}
        return 200, saved


@pytest.fixture
def grafana() -> Iterator[StandIn]:
    """A stand-in that answers on this machine."""
    held = StandIn()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("content-length", 0))
            body = json.loads(self.rfile.read(length)) if length else None
            headers: dict[str, str] = {}
            if held.instead:
                status, text, headers = held.instead
            else:
                status, said = held.answer(self.command, self.path, self.headers["authorization"], body)
                text, headers = json.dumps(said), {"content-type": "application/json"}
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_POST = do_PUT = do_GET  # noqa: N815 - http.server looks for these names

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        held.url = f"http://127.0.0.1:{server.server_port}"
        yield held
        server.shutdown()
        thread.join()
