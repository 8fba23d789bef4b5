"""Pushing the dashboard: what Grafana's API is told, and what a person is told when it refuses.

Grafana itself is not here: ``conftest.py`` has a stand-in that answers as Grafana's manual says.
"""

from __future__ import annotations

import json
import socket
from typing import Any

import httpx
import pytest

from grafana.__main__ import main
from grafana.api import Grafana, Pushed, credentials
from grafana.dashboard import FILE, text
from verdict_harness.errors import HarnessError, UsageError

DASHBOARD: Any = json.loads(text())
EDITOR = {"GRAFANA_TOKEN": "editors-token"}
VIEWER = {"GRAFANA_TOKEN": "viewers-token"}
ADMIN = {"GRAFANA_USER": "admin", "GRAFANA_PASSWORD": "secret"}


def push(stand_in: Any, environment: dict[str, str] = EDITOR, folder: str | None = None) -> Pushed:
    with Grafana(stand_in.url + stand_in.below, credentials(environment)) as grafana:
        return grafana.push(DASHBOARD, folder)


def changed(stand_in: Any) -> None:
    """Let somebody change the title in Grafana."""
    held = stand_in.dashboards["me-experiment"]
    held |= {"title": "mine", "version": held["version"] + 1}


@pytest.mark.parametrize("environment", [EDITOR, ADMIN])
def test_created_then_left_alone_then_put_right(grafana, environment):
    url = f"{grafana.url}/d/me-experiment/slug"
    assert push(grafana, environment) == Pushed("created", 1, url)
    held = grafana.dashboards["me-experiment"]
    assert held == {**DASHBOARD, "id": 7, "version": 1}
    assert push(grafana, environment) == Pushed("unchanged", 1, url)
    changed(grafana)
    assert push(grafana, environment) == Pushed("updated", 3, url)
    assert grafana.dashboards["me-experiment"] == {**DASHBOARD, "id": 7, "version": 3}
    assert grafana.messages == ["nox -s dashboard"] * 2


def test_it_stays_in_the_folder_where_somebody_put_it(grafana):
    push(grafana, folder="team")
    assert grafana.metas["me-experiment"]["folderUid"] == "team"
    changed(grafana)
    assert push(grafana).change == "updated"
    assert grafana.metas["me-experiment"]["folderUid"] == "team"
    assert push(grafana, folder="team").change == "unchanged"
    assert push(grafana, folder="").change == "updated"
    assert grafana.metas["me-experiment"]["folderUid"] == ""


def test_a_grafana_that_migrates_what_it_holds_is_updated_each_time(grafana):
    grafana.migrates = True
    assert [push(grafana).change for _ in range(3)] == ["created", "updated", "updated"]


def test_below_a_path(grafana):
    grafana.below = "/grafana"
    assert push(grafana).url == f"{grafana.url}/grafana/d/me-experiment/slug"


def refusal(stand_in: Any, *words: Any, **more: Any) -> str:
    with pytest.raises(HarnessError) as caught:
        push(stand_in, *words, **more)
    assert "editors-token" not in str(caught.value)
    return str(caught.value)


def test_somebody_else_saved_it_meanwhile(grafana):
    push(grafana)
    changed(grafana)
    grafana.race = True
    said = refusal(grafana)
    assert "412 Precondition Failed: The dashboard has been changed by someone else" in said
    assert "push again" in said
    assert grafana.dashboards["me-experiment"]["title"] == "mine"


def test_one_that_a_file_provisions_is_not_touched(grafana):
    push(grafana)
    grafana.metas["me-experiment"] |= {"provisioned": True, "provisionedExternalId": "me-experiment.json"}
    said = refusal(grafana)
    assert "provisioned from me-experiment.json" in said
    assert "ConfigMap" in said
    assert len(grafana.messages) == 1


def test_a_wrong_token(grafana):
    said = refusal(grafana, {"GRAFANA_TOKEN": "wrong-token"})
    assert "401 Unauthorized" in said
    assert "look at GRAFANA_TOKEN" in said
    assert "wrong-token" not in said


