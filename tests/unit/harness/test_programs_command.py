"""The command line of programs, and pin files that are written anew; nothing is fetched from anywhere."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from verdict_harness.errors import ProgramError
from verdict_harness.programs import __main__ as command
from verdict_harness.programs import catalogue, golang, wheels
from verdict_harness.programs.model import Program


def wheel(at: Path, platform: str, content: str) -> str:
    """Put the smallest wheel there is; return its digest."""
    path = at / f"tiny_bin-1.2-py3-none-{platform}.whl"
    info = "tiny_bin-1.2.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("tiny_bin/go", content)
        file.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-bin\nVersion: 1.2\n")
        file.writestr(
            f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: py3-none-{platform}\n"
        )
        file.writestr(f"{info}/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of wheels that is all that pip knows, and one for pin files."""
    (tmp_path / "wheels").mkdir()
    (tmp_path / "scratch").mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setattr(wheels, "PINS", tmp_path)
    platforms = ("manylinux_2_17_x86_64", "musllinux_1_2_x86_64", "macosx_12_0_arm64")
    monkeypatch.setattr(wheels, "_PLATFORMS", platforms)  # pip takes a second for each
    return tmp_path / "wheels"


def test_a_wheel_is_pinned_for_each_platform_that_has_one(index: Path, tmp_path: Path) -> None:
    linux = wheel(index, "manylinux_2_17_x86_64", "for Linux")
    mac = wheel(index, "macosx_12_0_arm64", "for a Mac")
    wheels.repin("tiny.txt", "tiny-bin", "1.2", tmp_path / "scratch")
    lines = [line for line in (tmp_path / "tiny.txt").read_text().splitlines() if not line.startswith("#")]
    assert lines == ["tiny-bin==1.2 \\", f"    --hash=sha256:{linux} \\", f"    --hash=sha256:{mac}"]


def test_a_wheel_that_nobody_has_is_told_and_the_pins_stay(index: Path, tmp_path: Path) -> None:
    assert not list(index.iterdir())
    (tmp_path / "tiny.txt").write_text("as it was")
    with pytest.raises(ProgramError, match=r"no wheel of tiny-bin 1\.2 was found") as told:
        wheels.repin("tiny.txt", "tiny-bin", "1.2", tmp_path / "scratch")
    assert "tiny-bin" in told.value.found
    assert "PIP_INDEX_URL" in told.value.todo
    assert (tmp_path / "tiny.txt").read_text() == "as it was"


def test_a_go_module_is_pinned_with_its_own_replacements(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[tuple[str, ...]] = []

    class Done:
        stdout = ""

    def run(words: list[Any], *, cwd: Path, env: dict[str, str]) -> Done:
        ran.append(tuple(map(str, words[1:])))
        assert env["GOFLAGS"].startswith("-mod=mod"), "else nothing may be written"
        done = Done()
        if words[2] == "download":
            done.stdout = json.dumps({"GoMod": "/theirs/go.mod"})
        elif words[2:4] == ["edit", "-json"]:
            replace = [
                {"Old": {"Path": "a.org/x"}, "New": {"Path": "b.org/x", "Version": "v1.2.0"}},
                {
                    "Old": {"Path": "a.org/y", "Version": "v1.0.0"},
                    "New": {"Path": "a.org/y", "Version": "v1.0.1"},
                },
            ]
            done.stdout = json.dumps({"Go": "1.24.0", "Replace": replace})
        elif words[2] == "tidy":
            (cwd / "go.mod").write_text("module ours\n")
            (cwd / "go.sum").write_text("a sum\n")
        return done

    monkeypatch.setattr(golang, "run", run)
    monkeypatch.setattr(golang, "PINS", tmp_path / "pins")
    (tmp_path / "pins" / "tiny").mkdir(parents=True)
    (tmp_path / "scratch").mkdir()
    go = Program("go", Path("/go/bin/go"), "1.27.3", "cache")
    golang.repin(go, "tiny", "a.org/tiny@v1.0.0", ("a.org/tiny/cmd",), tmp_path / "scratch")
    edit = next(words for words in ran if words[:2] == ("mod", "edit") and "-json" not in words)
    assert "-require=a.org/tiny@v1.0.0" in edit
    assert "-tool=a.org/tiny/cmd" in edit
    assert "-replace=a.org/x=b.org/x@v1.2.0" in edit
    assert "-replace=a.org/y@v1.0.0=a.org/y@v1.0.1" in edit
    assert ran[-1] == ("mod", "tidy")
    assert (tmp_path / "pins" / "tiny" / "go.sum").read_text() == "a sum\n"


def test_each_recipe_is_pinned_by_what_it_is_made_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[tuple[str, Any]] = []
    monkeypatch.setattr(wheels, "repin", lambda *words: asked.append(("wheel", words[:3])))
    monkeypatch.setattr(golang, "repin", lambda *words: asked.append(("module", words[1:3])))
    monkeypatch.setattr(catalogue.maven, "repin", lambda *words: asked.append(("jars", words[:2])))
    for recipe in catalogue.RECIPES:
        catalogue.repin(recipe.name, lambda name: Program(name, Path(name), "1", "cache"), tmp_path)
    major, minor, patch = catalogue.PROMETHEUS_VERSION.split(".")
    assert dict(asked)  # each kind of them
    assert [kind for kind, _ in asked].count("wheel") == 2
    assert ("module", ("k6", f"go.k6.io/k6@v{catalogue.K6_VERSION}")) in asked
    module = f"{catalogue.PROMETHEUS_MODULE}@v0.{int(major) * 100 + int(minor)}.{patch}"
    assert ("module", ("prometheus", module)) in asked
    assert ("jars", ("kafka.lock", catalogue.KAFKA_COORDINATES)) in asked


def test_pins_are_asked_for_by_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pinned: list[str] = []
    monkeypatch.setattr(catalogue, "repin", lambda name, *_: pinned.append(name))
    assert command.main(["lock", "k6"]) == 0
    assert pinned == ["k6"]
    assert command.main(["lock"]) == 0
    assert pinned[1:] == [recipe.name for recipe in catalogue.RECIPES]
    assert "k6: pinned" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        command.main(["lock", "k7"])
    assert ended.value.code == 2
    assert "unknown: k7" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (ProgramError("no k6", todo="set K6"), 1, "set K6"),
        (KeyboardInterrupt(), 130, "will be used next time"),
    ],
    ids=["told", "Ctrl-C"],
)
def test_what_keeps_a_program_from_being_made_is_said_and_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    status: int,
    said: str,
) -> None:
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(command, "provide_all", fails)
    assert command.main(["--provide"]) == status
    assert said in capsys.readouterr().err


def test_the_path_of_one_is_all_that_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "provide", lambda name: Program(name, Path("/bin/k6"), "1.8.1", "PATH"))
    assert command.main(["--path", "k6"]) == 0
    assert capsys.readouterr().out == "/bin/k6\n"


def test_a_variable_that_names_no_such_program_is_shown_and_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("VERDICT_HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    for spec in catalogue.SPECS.values():
        monkeypatch.delenv(spec.variable, raising=False)
    assert command.main([]) == 0
    monkeypatch.setenv("K6", str(tmp_path / "none"))
    assert command.main([]) == 1
    shown = capsys.readouterr().out
    assert "can't be used" in shown
    assert str(tmp_path / "none") in shown
