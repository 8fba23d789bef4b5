"""Jars from a Maven repository of the test's own, on loopback: fetched, checked, kept, refused."""

from __future__ import annotations

import gc
import hashlib
import socket
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from verdict_harness.errors import ProgramError
from verdict_harness.processes import Cancelled
from verdict_harness.programs import maven
from verdict_harness.programs.model import Making, Program
from verdict_harness.programs.task import Task

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# jgo does not close the answers that it does not read to their end
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

JARS = {f"org.example:part{n}:1.{n}": f"content of jar {n}".encode() * 5000 for n in range(8)}


class Repository:
    """What is served, and what was asked for."""

    def __init__(self) -> None:
        self.files = {_url_path(coordinate): content for coordinate, content in JARS.items()}
        self.asked: list[str] = []
        self.cut: set[str] = set()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.endswith(".sha1"):
                    self.send_error(404)
                    return
                owner.asked.append(self.path)
                content = owner.files.get(self.path)
                if content is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.path in owner.cut:
                    content = content[: len(content) // 2]
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _url_path(coordinate: str) -> str:
    group, artifact, version = coordinate.split(":")
    return f"/{group.replace('.', '/')}/{artifact}/{version}/{artifact}-{version}.jar"


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    it = Repository()
    thread = threading.Thread(target=it.server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("VERDICT_HARNESS_MAVEN", it.url + "/")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield it
    it.server.shutdown()
    thread.join()
    it.server.server_close()


@pytest.fixture
def making(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Making]:
    monkeypatch.setattr(maven, "PINS", tmp_path)
    lines = [
        f"{name} {hashlib.sha256(content).hexdigest()} {len(content)}\n" for name, content in JARS.items()
    ]
    (tmp_path / "test.lock").write_text("# a comment\n\n" + "".join(lines))
    for name in ("made", "temporary", "work"):
        (tmp_path / name).mkdir()

    def provide(name: str) -> Program:
        raise AssertionError(f"{name} is not needed")

    yield Making(tmp_path / "made", tmp_path / "temporary", tmp_path / "work", Task("kafka"), provide)
    gc.collect()  # of what jgo left open, here and not in another test


def stored(making: Making, coordinate: str) -> Path:
    return making.work / "maven" / _url_path(coordinate)[1:]


def test_every_jar_of_the_lock_arrives(repository: Repository, making: Making) -> None:
    maven.install(making, "test.lock")
    assert sorted(repository.asked) == sorted(map(_url_path, JARS))
    made = {path.name: path.read_bytes() for path in (making.directory / "lib").iterdir()}
    assert made == {_url_path(name).rsplit("/", 1)[1]: content for name, content in JARS.items()}
    assert "8 of 8 jars" in making.task.line()


def test_what_an_interrupted_try_fetched_is_not_fetched_again(repository: Repository, making: Making) -> None:
    whole, half, *others = JARS
    for name, content in ((whole, JARS[whole]), (half, JARS[half][:100])):
        path = stored(making, name)
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    maven.install(making, "test.lock")
    assert sorted(repository.asked) == sorted(map(_url_path, [half, *others]))
    assert (making.directory / "lib" / stored(making, half).name).read_bytes() == JARS[half]


def test_other_content_than_pinned_is_refused_and_not_kept(repository: Repository, making: Making) -> None:
    name, *_ = JARS
    repository.files[_url_path(name)] = b"something else"
    with pytest.raises(ProgramError) as caught:
        maven.install(making, "test.lock")
    error = caught.value
    assert "part0-1.0.jar" in error.what
    assert sha256(JARS[name]) in error.expected
    assert sha256(b"something else") in error.found
    assert name in error.where
    assert repository.url in error.where
    assert error.todo
    assert not stored(making, name).exists()
    assert not (making.directory / "lib").exists()


def test_a_jar_that_is_not_there_says_where_it_was_looked_for(repository: Repository, making: Making) -> None:
    name = list(JARS)[3]
    del repository.files[_url_path(name)]
    with pytest.raises(ProgramError) as caught:
        maven.install(making, "test.lock")
    assert name in caught.value.what
    assert repository.url in caught.value.where
    assert "VERDICT_HARNESS_MAVEN" in caught.value.todo


def test_a_download_that_breaks_off_is_tried_again(repository: Repository, making: Making) -> None:
    name = list(JARS)[2]
    repository.cut.add(_url_path(name))
    with pytest.raises(ProgramError, match="could not be downloaded"):
        maven.install(making, "test.lock")
    assert repository.asked.count(_url_path(name)) == 3
    assert not stored(making, name).exists()


def test_no_network_says_what_the_client_said(making: Making, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))  # bound and not listening: refused for sure
        port = listener.getsockname()[1]
        monkeypatch.setenv("VERDICT_HARNESS_MAVEN", f"http://me:secret@127.0.0.1:{port}")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        with pytest.raises(ProgramError) as caught:
            maven.install(making, "test.lock")
    assert "refused" in caught.value.found
    assert str(port) in caught.value.where
    assert "secret" not in str(caught.value)
    assert "VERDICT_HARNESS_MAVEN" in caught.value.todo


def test_a_full_disk_is_not_taken_for_the_network(
    repository: Repository, making: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("jgo.maven.PythonResolver.download", full)
    with pytest.raises(ProgramError) as caught:
        maven.install(making, "test.lock")
    assert caught.value.expected == "room on the disk"
    assert repository.asked == []


def test_cancelling_ends_it(repository: Repository, making: Making) -> None:
    making.task.cancelled.set()
    with pytest.raises(Cancelled):
        maven.install(making, "test.lock")
    assert repository.asked == []


def test_the_users_repositories_come_before_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "jgo.conf"
    settings.write_text("[repositories]\nmirror = http://127.0.0.1:1/maven\n")
    monkeypatch.setenv("JGO_CONFIG_FILE", str(settings))
    monkeypatch.delenv("VERDICT_HARNESS_MAVEN", raising=False)
    assert list(maven.repositories()) == ["mirror", "central"]
    monkeypatch.setenv("VERDICT_HARNESS_MAVEN", "http://127.0.0.1:2/")
    assert maven.repositories() == {"given": "http://127.0.0.1:2"}


def test_without_what_reads_maven_it_is_said_how_to_get_it(
    making: Making, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(maven, "find_spec", lambda _: None)
    for ask in (lambda: maven.install(making, "test.lock"), lambda: maven.repin("x.lock", (), (), tmp_path)):
        with pytest.raises(ProgramError) as caught:
            ask()
        assert "verdict-harness[kafka]" in caught.value.todo
        assert "KAFKA_LIBS" in caught.value.todo


def pom(coordinate: str, needs: dict[str, str] | None = None) -> bytes:
    """What an artifact says of itself: its coordinate, and what it needs, by scope."""

    def named(text: str) -> str:
        parts = zip(("groupId", "artifactId", "version"), text.split(":"), strict=True)
        return "".join(f"<{tag}>{part}</{tag}>" for tag, part in parts)

    asked = "".join(
        f"<dependency>{named(other)}<scope>{scope}</scope></dependency>"
        for other, scope in (needs or {}).items()
    )
    return (
        f"<project><modelVersion>4.0.0</modelVersion>{named(coordinate)}"
        f"<dependencies>{asked}</dependencies></project>"
    ).encode()


def test_pins_made_anew_hold_what_was_asked_for_and_all_that_it_needs(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, library, runtime, test, single, unwanted = described = tuple(JARS)[:6]
    needs = {
        app: {library: "compile", test: "test"},
        library: {runtime: "runtime"},
        single: {unwanted: "compile"},
    }
    for coordinate in described:
        path = _url_path(coordinate).removesuffix(".jar") + ".pom"
        repository.files[path] = pom(coordinate, needs.get(coordinate))
    monkeypatch.setattr(maven, "PINS", tmp_path)
    (tmp_path / "test.lock").write_text("org.example:gone:1 00 0\n")
    maven.repin("test.lock", (app,), (single,), tmp_path / "work")
    gc.collect()
    jars = maven.read_lock("test.lock")
    assert {jar.coordinate for jar in jars} == {app, library, runtime, single}
    for jar in jars:
        content = JARS[jar.coordinate]
        assert (jar.sha256, jar.size) == (sha256(content), len(content))


@pytest.mark.parametrize("alone", [True, False], ids=["a jar", "what says what it needs"])
def test_pins_stay_as_they_were_where_something_cannot_be_had(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alone: bool
) -> None:
    part, absent = next(iter(JARS)), "org.example:absent:1"
    repository.files[_url_path(part).removesuffix(".jar") + ".pom"] = pom(part)
    monkeypatch.setattr(maven, "PINS", tmp_path)
    (tmp_path / "test.lock").write_text("as it was")
    wanted = ((part,), (absent,)) if alone else ((part, absent), ())
    with pytest.raises(ProgramError) as caught:
        maven.repin("test.lock", *wanted, tmp_path / "work")
    gc.collect()
    assert caught.value.what == "what belongs into test.lock could not be resolved"
    assert "org.example:absent" in caught.value.found
    assert caught.value.where == repository.url
    assert "VERDICT_HARNESS_MAVEN" in caught.value.todo
    assert (tmp_path / "test.lock").read_text() == "as it was"