def test_a_token_that_may_not(grafana):
    said = refusal(grafana, VIEWER)
    assert "403 Forbidden: You'll need additional permissions" in said
    assert "Editor" in said


def test_a_folder_that_is_not_there(grafana):
    assert "400 Bad Request: folder not found" in refusal(grafana, folder="nowhere")


@pytest.mark.parametrize(
    ("instead", "words"),
    [
        ((200, "<html>hello</html>", {}), "200 OK: <html>hello</html>"),
        ((200, "[1, 2]", {}), "200 OK: [1, 2]"),
        ((404, "no such page", {}), "404 Not Found: no such page"),
        ((302, "", {"location": "/login"}), "302 Found: a redirect to /login"),
        ((502, "bad gateway", {}), "502 Bad Gateway: bad gateway"),
    ],
)
def test_what_is_no_grafana(grafana, instead, words):
    grafana.instead = instead
    said = refusal(grafana)
    assert words in said
    assert "is this a Grafana?" in said


def test_json_that_is_not_grafanas(grafana):
    grafana.instead = (200, '{"status": "fine"}', {})
    said = refusal(grafana)
    assert "no 'dashboard' in" in said
    assert '"status": "fine"' in said


def test_an_error_of_grafanas_own(grafana):
    grafana.instead = (500, '{"message": "database is locked"}', {})
    assert "500 Internal Server Error: database is locked" in refusal(grafana)


def test_nobody_answers(grafana):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        grafana.url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    said = refusal(grafana)
    assert "Grafana does not answer" in said
    assert grafana.url in said


@pytest.mark.parametrize(
    "url", ["grafana:3000", "ftp://grafana", "http://", "http://admin:geheim@grafana", "http://h:port", ""]
)
def test_what_is_no_url(url):
    with pytest.raises(UsageError) as caught:
        Grafana(url, httpx.BasicAuth("a", "b"))
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("environment", [{}, {"GRAFANA_USER": "admin"}, {"GRAFANA_TOKEN": ""}])
def test_nobody_said_who_pushes(environment):
    with pytest.raises(UsageError, match="who pushes"):
        credentials(environment)


def test_a_data_source_is_made_and_follows_prometheus(grafana):
    with Grafana(grafana.url, credentials(ADMIN)) as pushing:
        assert pushing.use_prometheus("http://127.0.0.1:1") == "me-experiment"
        made = dict(grafana.sources["me-experiment"])
        assert made["url"] == "http://127.0.0.1:1"
        assert made["jsonData"]["timeInterval"] == "5s"
        pushing.use_prometheus("http://127.0.0.1:2")
    assert grafana.sources["me-experiment"] == {**made, "url": "http://127.0.0.1:2"}


def test_an_editor_may_not_make_a_data_source(grafana):
    with Grafana(grafana.url, credentials(EDITOR)) as pushing, pytest.raises(HarnessError) as caught:
        pushing.use_prometheus("http://127.0.0.1:1")
    assert "Admin data sources too" in str(caught.value)


@pytest.fixture
def env(monkeypatch):
    for name in (*EDITOR, *ADMIN):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_the_command_pushes(grafana, env, capsys):
    for name, value in ADMIN.items():
        env.setenv(name, value)
    assert main(["--push", grafana.url, "--prometheus", "http://127.0.0.1:9090"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Matching Engine Experiment: created, version 1",
        f"{grafana.url}/d/me-experiment/slug?var-datasource=me-experiment",
    ]


@pytest.mark.usefixtures("env")
def test_the_command_says_what_is_wrong_and_fails(grafana, capsys):
    assert main(["--push", grafana.url]) == 1
    assert "GRAFANA_TOKEN, or GRAFANA_USER and GRAFANA_PASSWORD" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["--folder", "team"])


def test_the_command_writes_the_file(env, capsys, tmp_path):
    env.setattr("grafana.__main__.FILE", tmp_path / FILE.name)
    assert main([]) == 0
    assert (tmp_path / FILE.name).read_text() == FILE.read_text()
    assert "written anew" in capsys.readouterr().out
    assert main([]) == 0
    assert "as it was" in capsys.readouterr().out
